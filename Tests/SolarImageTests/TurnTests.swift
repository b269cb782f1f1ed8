import Foundation
import Groundwork
import SolarImage
import SyntheticSun
import Testing

/// Images that are upside down, turned by reversing both axes.
@Suite struct TurnTests {
    private let width = 1024, height = 1000

    private func header(_ values: [String: Double], type: (String, String) = ("HPLN-TAN", "HPLT-TAN")) -> FITSHeader {
        var header = FITSHeader()
        header.set("CTYPE1", .string(type.0))
        header.set("CTYPE2", .string(type.1))
        for (keyword, value) in values.sorted(by: { $0.key < $1.key }) { header.set(keyword, .real(value)) }
        return header
    }

    private let common = [
        "CRPIX1": 506.3, "CRPIX2": 511.9, "CRVAL1": 3.5, "CRVAL2": -8.25, "DSUN_OBS": 1.5e11, "CRLN_OBS": 30, "CRLT_OBS": 5, "RSUN_REF": 6.96e8,
    ]

    /// The header in each of the forms that rotation is written in.
    private var forms: [(name: String, header: FITSHeader)] {
        func with(_ others: [String: Double]) -> [String: Double] { common.merging(others) { $1 } }
        let angle = 179.93 * Double.pi / 180, scale = 1.98
        let (c, s) = (cos(angle), sin(angle))
        var early = header(with(["XSCALE": 1.98, "CDELT1": 1.98, "CDELT2": 1.98, "SOLAR_P0": -179.6]), type: ("solar-x", "solar-y"))
        early.set("TELESCOP", .string("SOHO"))
        early.set("CAMERA", .string("MDI"))
        return [
            ("CROTA2", header(with(["CDELT1": scale, "CDELT2": scale, "CROTA2": 179.93]))),
            ("negative CROTA2", header(with(["CDELT1": scale, "CDELT2": scale, "CROTA2": -179.2]))),
            ("PC", header(with(["CDELT1": scale, "CDELT2": scale, "PC1_1": c, "PC1_2": -s, "PC2_1": s, "PC2_2": c]))),
            ("PC and CROTA2", header(with(["CDELT1": scale, "CDELT2": scale, "PC1_1": c, "PC1_2": -s, "PC2_1": s, "PC2_2": c, "CROTA2": 179.93]))),
            ("part of PC", header(with(["CDELT1": scale, "CDELT2": scale, "PC1_2": 0.001, "PC2_1": -0.001]))),
            ("CD", header(with(["CD1_1": c * scale, "CD1_2": -s * scale, "CD2_1": s * scale, "CD2_2": c * scale]))),
            ("no rotation", header(with(["CDELT1": scale, "CDELT2": scale]))),
            ("early MDI", early),
        ]
    }

    @Test func everyPixelKeepsItsCoordinates() throws {
        for (name, header) in forms {
            var turned = header
            turned.turnGrid(width: width, height: height)
            let (before, after) = (try WorldCoordinates(header), try WorldCoordinates(turned))
            let points = [SIMD2(0.0, 0.0), SIMD2(1023.0, 0.0), SIMD2(0.0, 999.0), SIMD2(1023.0, 999.0), SIMD2(505.3, 510.9), SIMD2(17.25, 800.5)]
            for (point, back) in zip(points, try before.pixels(at: after.world(at: points))) {
                let expected = SIMD2(1023.0, 999.0) - point
                #expect(abs(back.x - expected.x) < 1e-9 && abs(back.y - expected.y) < 1e-9, "\(name): \(back) instead of \(expected)")
            }
            let difference = after.grid.rotation - before.grid.rotation
            #expect(abs(abs(difference) - 180) < 1e-9, "\(name)")
            var again = turned
            again.turnGrid(width: width, height: height)
            let twice = try WorldCoordinates(again)
            for (a, b) in zip(try twice.world(at: points), try before.world(at: points)) {
                #expect(abs(a.x - b.x) + abs(a.y - b.y) < 1e-8, "\(name)")
            }
        }
    }

    @Test func theSmallAngleStays() {
        let angles = forms.map { form -> Double? in
            var header = form.header
            header.turnGrid(width: width, height: height)
            return header.real("CROTA2") ?? header.real("SOLAR_P0")
        }
        let expected: [Double?] = [-0.07, 0.8, nil, -0.07, nil, nil, 180, 0.4]
        for (angle, expected) in zip(angles, expected) {
            #expect((angle == nil) == (expected == nil))
            if let angle, let expected { #expect(abs(angle - expected) < 1e-10) }
        }
    }

    @Test func otherPositionsFollow() throws {
        var header = try Fixture.header("mdi")
        let (x, y) = (try #require(header.real("X0")), try #require(header.real("Y0")))
        let centre = try #require(PixelGrid(header)?.disk?.centre)
        for (keyword, value) in [
            ("CRPIX1A", 10.0), ("CDELT1A", 2), ("CRPIX1B", 7), ("CD1_1B", 2), ("CRPIX2B", 1), ("FNDLMBXC", centre.x + 1), ("CENTER_Y", 99),
        ]
            as [(String, Double)]
        {
            header.set(keyword, .real(value))
        }
        header.set("CRPIX2A", .string("nan"))
        header.turnGrid(width: 1024, height: 1024)
        #expect(header.real("X0") == 1023 - x && header.real("Y0") == 1023 - y)
        #expect(near(try #require(header.real("FNDLMBXC")), 1024 - centre.x) && !header.contains("CENTER_Y"), "what contradicted the disk goes")
        #expect(header.real("CRPIX1A") == 1015 && header.string("CRPIX2A") == "nan" && header.real("PC1_1A") == -1 && header.real("PC2_2A") == -1)
        #expect(header.real("CRPIX1B") == 1018 && header.real("CD1_1B") == -2 && !header.contains("PC1_1B"))
    }

    @Test func upsideDownIsNearerTo180Degrees() throws {
        func isUpsideDown(_ rotation: Double, mirrored: Bool = false) throws -> Bool {
            let header = header(common.merging(["CDELT1": mirrored ? -2 : 2, "CDELT2": 2, "CROTA2": rotation]) { $1 })
            return try #require(PixelGrid(header)).isUpsideDown
        }
        for angle in [91.0, 179.93, -179.9, 180.013, -91] { #expect(try isUpsideDown(angle)) }
        for angle in [0.0, 3, -89, 89.9, 359] { #expect(try !isUpsideDown(angle)) }
        for angle in [0.0, 180] { #expect(try !isUpsideDown(angle, mirrored: true), "mirrored images are left as they are") }
    }

    /// Parts read by rows against the whole image in memory.
    @Test func partsAreThoseOfTheWhole() throws {
        let observer = SyntheticObserver(distance: 1.5e11, longitude: 10, latitude: 3)
        let sun = SyntheticSun(spots: SyntheticSun.network(count: 200, width: 2, peak: 500, seed: 4), epoch: 0)
        let disk = SyntheticDisk(sun, from: observer, by: .hmi(reduction: 16), at: 0, noise: 5)
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("disk.fits")
            try disk.write(to: url)
            // A file with a fill beyond the limb and another unit.
            let whole = try Magnetogram(reading: url)
            var filled = whole
            filled.image.pixels = filled.image.pixels.map { $0.isNaN ? -0.25 : $0 / 1000 }
            filled.header.set("BUNIT", .string("kG"))
            let other = folder.appendingPathComponent("filled.fits")
            try FITSWriter.write(filled.image, header: filled.header, to: other)
            let frames = [(x: 3, y: 100, width: 60, height: 90), (x: 40, y: 0, width: 200, height: 30), (x: 0, y: 0, width: 256, height: 256)]
            for (file, isTurned) in [(url, false), (url, true), (other, false), (other, true)] {
                let map = try Magnetogram(reading: file), upright = isTurned ? map.turned() : map
                #expect(map.image.pixels.contains { $0.isNaN })
                let bytes = FileBytes()
                #expect(try bytes.read(file))
                for bytes in [nil, bytes] {
                    var images: [Image] = [Image(width: 60, height: 90, repeating: 7)]
                    let parts = try MagnetogramFile(reading: file, bytes: bytes).parts(frames, isTurned: isTurned, reusing: &images)
                    for (frame, part) in zip(frames, parts) {
                        let expected = upright.part(x: frame.x, y: frame.y, width: frame.width, height: frame.height)
                        let same = zip(part.image.pixels, expected.image.pixels).allSatisfy { $0 == $1 || ($0.isNaN && $1.isNaN) }
                        #expect(same && part.image.width == frame.width && part.image.height == frame.height)
                        let (a, b) = (try #require(part.grid), try #require(expected.grid))
                        #expect(abs((a.pixel(at: .zero) - b.pixel(at: .zero)).x) < 1e-10 && abs(a.rotation - b.rotation) < 1e-10)
                    }
                }
            }
        }
    }

    @Test func statisticsAgreeWithTheirDefinition() {
        for count in [1, 7, 8, 9, 250] {
            var pixels = (0..<count).map { Float(($0 * 7919) % 613) - 300.5 }
            if count > 8 { (pixels[3], pixels[8]) = (.nan, .infinity) }
            let known = pixels.filter(\.isFinite).map(Double.init), n = Double(known.count)
            let statistics = PixelStatistics(of: Image(width: count, height: 1, pixels: pixels))
            let mean = known.reduce(0, +) / n
            func moment(_ power: Double) -> Double { known.reduce(0) { $0 + pow($1 - mean, power) } / n }
            #expect(statistics.count == known.count && statistics.minimum == known.min() && statistics.maximum == known.max())
            #expect(near(statistics.mean, mean) && near(statistics.unsignedSum, known.reduce(0) { $0 + abs($1) }))
            #expect(near(statistics.moments.second, moment(2), 1e-11) && near(statistics.moments.fourth, moment(4), 1e-11))
            #expect(abs(statistics.moments.third - moment(3)) <= 1e-10 * pow(moment(2), 1.5))
        }
        #expect(PixelStatistics(of: Image(width: 3, height: 1, repeating: .nan)).count == 0)
    }
}
