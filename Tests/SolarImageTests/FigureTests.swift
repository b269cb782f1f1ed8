import Foundation
import Groundwork
import SolarImage
import Testing

@Suite struct FigureTests {
    @Test func drawsOneAndMany() throws {
        var image = Fixture.pattern(60, 40)
        image[0, 0] = .nan
        let single = MagnetogramFigure([.init(image, title: "HMI", arcsecPerPixel: 0.5)])
        let one = try pngSize(png { try single.write(to: $0) })
        #expect(one.width >= 60 * 6 && one.height >= 40 * 6, "small images are enlarged")
        let panels = ["LR", "SR", "a title that is much too long for the panel it stands over and must be cut", "HR"].map {
            MagnetogramFigure.Panel(image, title: $0)
        }
        var figure = MagnetogramFigure(panels, title: "Side by side", limit: 800)
        let many = try pngSize(png { try figure.write(to: $0) })
        #expect(many.width > one.width && many.height > one.height)
        figure.columns = 4
        let row = try pngSize(png { try figure.write(to: $0) })
        #expect(row.width > many.width && row.height < many.height)
        try expectPictures { try figure.write(to: $0) }
    }

    @Test func panelsOfOneFieldAreOfOneSize() throws {
        let high = Fixture.pattern(120, 80)
        let panels = [MagnetogramFigure.Panel(high.blockMean(by: 4), title: "LR"), MagnetogramFigure.Panel(high, title: "HR")]
        let sizes = try Drawing { try MagnetogramFigure(panels).write(to: $0) }.outlined(.black).filter { $0.size.x > 100 }.map(\.size)
        #expect(sizes.count == 2 && sizes[0] == sizes[1])
        #expect(abs(sizes[0].x / sizes[0].y - 1.5) < 0.01)
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
            #expect(try pngSize(Data(contentsOf: url)).width > 0, "the old picture is still there")
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["x.png"], "nothing temporary stays")
        }
    }

    @Test func drawsWhateverItIsGiven() throws {
        let long = String(repeating: "a very long title ", count: 20), word = String(repeating: "x", count: 300)
        var odd = Fixture.pattern(3, 500)
        odd[0, 0] = .infinity
        odd[1, 1] = -.infinity
        odd[2, 2] = .greatestFiniteMagnitude
        let marks: [MagnetogramFigure.Annotation] = [.circle(x: 1e4, y: -1e4, radius: 0, label: long), .circle(x: 1, y: 1, radius: -1, label: "")]
        let nothing = Image(width: 2, height: 2, repeating: .nan)
        let panels = [
            MagnetogramFigure.Panel(Image(width: 1, height: 1, repeating: 0), title: "", arcsecPerPixel: 1e30),
            MagnetogramFigure.Panel(nothing, title: word, arcsecPerPixel: 1e-30, mask: MagnetogramFigure.Mask([true])),
            MagnetogramFigure.Panel(odd, title: long, arcsecPerPixel: -1, annotations: marks),
            MagnetogramFigure.Panel(odd, title: "名前 🌞", arcsecPerPixel: .nan, scale: ColourScale(.sequential(upper: 1e-30), label: word)),
        ]
        for columns in [nil, 1, 100] {
            try expectPictures { try MagnetogramFigure(panels, title: word, columns: columns, panelSize: 200).write(to: $0) }
        }
        for panel in panels { try expectPictures { try MagnetogramFigure([panel], limit: 1e-30).write(to: $0) } }
        try expectPictures { try MagnetogramFigure([], title: long).write(to: $0) }
    }
}
