import Foundation
import Groundwork
import SolarImage
import SuperResolution
import SyntheticSun
import Testing

/// Full disks of a synthetic Sun.
@Suite struct PreparationDiskTests {
    private static let spots =
        SyntheticSun.dipole(longitude: 100, latitude: 12, width: 1, peak: 1500, separation: 5, tilt: 5)
        + SyntheticSun.dipole(longitude: 150, latitude: -20, width: 0.8, peak: 900, separation: 4, tilt: -5)
        + SyntheticSun.dipole(longitude: 178, latitude: 8, width: 0.8, peak: 1200, separation: 4, tilt: 5)

    private func withFolder(_ body: (_ folder: URL) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "disks-\(UUID().uuidString)")
        for name in ["hmi", "mdi"] { try FileManager.default.createDirectory(at: folder.appending(path: name), withIntermediateDirectories: true) }
        defer { try? FileManager.default.removeItem(at: folder) }
        try body(folder)
    }

    private func disk(_ name: String, in folder: URL, rotation: Double = 179.93, minutes: Double = 0, _ overrides: [String: String?] = [:]) throws
        -> URL
    {
        let pair = SyntheticPair(Self.spots, rotations: (rotation, rotation), reduction: 4, minutes: minutes)
        let url = folder.appending(path: "hmi/\(name).fits")
        try pair.hmi.write(to: url, overrides: overrides)
        return url
    }

    private func crops(_ files: [URL], in folder: URL, _ change: (inout PreparationOptions) -> Void) throws -> (PreparedFolder, PreparationSurvey) {
        var options = PreparationOptions()
        (options.cropSize, options.splitBy, options.split) = (128, .file, [1, 0, 0])
        change(&options)
        let output = PreparedFolder(folder.appending(path: "out"))
        let staging = try PreparationStaging(in: output.url, files: files, options: options, startsAnew: true)
        let survey = try PreparationSurvey(of: files, options: options, staging: staging)
        _ = try Preparation(survey, options: options).write(staging, to: output, inputs: [])
        return (output, survey)
    }

    /// Turning reverses pixels, and each keeps its coordinates; what is left of the angle stays in the header.
    @Test(arguments: [179.93, 180.013]) func turnedDiskKeepsItsCoordinates(rotation: Double) throws {
        try withFolder { folder in
            let map = try Magnetogram(reading: try disk("a", in: folder, rotation: rotation))
            let turned = map.turned()
            #expect(map.grid?.isUpsideDown == true && turned.grid?.isUpsideDown == false)
            let angle = try #require(turned.grid?.rotation)
            #expect(abs(angle - (rotation - 180)) < 1e-9)
            let last = SIMD2(Double(map.image.width - 1), Double(map.image.height - 1))
            let points = [SIMD2(0.0, 0.0), SIMD2(300.25, 511.5), SIMD2(700, 333)]
            let (before, after) = (try map.worldCoordinates(), try turned.worldCoordinates())
            for (one, other) in zip(try before.world(at: points), try after.world(at: points.map { last - $0 })) {
                #expect(abs(one.x - other.x) < 1e-9 && abs(one.y - other.y) < 1e-9)
            }
            #expect(turned.image[700, 333] == map.image[Int(last.x) - 700, Int(last.y) - 333])
            #expect(turned.turned().header.real("CRPIX1") == map.header.real("CRPIX1"))
        }
    }

    /// Crops around the strongest field of an upside-down disk show the spots upright, within the limit of μ.
    @Test func strongestCropsShowTheSpots() throws {
        try withFolder { folder in
            let (output, survey) = try crops([try disk("a", in: folder)], in: folder) {
                ($0.centre, $0.cropsPerImage, $0.minimumMu) = (.strongest, 3, 0.3)
            }
            let source = try #require(survey.sources.first)
            #expect(source.isTurned && !source.crops.isEmpty && source.crops.allSatisfy { $0.mu ?? 0 >= 0.3 })
            let files = try fitsFiles(in: output.part(.train))
            #expect(files.count == source.crops.count)
            let places = try files.map { url in
                let crop = try Magnetogram(reading: url)
                #expect(abs(crop.grid?.rotation ?? 180) < 1)
                let peak = try #require(
                    crop.image.pixels.indices.filter { crop.image.pixels[$0].isFinite }.max {
                        abs(crop.image.pixels[$0]) < abs(crop.image.pixels[$1])
                    })
                let point = SIMD2(Double(peak % crop.image.width), Double(peak / crop.image.width))
                return try #require(crop.observer().carrington(at: try crop.worldCoordinates().world(at: [point])).first)
            }
            // Each peak is a pole of a dipole, within half a pixel of 2″ or so.
            for place in places {
                #expect(Self.spots.contains { abs($0.longitude - place.x) < 0.4 && abs($0.latitude - place.y) < 0.4 }, "\(place)")
            }
        }
    }

    /// Parts of MDI's disks of 2010-10-15 00:00 and 1999-12-11 00:00 and 17:36: where the table says that a region is, its field is found, smoothed by
    /// a Gaussian of 5 pixels. Of NOAA 8788, two strong polarities with weak field between them, both are in its crop.
    @Test(arguments: [
        ("11113", 96, [11113: 15.0]), ("11112", 96, [11112: 40]), ("8790", 96, [8790: 40]), ("8788", 128, [8788: 150, 8790: 40]),
    ]) func regionsLieWhereTheTableSays(_ name: String, _ size: Int, _ limits: [Int: Double]) throws {
        let fixtures = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().appending(path: "Fixtures/SolarImage")
        try withFolder { folder in
            let (output, survey) = try crops([fixtures.appending(path: "disk-\(name).fits")], in: folder) {
                ($0.centre, $0.cropsPerImage, $0.cropSize, $0.minimumMu) = (.noaa, 5, size, 0.1)
                $0.regions = [fixtures.appending(path: "regions.csv")]
            }
            let source = try #require(survey.sources.first)
            #expect(Set(source.crops.flatMap(\.regions)) == Set(limits.keys.map(Region.noaa)) && source.crops.count == limits.count)
            for url in try fitsFiles(in: output.part(.train)) {
                let crop = try Magnetogram(reading: url), number = try #require(crop.header.integer("NOAA_AR"))
                let limit = try #require(limits[number]), step = try #require(crop.arcsecPerPixel)
                let strength = Image(width: size, height: size, pixels: crop.image.pixels.map { $0.isFinite ? abs($0) : 0 }).blurred(deviation: 5)
                func distance(_ index: Int) -> Double {
                    let (x, y) = (Double(index % size) - Double(size - 1) / 2, Double(index / size) - Double(size - 1) / 2)
                    return (x * x + y * y).squareRoot() * step
                }
                // As the distances of the next regions are, but for 8788.
                let near = strength.pixels.indices.filter { distance($0) <= max(60, limit) }
                let peak = try #require(near.max { strength.pixels[$0] < strength.pixels[$1] })
                #expect(distance(peak) < limit && strength.pixels[peak] > 200, "\(number): \(distance(peak)) arcsec, \(strength.pixels[peak]) G")
                if number == 8788 {
                    let values = crop.image.blurred(deviation: 5).pixels.filter(\.isFinite)
                    #expect(values.max() ?? 0 > 800 && values.min() ?? 0 < -800, "\(values.max() ?? 0), \(values.min() ?? 0)")
                }
            }
        }
    }

    /// Files that cannot be used are named with a reason; the others are taken.
    @Test func badDisksAreLeftOutWithTheirReasons() throws {
        try withFolder { folder in
            let bad: [(String, String, [String: String?])] = [
                ("b", "PC1_1", ["PC1_1": "0.5", "PC1_2": "0.0", "PC2_1": "0.0", "PC2_2": "0.5"]), ("c", "CRPIX1", ["CRPIX1": "'nan'"]),
                ("d", "RSUN_REF", ["RSUN_REF": "0.0"]), ("e", "BUNIT", ["BUNIT": "'km/s'"]), ("f", "QUALITY", ["QUALITY": "-2147483648"]),
                ("g", "out of the frame", ["CRPIX1": "1200.0"]), ("h", "10 %", ["CDELT1": "3.0", "CDELT2": "3.0", "RSUN_OBS": "1400.0"]),
            ]
            var files = [try disk("a", in: folder)]
            for (name, _, overrides) in bad { files.append(try disk(name, in: folder, overrides)) }
            let copy = folder.appending(path: "hmi/z.fits")
            try FileManager.default.copyItem(at: files[0], to: copy)
            files += [copy, try disk("y", in: folder, minutes: 60)]
            let (output, survey) = try crops(files, in: folder) { _ in }
            #expect(survey.sources.map(\.url.lastPathComponent) == ["a.fits"])
            let text = try String(contentsOf: output.manifest, encoding: .utf8).split(separator: "\n").map(String.init)
            for (name, words, _) in bad + [("z", "a.fits", [:])] {
                let line = text.first { $0.contains("/\(name).fits") && $0.contains("rejected") }
                #expect(line?.contains(words) == true, "\(name): \(line ?? "not in the manifest")")
            }
        }
    }

    /// `--pairs`: crops on MDI's grid made finer, MDI's own values as LR, figures in the manifest, reasons for what has no partner.
    @Test func disksOfTwoInstrumentsBecomePairs() throws {
        try withFolder { folder in
            let pair = SyntheticPair(Self.spots, rotations: (179.93, 180.013), reduction: 4)
            let (high, low) = (folder.appending(path: "hmi/h.fits"), folder.appending(path: "mdi/m.fits"))
            try pair.hmi.write(to: high)
            try pair.mdi.write(to: low)
            let blind = folder.appending(path: "hmi/blind.fits")
            try SyntheticPair(Self.spots, reduction: 4, minutes: 30).hmi.write(
                to: blind, overrides: ["DSUN_OBS": nil, "T_OBS": "'2011.09.01_00:00:00_TAI'"])
            func run(_ minutes: Double) throws -> (PreparedFolder, PreparationSurvey) {
                try crops([high, blind], in: folder) {
                    ($0.centre, $0.cropsPerImage) = (.strongest, 1)
                    $0.lowResolution = .matched(folder.appending(path: "mdi"), minutes: minutes)
                }
            }
            let (output, survey) = try run(40)
            #expect(survey.sources.count == 1 && survey.rejections.count == 1 && survey.rejections[0].reason.contains("minutes away"))
            let url = try #require(try fitsFiles(in: output.part(.train)).first)
            let crop = try Magnetogram(reading: url)
            let lower = try #require(try FITSFile(reading: url).image(named: "LR"))
            #expect(lower.image.width * 4 == crop.image.width && lower.image.height * 4 == crop.image.height)
            #expect(lower.header.real("MDIFACT") == 1.4)
            // The scene is noiseless: means of HMI's resampled field are MDI's values.
            let comparison = FieldComparison(of: lower.image, with: crop.image.blockMean(by: 4))
            #expect(comparison.correlation > 0.999 && abs(comparison.slopeThroughOrigin - 1) < 0.01)
            let figures = try #require(survey.sources.first?.crops.first?.pair?.registration)
            #expect(abs(figures.timeDifference + 30) < 0.01)
            let report = Preparation(survey, options: PreparationOptions()).report
            for words in ["pairs        1\n", "correlation 1.000 … 1.000", "slope of means 1.00", "shift in y (HR pixels)"] {
                #expect(report.contains(words), "\(report)")
            }
            #expect(try run(20).1.rejections.contains { $0.url.lastPathComponent == "m.fits" })
        }
    }
}
