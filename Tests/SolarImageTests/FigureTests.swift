import Foundation
import Groundwork
import SolarImage
import Testing

@Suite struct FigureTests {
    /// Width and height from the header of a PNG file.
    private func size(_ url: URL) throws -> (Int, Int) {
        let bytes = try [UInt8](Data(contentsOf: url))
        #expect(bytes.starts(with: [0x89, 0x50, 0x4E, 0x47]))
        func word(_ at: Int) -> Int { bytes[at..<at + 4].reduce(0) { $0 << 8 | Int($1) } }
        return (word(16), word(20))
    }

    @Test func paintsZeroMidGrey() {
        var image = Image(width: 5, height: 1, pixels: [-2000, -1500, 0, 750, 1500])
        #expect(MagnetogramFigure.colours(image, limit: 1500) == [0x000000, 0x000000, 0x808080, 0xBFBFBF, 0xFFFFFF])
        image[0, 0] = .nan
        let colour = MagnetogramFigure.colours(image, limit: 1500)[0]
        #expect(colour >> 16 != colour & 255, "no grey")
    }

    @Test func drawsOneAndMany() throws {
        try withTemporaryFolder { folder in
            var image = Fixture.pattern(60, 40)
            image[0, 0] = .nan
            let url = folder.appendingPathComponent("one.png")
            try MagnetogramFigure([.init(image, title: "HMI", arcsecPerPixel: 0.5)]).write(to: url)
            let one = try size(url)
            #expect(one.0 >= 60 * 6 && one.1 >= 40 * 6, "small images are enlarged")
            let many = folder.appendingPathComponent("many.png")
            let panels = ["LR", "SR", "a title that is much too long for the panel it stands over and must be cut", "HR"].map {
                MagnetogramFigure.Panel(image, title: $0)
            }
            try MagnetogramFigure(panels, title: "Side by side", limit: 800).write(to: many)
            let size = try size(many)
            #expect(size.0 > one.0 && size.1 > one.1)
            for format in ["pdf", "svg"] {
                let paper = folder.appendingPathComponent("paper.\(format)")
                try MagnetogramFigure(panels).write(to: paper)
                #expect(try Data(contentsOf: paper).count > 1000)
            }
        }
    }

    @Test func turnsFieldsTakenUpsideDown() throws {
        var header = try Fixture.header("mdi")
        header.set("CROTA2", .real(179.93))
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("x.fits")
            try FITSWriter.write(Fixture.pattern(8, 6), header: header, to: url)
            let panel = MagnetogramFigure.Panel(try Magnetogram(reading: url))
            #expect(panel.image.pixels == Fixture.pattern(8, 6).pixels.reversed())
            #expect(panel.title == "MDI  2010-10-15 00:02 UT")
        }
    }

    @Test func refusesWhatItCannotWrite() throws {
        let figure = MagnetogramFigure([.init(Fixture.pattern(8, 8), title: "x")])
        try withTemporaryFolder { folder in
            expectFailure(.usage, ".png, .pdf or .svg") { try figure.write(to: folder.appendingPathComponent("x.bmp")) }
            expectFailure(.cannotWrite, "nowhere") { try figure.write(to: folder.appendingPathComponent("nowhere/x.png")) }
            let url = folder.appendingPathComponent("x.png")
            try figure.write(to: url)
            expectFailure(.cannotWrite, "exists already") { try figure.write(to: url) }
            try figure.write(to: url, overwrite: true)
            expectFailure(.other, "cannot be drawn", "Cairo") { try Canvas.draw(to: url, width: 100_000, height: 10, overwrite: true) { _ in } }
            #expect(try size(url).0 > 0, "the old picture is still there")
        }
    }

    @Test func choosesRoundTicks() {
        #expect([0.3, 1, 7, 49, 750].map { Ticks.roundStep(atMost: $0) } == [0.2, 1, 5, 20, 500])
        #expect([-1500, 0, 0.25, 1e-3].map { Ticks.label($0) } == ["−1500", "0", "0.25", "0.001"])
    }
}
