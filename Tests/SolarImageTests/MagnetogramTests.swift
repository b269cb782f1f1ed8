import Foundation
import Groundwork
import SolarImage
import Testing

@Suite struct MagnetogramTests {
    private func write(_ image: Image, _ header: FITSHeader, _ name: String, then body: (URL) throws -> Void) throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent(name)
            try FITSWriter.write(image, header: header, to: url)
            try body(url)
        }
    }

    @Test func tellsWhatHeaderAndNameTell() throws {
        try write(Fixture.pattern(30, 20), Fixture.header("sharp"), "x.fits") { url in
            let map = try Magnetogram(reading: url)
            #expect(map.image == Fixture.pattern(30, 20) && map.instrument == .hmi && map.isMap && map.source == url)
            #expect(map.time?.description == "2012-03-07T08:23:22.000Z")
            #expect(map.regions.first == .harp(1449))
            #expect(map.isFit, "66560 is a remark, not a refusal")
            #expect(abs((map.arcsecPerPixel ?? 0) - 0.5085) < 1e-4)
        }
        try write(Fixture.pattern(30, 20), FITSHeader(), "hmi_20150623_000000_HARP5692.fits") { url in
            let stripped = try Magnetogram(reading: url)
            #expect(stripped.instrument == .hmi && stripped.grid == nil && stripped.arcsecPerPixel == nil && stripped.isFit)
            #expect(stripped.regions == [.harp(5692)] && stripped.time == ObservationTime("2015.06.23_00:00:00_TAI"))
        }
    }

    @Test func refusesOtherUnitsAndConvertsKnownOnes() throws {
        var header = try Fixture.header("mdi")
        header.set("BUNIT", .string("m/s"))
        try write(Fixture.pattern(8, 8), header, "x.fits") { url in
            expectFailure(.badData, "not a magnetogram", "BUNIT", "m/s", "Gauss") { _ = try Magnetogram(reading: url) }
        }
        header.set("BUNIT", .string("kG"))
        var field = Fixture.pattern(8, 8)
        field.pixels = field.pixels.map { $0 / 128 }
        try write(field, header, "x.fits") { url in
            let read = try Magnetogram(reading: url)
            #expect(read.image[1, 1] == field[1, 1] * 1000)
        }
        header.remove("BUNIT")
        header.set("_BUNIT", .string("DN/s"))
        try write(Fixture.pattern(8, 8), header, "x.fits") { url in
            expectFailure(.badData, "not a magnetogram") { _ = try Magnetogram(reading: url) }
        }
    }

    @Test func marksUnfitRecords() throws {
        var header = try Fixture.header("mdi")
        for (quality, isFit) in [(512, true), (0, true), (0x202, false), (0x80, false)] {
            header.set("QUALITY", .integer(quality))
            try write(Fixture.pattern(8, 8), header, "x.fits") { url in
                let read = try Magnetogram(reading: url)
                #expect(read.isFit == isFit, "\(quality)")
            }
        }
    }

    /// A disk of radius 9.6 pixels with `fill` beyond the limb.
    private func disk(fill: Float) -> (Image, FITSHeader) {
        let header = FITSHeader([
            FITSCard("CTYPE1", .string("solar-x")), FITSCard("CTYPE2", .string("solar-y")), FITSCard("CDELT1", .real(100)),
            FITSCard("CDELT2", .real(100)), FITSCard("CRPIX1", .real(12)),
            FITSCard("CRPIX2", .real(12)), FITSCard("RSUN_OBS", .real(960)), FITSCard("INSTRUME", .string("MDI")),
        ])
        var image = Fixture.pattern(24, 24)
        if let mask = PixelGrid(header)?.onDisk(width: 24, height: 24) {
            for index in mask.indices where !mask[index] { image.pixels[index] = fill }
        }
        return (image, header)
    }

    @Test func makesNaNOfFillBeyondTheLimb() throws {
        let (image, header) = disk(fill: -1638.4)
        try write(image, header, "x.fits") { url in
            let read = try Magnetogram(reading: url)
            let mask = try #require(read.grid?.onDisk(width: 24, height: 24))
            #expect(mask.indices.allSatisfy { mask[$0] ? read.image.pixels[$0] == image.pixels[$0] : read.image.pixels[$0].isNaN })
        }
        try write(Fixture.pattern(24, 24), header, "x.fits") { url in
            let read = try Magnetogram(reading: url)
            #expect(read.image == Fixture.pattern(24, 24), "measurements beyond the limb stay")
        }
    }

    @Test func cropsAndBinsWithItsHeader() throws {
        var header = try Fixture.header("mdi")
        header.set("CRPIX1", .real(12.25))
        try write(Fixture.pattern(24, 16), header, "x.fits") { url in
            let whole = try Magnetogram(reading: url)
            let part = whole.cropped(x: 4, y: 8, width: 12, height: 8)
            #expect(part.image[0, 0] == whole.image[4, 8] && part.image[11, 7] == whole.image[15, 15])
            #expect(part.header.real("CRPIX1") == 8.25 && part.header.real("DATAMAX") == Double(part.image.pixels.max() ?? 0))
            let coarse = whole.binned(by: 4)
            #expect(coarse.image.width == 6 && coarse.image.height == 4 && coarse.header.real("CRPIX1") == (12.25 - 0.5) / 4 + 0.5)
        }
    }
}

@Suite struct ImageGridTests {
    @Test func binsIgnoringNaN() {
        var image = Fixture.pattern(9, 6)
        image[0, 0] = .nan
        for y in 2..<4 { for x in 2..<4 { image[x, y] = .nan } }
        let binned = image.blockMean(by: 2)
        #expect(binned.width == 4 && binned.height == 3)
        #expect(binned[0, 0] == (image[1, 0] + image[0, 1] + image[1, 1]) / 3)
        #expect(binned[1, 1].isNaN)
        #expect(binned[3, 2] == (image[6, 4] + image[7, 4] + image[6, 5] + image[7, 5]) / 4)
    }

    @Test func replicationIsUndoneByBinning() {
        let image = Fixture.pattern(5, 3)
        let large = image.replicated(by: 4)
        #expect(large.width == 20 && large.height == 12 && large[7, 5] == image[1, 1])
        #expect(large.blockMean(by: 4) == image)
        #expect(
            image.cropped(x: 1, y: 1, width: 3, height: 2).pixels == [image[1, 1], image[2, 1], image[3, 1], image[1, 2], image[2, 2], image[3, 2]])
    }
}
