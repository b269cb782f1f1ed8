import Foundation
import SolarImage
import Testing

@Suite struct PixelGridTests {
    @Test func agreesWithAstropy() throws {
        for expected in try Fixture.expected.get().grids {
            let grid = try #require(PixelGrid(expected.fitsHeader), "\(expected.name)")
            for (point, plane) in zip(expected.points, expected.plane) {
                let value = grid.plane(at: SIMD2(point[0], point[1]))
                #expect(near(value.x, plane[0], 1e-11) && near(value.y, plane[1], 1e-11), "\(expected.name)")
                let back = grid.pixel(at: SIMD2(plane[0], plane[1]))
                #expect(abs(back.x - point[0]) < 1e-9 && abs(back.y - point[1]) < 1e-9)
            }
            let disk = try #require(grid.disk)
            #expect(abs(disk.centre.x - expected.diskCentre[0]) < 1e-4 && abs(disk.centre.y - expected.diskCentre[1]) < 1e-4, "\(expected.name)")
            #expect(near(try #require(grid.pixelArea), expected.pixelArea, 1e-11), "\(expected.name)")
        }
    }

    /// The corners of a refined, binned or cropped image lie where sunpy and astropy put them, to 10⁻⁶ pixels.
    @Test(arguments: ["refine 4", "bin 4", "crop 8 4"])
    func changesAgreeWithSunpy(_ change: String) throws {
        for expected in try Fixture.expected.get().grids {
            var header = expected.fitsHeader
            switch change {
            case "refine 4": header.refineGrid(by: 4)
            case "bin 4": header.binGrid(by: 4)
            default: header.cropGrid(x: 8, y: 4)
            }
            let grid = try #require(PixelGrid(header))
            let corners = try #require(expected.changed[change])
            for (corner, plane) in zip(corners.corners, corners.plane) {
                let pixel = grid.pixel(at: SIMD2(plane[0], plane[1]))
                #expect(abs(pixel.x - corner[0]) < 1e-6 && abs(pixel.y - corner[1]) < 1e-6, "\(expected.name)")
            }
        }
    }

    @Test func refiningAndBinningAreInverse() throws {
        for name in ["sharp", "sharp-2025", "mdi", "smarp", "mdi-rebinned"] {
            let header = try Fixture.header(name)
            var changed = header
            changed.refineGrid(by: 4)
            changed.binGrid(by: 4)
            let (a, b) = (try #require(PixelGrid(header)), try #require(PixelGrid(changed)))
            for corner in [SIMD2(-0.5, -0.5), SIMD2(4095.5, 4095.5)] {
                let there = b.pixel(at: a.plane(at: corner))
                #expect(abs(there.x - corner.x) < 1e-8 && abs(there.y - corner.y) < 1e-8)
            }
        }
    }

    @Test func refinesMDIKeywords() throws {
        var header = try Fixture.header("mdi")
        header.refineGrid(by: 4)
        #expect(header.real("CRPIX1") == (512.5771484375 - 0.5) * 4 + 0.5)
        #expect(header.real("CDELT1") == 1.9860081672668457 / 4)
        #expect(near(try #require(header.real("X0")), (511.57711791992188 + 0.5) * 4 - 0.5), "X0 counts from 0")
        #expect(header.real("R_SUN") == 488.62637329101562 * 4)
        #expect(header.real("CROP_RAD") == 2016)
        #expect(header.real("RSUN_OBS") == 970.41592291840004)
        #expect(header.card("CRPIX1")?.comment == "[pix] WCS reference pixel location")
        header.cropGrid(x: 100, y: 50)
        #expect(header.real("CRPIX2") == (512.1712646484375 - 0.5) * 4 + 0.5 - 50)
        #expect(near(try #require(header.real("X0")), (511.57711791992188 + 0.5) * 4 - 0.5 - 100))
    }

    /// As in MDI's daily files on the web, whose comments say so; MDI's archive counts X0 from 0.
    @Test func copiesOfTheReferencePixelStayCopies() throws {
        var header = FITSHeader([
            FITSCard("CTYPE1", .string("solar-x")), FITSCard("CTYPE2", .string("solar-y")), FITSCard("CRPIX1", .real(511.5)),
            FITSCard("CRPIX2", .real(511.5)), FITSCard("CDELT1", .real(1.9779)), FITSCard("CDELT2", .real(1.9779)), FITSCard("X0", .real(511.5)),
            FITSCard("Y0", .real(510.5)),
        ])
        header.cropGrid(x: 400, y: 400)
        header.refineGrid(by: 4)
        #expect(header.real("CRPIX1") == 444.5 && header.real("X0") == 444.5, "the copy")
        #expect(header.real("CRPIX2") == 444.5 && header.real("Y0") == 443.5, "the same place, counted from 0")
        #expect(header.real("CRVAL1") == 0 && header.real("CRVAL2") == 0, "what absent ones mean")
    }

    @Test func replacesWhatAnEarlierRebinningLeftStale() throws {
        // 128² pixels, but X0, R_SUN, FD_SCALE and the like are those of 1024².
        var header = try Fixture.header("mdi-rebinned")
        let disk = try #require(PixelGrid(header)?.disk)
        #expect(abs(disk.centre.x - 63.501) < 1e-3 && abs(disk.centre.y - 63.444) < 1e-3 && abs(disk.radius - 62.006) < 1e-3)
        header.refineGrid(by: 4)
        #expect(near(try #require(header.real("X0")), (disk.centre.x + 0.5) * 4 - 0.5))
        #expect(near(try #require(header.real("R_SUN")), disk.radius * 4))
        for keyword in ["FD_SCALE", "XSCALE", "IM_SCALE", "CENTER_X", "CENTER_Y", "MDI_X0", "FNDLMBXC", "FNDLMBMI", "DPC_CROP"] {
            #expect(!header.contains(keyword))
        }
        #expect(header.contains("XCEN"), "the middle of the field does not move by refining")
        header.cropGrid(x: 1, y: 1)
        #expect(!header.contains("XCEN"))
    }

    @Test func leavesMapsTheirCameraKeywords() throws {
        var header = try Fixture.header("sharp")
        header.refineGrid(by: 4)
        #expect(header.real("CRPIX1") == 2334.5 && header.real("CDELT2") == 0.0075)
        #expect(header.real("IMCRPIX1") == 2037.827759, "where the Sun was on the camera")
        #expect(header.real("CRVAL1") == 304.779388)
    }

    @Test func changesAlternativesAndMatrices() {
        var header = FITSHeader([
            FITSCard("CTYPE1", .string("HPLN-TAN")), FITSCard("CRPIX1", .real(10)), FITSCard("CD1_1", .real(2)), FITSCard("CD1_2", .real(0.5)),
            FITSCard("CD2_2", .real(2)),
            FITSCard("CRPIX1A", .string("10.0")), FITSCard("CDELT1A", .real(8)), FITSCard("PC1_1A", .real(0.6)), FITSCard("CTYPE1B", .string("X")),
        ])
        header.refineGrid(by: 2)
        #expect(header.real("CD1_1") == 1 && header.real("CD1_2") == 0.25 && header.real("CD2_2") == 1 && !header.contains("CDELT1"))
        #expect(header.real("CRPIX1") == 19.5 && header.real("CRPIX1A") == 19.5 && header.real("CDELT1A") == 4 && header.real("PC1_1A") == 0.6)
        #expect(header.real("CDELT1B") == 0.5 && header.real("CRPIX1B") == -0.5, "absent means CRPIX 0 and CDELT 1")
        var stripped = FITSHeader([FITSCard("OBJECT", .string("Sun"))])
        stripped.refineGrid(by: 4)
        #expect(stripped.cards.count == 1, "no grid is invented")
    }

    @Test func knowsScalesAndAreas() throws {
        let sharp = try #require(PixelGrid(Fixture.header("sharp")))
        #expect(sharp.projection == .cylindricalEqualArea && sharp.disk == nil && sharp.rotation == 0)
        #expect(near(try #require(sharp.pixelArea), try Fixture.expected.get().mapPixelArea, 1e-12))
        #expect(abs(sharp.arcsecPerPixel - 0.5085) < 1e-4)
        let mdi = try #require(PixelGrid(Fixture.header("mdi")))
        #expect(mdi.arcsecPerPixel == 1.9860081672668457)
        let side = 1.9860081672668457 / 3600 * .pi / 180 * 147937426993.65381 * 100
        #expect(near(try #require(mdi.pixelArea), side * side, 1e-12))
        var hidden = try Fixture.header("mdi")
        for keyword in ["DSUN_OBS", "RSUN_OBS"] { hidden.remove(keyword) }
        #expect(PixelGrid(hidden)?.pixelArea == nil && PixelGrid(hidden)?.disk == nil)
        hidden.set("RSUN_OBS", .real(970.41592291840004))
        #expect(near(try #require(PixelGrid(hidden)?.pixelArea), side * side, 1e-5), "the distance follows from the angular radius")
    }

    @Test func refusesWhatItCannotPlace() throws {
        #expect(PixelGrid(FITSHeader()) == nil)
        var header = try Fixture.header("mdi")
        header.set("CDELT1", .real(0))
        #expect(PixelGrid(header) == nil)
        header.set("CDELT1", .string("nan"))
        #expect(PixelGrid(header) == nil)
        header = try Fixture.header("mdi")
        header.set("CUNIT1", .string("furlong"))
        #expect(PixelGrid(header) == nil)
        header.set("CUNIT1", .string("arcsec"))
        header.set("CTYPE1", .string("RA---TAN"))
        #expect(PixelGrid(header) == nil)
    }

    @Test func masksTheDisk() throws {
        let header = FITSHeader([
            FITSCard("CTYPE1", .string("HPLN-TAN")), FITSCard("CTYPE2", .string("HPLT-TAN")), FITSCard("CDELT1", .real(100)),
            FITSCard("CDELT2", .real(100)), FITSCard("CRPIX1", .real(12.3)),
            FITSCard("CRPIX2", .real(9.8)), FITSCard("CROTA2", .real(180)), FITSCard("RSUN_OBS", .real(960)),
        ])
        let grid = try #require(PixelGrid(header)), mask = try #require(grid.onDisk(width: 20, height: 16)), disk = try #require(grid.disk)
        for y in 0..<16 {
            for x in 0..<20 {
                let distance = ((Double(x) - disk.centre.x) * (Double(x) - disk.centre.x) + (Double(y) - disk.centre.y) * (Double(y) - disk.centre.y))
                    .squareRoot()
                #expect(mask[y * 20 + x] == (distance <= 9.6))
            }
        }
        #expect(abs(abs(grid.rotation) - 180) < 1e-9)
    }
}
