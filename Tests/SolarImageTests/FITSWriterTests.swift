import Foundation
import Groundwork
import SolarImage
import Testing

@Suite struct FITSWriterTests {
    private let image: Image = {
        var image = Fixture.pattern(33, 17)
        image[4, 5] = .nan
        image[6, 7] = 0.1
        image[8, 9] = -Float.greatestFiniteMagnitude
        return image
    }()

    private func same(_ a: Image, _ b: Image) -> Bool {
        a.width == b.width && a.height == b.height && zip(a.pixels, b.pixels).allSatisfy { $0 == $1 || ($0.isNaN && $1.isNaN) }
    }

    @Test(arguments: ["sharp", "sharp-2025", "mdi", "smarp", "mdi-rebinned"])
    func carriesRealHeadersOn(_ name: String) throws {
        let header = try Fixture.header(name)
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("out.fits")
            try FITSWriter.write(image, header: header, to: url)
            let read = try FITSFile(reading: url).firstImage()
            #expect(same(read.image, image))
            #expect(read.hdu == 0)
            #expect(read.header.withoutStructure().cards == header.withoutStructure().cards, "every card as it was, in its order")
            #expect(read.header.integer("BITPIX") == -32)
            #expect(!read.header.contains("BSCALE") && !read.header.contains("BLANK"))
        }
    }

    @Test func writesExtensions() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("out.fits")
            var header = FITSHeader([FITSCard("EXTNAME", .string("COMPRESSED_IMAGE")), FITSCard("BUNIT", .string("Gauss"))])
            header.addHistory("made for a test")
            try FITSWriter.write(image, header: header, extensions: [("LR", Fixture.pattern(4, 3), header), ("STD", image, FITSHeader())], to: url)
            let file = try FITSFile(reading: url)
            #expect(try file.contents().map(\.name) == [nil, "LR", "STD"])
            let lr = try #require(try file.image(named: "LR"))
            #expect(lr.image == Fixture.pattern(4, 3) && lr.header.string("BUNIT") == "Gauss")
            #expect(lr.header.cards.contains { $0.keyword == "HISTORY" && $0.comment == "made for a test" })
            #expect(same(try #require(try file.image(named: "STD")).image, image))
        }
    }

    @Test func writesValidChecksums() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("out.fits")
            try FITSWriter.write(image, header: Fixture.header("mdi"), extensions: [("LR", image, FITSHeader())], to: url)
            let bytes = try [UInt8](Data(contentsOf: url))
            #expect(bytes.count % 2880 == 0)
            // FITS Standard 4.0, section 4.4.2.7: the ones'-complement sum of all 32-bit words of each unit is all ones.
            var sum: UInt64 = 0
            for place in stride(from: 0, to: bytes.count, by: 4) {
                sum += bytes[place..<place + 4].reduce(0) { $0 << 8 | UInt64($1) }
                sum = (sum & 0xFFFF_FFFF) + (sum >> 32)
            }
            #expect(sum == 0xFFFF_FFFF)
            let again = folder.appendingPathComponent("again.fits")
            try FITSWriter.write(image, header: Fixture.header("mdi"), extensions: [("LR", image, FITSHeader())], to: again)
            #expect(try Data(contentsOf: again) == Data(bytes), "the same arguments give the same bytes")
        }
    }

    @Test func makesCommentsOfKeywordsThatMayNotBeWritten() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("out.fits")
            let header = FITSHeader(FITSCard.cards(from: ["lo.wer  = 1", "HIERARCH a b = 2", "GOOD    = 3", "plain text without a value"]))
            try FITSWriter.write(image, header: header, to: url)
            let read = try FITSFile(reading: url).firstImage().header
            #expect(read.integer("GOOD") == 3)
            #expect(read.cards.contains { $0.keyword == "COMMENT" && $0.comment.contains("lo.wer") })
            #expect(read.cards.contains { $0.keyword.hasPrefix("HIERARCH") })
        }
    }

    @Test func keepsExistingFiles() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("out.fits")
            try FITSWriter.write(image, header: FITSHeader(), to: url)
            expectFailure(.cannotWrite, "exists already", "out.fits") { try FITSWriter.write(image, header: FITSHeader(), to: url) }
            try FITSWriter.write(Fixture.pattern(5, 4), header: FITSHeader(), to: url, overwrite: true)
            #expect(try FITSFile(reading: url).firstImage().image == Fixture.pattern(5, 4))
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["out.fits"], "nothing temporary stays")
            expectFailure(.cannotWrite, "nowhere") {
                try FITSWriter.write(image, header: FITSHeader(), to: folder.appendingPathComponent("nowhere/out.fits"))
            }
        }
    }
}
