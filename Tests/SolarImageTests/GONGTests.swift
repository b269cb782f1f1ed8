import Foundation
import SolarImage
import Testing

/// GONG's files, whose headers tell in their own way where and when.
@Suite struct GONGTests {
    /// What astropy and sunpy computed, made by `Scripts/make-gong-fixtures.py`.
    private struct Expected: Decodable {
        struct File: Decodable {
            var name: String, utc: String, arcsecPerPixel: Double, latitude: Double, longitude: Double
            var points: [[Double]], sky: [[Double]], carrington: [[Double]], sunpy: [[Double]]?, sunpyUTC: String?
        }
        var files: [File]
    }

    private static func header(_ name: String) throws -> FITSHeader { try Fixture.header("GONG/\(name)") }

    private static let expected: Result<Expected, any Error> = Result {
        try JSONDecoder().decode(Expected.self, from: Data(contentsOf: Fixture.url("GONG/expected.json")))
    }

    /// A file of that header as the archive has it: numbers from −50 to 50 on the disk, −1999.89 beyond it.
    private func withFile(
        _ name: String, change: (inout FITSHeader) -> Void = { _ in }, _ body: (Magnetogram) throws -> Void
    ) throws {
        try withTemporaryFolder { folder in
            var header = try Self.header(name)
            change(&header)
            let centre = SIMD2(try #require(header.real("FNDLMBXC")), try #require(header.real("FNDLMBYC"))) - 0.5
            let radius = try #require(header.real("FNDLMBMI"))
            var image = Image(width: 860, height: 860, repeating: -1999.89)
            for y in 0..<860 {
                for x in 0..<860 where hypot(Double(x) - centre.x, Double(y) - centre.y) < radius {
                    image[x, y] = Float((x * 37 + y * 101) % 101 - 50)
                }
            }
            let file = folder.appending(path: "\(name).fits")
            try FITSWriter.write(image, header: header, to: file)
            try body(Magnetogram(reading: file))
        }
    }

    @Test(arguments: ["bb-2009", "td-2009", "le-2025"]) func agreesWithSunpy(_ name: String) throws {
        let expected = try #require(try Self.expected.get().files.first { $0.name == name })
        try withFile(name) { map in
            #expect(map.instrument == .gong && map.isFit)
            #expect(map.time?.description == expected.utc + "Z")
            let world = try map.worldCoordinates(), observer = try map.observer()
            #expect(abs(try #require(map.arcsecPerPixel) - expected.arcsecPerPixel) < 1e-9)
            #expect(abs(observer.latitude - expected.latitude) < 0.01 && near(degrees: observer.carringtonLongitude, expected.longitude, 0.01))
            let sky = try world.world(at: expected.points.map { SIMD2($0[0], $0[1]) })
            for (index, place) in sky.enumerated() {
                #expect(abs(place.x - expected.sky[index][0]) < 1e-3 && abs(place.y - expected.sky[index][1]) < 1e-3)
                // 1 % of the radius from the limb an arcsecond is a tenth of a degree.
                let point = try #require(observer.carrington(at: place))
                #expect(near(degrees: point.x, expected.carrington[index][0], 0.03) && abs(point.y - expected.carrington[index][1]) < 0.03)
                // sunpy's own map lies half a pixel off, since it counts CRPIXn from 1, and has two scales.
                if let theirs = expected.sunpy?[index] { #expect(abs(place.x + 1.27 - theirs[0]) < 0.4 && abs(place.y + 1.27 - theirs[1]) < 0.4) }
            }
            if let theirs = expected.sunpyUTC { #expect(theirs == expected.utc) }
        }
    }

    @Test func masksByGeometry() throws {
        try withFile("td-2009") { map in
            let disk = try #require(map.grid?.disk)
            for y in stride(from: 0, to: 860, by: 3) {
                for x in 0..<860 {
                    let distance = hypot(Double(x) - disk.centre.x, Double(y) - disk.centre.y) / disk.radius
                    guard abs(distance - 0.98) > 1e-9 else { continue }
                    #expect(map.image[x, y].isNaN == (distance > 0.98))
                }
            }
        }
    }

    @Test func statesItsConditions() throws {
        for (name, noise) in [("td-2009", 2.2), ("le-2025", 2.2 * (10.0 / 7).squareRoot())] {
            try withFile(name) { map in
                #expect(map.conditions.gain == 1 / 1.438 && map.conditions.gainDoubt == nil && near(map.conditions.noise, noise))
                #expect(map.conditions.psf.width == 6 && map.header.string("BUNIT")?.uppercased() == "GAUSS")
            }
        }
        try withFile("td-2009", change: { $0.set("FILLED", .string("T")) }) { #expect(!$0.isFit) }
        #expect(Instrument(header: FITSHeader(), fileName: "bbbqa090905t1854.fits.gz") == .gong)
        var other = try Self.header("le-2025")
        other.set("IMTYPE", .string("H-ALPHA"))
        #expect(Instrument(header: other) == .unknown)
    }

    /// Newer files have UTC, date and time in one.
    @Test func timesOfBothKinds() throws {
        try withFile(
            "le-2025",
            change: { header in
                header.set("DATE-OBS", .string("2025-01-09T01:34:58.008"))
                header.remove("TIME-OBS")
            }
        ) { #expect($0.time?.description == "2025-01-09T01:34:58.008Z") }
    }

    /// A part keeps its coordinates, and nothing of the header contradicts them.
    @Test func partsAndFinerGridsKeepTheirPlace() throws {
        try withFile("bb-2009") { map in
            var part = map.cropped(x: 100, y: 240, width: 64, height: 64)
            part.header.refineGrid(by: 4)
            let whole = try map.worldCoordinates(), fine = try part.worldCoordinates()
            let (a, b) = (try whole.world(at: [SIMD2(110.5, 260.5)]), try fine.world(at: [SIMD2(43.5, 83.5)]))
            #expect(abs(a[0].x - b[0].x) < 1e-9 && abs(a[0].y - b[0].y) < 1e-9)
            #expect(!part.header.cards.contains { $0.keyword.hasPrefix("FNDLMB") || $0.keyword.hasPrefix("IMG") })
        }
    }
}
