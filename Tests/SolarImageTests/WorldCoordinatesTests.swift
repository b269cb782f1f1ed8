import Foundation
import Groundwork
import SolarImage
import Testing

@Suite struct WorldCoordinatesTests {
    /// To 10⁻⁶ arcsec on the sky and 10⁻⁶ degrees on maps; back to the pixel to 10⁻⁹.
    @Test func agreesWithSunpy() throws {
        for expected in try CoordinatesFixture.expected.get().headers {
            let coordinates = try WorldCoordinates(CoordinatesFixture.header(expected.name))
            let pixels = expected.pixels, world = try coordinates.world(at: pixels)
            let turn = coordinates.frame == .helioprojective ? 1_296_000.0 : 360
            for (index, value) in expected.world.enumerated() {
                let (found, name) = (world[index], "\(expected.name), \(pixels[index])")
                guard let value else {
                    #expect(found.x.isNaN && found.y.isNaN, "\(name)")
                    continue
                }
                #expect(abs((found.x - value[0]).remainder(dividingBy: turn)) < 1e-6 && abs(found.y - value[1]) < 1e-6, "\(name): \(found), \(value)")
            }
            for (pixel, back) in zip(pixels, try coordinates.pixels(at: world)) {
                #expect(abs(back.x - pixel.x) < 1e-9 && abs(back.y - pixel.y) < 1e-9, "\(expected.name), \(pixel): \(back)")
            }
        }
    }

    @Test func knowsItsFrame() throws {
        let frames: [(String, WorldCoordinates.Frame)] = [
            ("mdi-early", .helioprojective), ("hmi-turned-180", .helioprojective), ("sharp-2012", .carrington), ("map-stonyhurst", .stonyhurst),
        ]
        for (name, frame) in frames { #expect(try WorldCoordinates(CoordinatesFixture.header(name)).frame == frame, "\(name)") }
    }

    @Test func keepsLongitudesInTheirRange() throws {
        // Around a reference longitude of 359°, and around the far side of the Sun.
        var header = try CoordinatesFixture.header("map-lambda")
        header.set("CRVAL1", .real(359))
        let map = try WorldCoordinates(header)
        let across = try map.world(at: [SIMD2(449.5, 299.5), SIMD2(549.5, 299.5)])
        #expect(abs(across[0].x - 359) < 1e-9 && abs(across[1].x - 5) < 1e-9)
        #expect(abs(try map.pixels(at: [SIMD2(365, 0)])[0].x - 549.5) < 1e-9, "a full turn more is the same point")
        header = try CoordinatesFixture.header("map-stonyhurst")
        for (keyword, value) in [("CRVAL1", 179.0), ("CRVAL2", 0)] { header.set(keyword, .real(value)) }
        #expect(abs(try WorldCoordinates(header).world(at: [SIMD2(549.5, 299.5)])[0].x + 175) < 1e-9)
        let sky = try WorldCoordinates(CoordinatesFixture.header("hmi-turned-180"))
        #expect(try sky.world(at: [SIMD2(4000, 2048)])[0].x < -900, "east, turned to the right")
    }

    @Test func marksWhatHasNoCoordinates() throws {
        let map = try WorldCoordinates(CoordinatesFixture.header("map-lambda"))
        let world = try map.world(at: [SIMD2(449.5, 299.5), SIMD2(449.5, 1e5), SIMD2(.nan, 3)])
        #expect(world[0].y == 0 && world[1].x.isNaN && world[1].y.isNaN && world[2].x.isNaN && world[2].y.isNaN)
        let sky = try WorldCoordinates(CoordinatesFixture.header("hmi-turned-180"))
        let pixels = try sky.pixels(at: [SIMD2(648_000 - 10, 0), .zero, SIMD2(.nan, 0)])
        #expect(pixels[0].x.isNaN && abs(pixels[1].x - 2044.4141) < 1e-9 && pixels[2].x.isNaN, "behind the observer there is no plane")
        #expect(try sky.world(at: []).isEmpty)
    }

    @Test func convertsBlocksAndThreadsAlike() async throws {
        let coordinates = try WorldCoordinates(CoordinatesFixture.header("hmi-turned-3.1"))
        let pixels = (0..<10_000).map { SIMD2(Double($0 % 4001), Double(($0 * 7) % 4099)) }
        let together = try coordinates.world(at: pixels)
        for index in stride(from: 0, to: pixels.count, by: 997) { #expect(try coordinates.world(at: [pixels[index]]) == [together[index]]) }
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for _ in 0..<16 { group.addTask { try coordinates.world(at: pixels) == together } }
            for try await same in group { #expect(same) }
        }
    }

    @Test(arguments: [0, 180, 179.93, 180.013, 3.1])
    func readsRotation(_ angle: Double) throws {
        let coordinates = try WorldCoordinates(CoordinatesFixture.header(angle == 3.1 ? "hmi-turned-3.1" : "hmi-turned-\(angle.formatted())"))
        #expect(near(degrees: coordinates.grid.rotation, angle, 1e-9))
        // A pixel up from the centre of the disk is turned counter-clockwise from solar north.
        let (centre, up) = (SIMD2(2044.4141, 2047.2339), SIMD2(0.0, 1000))
        let world = try coordinates.world(at: [centre + up])[0]
        #expect(near(degrees: atan2(-world.x, world.y) * 180 / .pi, angle, 1e-3))
    }

    @Test func turnsEarlyMDIByTheRollOfTheSpacecraft() throws {
        let header = try CoordinatesFixture.header("mdi-early")
        let grid = try PixelGrid(checking: header)
        #expect(near(degrees: grid.rotation, 179.999994991, 1e-9))
        // Where the fit to the limb has the disk: X0 and Y0, before the rebinning by 8.
        let centre = try #require(grid.disk).centre
        #expect(abs(centre.x - ((511.5087203979 + 0.5) / 8 - 0.5)) < 1e-3 && abs(centre.y - ((511.05407842 + 0.5) / 8 - 0.5)) < 1e-3)
        var upright = header
        upright.set("CROTA2", .real(0))
        #expect(try PixelGrid(checking: upright).rotation == 0, "CROTA2 comes first")
        var other = header
        other.set("INSTRUME", .string("EIT"))
        #expect(try PixelGrid(checking: other).rotation == 0, "SOLAR_P0 means other things elsewhere")
    }

    @Test func refusesRealFilesWithoutCoordinates() throws {
        for (name, keyword) in try CoordinatesFixture.expected.get().refused {
            let header = try CoordinatesFixture.header(name)
            expectFailure(.badData, "/data/\(name).fits, \(keyword)") { _ = try WorldCoordinates(header, at: "/data/\(name).fits") }
        }
    }

    @Test func namesTheFileOfAMagnetogram() throws {
        let magnetogram = try Magnetogram(reading: Fixture.url("rice-int32-blank.fits"))
        expectFailure(.badData, "rice-int32-blank.fits, CTYPE1") { _ = try magnetogram.worldCoordinates() }
        expectFailure(.badData, "rice-int32-blank.fits, DSUN_OBS") { _ = try magnetogram.observer() }
    }

    @Test(arguments: [
        ("CRPIX1", FITSCard.Value.string("nan"), "CRPIX1"), ("CRPIX2", .string("NaN"), "CRPIX2"), ("CRPIX1", .undefined, "CRPIX1"),
        ("CRPIX2", .string(" "), "CRPIX2"), ("CRVAL1", .string("inf"), "CRVAL1"), ("CROTA2", .string("nan"), "CROTA2"),
        ("CDELT1", .real(0), "CDELT1"),
        ("CDELT2", .integer(0), "CDELT2"), ("CDELT1", .string("nan"), "CDELT1"), ("CUNIT2", .string("furlong"), "CUNIT2"),
        ("CTYPE1", .string("RA---TAN"), "CTYPE1"), ("CTYPE1", .string("HPLN-XYZ"), "CTYPE1"), ("CTYPE2", .string("CRLT-CEA"), "CTYPE2"),
        ("LONPOLE", .string("nan"), "LONPOLE"), ("CD1_1", .real(0.7), "CD2_2"), ("CRPIX1", .logical(true), "CRPIX1"),
    ])
    func refuses(_ keyword: String, _ value: FITSCard.Value, _ named: String) throws {
        var header = try CoordinatesFixture.header("hmi-turned-180")
        header.set(keyword, value)
        expectFailure(.badData, named) { _ = try WorldCoordinates(header) }
        expectFailure(.badData, "disk.fits, \(named)") { _ = try WorldCoordinates(header, at: "disk.fits") }
    }

    @Test func refusesMatricesThatContradict() throws {
        func expect(_ name: String, _ changes: [String: Double], _ words: String...) throws {
            var header = try CoordinatesFixture.header(name)
            for (keyword, value) in changes { header.set(keyword, .real(value)) }
            for word in words { expectFailure(.badData, word) { _ = try WorldCoordinates(header) } }
        }
        try expect("hmi-pc", ["PC1_1": 4, "PC2_2": 4], "CDELT1, PC1_1", "contradict", "16.0")
        try expect("hmi-pc", ["PC1_1": 0, "PC1_2": 0, "PC2_1": 0, "PC2_2": 0], "CDELT1, PC1_1")
        try expect("hmi-pc", ["CD1_1": 0.6, "CD2_2": 0.5], "PC1_1, CD1_1", "two different matrices")
        try expect("hmi-cd", ["CDELT1": 2, "CDELT2": 2], "CDELT1, CD1_1", "4.0")
        try expect("hmi-cd", ["CD1_1": 0, "CD1_2": 0], "no area")
        try expect("map-lambda", ["PV2_1": 1.5], "PV2_1", "wcslib status")
        try expect("map-poles", ["LONPOLE": 90, "LATPOLE": 0], "LONPOLE, LATPOLE")
        // CDELTn of 1 beside a matrix says nothing, equal matrices do not contradict, and beside PCi_j a stale CROTA2 counts for nothing.
        var header = try CoordinatesFixture.header("hmi-cd")
        for keyword in ["CDELT1", "CDELT2"] { header.set(keyword, .real(1)) }
        #expect(try WorldCoordinates(header).grid == WorldCoordinates(CoordinatesFixture.header("hmi-cd")).grid)
        header = try CoordinatesFixture.header("hmi-pc")
        let grid = try WorldCoordinates(header).grid
        for (keyword, value) in [
            ("CD1_1", grid.stepX.x), ("CD2_1", grid.stepX.y), ("CD1_2", grid.stepY.x), ("CD2_2", grid.stepY.y), ("CROTA2", 170),
        ] { header.set(keyword, .real(value)) }
        #expect(try WorldCoordinates(header).grid == grid)
        header = try CoordinatesFixture.header("hmi-turned-180")
        for keyword in ["CDELT1", "CDELT2"] { header.remove(keyword) }
        expectFailure(.badData, "CDELT1", "how large a pixel is") { _ = try WorldCoordinates(header) }
    }
}
