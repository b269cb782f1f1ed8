import Foundation
import Groundwork
import SolarImage
import Testing

/// Files that are damaged, compressed as a whole, or both: cfitsio 4.2 alone overruns memory or never ends on some of these.
@Suite(.timeLimit(.minutes(2))) struct FITSDamageTests {
    private static let tiles = [
        "rice-byte", "rice-short", "rice-int", "rice-float", "rice-lossless", "gzip-1-int", "gzip-2-short", "gzip-2-double", "hcompress-short",
        "hcompress-float", "plio",
    ]

    private static func bytes(_ name: String) throws -> Data { try Data(contentsOf: Fixture.url("Tiles/\(name).fits")) }

    private func read(_ bytes: Data) throws -> FITSImage {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("x.fits")
            try bytes.write(to: url)
            return try FITSFile(reading: url).firstImage()
        }
    }

    /// The file with other values in cards of its first extension.
    private static func changed(_ bytes: Data, _ cards: [String: String]) throws -> Data {
        var bytes = bytes
        for (keyword, value) in cards {
            let start = Data((keyword.padding(toLength: 8, withPad: " ", startingAt: 0) + "= ").utf8)
            let place = try #require(bytes.range(of: start, in: 2880..<bytes.count), "\(keyword)").upperBound
            let text = value.hasPrefix("'") ? value.padding(toLength: 70, withPad: " ", startingAt: 0) : value.leftPadded(20)
            bytes.replaceSubrange(place..<place + text.utf8.count, with: Data(text.utf8))
        }
        return bytes
    }

    /// Where the data of the first extension begin.
    private static func dataStart(_ bytes: Data) throws -> Int {
        let end = try #require(bytes.range(of: Data(("END" + String(repeating: " ", count: 77)).utf8), in: 2880..<bytes.count)).lowerBound
        return (end / 2880 + 1) * 2880
    }

    /// The number behind a keyword of the first extension.
    private static func number(_ keyword: String, _ bytes: Data) throws -> Int {
        let start = Data((keyword.padding(toLength: 8, withPad: " ", startingAt: 0) + "= ").utf8)
        let place = try #require(bytes.range(of: start, in: 2880..<bytes.count)).upperBound
        return try #require(Int(String(decoding: bytes[place..<place + 20], as: UTF8.self).trimmingCharacters(in: .whitespaces)))
    }

    /// A member of a gzip file with the bytes as they are (RFC 1951, section 3.2.4; RFC 1952).
    private static func member(_ bytes: some Collection<UInt8>) -> Data {
        var result = Data([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255])
        func append(_ number: UInt32, count: Int = 4) {
            for index in 0..<count { result.append(UInt8(truncatingIfNeeded: number >> UInt32(8 * index))) }
        }
        var rest = Array(bytes)[...]
        repeat {
            let piece = rest.prefix(65535)
            rest = rest.dropFirst(piece.count)
            result.append(rest.isEmpty ? 1 : 0)
            append(UInt32(piece.count), count: 2)
            append(~UInt32(piece.count), count: 2)
            result.append(contentsOf: piece)
        } while !rest.isEmpty
        var check: UInt32 = .max
        for byte in bytes {
            check ^= UInt32(byte)
            for _ in 0..<8 { check = check & 1 == 1 ? check >> 1 ^ 0xEDB8_8320 : check >> 1 }
        }
        append(~check)
        append(UInt32(bytes.count))
        return result
    }

    @Test(arguments: tiles)
    func readsTilesOfEveryKind(_ name: String) throws {
        let read = try FITSFile(reading: Fixture.url("Tiles/\(name).fits")).firstImage(), pattern = Fixture.pattern(33, 26)
        #expect(read.image.width == 33 && read.image.height == 26 && read.remarks.isEmpty)
        let isRight = (0..<33 * 26).map { index in
            let (x, y) = (index % 33, index / 33), found = read.image[x, y]
            if ["rice-float", "rice-lossless"].contains(name), (4..<9).contains(x), (3..<6).contains(y) { return found.isNaN }
            let expected: Float =
                switch name {
                case "rice-byte": Float(((Int(pattern[x, y]) % 251) + 251) % 251)
                case "rice-lossless": 5.5
                case "plio": max(0, pattern[x, y])
                default: pattern[x, y]
                }
            return abs(found - expected) <= (name.hasSuffix("-float") ? 0.5 : 0)
        }
        #expect(isRight.allSatisfy { $0 })
    }

    /// As a download that was given its place on the disk, but did not come to its end.
    @Test(arguments: tiles.filter { !["rice-byte", "rice-short", "rice-int", "rice-float"].contains($0) })
    func refusesTilesThatBecomeZeros(_ name: String) throws {
        var bytes = try Self.bytes(name)
        let start = try Self.dataStart(bytes)
        // The table of the 9 tiles is whole, the heap behind it not.
        let table = start + 9 * (try Self.number("NAXIS1", bytes)), heap = try Self.number("PCOUNT", bytes)
        bytes.replaceSubrange(table + heap / 4..<table + heap, with: Data(count: heap - heap / 4))
        expectFailure(.badData, "the compressed pixels of tile", "damaged", "HDU 1", "fetch") { _ = try read(bytes) }
    }

    /// Zeros are a valid code of Rice's, but the sum of the data tells.
    @Test func remarksOnDataThatDoNotFitTheirSum() throws {
        var bytes = try Self.bytes("rice-int")
        let start = try Self.dataStart(bytes)
        bytes[start + 9 * 8 + 100] ^= 1
        let remarks: [String]
        do { remarks = try read(bytes).remarks } catch is Failure { remarks = ["DATASUM"] }
        #expect(remarks.count == 1 && remarks[0].contains("DATASUM"))
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("plain.fits")
            try FITSWriter.write(Fixture.pattern(33, 17), header: FITSHeader(), to: url)
            #expect(try Magnetogram(reading: url).remarks.isEmpty)
            var plain = try Data(contentsOf: url)
            plain[2880 + 1001] ^= 4
            try plain.write(to: url)
            #expect(try Magnetogram(reading: url).remarks == ["plain.fits, HDU 0: DATASUM does not fit the data, which may be damaged"])
        }
    }

    @Test(arguments: [[0, 0, 4, 0], [0, 0, 117, 48], [127, 255, 255, 255], [255, 255, 255, 255], [0, 0, 0, 0], [0, 0, 0, 9]] as [[UInt8]])
    func refusesHCompressOfAnotherSize(_ length: [UInt8]) throws {
        for name in ["hcompress-short", "hcompress-float"] {
            for axis in 0...1 {
                var bytes = try Self.bytes(name)
                let place = try #require(bytes.range(of: Data([0xDD, 0x99]), in: Self.dataStart(bytes)..<bytes.count)).upperBound + 4 * axis
                bytes.replaceSubrange(place..<place + 4, with: length)
                expectFailure(.badData, "tile 1 are damaged", "12 × 10 pixels") { _ = try read(bytes) }
            }
        }
    }

    @Test(arguments: [
        ("rice-int", "ZCMPTYPE", "'RICE_2  '", "RICE_1, GZIP_1"), ("rice-int", "ZTILE1", "0", "2147483647"), ("rice-int", "ZVAL1", "0", "16 or 32"),
        ("rice-int", "ZVAL2", "3", "1, 2, 4 or 8"), ("gzip-1-int", "TFORM1", "'8B      '", "1PB"), ("gzip-1-int", "TFORM1", "'1PD(9)  '", "1PB"),
        ("plio", "TFORM1", "'1PB(9)  '", "1PI"), ("rice-float", "TFORM3", "'1PD(1)  '", "a number"), ("rice-float", "ZDITHER0", "-5", "1 to 10000"),
        ("rice-int", "TTYPE1", "'COMPRESS'", "COMPRESSED_DATA"), ("rice-int", "NAXIS1", "9", "8 bytes"), ("rice-int", "PCOUNT", "-1", "0 or more"),
        ("rice-int", "GCOUNT", "3", "1"), ("rice-int", "ZIMAGE", "1", "T or F"), ("rice-int", "ZBITPIX", "'32'", "8, 16, 32"),
    ])
    func refusesTablesThatMakeNoSense(_ name: String, _ keyword: String, _ value: String, _ expected: String) throws {
        let bytes = try Self.changed(Self.bytes(name), [keyword: value])
        expectFailure(.badData, "the header makes no sense", "HDU 1", expected) { _ = try read(bytes) }
        expectFailure(.badData, "the header makes no sense", "HDU 1", expected) { _ = try read(Self.member(bytes)) }
    }

    @Test func refusesKeywordsThatOthersReadOtherwise() throws {
        var twice = try Self.bytes("rice-int")
        let card = try #require(twice.range(of: Data("ZNAME2  = 'BYTEPIX '".utf8)))
        twice.replaceSubrange(card, with: Data("ZTILE1  =          7".utf8))
        expectFailure(.badData, "makes no sense", "ZTILE1", "the same value") { _ = try read(twice) }
        var small = try Self.bytes("rice-int")
        small.replaceSubrange(card, with: Data("zname2  = 'BYTEPIX '".utf8))
        expectFailure(.badData, "makes no sense", "ZNAME2") { _ = try read(small) }
    }

    @Test(arguments: [String(repeating: "n", count: 70), String(repeating: "7", count: 70), String(repeating: "\u{1E}", count: 70)])
    func refusesNamesOfColumnsWithoutQuotes(_ name: String) throws {
        var bytes = try Self.bytes("rice-int")
        let card = try #require(bytes.range(of: Data("TTYPE1  =".utf8)))
        bytes.replaceSubrange(card.lowerBound..<card.lowerBound + 80, with: Data("TTYPE1  = \(name)".utf8))
        expectFailure(.badData, "makes no sense", "TTYPE1", "a name in quotes") { _ = try read(bytes) }
    }

    @Test(arguments: [
        String(repeating: "9", count: 70), String(repeating: "9", count: 30), "1E" + String(repeating: "9", count: 40),
        String(repeating: "a", count: 40), "'" + String(repeating: "9", count: 40) + "'", String(repeating: "-", count: 40),
        String(repeating: "0", count: 40) + "1",
    ])
    func refusesValuesTooLongForMessages(_ value: String) throws {
        var bytes = try Self.bytes("rice-int")
        let end = try #require(bytes.range(of: Data("END     ".utf8), in: 2880..<bytes.count))
        for keyword in ["BLANK", "ZBLANK", "TNULL1", "ZDITHER0"] {
            func filled(_ text: String, _ count: Int) -> String { text.padding(toLength: count, withPad: " ", startingAt: 0) }
            let cards = filled(filled(keyword, 8) + "= " + value, 80) + filled("END", 80)
            bytes.replaceSubrange(end.lowerBound..<end.lowerBound + 160, with: Data(cards.utf8))
            expectFailure(.badData, "makes no sense", keyword, "a number of a few digits") { _ = try read(bytes) }
        }
    }

    @Test func refusesDescriptorsOutsideTheHeap() throws {
        // The offset, and the length.
        let numbers: [(Int, [UInt8])] = [
            (4, [127, 0, 0, 0]), (4, [255, 255, 255, 255]), (0, [255, 255, 255, 0]), (0, [0, 1, 0, 0]), (0, [0, 0, 0, 0]),
        ]
        for (place, value) in numbers {
            var bytes = try Self.bytes("rice-int")
            let start = try Self.dataStart(bytes) + 3 * 8 + place
            bytes.replaceSubrange(start..<start + 4, with: value)
            expectFailure(.badData, "tile 4 are damaged", "HDU 1") { _ = try read(bytes) }
        }
    }

    @Test func refusesImagesLargerThanTheLimit() throws {
        // 300 kB of heap could be so many pixels of PLIO's.
        let changes = ["ZNAXIS1": "20000", "ZNAXIS2": "20000", "ZTILE1": "20000", "ZTILE2": "20000", "NAXIS2": "1", "PCOUNT": "300000"]
        let bytes = try Self.changed(Self.bytes("plio"), changes) + Data(count: 302_400)
        expectFailure(.badData, "larger than allowed", "268435456 pixels", "20000 × 20000", "HDU 1") { _ = try read(bytes) }
    }

    @Test func readsEveryMemberOfACompressedFile() throws {
        let whole = try Data(contentsOf: Fixture.url("image-after-table.fits"))
        for cuts in [[], [2880], [100, 5000, 5001], [whole.count / 2]] {
            let ends = cuts + [whole.count]
            let packed = zip([0] + cuts, ends).map { Self.member(whole[$0..<$1]) }.reduce(Data(), +)
            try withTemporaryFolder { folder in
                let url = folder.appendingPathComponent("x.fits")
                for rest in [Data(), Data(count: 512), Data("rest".utf8)] {
                    try (packed + rest).write(to: url)
                    #expect(try FITSFile(reading: url).image(named: "MEAN")?.image == Image(width: 6, height: 5, repeating: 1))
                    #expect(try FITSFile(reading: url).contents().count == 4)
                }
            }
        }
    }

    @Test func readsACompressedFileWithoutItsLastBytesIfItsDataAreThere() throws {
        let packed = try Data(contentsOf: Fixture.url("float64.fits.gz")), image = try read(packed).image
        #expect(try read(packed.dropLast(4)).image.pixels.map(\.bitPattern) == image.pixels.map(\.bitPattern))
        for count in [40, 80, 200, 500] {
            expectFailure(.badData, "the compressed file is cut short", "fetch it again") { _ = try read(packed.prefix(packed.count - count)) }
        }
        var damaged = packed
        damaged[packed.count / 2] ^= 16
        expectFailure(.badData, "compressed file is", "fetch it again") { _ = try read(damaged) }
        var wrongSum = Self.member(try Data(contentsOf: Fixture.url("float64.fits")))
        wrongSum[4000] ^= 1
        expectFailure(.badData, "the compressed file is damaged") { _ = try read(wrongSum) }
    }

    @Test(
        arguments: [
            ([0x1F, 0x9D], "compress (.Z)"), ([0x1F, 0xA0], "LZH"), ([0x1F, 0x1E], "pack"), ([0x50, 0x4B, 3, 4], "zip"),
            ([0x42, 0x5A, 0x68], "bzip2"),
        ] as [([UInt8], String)])
    func refusesOtherCompressions(_ magic: [UInt8], _ name: String) throws {
        expectFailure(.badData, "compressed with \(name)", "unpack it first") { _ = try read(Data(magic) + Data(count: 5000)) }
        expectFailure(.badData, "compressed with \(name)", "unpack it first") { _ = try read(Self.member(Data(magic) + Data(count: 5000))) }
    }

    @Test func readsFilesWhoseLastBlockIsNotFilled() throws {
        for name in ["Tiles/rice-int.fits", "float64.fits"] {
            let whole = try Data(contentsOf: Fixture.url(name)), image = try read(whole).image
            let data = name == "float64.fits" ? 2880 + 15 * 9 * 8 : try Self.dataStart(whole) + 9 * 8 + Self.number("PCOUNT", whole)
            for packed in [false, true] {
                let cut = whole.prefix(data)
                #expect(try read(packed ? Self.member(cut) : cut).image.pixels.map(\.bitPattern) == image.pixels.map(\.bitPattern))
                expectFailure(.badData, "cut short") { _ = try read(packed ? Self.member(cut.dropLast(1)) : cut.dropLast(1)) }
            }
        }
    }

    @Test func refusesWhatIsNoHeaderBehindAUnit() throws {
        let file = try Data(contentsOf: Fixture.url("float64.fits"))
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("x.fits")
            try (file + Data(repeating: 7, count: 2880)).write(to: url)
            expectFailure(.badData, "the header cannot be read", "HDU 1") { _ = try FITSFile(reading: url).image(named: "LR") }
            try (file + Data(count: 2880)).write(to: url)
            #expect(try FITSFile(reading: url).image(named: "LR") == nil, "zeros are no unit")
        }
    }

    @Test func refusesAScaleOfNought() throws {
        var bytes = try Data(contentsOf: Fixture.url("int16-fill.fits"))
        let place = try #require(bytes.range(of: Data("BSCALE  =".utf8))).upperBound
        bytes.replaceSubrange(place..<place + 21, with: Data(("0.0".leftPadded(21)).utf8))
        expectFailure(.badData, "makes no sense", "HDU 0, BSCALE", "other than 0") { _ = try read(bytes) }
    }

    /// Whatever is wrong, the outcome is an image or a `Failure`.
    @Test func survivesDamageOfEveryKind() throws {
        let originals =
            try Self.tiles.map { try Self.bytes($0) }
            + ["rice-int32-blank.fits", "image-after-table.fits", "float64.fits", "int16-blank.fits"].map { try Data(contentsOf: Fixture.url($0)) }
        var state: UInt64 = 20
        func random(_ count: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % count
        }
        var (read, refused) = (0, 0)
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("x.fits")
            for round in 0..<2500 {
                var bytes = originals[round % originals.count]
                switch random(6) {
                case 0, 1:  // some bytes
                    for _ in 0...random(4) { bytes[random(bytes.count)] = UInt8(random(256)) }
                case 2:  // a bit
                    bytes[random(bytes.count)] ^= 1 << UInt8(random(8))
                case 3:  // a character of the header
                    bytes[(bytes.count > 2880 * 2 ? 2880 : 0) + random(2880)] = Array("0123456789-.TFPQBIJZ' ".utf8)[random(22)]
                case 4:  // a hole
                    let start = random(bytes.count), end = start + random(bytes.count - start)
                    bytes.replaceSubrange(start..<end, with: Data(count: end - start))
                default: bytes = bytes.prefix(random(bytes.count))
                }
                if bytes.isEmpty { continue }
                if round % 8 == 0 { bytes = Self.member(bytes) }
                // A file that is written over would be flushed to the disk each time.
                try? FileManager.default.removeItem(at: url)
                try bytes.write(to: url)
                do {
                    _ = try FITSFile(reading: url).firstImage()
                    read += 1
                } catch is Failure { refused += 1 }
            }
        }
        #expect(read > 300 && refused > 300)
    }
}

extension String {
    fileprivate func leftPadded(_ width: Int) -> String { String(repeating: " ", count: max(0, width - count)) + self }
}
