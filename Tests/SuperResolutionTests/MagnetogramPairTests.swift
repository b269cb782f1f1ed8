import Foundation
import Groundwork
import SolarImage
import SuperResolution
import SyntheticSun
import Testing

/// False for nil and NaN.
private func near(_ value: Double?, _ expected: Double, _ tolerance: Double) -> Bool {
    value.map { abs($0 - expected) <= tolerance } ?? false
}

@Suite struct MagnetogramPairTests {
    /// Dipoles from the middle of the disk to 65 degrees from it.
    private static let dipoles = [(119.0, 8.0), (150, -12), (88, 25), (120, 66), (65, -10)].map { longitude, latitude in
        SyntheticSun.dipole(longitude: longitude, latitude: latitude, width: 0.5, peak: 1800, separation: 6, tilt: -5)
    }

    private static func middle(_ pair: SyntheticPair, _ dipole: [SyntheticSun.Spot]) throws -> SIMD2<Double> {
        (try #require(pair.place(of: dipole[0])) + (try #require(pair.place(of: dipole[1])))) / 2
    }

    /// Spots lie where the synthetic Sun puts them, in both images of a pair, and have the flux that they have on the Sun; both disks turned all
    /// ways.
    @Test(arguments: [(179.93, 0.0, 1, 30.0), (180.013, 180.013, 1, -30), (0, 179.93, 2, 30), (3.1, 3.1, 2, 0)])
    func bringsHMIOntoMDI(_ hmi: Double, _ mdi: Double, _ reduction: Int, _ minutes: Double) throws {
        let pair = SyntheticPair(Self.dipoles.flatMap(\.self), rotations: (hmi, mdi), reduction: reduction, minutes: minutes)
        let (high, low) = try pair.read()
        for dipole in Self.dipoles {
            let frame = SyntheticPair.frame(around: try Self.middle(pair, dipole), side: 512 / reduction)
            let made = try MagnetogramPair(high: high, low: low, frame: frame)
            let origin = SIMD2(Double(frame.x), Double(frame.y))
            var places: [SIMD2<Double>] = []
            for spot in dipole {
                let place = try #require(pair.place(of: spot)), expected = SyntheticPair.fine(place) - origin
                let found = made.high.peak(near: expected, arm: reduction == 1 ? 4 : 2)
                let partner = SyntheticPair.fine(made.low.peak(near: place - origin / 4, arm: 1))
                #expect(abs(found.x - expected.x) < 0.04 && abs(found.y - expected.y) < 0.04, "\(found) against \(expected)")
                #expect(abs(found.x - partner.x) < 0.06 && abs(found.y - partner.y) < 0.06, "\(found) against \(partner)")
                places.append(found)
                // The spot as it lies when MDI sees it.
                let now = pair.mdi.position(of: spot)
                let flux = (high: try made.high.flux(around: now, radius: 2.9), low: try made.low.flux(around: now, radius: 2.9))
                #expect(abs(flux.high / spot.flux - 1) < 2e-3 && abs(flux.low / spot.flux - 1) < 5e-3, "\(flux), \(spot.flux)")
            }
            // North is up: the leading spot is to the west, on the right.
            #expect(places[0].x > places[1].x + 20 && places[0].y < places[1].y)
            let figures = made.figures
            #expect(made.refusal == nil && figures.timeDifference == -minutes && figures.correlation ?? 0 > 0.99999)
            #expect(near(figures.slope, 1, 1e-3) && near(figures.slopeThroughOrigin, 1, 1e-3))
            let shift = try #require(figures.shift)
            #expect(!figures.isShifted && shift == figures.residualShift && abs(shift[0]) < 0.01 && abs(shift[1]) < 0.01, "\(shift)")
            #expect(near(figures.scale, 1, 2e-4) && near(figures.rotation, 0, 0.01))
        }
    }

    /// The integral over the plane of the sky depends on the direction from which one looks: this is why that over the surface is kept.
    @Test func keepsTheFieldNotTheFluxThroughTheSky() throws {
        let spot = SyntheticSun.Spot(longitude: 62, latitude: -10, width: 1, peak: 1500)
        let pair = SyntheticPair([spot], reduction: 2, minutes: 0)
        let (high, low) = try pair.read()
        let place = try #require(pair.place(of: spot)), inHMI = try #require(pair.hmi.pixel(of: spot))
        let made = try MagnetogramPair(high: high, low: low, frame: SyntheticPair.frame(around: place, side: 256))
        func sum(_ map: Magnetogram) throws -> Double {
            try #require(map.grid?.pixelArea) * map.image.pixels.reduce(0) { $1.isNaN ? $0 : $0 + Double($1) }
        }
        let original = try sum(high), resampled = try sum(made.high)
        let coarse = try sum(made.low)
        #expect(abs(resampled / coarse - 1) < 1e-3)
        #expect(abs(resampled / original - 1) > 5e-3)
        let peaks = (high.image[Int(inHMI.x.rounded()), Int(inHMI.y.rounded())], made.high.image.pixels.lazy.filter(\.isFinite).max() ?? 0)
        #expect(abs(peaks.1 / peaks.0 - 1) < 3e-3)
    }

    /// MDI's `CRPIXn` is wrong by 0.8 and −0.5 of its pixels: 3.2 and −2 finer ones.
    @Test func findsAndCorrectsAPointingError() throws {
        let network = SyntheticSun.network(count: 3000, width: 0.6, peak: 600, seed: 4)
        let dipole = SyntheticSun.dipole(longitude: 119, latitude: 8, width: 1, peak: 1800, separation: 9)
        let pair = SyntheticPair(network + dipole, reduction: 2, noise: (8, 16))
        let place = try Self.middle(pair, dipole), frame = SyntheticPair.frame(around: place, side: 512)
        let (high, truth) = try pair.read(), centre = pair.mdi.camera.centre
        var low = truth
        low.header.set("CRPIX1", .real(centre.x + 0.8))
        low.header.set("CRPIX2", .real(centre.y - 0.5))
        let made = try MagnetogramPair(high: high, low: low, frame: frame)
        let shift = try #require(made.figures.shift), rest = try #require(made.figures.residualShift), error = try #require(made.figures.shiftError)
        #expect(made.figures.isShifted && abs(shift[0] + 3.2) < 0.1 && abs(shift[1] - 2) < 0.1, "\(shift)")
        #expect(abs(rest[0]) < 0.1 && abs(rest[1]) < 0.1 && error < 0.1, "\(rest), \(error)")
        // The pair is the one that right coordinates give, but for the coordinates.
        let right = try MagnetogramPair(high: high, low: truth, frame: frame)
        #expect(!right.figures.isShifted && right.low.image == made.low.image)
        #expect(near(made.figures.correlation, right.figures.correlation ?? .nan, 1e-3))
        let comparison = FieldComparison(of: made.high.image, with: right.high.image)
        #expect(comparison.correlation > 0.9995)
        let history = made.high.header.cards.filter { $0.keyword == "HISTORY" }.map(\.comment).joined(separator: " ")
        #expect(history.contains(String(format: "shifted by %.3f, %.3f pixels", shift[0], shift[1])))

        // What is not worth it stays.
        var slight = truth
        slight.header.set("CRPIX1", .real(centre.x + 0.05))
        let left = try MagnetogramPair(high: high, low: slight, frame: frame)
        #expect(!left.figures.isShifted && left.figures.residualShift == left.figures.shift)
        #expect(near(left.figures.shift?[0], -0.2, 0.1))
        var options = MagnetogramPair.Options()
        options.shiftTolerance = 10
        #expect(try !MagnetogramPair(high: high, low: low, frame: frame, options: options).figures.isShifted)
    }

    @Test func describesWhatItMade() throws {
        let pair = SyntheticPair(Self.dipoles.flatMap(\.self), rotations: (179.93, 3.1), reduction: 4)
        let (high, low) = try pair.read(mdi: ["MISSVALS": nil])
        var options = MagnetogramPair.Options()
        options.factor = 1.38
        let frame = CropFrame(x: 320, y: 480, width: 240, height: 160)
        let made = try MagnetogramPair(high: high, low: low, frame: frame, options: options)
        #expect(made.high.image.width == 240 && made.high.image.height == 160)
        #expect(made.low.image == low.image.cropped(x: 80, y: 120, width: 60, height: 40))
        #expect(made.low.header.real("MDIFACT") == 1.38 && made.low.header.string("TELESCOP") == "SOHO")

        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("pair.fits")
            try FITSWriter.write(made.high.image, header: made.high.header, extensions: [("LR", made.low.image, made.low.header)], to: url)
            let read = try Magnetogram(reading: url), header = read.header
            #expect(read.instrument == .hmi && read.time == low.time && header.string("TELESCOP") == "SDO/HMI" && header.integer("WAVELNTH") == 6173)
            #expect(header.string("T_REC") == high.header.string("T_REC") && header.string("DATE-OBS") == low.header.string("DATE-OBS"))
            for keyword in ["DSUN_OBS", "CRLN_OBS", "CRLT_OBS", "RSUN_OBS", "RSUN_REF", "CROTA2", "CAR_ROT", "OBS_VR"] {
                #expect(header.cards.filter { $0.keyword == keyword }.map(\.value) == low.header.cards.filter { $0.keyword == keyword }.map(\.value))
            }
            let grid = try #require(read.grid), coarse = try #require(made.low.grid)
            #expect(abs(grid.arcsecPerPixel * 4 - coarse.arcsecPerPixel) < 1e-12 && grid.observerDistance == pair.mdi.observer.distance)
            // A pixel of MDI's lies in the middle of its 4 × 4 finer ones, and where it lay in the full disk.
            let sky = try read.worldCoordinates().world(at: [SIMD2(21.5, 33.5)])[0]
            for (map, place) in [(made.low, SIMD2(5.0, 8)), (low, SIMD2(85, 128))] {
                let same = try map.worldCoordinates().world(at: [place])[0]
                #expect(abs(sky.x - same.x) < 1e-9 && abs(sky.y - same.y) < 1e-9)
            }
            #expect(header.real("DATAMAX") == made.high.image.pixels.filter(\.isFinite).max().map(Double.init))
            let history = header.cards.filter { $0.keyword == "HISTORY" }.map(\.comment).joined(separator: " ")
            for text in [pair.hmi.fileName, pair.mdi.fileName, "columns 80 to 139, rows 120 to 159", "30.00 minutes"] {
                #expect(history.contains(text))
            }
            let lowHistory = made.low.header.cards.filter { $0.keyword == "HISTORY" }.map(\.comment).joined(separator: " ")
            #expect(lowHistory.contains(pair.hmi.fileName) && lowHistory.contains("30.00 minutes earlier"))
        }
        let line = try JSONEncoder().encode(made.figures)
        #expect(try JSONDecoder().decode(MagnetogramPairFigures.self, from: line) == made.figures)
        let values = try JSONSerialization.jsonObject(with: line) as? [String: Any]
        #expect(values?["time_difference_minutes"] as? Double == -30 && (values?["residual_shift"] as? [Double])?.count == 2)
    }

    /// Without MDI's `T_OBS`, HMI's must not stand for it.
    @Test func writesATimeThatMDIDoesNotName() throws {
        let (high, low) = try SyntheticPair(Self.dipoles[0], reduction: 8, minutes: 60).read(mdi: ["T_OBS": nil])
        let made = try MagnetogramPair(high: high, low: low)
        #expect(made.high.header.string("T_OBS").flatMap { ObservationTime($0) } == low.time && low.time != high.time)
        #expect(made.high.image.width == 512 && made.low.image == low.image)
    }

    @Test func refusesFieldsThatDoNotGoTogether() throws {
        let one = SyntheticPair(SyntheticSun.network(count: 2000, width: 2, peak: 400, seed: 1), reduction: 8)
        let other = SyntheticPair(SyntheticSun.network(count: 2000, width: 2, peak: 400, seed: 2), reduction: 8)
        let (high, low) = try one.read(), frame = CropFrame(x: 128, y: 128, width: 256, height: 256)
        #expect(try MagnetogramPair(high: high, low: low, frame: frame).refusal == nil)
        let strangers = try MagnetogramPair(high: high, low: try other.read().low, frame: frame)
        let correlation = try #require(strangers.figures.correlation)
        #expect(correlation < 0.5 && strangers.refusal?.contains(String(format: "%.3f, less than 0.7", correlation)) == true)
        var options = MagnetogramPair.Options()
        options.minimumCorrelation = -1
        #expect(try MagnetogramPair(high: high, low: try other.read().low, frame: frame, options: options).refusal == nil)

        var flat = low
        flat.image = Image(width: low.image.width, height: low.image.height, repeating: 3)
        let nothing = try MagnetogramPair(high: high, low: flat, frame: frame)
        #expect(nothing.refusal?.contains("one value") == true && nothing.figures.correlation == nil && nothing.figures.shift == nil)
        #expect(throws: Never.self) { try JSONEncoder().encode(nothing.figures) }
    }

    @Test(arguments: [
        ("DSUN_OBS", nil), ("RSUN_REF", "0"), ("CRLN_OBS", nil), ("CRPIX1", "'nan'"), ("CDELT1", nil), ("CRLT_OBS", "'nan'"),
        ("DSUN_OBS", "149.5"),
    ])
    func namesFileAndKeyword(_ keyword: String, _ value: String?) throws {
        let pair = SyntheticPair(Self.dipoles[0], reduction: 16)
        for isHigh in [true, false] {
            let name = isHigh ? pair.hmi.fileName : pair.mdi.fileName
            #expect {
                let (high, low) = try pair.read(hmi: isHigh ? [keyword: value] : [:], mdi: isHigh ? [:] : [keyword: value])
                _ = try MagnetogramPair(high: high, low: low, frame: CropFrame(x: 64, y: 64, width: 128, height: 128))
            } throws: { error in
                guard let failure = error as? Failure else { return false }
                return failure.category == .badData && failure.location?.hasSuffix("/\(name), \(keyword)") == true
            }
        }
    }

    @Test func refusesWhatCannotBeResampled() throws {
        let (high, low) = try SyntheticPair(Self.dipoles[0], reduction: 8).read()
        let frame = CropFrame(x: 64, y: 64, width: 64, height: 64)
        #expect { try MagnetogramPair(high: high.binned(by: 4), low: low, frame: frame) } throws: {
            ($0 as? Failure)?.location == "\(high.source.path), CDELT1"
        }
        // HMI's image is upside down, so its last corner is the first of MDI's.
        let corner = high.cropped(x: 0, y: 0, width: 256, height: 256)
        #expect { try MagnetogramPair(high: corner, low: low, frame: CropFrame(x: 64, y: 64, width: 96, height: 96)) } throws: {
            ($0 as? Failure)?.location == high.source.path && ($0 as? Failure)?.category == .badData
        }
    }
}
