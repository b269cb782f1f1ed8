import Foundation
import Groundwork
import SolarImage
import Testing

/// Extensions with a third axis.
@Suite struct FITSCubeTests {
    private typealias Unit = (header: FITSHeader, bytes: ArraySlice<UInt8>, data: ArraySlice<UInt8>)
    private let image = Fixture.pattern(33, 17)

    private static func plane(_ index: Int, width: Int = 5, height: Int = 4) -> Image {
        var image = Fixture.pattern(width, height)
        for place in image.pixels.indices { image.pixels[place] += Float(100 * index) }
        return image
    }

    /// The header and data units of a file of 32-bit floats, whole blocks each, and their data.
    private func units(_ url: URL) throws -> [Unit] {
        let bytes = try [UInt8](Data(contentsOf: url))
        func blocks(_ count: Int) -> Int { (count + 2879) / 2880 * 2880 }
        var units: [Unit] = []
        var start = 0
        while start < bytes.count {
            var records: [String] = []
            var place = start
            while place < bytes.count, records.last?.hasPrefix("END     ") != true {
                records.append(String(decoding: bytes[place..<place + 80], as: UTF8.self))
                place += 80
            }
            let header = FITSHeader(FITSCard.cards(from: records))
            let axes = (0..<(header.integer("NAXIS") ?? 0)).map { header.integer("NAXIS\($0 + 1)") ?? 0 }
            let data = blocks(place), size = axes.isEmpty ? 0 : axes.reduce(4, *)
            let end = data + blocks(size)
            try #require(end <= bytes.count)
            units.append((header, bytes[start..<end], bytes[data..<data + size]))
            start = end
        }
        return units
    }

    private func words(_ bytes: ArraySlice<UInt8>) -> [UInt32] {
        stride(from: bytes.startIndex, to: bytes.endIndex, by: 4).map { place in
            bytes[place..<place + 4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        }
    }

    /// In ones' complement (FITS Standard 4.0, section 4.4.2.7).
    private func sum(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        words(bytes).reduce(UInt64(0)) { sum, word in
            let next = sum + UInt64(word)
            return (next & 0xFFFF_FFFF) + (next >> 32)
        }
    }

    @Test func writesPlaneAfterPlaneBehindTheImages() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("out.fits")
            let old = [FITSCard("NAXIS3", .integer(9)), FITSCard("EXTNAME", .string("OLD")), FITSCard("BSCALE", .real(2))]
            var header = FITSHeader(old + [FITSCard("BUNIT", .string("Gauss"))])
            header.stackGrid("SAMPLE")
            header.addHistory("made for a test")
            var asked: [Int] = []
            let cube = FITSWriter.Cube(name: "SAMPLES", header: header, count: 3) { index in
                asked.append(index)
                var plane = Self.plane(index)
                if index == 1 { plane[3, 2] = .nan }
                return plane
            }
            try FITSWriter.write(image, header: Fixture.header("mdi"), extensions: [("LR", Fixture.pattern(4, 3), FITSHeader())], cube: cube, to: url)
            #expect(asked == [0, 1, 2], "one at a time")
            let file = try FITSFile(reading: url)
            #expect(try file.contents().map(\.content) == [.image(axes: [33, 17]), .image(axes: [4, 3]), .image(axes: [5, 4, 3])])
            #expect(try file.contents().map(\.name) == [nil, "LR", "SAMPLES"])
            #expect(try file.firstImage().image == image)
            #expect(try file.image(named: "LR")?.image == Fixture.pattern(4, 3))
            expectFailure(.badData, "SAMPLES", "not an image with 2 axes") { _ = try file.image(named: "SAMPLES") }
            let planes = try #require(try file.cube(named: "samples"))
            #expect(planes[0] == Self.plane(0) && planes[2] == Self.plane(2) && planes[1][3, 2].isNaN && planes[1][2, 2] == Self.plane(1)[2, 2])
            #expect(try file.cube(named: "STD") == nil)
            expectFailure(.badData, "LR", "not an image with 3 axes") { _ = try file.cube(named: "LR") }
            let unit = try #require(try units(url).last)
            #expect(unit.header.integer("NAXIS3") == 3 && unit.header.integer("BITPIX") == -32 && !unit.header.contains("BSCALE"))
            #expect(unit.header.withoutStructure() == header.withoutStructure(), "every other card as it was")
            let found = words(unit.data).map { Float(bitPattern: $0) }
            var expected = (0..<3).flatMap { Self.plane($0).pixels }
            #expect(found[20 + 2 * 5 + 3].isNaN)
            expected[20 + 2 * 5 + 3] = .nan
            #expect(zip(found, expected).allSatisfy { $0 == $1 || ($0.isNaN && $1.isNaN) })
            #expect(unit.header.string("DATASUM") == "3000582189", "as astropy has it")
        }
    }

    @Test func checksumsHold() throws {
        try withTemporaryFolder { folder in
            // Planes larger than the pieces in which they are written.
            let url = folder.appendingPathComponent("out.fits"), again = folder.appendingPathComponent("again.fits")
            for file in [url, again] {
                let cube = FITSWriter.Cube(name: "SAMPLES", header: FITSHeader(), count: 2) { Self.plane($0, width: 520, height: 510) }
                try FITSWriter.write(image, header: Fixture.header("mdi"), cube: cube, to: file)
            }
            let written = try units(url)
            try #require(written.count == 2)
            for unit in written {
                #expect(sum(unit.bytes) == 0xFFFF_FFFF)
                #expect(unit.header.string("DATASUM") == "\(sum(unit.data))")
            }
            #expect(written[1].header.string("DATASUM") == "1795632970", "as astropy has it")
            let found = words(written[1].data).map { Float(bitPattern: $0) }
            // Compared outside of the macro, which would look for the differences of a million values.
            let isSame = found == (0..<2).flatMap { Self.plane($0, width: 520, height: 510).pixels }
            let areSameBytes = try Data(contentsOf: url) == Data(contentsOf: again)
            #expect(isSame && areSameBytes, "the same arguments give the same bytes")
        }
    }

    @Test func aCubeOfOnePlaneIsAnImage() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("out.fits")
            let cube = FITSWriter.Cube(name: "SAMPLES", header: FITSHeader(), count: 1) { Self.plane($0 + 4) }
            try FITSWriter.write(image, header: FITSHeader(), cube: cube, to: url)
            #expect(try FITSFile(reading: url).image(named: "SAMPLES")?.image == Self.plane(4))
        }
    }

    @Test(arguments: [0, 2])
    func aPlaneThatFailsLeavesNothingBehind(_ failing: Int) throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("out.fits")
            func write(overwrite: Bool) throws {
                let cube = FITSWriter.Cube(name: "SAMPLES", header: FITSHeader(), count: 3) { index in
                    if index == failing { throw Failure(.diverged, "there are no more samples") }
                    return Self.plane(index)
                }
                try FITSWriter.write(image, header: FITSHeader(), cube: cube, to: url, overwrite: overwrite)
            }
            expectFailure(.diverged, "there are no more samples") { try write(overwrite: false) }
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
            try FITSWriter.write(Fixture.pattern(5, 4), header: FITSHeader(), to: url)
            expectFailure(.diverged, "there are no more samples") { try write(overwrite: true) }
            #expect(try FITSFile(reading: url).firstImage().image == Fixture.pattern(5, 4), "the old file is still there")
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["out.fits"])
        }
    }
}
