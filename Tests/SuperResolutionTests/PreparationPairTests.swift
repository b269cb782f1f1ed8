import Foundation
import Groundwork
import SolarImage
import SuperResolution
import SyntheticSun
import Testing

/// Crops with MDI's field beside HMI's.
@Suite struct PreparationPairTests {
    private static let fixtures = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Fixtures/SolarImage")

    private func options(_ low: PreparationOptions.LowResolution, _ change: (inout PreparationOptions) -> Void = { _ in }) -> PreparationOptions {
        var options = PreparationOptions()
        (options.lowResolution, options.cropSize, options.splitBy, options.split) = (low, 64, .file, [1, 0, 0])
        change(&options)
        return options
    }

    private func lowResolution(of line: ManifestCrop, in folder: PreparationFolder) throws -> FITSImage {
        try #require(try FITSFile(reading: folder.crop(line)).image(named: "LR"))
    }

    @Test func simulatedPairsAreThoseOfTheWholeMap() throws {
        let observer = SyntheticObserver(distance: 1.49e11, longitude: 100, latitude: 5.9)
        let sun = SyntheticSun(spots: SyntheticSun.network(count: 300, width: 1.5, peak: 400, seed: 3), epoch: 1.28e9)
        try withPreparationFolder { folder in
            let source = try folder.write("disk.fits", SyntheticDisk(sun, from: observer, by: .hmi(reduction: 2), at: 1.28e9, noise: 6))
            var simulation = Observation(Instrument.mdi.usualConditions)
            (simulation.noise, simulation.gain) = (0, 1.25)
            try folder.prepare(options(.simulated(simulation, by: .mdi)) { ($0.factor, $0.cropsPerImage) = (1.25, 2) })
            let crops = try folder.crops()
            #expect(crops.count == 2)
            let upright = try Magnetogram(reading: source, masksOffDisk: true).turned()
            let scale = try #require(upright.arcsecPerPixel)
            let whole = upright.image.blurred(by: simulation.psf, arcsecPerPixel: scale).blockMean(by: 4)
            for line in crops {
                let high = try FITSFile(reading: folder.crop(line)).firstImage(), low = try lowResolution(of: line, in: folder)
                #expect(high.image.width == 64 && low.image.width == 16 && low.image.height == 16)
                let expected = whole.cropped(x: line.x / 4, y: line.y / 4, width: 16, height: 16).transformed { 1.25 * $2 }
                #expect(low.image.greatestDifference(from: expected) < 0.05, "surroundings count up to four widths of the blur")
                #expect(low.header.real("MDIFACT") == 1.25 && low.header.real("CDELT1") == 4 * (high.header.real("CDELT1") ?? 0))
                let (a, b) = (try WorldCoordinates(high.header), try WorldCoordinates(low.header))
                let corner = try #require(try a.pixels(at: b.world(at: [SIMD2(-0.5, -0.5)])).first)
                #expect(abs(corner.x + 0.5) < 1e-9 && abs(corner.y + 0.5) < 1e-9)
                let comparison = FieldComparison(of: low.image, with: high.image.blockMean(by: 4))
                #expect(line.pair?.kind == .simulated && line.pair?.factor == 1.25)
                #expect(line.pair?.correlation == comparison.correlation && line.pair?.slopeOfMeans == comparison.slopeThroughOrigin)
            }
            // Noise: MDI's, the same for the same seed.
            simulation.noise = 20
            func noise() throws -> Image {
                try folder.prepare(options(.simulated(simulation, by: .mdi)))
                let line = try #require(try folder.crops().first), low = try lowResolution(of: line, in: folder).image
                let quiet = whole.cropped(x: line.x / 4, y: line.y / 4, width: 16, height: 16)
                return low.transformed { x, y, value in value - 1.25 * quiet[x, y] }
            }
            let first = try noise(), known = first.pixels.filter(\.isFinite)
            let deviation = (known.reduce(0) { $0 + $1 * $1 } / Float(known.count)).squareRoot()
            #expect(abs(deviation - 20) < 4)
            #expect(try noise().greatestDifference(from: first) == 0)
        }
    }

    /// NOAA 11183 as HMI and MDI saw it, on one grid: through the origin, MDI's slope on HMI is 1.22 to 1.25, and 1.28 to 1.31 for means of 4 × 4 pixels.
    @Test func registeredPairsAreMatchedByName() throws {
        try withPreparationFolder { folder in
            let mdi = folder.url.appending(path: "mdi")
            try FileManager.default.createDirectory(at: mdi, withIntermediateDirectories: true)
            for (number, stamp) in ["20110402_204800", "20110403_044800", "20110403_062400"].enumerated() {
                func fixture(_ name: String) -> URL { Self.fixtures.appending(path: "pair-\(number + 1)-\(name).fits") }
                try FileManager.default.copyItem(at: fixture("hmi"), to: folder.input("hmi_M-720s_\(stamp)_AR11183.fits"))
                try FileManager.default.copyItem(at: fixture("mdi"), to: mdi.appending(path: "mdi_fd-M-96m_\(stamp)_AR11183_on-hmi-grid.fits"))
            }
            func noise(_ width: Int, _ seed: UInt64) -> Image { MetricFixture.noise(width: width, height: 256, seed: seed) }
            func partner(_ day: Int, _ image: Image) throws {
                try FITSWriter.write(image, header: FITSHeader(), to: mdi.appending(path: "mdi_2011040\(day)_000000_AR11183.fits"))
            }
            for day in 5...7 { try folder.write("hmi_2011040\(day)_000000_AR11183.fits", FITSHeader(), noise(256 - day, UInt64(day))) }
            try partner(6, noise(256, 9))  // of another size
            try partner(7, noise(249, 9))  // that shows something else
            try folder.prepare(options(.registered(mdi)) { ($0.cropSize, $0.splitBy, $0.split) = (1024, .region, [0.7, 0.15, 0.15]) })
            let crops = try folder.crops()
            #expect(crops.count == 3 && Set(crops.map(\.split)).count == 1, "one region")
            for line in crops {
                let pair = try #require(line.pair)
                #expect(pair.kind == .registered && pair.factor == 1.4 && pair.source?.contains("on-hmi-grid") == true && pair.sha256?.count == 64)
                #expect((1.21...1.26).contains(pair.slope ?? 0) && (1.27...1.32).contains(pair.slopeOfMeans ?? 0), "\(pair)")
                #expect((0.935...0.95).contains(pair.correlation ?? 0) && (pair.shift ?? [9]).allSatisfy { abs($0) < 1 })
                let low = try lowResolution(of: line, in: folder)
                let partner = try Magnetogram(reading: URL(filePath: try #require(pair.source))).image.blockMean(by: 4)
                #expect(low.image == partner && low.header.real("MDIFACT") == 1.4, "MDI's own Gauss")
            }
            let reasons = try folder.rejections().map(\.rejected)
            #expect(
                reasons.count == 3 && reasons[0].contains("no file in") && reasons[1].contains("not on its grid")
                    && reasons[2].contains("correlation"))
        }
    }

    /// Both are turned where HMI's header says that it is upside down; of a map of which only one half has a partner, crops of the other are refused.
    @Test func registeredPairsAreTurnedAndRefusedCropByCrop() throws {
        try withPreparationFolder { folder in
            let mdi = folder.url.appending(path: "mdi"), name = "hmi_20110402_204800_AR11183.fits"
            try FileManager.default.createDirectory(at: mdi, withIntermediateDirectories: true)
            var header = FITSHeader()
            for (keyword, value) in [("CRPIX1", 128.5), ("CRPIX2", 64.5), ("CDELT1", 0.5), ("CDELT2", 0.5), ("CROTA2", 180)] as [(String, Double)] {
                header.set(keyword, .real(value))
            }
            for (keyword, value) in [("CTYPE1", "HPLN-TAN"), ("CTYPE2", "HPLT-TAN")] { header.set(keyword, .string(value)) }
            let high = MetricFixture.noise(width: 256, height: 128, seed: 1), other = MetricFixture.noise(width: 256, height: 128, seed: 2)
            let low = high.transformed { x, y, value in x < 128 ? 1.5 * value : other[x, y] }
            try folder.write(name, header, high)
            try FITSWriter.write(low, header: header, to: mdi.appending(path: "mdi_20110402_204800_AR11183.fits"))
            try folder.prepare(options(.registered(mdi)) { $0.cropsPerImage = 6 })
            let crops = try folder.crops(), refused = try folder.rejections()
            #expect(crops.count + refused.count == 6 && !refused.isEmpty && refused.allSatisfy { $0.rejected.contains("correlation") })
            #expect(!crops.isEmpty && crops.allSatisfy { $0.turned && $0.x >= 64 }, "the half that was left is right now")
            for line in crops where line.x >= 128 {
                let field = try Magnetogram(reading: folder.crop(line)).image
                #expect(field == Image(width: 256, height: 128, pixels: high.pixels.reversed()).cropped(x: line.x, y: line.y, width: 64, height: 64))
                #expect(
                    try lowResolution(of: line, in: folder).image.greatestDifference(from: field.blockMean(by: 4).transformed { 1.5 * $2 }) < 1e-5)
            }
        }
    }

    /// Disks of a synthetic Sun, HMI's and half an hour later MDI's.
    private static let pair = SyntheticPair(
        SyntheticSun.dipole(longitude: 100, latitude: 12, width: 1, peak: 1500, separation: 5, tilt: 5)
            + SyntheticSun.dipole(longitude: 150, latitude: -20, width: 0.8, peak: 900, separation: 4, tilt: -5),
        rotations: (179.93, 180.013), reduction: 4)

    /// The same Sun at another time.
    private func later(_ disk: SyntheticDisk, hours: Double) -> SyntheticDisk {
        var disk = disk
        disk.observer = disk.observer.later(by: hours * 3600)
        disk.taiSeconds += hours * 3600
        return disk
    }

    /// Crops lie on MDI's grid made finer, MDI's values are its own, and what cannot be paired is named.
    @Test func disksAreMatchedInTime() throws {
        try withPreparationFolder { folder in
            let mdi = folder.url.appending(path: "mdi")
            try FileManager.default.createDirectory(at: mdi, withIntermediateDirectories: true)
            func write(_ name: String, hours: Double, high: [String: String?] = [:], low: [String: String?] = [:]) throws {
                try folder.write("\(name).fits", later(Self.pair.hmi, hours: hours), high)
                try later(Self.pair.mdi, hours: hours).write(to: mdi.appending(path: "\(name)-mdi.fits"), overrides: low)
            }
            try write("a", hours: 0)
            try write("b", hours: 5, high: ["DSUN_OBS": nil])
            try write("c", hours: 10, low: ["DSUN_OBS": nil])
            try write("d", hours: 15, high: ["QUALITY": "-2147483648"])
            try write("e", hours: 20, low: ["CDELT1": "2.0", "PC1_1": "0.5", "PC2_2": "0.5"])
            try folder.write("f.fits", later(Self.pair.hmi, hours: 40))
            func prepare(minutes: Double) throws -> [String: String] {
                try folder.prepare(options(.matched(mdi, minutes: minutes)) { ($0.cropSize, $0.centre) = (128, .strongest) })
                return Dictionary(try folder.rejections().map { (URL(filePath: $0.source).lastPathComponent, $0.rejected) }) { "\($0); \($1)" }
            }
            let reasons = try prepare(minutes: 40)
            #expect(Set(reasons.keys) == ["b.fits", "c.fits", "d.fits", "d-mdi.fits", "e.fits", "e-mdi.fits", "f.fits"])
            let expected = [
                "b.fits": "DSUN_OBS", "c.fits": "c-mdi.fits, DSUN_OBS", "d.fits": "0x80000000", "d-mdi.fits": "minutes away",
                "e.fits": "minutes away", "e-mdi.fits": "PC1_1",
                "f.fits": "minutes away",
            ]
            for (name, words) in expected { #expect(reasons[name]?.contains(words) == true, "\(name): \(reasons[name] ?? "")") }
            let crops = try folder.crops()
            #expect(crops.map(\.source) == [folder.input("a.fits").path])
            let line = try #require(crops.first), figures = try #require(line.pair?.registration)
            let field = try Magnetogram(reading: folder.crop(line)).image, low = try lowResolution(of: line, in: folder)
            #expect(line.pair?.kind == .matched && line.pair?.source == mdi.appending(path: "a-mdi.fits").path && field.width == 128)
            #expect(low.image.width == 32 && low.image.height == 32 && low.header.real("MDIFACT") == 1.4)
            // The scene is noiseless: means of HMI's resampled field are MDI's values.
            let comparison = FieldComparison(of: low.image, with: field.blockMean(by: 4))
            #expect(comparison.correlation > 0.999 && abs(comparison.slopeThroughOrigin - 1) < 0.01)
            #expect(abs(figures.timeDifference + 30) < 0.01)

            #expect(try prepare(minutes: 20)["a-mdi.fits"]?.contains("30.0 minutes away, more than 20") == true)
        }
    }
}
