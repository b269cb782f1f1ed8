import Foundation
import Groundwork
import SolarImage
import Testing

@Suite struct FITSFileTests {
    private func read(_ name: String) throws -> FITSImage { try FITSFile(reading: Fixture.url(name)).firstImage() }

    @Test func readsTileCompressedIntegers() throws {
        let read = try read("rice-int32-blank.fits")
        #expect(read.hdu == 1 && read.name == "MAGNETOGRAM")
        #expect(read.image.width == 40 && read.image.height == 30)
        let pattern = Fixture.pattern(40, 30)
        let isRight = (0..<30 * 40).map { index in
            let (x, y) = (index % 40, index / 40)
            return (x + y) % 17 == 0 ? read.image[x, y].isNaN : read.image[x, y] == Float(Double(pattern[x, y]) * 0.1)
        }
        #expect(isRight.allSatisfy { $0 }, "BLANK is NaN, the rest scaled")
        #expect(read.header.string("TELESCOP") == "SDO/HMI")
    }

    @Test func readsDoublesPlainAndZipped() throws {
        for name in ["float64.fits", "float64.fits.gz"] {
            let image = try read(name).image
            let pattern = Fixture.pattern(15, 9)
            for y in 0..<9 {
                for x in 0..<15 where (x, y) != (4, 3) && (x, y) != (6, 5) { #expect(image[x, y] == Float(Double(pattern[x, y]) / 7)) }
            }
            #expect(image[4, 3].isNaN)
            #expect(image[6, 5].isNaN, "infinity is no measurement")
        }
    }

    @Test func readsScaledShortIntegers() throws {
        let pattern = Fixture.pattern(20, 12)
        let fill = try read("int16-fill.fits").image
        #expect(fill[0, 0].isNaN, "-32768 without BLANK is a fill")
        #expect(fill[5, 3] == Float(Double(pattern[5, 3]) * 0.05))
        #expect(fill.pixels.filter(\.isNaN).count == 1)
        let unsigned = try read("int16-unsigned.fits").image
        #expect(unsigned[0, 0] == 0, "the least unsigned integer is a value")
        #expect(unsigned[5, 3] == pattern[5, 3] + 32768)
        let blank = try read("int16-blank.fits").image
        #expect(blank[0, 0] == Float(-32768 * 0.05), "BLANK is another number here")
        #expect(blank.pixels.indices.allSatisfy { blank.pixels[$0].isNaN == ($0 > 0 && pattern.pixels[$0] == -1000) })
    }

    @Test func takesTheFirstImageWhereverItIs() throws {
        let read = try read("image-after-table.fits")
        #expect(read.hdu == 2 && read.name == "FIELD")
        #expect(read.image == Fixture.pattern(6, 5))
        #expect(try self.read("degenerate-axis.fits").image == Fixture.pattern(8, 6))
    }

    @Test func findsExtensionsByName() throws {
        let file = try FITSFile(reading: Fixture.url("image-after-table.fits"))
        #expect(try file.image(named: "mean")?.image == Image(width: 6, height: 5, repeating: 1))
        #expect(try file.image(named: "STD") == nil)
        #expect(try file.contents().map(\.content) == [.image(axes: []), .table, .image(axes: [6, 5]), .image(axes: [6, 5])])
        #expect(try file.contents().map(\.name) == [nil, nil, "FIELD", "MEAN"])
        #expect(try file.firstImage().name == "FIELD", "the place in the file does not matter")
    }

    @Test func readsHeadersThatBreakTheRules() throws {
        let read = try read("loose-header.fits")
        #expect(read.header.string("BUNIT") == "gauss")
        #expect(read.header.real("USFLUX") == 5.721573e22)
        #expect(read.image[1, 2] == Float(9 * 0.05))
        #expect(read.image[0, 0].isNaN)
    }

    @Test(arguments: [
        ("table-only.fits", "no two-dimensional image", "a table in HDU 1"),
        ("headers-only.fits", "no two-dimensional image", "headers without data"),
        ("cube.fits", "no two-dimensional image", "4 × 5 × 3 pixels"), ("all-nan.fits", "no pixel has a value", "HDU 0"),
        ("truncated-rice.fits", "cut short", "HDU 1"), ("truncated-plain.fits", "cut short", "1080 bytes for 15 × 9 pixels, found 500 bytes"),
        ("absurd-axes.fits", "makes no sense", "NAXIS2  =           2000000000"),
        ("absurd-compressed.fits", "more pixels than the file can hold", "400000000 × 30"),
    ])
    func refuses(_ name: String, _ problem: String, _ fact: String) {
        expectFailure(.badData, Fixture.url(name).path, problem, fact) { _ = try read(name) }
    }

    @Test func refusesWhatIsNoFITS() throws {
        try withTemporaryFolder { folder in
            expectFailure(.missingInput, "there is no such file", "absent.fits") {
                _ = try FITSFile(reading: folder.appendingPathComponent("absent.fits"))
            }
            expectFailure(.badData, "is a folder") { _ = try FITSFile(reading: folder) }
            let empty = folder.appendingPathComponent("empty.fits"), text = folder.appendingPathComponent("text.fits"),
                page = folder.appendingPathComponent("page.fits")
            try Data().write(to: empty)
            try Data("hello\n".utf8).write(to: text)
            try Data(("<html>" + String(repeating: "x", count: 10000)).utf8).write(to: page)
            expectFailure(.badData, "the file is empty", "0 bytes") { _ = try FITSFile(reading: empty) }
            expectFailure(.badData, "cannot be read as FITS", "SIMPLE") { _ = try FITSFile(reading: text) }
            expectFailure(.badData, "cannot be read as FITS", "SIMPLE") { _ = try FITSFile(reading: page) }
        }
    }

    @Test func survivesDamage() throws {
        // Any byte may be wrong: the outcome is an image of a sane size or a Failure, never a crash.
        let whole = try Data(contentsOf: Fixture.url("rice-int32-blank.fits"))
        try withTemporaryFolder { folder in
            var state: UInt64 = 1
            for round in 0..<300 {
                var damaged = whole
                for _ in 0..<(1 + round % 4) {
                    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                    let place = 2880 + Int(state >> 33) % (whole.count - 2880)
                    damaged[place] = UInt8(truncatingIfNeeded: state >> 20)
                }
                let url = folder.appendingPathComponent("\(round).fits")
                try damaged.write(to: url)
                do {
                    let image = try FITSFile(reading: url).firstImage().image
                    #expect(image.pixels.count <= 2048 * whole.count)
                } catch is Failure {}
            }
        }
    }

    /// cfitsio itself would divide by such numbers, or allocate by them.
    @Test(arguments: [
        ("ZTILE1  =                   40", "ZTILE1  =                    0"), ("ZNAXIS2 =                   30", "ZNAXIS2 =                  -30"),
        ("ZVAL1   =                   32", "ZVAL1   =                    0"), ("ZBITPIX =                   32", "ZBITPIX =                   31"),
        ("NAXIS2  =                   30", "NAXIS2  =                   29"),
    ])
    func refusesStructuresThatMakeNoSense(_ old: String, _ new: String) throws {
        var bytes = try Data(contentsOf: Fixture.url("rice-int32-blank.fits"))
        let place = try #require(bytes.range(of: Data(old.utf8), in: 2880..<bytes.count), "\(old)")
        bytes.replaceSubrange(place, with: Data(new.utf8))
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("x.fits")
            try bytes.write(to: url)
            expectFailure(.badData, "makes no sense", "HDU 1", String(old.prefix(6)), new) { _ = try FITSFile(reading: url).firstImage() }
        }
    }

    @Test func takesNamesLiterally() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("crop[1:2,3:4] (a).fits")
            try FITSWriter.write(Fixture.pattern(6, 5), header: FITSHeader(), to: url)
            #expect(try FITSFile(reading: url).firstImage().image == Fixture.pattern(6, 5))
        }
    }
}
