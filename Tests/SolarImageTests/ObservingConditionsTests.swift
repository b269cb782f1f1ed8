import Foundation
import SolarImage
import Testing

/// What headers of real files tell of the conditions they were taken under.
@Suite struct ObservingConditionsTests {
    private func header(_ name: String) throws -> FITSHeader { try Fixture.header("Instruments/\(name)") }

    private func conditions(_ header: FITSHeader) -> ObservingConditions {
        Instrument(header: header).conditions(header)
    }

    @Test func ofHMI() throws {
        let conditions = conditions(try header("hmi-2019"))
        #expect(Instrument(header: try header("hmi-2019")) == .hmi)
        #expect(conditions.gain == 1 && conditions.noise == 0 && conditions.psf == .none && conditions.gainDoubt == nil)
        #expect(abs(try #require(conditions.arcsecPerPixel) - 0.504021525) < 1e-9)
    }

    @Test(arguments: [("mdi-1999", 30.0, 26.4), ("mdi-2010", 300, 16.2), ("smarp", nil, 16.2)] as [(String, Double?, Double)])
    func ofMDI(_ name: String, _ exposure: Double?, _ noise: Double) throws {
        let conditions = conditions(try header(name))
        #expect(Instrument(header: try header(name)) == .mdi)
        #expect(
            conditions.level == "1.8.2" && conditions.gain == 1.4 && conditions.gainDoubt == nil && conditions.gainSource?.contains("2012") == true)
        #expect(conditions.exposure == exposure && conditions.noise == noise && conditions.saturation == 3500 && conditions.psf.width == 3.32)
        let scale = try #require(conditions.arcsecPerPixel)
        #expect((1.9...2.02).contains(scale))
    }

    /// Older calibrations: their scale is not known as well, and that is said.
    @Test func ofOlderLevels() throws {
        var early = try Fixture.header("mdi-rebinned")
        var conditions = conditions(early)
        #expect(conditions.level == "1.8 (since October 2007)" && conditions.gain == 1.4 && conditions.gainDoubt?.contains("map") == true)
        early.set("DATE", .string("2002-04-01"))
        conditions = self.conditions(early)
        #expect(conditions.level?.contains("before October 2007") == true && abs(conditions.gain - 1.4 / 1.7) < 1e-12)
        #expect(conditions.gainDoubt?.contains("1.7") == true && abs(conditions.noise - 16.2 / 1.7) < 1e-12)
        #expect(abs(try #require(conditions.saturation) - 3500 / 1.7) < 1e-9)
        early.remove("DATE")
        #expect(self.conditions(early).level == nil && self.conditions(early).gainDoubt?.contains("does not tell") == true)
        for (keyword, value) in [("BLDVER18", FITSCard.Value.integer(60102)), ("BLDVER18", .integer(-60102)), ("SENSADJ", .integer(1))] {
            var recalibrated = early
            recalibrated.set(keyword, value)
            #expect(self.conditions(recalibrated).level == "1.8.2")
        }
    }

    /// The noise is twice as large in one quadrant of the detector as in the middle, and the stated one over the whole disk.
    @Test func noiseVariesOverTheDisk() throws {
        let header = try header("mdi-2010"), grid = try #require(PixelGrid(header)), conditions = conditions(header)
        #expect(abs(conditions.noise(over: grid, width: 1024, height: 1024) / 16.2 - 1) < 0.03)
        func noise(_ x: Int, _ y: Int) -> Double {
            var part = header
            part.cropGrid(x: x, y: y)
            return conditions.noise(over: PixelGrid(part), width: 64, height: 64)
        }
        let (middle, quadrant, opposite) = (noise(480, 480), noise(660, 300), noise(300, 660))
        #expect((1.7...2.3).contains(quadrant / middle) && (0.9...1.3).contains(opposite / middle))
        #expect(conditions.noise(over: nil, width: 64, height: 64) == 16.2)
    }

    /// Early MDI files give the nominal scale in CDELTn, 0.3 % too small: three pixels at the limb.
    @Test func measuredScaleTakesThePlaceOfTheNominalOne() throws {
        try withTemporaryFolder { folder in
            for (measured, radius, expected) in [(1.98395, 496.0, 1.98395), (1.98395, 300, 1.97784), (2.5, 496, 1.97784)] {
                var header = FITSHeader()
                for (keyword, text) in [("INSTRUME", "MDI"), ("CTYPE1", "solar-x"), ("CTYPE2", "solar-y")] { header.set(keyword, .string(text)) }
                for (keyword, number) in [
                    ("CDELT1", 1.97784), ("CDELT2", 1.97784), ("IM_SCALE", measured), ("R_SUN", radius), ("OBS_R0", 1.98395 * 496),
                ] { header.set(keyword, .real(number)) }
                let file = folder.appending(path: "\(radius)-\(measured).fits")
                try FITSWriter.write(Fixture.pattern(24, 24), header: header, to: file)
                #expect(try Magnetogram(reading: file).arcsecPerPixel == expected)
            }
        }
    }

    /// At half the frequency where a Gaussian of 3.2″ and its wing of 10″ are known.
    @Test func transferIsThatOfItsTwoGaussians() {
        let psf = PointSpreadFunction(width: 3.2, wingFraction: 0.05, wingWidth: 10)
        func gaussian(_ width: Double, _ frequency: Double) -> Double { exp(-pow(.pi * width * frequency, 2) / (4 * log(2.0))) }
        for frequency in [0, 0.05, 0.1, 0.25] {
            #expect(abs(psf.transfer(at: frequency) - (0.95 * gaussian(3.2, frequency) + 0.05 * gaussian(10, frequency))) < 1e-12)
        }
        #expect(PointSpreadFunction.none.transfer(at: 0.3) == 1 && PointSpreadFunction.none.reach == 0)
    }

    /// What a file's noise off the disk is, is not read where it is not wanted.
    @Test func offDiskPixelsAreMaskedByGeometry() throws {
        let file = Fixture.url("Instruments/limb.fits")
        let (raw, masked) = (try Magnetogram(reading: file), try Magnetogram(reading: file, masksOffDisk: true))
        let onDisk = try #require(raw.grid?.onDisk(width: 96, height: 96))
        #expect(raw.image.pixels.filter(\.isFinite).count > 2334 && onDisk.filter(\.self).count == 2334)
        for (index, isOnDisk) in onDisk.enumerated() {
            #expect(isOnDisk ? masked.image.pixels[index] == raw.image.pixels[index] : masked.image.pixels[index].isNaN)
        }
    }

    @Test func theEarthIsWhereSunpyHasIt() throws {
        struct Expected: Decodable {
            struct Place: Decodable {
                var time: String, latitude: Double, longitude: Double
            }
            var earth: [Place]
        }
        let expected = try JSONDecoder().decode(Expected.self, from: Data(contentsOf: Fixture.url("Instruments/expected.json")))
        #expect(expected.earth.count == 6)
        for place in expected.earth {
            let time = try #require(ObservationTime(place.time))
            #expect(abs(time.subEarthLatitude - place.latitude) < 0.01 && near(degrees: time.centralMeridianLongitude, place.longitude, 0.01))
        }
    }
}
