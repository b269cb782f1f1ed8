import Foundation
import Groundwork
import SolarImage
import SuperResolution
import SyntheticSun
import Testing

/// Full disks of a synthetic Sun.
@Suite struct PreparationDiskTests {
    /// 2010-10-15 10:00 TAI.
    private static let time = 1_287_136_800.0
    private let observer = SyntheticObserver(
        distance: 1.49e11, longitude: ObservationTime(taiSeconds: PreparationDiskTests.time).centralMeridianLongitude, latitude: 5.9)

    /// A disk of 512² pixels of 4″, as HMI's upside down.
    private func disk(
        _ spots: [SyntheticSun.Spot]? = nil, _ camera: SyntheticCamera = .hmi(reduction: 8), later seconds: Double = 0, seed: UInt64 = 1
    ) -> SyntheticDisk {
        let sun = SyntheticSun(spots: spots ?? SyntheticSun.network(count: 300, width: 1.5, peak: 400, seed: 3), epoch: Self.time)
        return SyntheticDisk(sun, from: observer.later(by: seconds), by: camera, at: Self.time + seconds, noise: 6, seed: seed)
    }

    private func options(_ change: (inout PreparationOptions) -> Void = { _ in }) -> PreparationOptions {
        var options = PreparationOptions()
        (options.cropSize, options.splitBy) = (64, .file)
        change(&options)
        return options
    }

    @Test(arguments: [PreparationOptions.Centre.random, .strongest])
    func cropsAreUprightAndWhereTheirHeadersSay(_ centre: PreparationOptions.Centre) throws {
        try withPreparationFolder { folder in
            let source = try folder.write("disk.fits", disk())
            try folder.prepare(options { ($0.cropsPerImage, $0.centre) = (4, centre) })
            let crops = try folder.crops()
            #expect(crops.count == 4)
            let whole = try Magnetogram(reading: source), world = try whole.worldCoordinates()
            let frames = crops.map { CropFrame(x: $0.x, y: $0.y, width: $0.width, height: $0.height) }
            for (index, line) in crops.enumerated() {
                let crop = try Magnetogram(reading: folder.crop(line))
                #expect(line.turned && line.x % 4 == 0 && line.y % 4 == 0 && abs((crop.grid?.rotation ?? 9) + 0.07) < 1e-9)
                #expect((line.mu ?? 0) >= 0.2 && line.time == whole.time?.description)
                let pixels = (0..<64 * 64).map { SIMD2(Double($0 % 64), Double($0 / 64)) }
                let back = try world.pixels(at: crop.worldCoordinates().world(at: pixels))
                var (error, wrong) = (0.0, 0)
                for (place, value) in zip(back, crop.image.pixels) {
                    let (x, y) = (place.x.rounded(), place.y.rounded())
                    error = max(error, abs(place.x - x), abs(place.y - y))
                    let expected = whole.image[Int(x), Int(y)]
                    if expected != value, !(expected.isNaN && value.isNaN) { wrong += 1 }
                }
                #expect(error < 1e-9 && wrong == 0, "pixels are \(error) off, \(wrong) values differ")
                #expect(frames[..<index].allSatisfy { $0.overlap(frames[index]) == 0 })
                let carrington = try #require(line.carrington)
                let middle = try #require(try crop.observer().carrington(at: crop.worldCoordinates().world(at: [SIMD2(31.5, 31.5)])).first)
                #expect(abs(carrington[0] - middle.x) < 1e-6 && abs(carrington[1] - middle.y) < 1e-6)
            }
        }
    }

    /// Parts of MDI's disks of 2010-10-15 00:00 and 1999-12-11 00:00 and 17:36: where the table says that a region is, its field is found, smoothed by
    /// a Gaussian of 5 pixels. Of NOAA 8788, two strong polarities with weak field between them, both are in its crop.
    @Test(arguments: [
        ("11113", 96, [11113: 15.0]), ("11112", 96, [11112: 40]), ("8790", 96, [8790: 40]), ("8788", 128, [8788: 150, 8790: 40]),
    ]) func regionsLieWhereTheTableSays(_ name: String, _ size: Int, _ limits: [Int: Double]) throws {
        let fixtures = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().appending(path: "Fixtures/SolarImage")
        try withPreparationFolder { folder in
            try FileManager.default.copyItem(at: fixtures.appending(path: "disk-\(name).fits"), to: folder.input("disk.fits"))
            try folder.prepare(
                options {
                    ($0.centre, $0.cropsPerImage, $0.cropSize, $0.minimumMu) = (.noaa, 5, size, 0.1)
                    $0.regions = [fixtures.appending(path: "regions.csv")]
                })
            let crops = try folder.crops()
            #expect(Set(crops.flatMap(\.region)) == Set(limits.keys.map { "NOAA \($0)" }) && crops.count == limits.count)
            for line in crops {
                let crop = try Magnetogram(reading: folder.crop(line)), number = try #require(crop.header.integer("NOAA_AR"))
                let limit = try #require(limits[number]), step = try #require(crop.arcsecPerPixel)
                let field = Image(width: size, height: size, pixels: crop.image.pixels.map { $0.isFinite ? abs($0) : 0 })
                let blur = PointSpreadFunction(width: 5 * 2.354820045), strength = field.blurred(by: blur, arcsecPerPixel: 1)
                func distance(_ index: Int) -> Double {
                    let (x, y) = (Double(index % size) - Double(size - 1) / 2, Double(index / size) - Double(size - 1) / 2)
                    return (x * x + y * y).squareRoot() * step
                }
                // As the distances of the next regions are, but for 8788.
                let near = strength.pixels.indices.filter { distance($0) <= max(60, limit) }
                let peak = try #require(near.max { strength.pixels[$0] < strength.pixels[$1] })
                #expect(distance(peak) < limit && strength.pixels[peak] > 200, "\(number): \(distance(peak)) arcsec, \(strength.pixels[peak]) G")
                if number == 8788 {
                    let values = crop.image.blurred(by: blur, arcsecPerPixel: 1).pixels.filter(\.isFinite)
                    #expect(values.max() ?? 0 > 800 && values.min() ?? 0 < -800, "\(values.max() ?? 0), \(values.min() ?? 0)")
                }
            }
        }
    }

    /// By where the synthetic Sun has them, to 0.4°: each peak is a pole of a dipole.
    @Test func strongestCropsShowTheSpots() throws {
        let places = [(-20.0, 12.0), (30, -20), (58, 8)]
        let spots = places.flatMap { longitude, latitude in
            SyntheticSun.dipole(longitude: observer.longitude + longitude, latitude: latitude, width: 1.5, peak: 1500, separation: 5, tilt: 5)
        }
        try withPreparationFolder { folder in
            try folder.write("disk.fits", disk(spots))
            try folder.prepare(options { ($0.centre, $0.cropsPerImage, $0.minimumMu) = (.strongest, 3, 0.3) })
            let crops = try folder.crops()
            #expect(crops.count == 3 && crops.allSatisfy { $0.mu ?? 0 >= 0.3 })
            var found: Set<Int> = []
            for line in crops {
                let crop = try Magnetogram(reading: folder.crop(line)), pixels = crop.image.pixels
                let peak = try #require(pixels.indices.filter { pixels[$0].isFinite }.max { abs(pixels[$0]) < abs(pixels[$1]) })
                let point = SIMD2(Double(peak % crop.image.width), Double(peak / crop.image.width))
                let place = try #require(crop.observer().carrington(at: try crop.worldCoordinates().world(at: [point])).first)
                let nearest = spots.firstIndex { abs(remainder($0.longitude - place.x, 360)) < 0.4 && abs($0.latitude - place.y) < 0.4 }
                #expect(nearest != nil, "\(place)")
                if let nearest { found.insert(nearest / 2) }
            }
            #expect(found == [0, 1, 2])
        }
    }

    /// The crops of a cutout and of a disk that is not upside down.
    @Test func cutoutsAreTurnedTooAndUprightDisksAreNot() throws {
        try withPreparationFolder { folder in
            let whole = try Magnetogram(reading: folder.write("disk.fits", disk()))
            let cutout = whole.cropped(x: 100, y: 140, width: 90, height: 70)
            try FileManager.default.removeItem(at: folder.input("disk.fits"))
            try folder.write("disk.fits", cutout.header, cutout.image)
            try folder.write("upright.fits", disk(nil, .hmi(rotation: 0.1, reduction: 8), seed: 2))
            try folder.prepare(options { $0.cropSize = 128 })
            let crops = try folder.crops()
            #expect(crops.map(\.turned) == [true, false] && crops.map(\.width) == [90, 128])
            let turned = try Magnetogram(reading: folder.crop(crops[0]))
            #expect(abs((turned.grid?.rotation ?? 9) + 0.07) < 1e-9 && turned.image == cutout.turned().image)
        }
    }

    @Test func badDisksAreNamedAndTheRunGoesOn() throws {
        let small = SyntheticCamera.hmi(reduction: 8)
        var shifted = small
        shifted.centre.x += 120
        let cases: [(name: String, camera: SyntheticCamera, overrides: [String: String?], reason: String?)] = [
            ("a", small, [:], nil), ("aa", small, [:], nil), ("b", small, ["PC1_1": "0.5", "PC2_2": "0.5"], "CDELTn and PCi_j contradict"),
            ("c", small, ["CRPIX1": "'nan'"], "CRPIX1 is not a number"), ("d", small, ["CRPIX2": "nan"], "CRPIX2"),
            ("e", small, ["RSUN_REF": "0"], "the solar radius is not positive"), ("f", small, ["RSUN_OBS": "0.0"], "RSUN_OBS"),
            ("g", small, ["BUNIT": "'km/s'"], "not a magnetogram"), ("h", small, ["QUALITY": "-2147483648"], "0x80000000"),
            ("i", shifted, [:], "the disk is out of the frame"), ("j", .hmi(reduction: 4), [:], "10 %"),
            ("k", small, ["CDELT1": "0.0"], "the scale is zero"), ("l", small, ["CDELT1": nil, "CDELT2": nil], "how large a pixel is"),
            ("m", small, ["CTYPE1": "'RA---TAN'"], "not supported"), ("n", small, ["CUNIT1": "'furlong'"], "unit"),
        ]
        try withPreparationFolder { folder in
            for (index, item) in cases.enumerated() {
                try folder.write("\(item.name).fits", disk(nil, item.camera, seed: UInt64(index)), item.overrides)
            }
            try FileManager.default.copyItem(at: folder.input("a.fits"), to: folder.input("z.fits"))
            try folder.prepare(options())
            let rejected = try folder.rejections()
            #expect(try folder.crops().map(\.source) == ["a", "aa"].map { folder.input("\($0).fits").path })
            for item in cases {
                let line = rejected.first { $0.source == folder.input("\(item.name).fits").path }
                #expect(line.map { $0.rejected.contains(item.reason ?? "") } ?? (item.reason == nil), "\(item.name): \(line?.rejected ?? "taken")")
            }
            #expect(rejected.last?.rejected == "the same file as \(folder.input("a.fits").path)")
        }
    }

    /// Positions for midnight, an image 10 hours later: the Sun turns by 5.5° in between.
    @Test func regionsAreFoundByTheirPositions() throws {
        let midnight = try #require(ObservationTime("2010-10-15T00:00Z"))
        let reports: [(number: Int, location: String, longitude: Double, latitude: Double, area: Int)] = [
            (11112, "S18E00", 0, -18, 20), (11113, "N17E55", -55, 17, 100), (11114, "N22W41", 41, 22, 300), (11115, "N05W79", 79, 5, 900),
        ]
        let spots = reports.map {
            SyntheticSun.Spot(longitude: $0.longitude + midnight.centralMeridianLongitude, latitude: $0.latitude, width: 1, peak: 1500)
        }
        let sun = SyntheticSun(spots: spots, epoch: midnight.taiSeconds)
        let disk = SyntheticDisk(sun, from: observer, by: .hmi(reduction: 8), at: Self.time, noise: 6)
        try withPreparationFolder { folder in
            try folder.write("disk.fits", disk)
            let table = folder.url.appending(path: "regions.csv")
            try "date,noaa_region,location,size\n\(reports.map { "2010-10-15,\($0.number),\($0.location),\($0.area)\n" }.joined())".write(
                to: table, atomically: true, encoding: .utf8)
            func crops(_ change: (inout PreparationOptions) -> Void) throws -> [ManifestCrop] {
                var options = options { $0.regions = [table] }
                change(&options)
                try folder.prepare(options)
                return try folder.crops()
            }
            let found = try crops { ($0.centre, $0.cropsPerImage, $0.cropSize) = (.noaa, 5, 32) }
            // The largest first; the one near the limb is beyond the limit of μ.
            #expect(found.map(\.region) == [["NOAA 11114"], ["NOAA 11113"], ["NOAA 11112"]])
            for (line, spot) in zip(found, [spots[2], spots[1], spots[0]]) {
                let pixel = SIMD2(511, 511) - (try #require(disk.pixel(of: spot)))
                let centre = SIMD2(Double(line.x), Double(line.y)) + 15.5
                #expect(abs(centre.x - pixel.x) <= 2.1 && abs(centre.y - pixel.y) <= 2.1, "\(centre) instead of \(pixel)")
                let crop = try Magnetogram(reading: folder.crop(line))
                #expect(crop.image.pixels.filter(\.isFinite).max() ?? 0 > 1000)
                #expect(crop.regions.map(\.description) == line.region, "later readers find the region in the header")
            }
            #expect(try crops { ($0.centre, $0.cropSize) = (.noaa, 32) }.map(\.region) == [["NOAA 11114"]])
            // Crops placed otherwise have the regions in them.
            #expect(try crops { $0.cropSize = 512 }.map(\.region) == [["NOAA 11115", "NOAA 11114", "NOAA 11113", "NOAA 11112"]])

            // Without what it takes to find them.
            try folder.write("disk.fits", disk, ["DSUN_OBS": nil])
            #expect(try crops { $0.centre = .noaa }.isEmpty)
            #expect(try folder.rejections().first?.rejected.contains("DSUN_OBS") == true)
            #expect(try crops { _ in }.map(\.region) == [[]])
        }
    }

    @Test func cropsOfOneRegionStayInOnePart() throws {
        try withPreparationFolder { folder in
            let spots = [SyntheticSun.Spot(longitude: observer.longitude, latitude: 20, width: 2, peak: 1500)]
            for hour in 0..<3 { try folder.write("\(hour).fits", disk(spots, later: Double(hour) * 3600, seed: UInt64(hour))) }
            for day in [20, 41] { try folder.write("day\(day).fits", disk(later: Double(day) * 86400, seed: UInt64(day))) }
            try folder.prepare(options { ($0.centre, $0.splitBy) = (.strongest, .region) })
            let parts = Dictionary(grouping: try folder.crops()) { $0.source.contains("day") ? $0.source : "region" }.mapValues {
                Set($0.map(\.split))
            }
            #expect(parts.count == 3 && parts.values.allSatisfy { $0.count == 1 } && Set(parts.values.flatMap(\.self)).count == 3)
        }
    }
}
