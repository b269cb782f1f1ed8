import Foundation
import SolarImage
import Testing

/// What figures show besides images: colour bars, masks, annotations, axes and enlarged parts.
@Suite struct FigureMarksTests {
    private let image = Fixture.pattern(40, 40)
    private let annotationColour = Canvas.Colour(0.45, 1, 0.95)

    private func drawn(_ panels: MagnetogramFigure.Panel..., zoom: MagnetogramFigure.Region? = nil) throws -> Drawing {
        try Drawing { try MagnetogramFigure(panels, zoom: zoom).write(to: $0) }
    }

    /// The frames of panels and of colour bars, in turn.
    private func frames(_ drawing: Drawing) -> (panels: [Drawing.Shape], bars: [Drawing.Shape]) {
        let frames = drawing.outlined(.black).filter(\.isArea)
        return (frames.filter { $0.size.x > 100 }, frames.filter { $0.size.x < 100 && $0.size.y > 100 })
    }

    @Test func hasABarForEachScale() throws {
        func panel(_ scale: ColourScale? = nil) -> MagnetogramFigure.Panel { MagnetogramFigure.Panel(image, title: "x", scale: scale) }
        let deviation = ColourScale(.sequential(upper: 100), label: "STD (G)")
        let power = ColourScale(.logarithmic(lower: 0.1, upper: 1e5), label: "G²")
        let one = frames(try drawn(panel(), panel(), panel(ColourScale(.field(limit: 1500), label: "G"))))
        #expect(one.panels.count == 3 && one.bars.count == 1)
        let three = frames(try drawn(panel(), panel(deviation), panel(deviation), panel(power), panel(ColourScale(.field(limit: 500), label: "G"))))
        #expect(three.panels.count == 5 && three.bars.count == 4)
        let right = try #require(three.panels.map(\.high.x).max())
        let bars = three.bars.sorted { $0.low.x < $1.low.x }
        #expect(bars[0].low.x > right && zip(bars, bars.dropFirst()).allSatisfy { $0.high.x < $1.low.x }, "side by side")
    }

    @Test func explainsTheColourOfMissingValues() throws {
        let swatch = Canvas.Colour(rgb: ColourScale.noData)
        #expect(try drawn(.init(image, title: "x")).filled(swatch).isEmpty)
        var holed = image
        holed[39, 39] = .nan
        #expect(try drawn(.init(image, title: "x"), .init(holed, title: "y")).filled(swatch).count == 1)
    }

    @Test func paintsMaskedPixels() throws {
        func picture(_ image: Image, _ mask: [Bool]?) throws -> Data {
            try png { try MagnetogramFigure([.init(image, title: "x", mask: mask.map { MagnetogramFigure.Mask($0) })]).write(to: $0) }
        }
        let all = [Bool](repeating: true, count: 1600), none = [Bool](repeating: false, count: 1600)
        let other = Image(width: 40, height: 40, repeating: 7)
        #expect(try picture(image, none) != picture(other, none))
        let isCovered = try picture(image, all) == picture(other, all)
        #expect(isCovered, "nothing of the image is left")
        var one = none
        one[1599] = true
        #expect(try picture(image, one) != picture(image, none))
        let orange = Canvas.Colour(rgb: 0xFF5000)
        #expect(try drawn(.init(image, title: "x")).filled(orange).isEmpty)
        let masked = MagnetogramFigure.Panel(image, title: "x", mask: MagnetogramFigure.Mask(one))
        #expect(try drawn(masked, .init(image, title: "y")).filled(orange).count == 1, "beside the title")
        let green = MagnetogramFigure.Panel(image, title: "x", mask: MagnetogramFigure.Mask(one, colour: 0x00FF00))
        #expect(try drawn(green).filled(Canvas.Colour(0, 1, 0)).count == 1)
    }

    @Test func annotatesInPixels() throws {
        let marks: [MagnetogramFigure.Annotation] = [
            .rectangle(x: 0, y: 0, width: 40, height: 40), .circle(x: 10, y: 0, radius: 5, label: "NOAA 11429"),
        ]
        let shapes = try drawn(.init(image, title: "x", annotations: marks)).outlined(annotationColour)
        try #require(shapes.count == 2)
        let (whole, circle) = (shapes[0], shapes[1])
        #expect(abs(circle.size.x / whole.size.x - 1 / 4) < 1e-3)
        #expect(abs((circle.middle.x - whole.low.x) / whole.size.x - 1 / 4) < 1e-3)
        #expect(abs(circle.middle.y - whole.high.y) < 0.1, "row 0 is at the bottom")
    }

    @Test func annotatesInCoordinates() throws {
        let coordinates = MagnetogramFigure.Coordinates(x: -1...1, y: -0.5...0.5, xLabel: "x", yLabel: "y")
        let marks: [MagnetogramFigure.Annotation] = [
            .rectangle(x: -1, y: -0.5, width: 2, height: 1), .circle(x: 0.5, y: 0.25, radius: 0.25, label: "a"),
        ]
        let drawing = try drawn(.init(image, title: "x", coordinates: coordinates, annotations: marks))
        let shapes = drawing.outlined(annotationColour)
        try #require(shapes.count == 2)
        let (whole, circle) = (shapes[0], shapes[1])
        #expect(abs(whole.size.x / whole.size.y - 2) < 0.01, "the panel has the shape of its coordinates")
        let place = (circle.middle - whole.low) / whole.size
        #expect(abs(place.x - 3 / 4) < 1e-3 && abs(place.y - 1 / 4) < 1e-3)
        #expect(abs(circle.size.x / whole.size.x - 1 / 4) < 1e-3)
        // The marks of the axes.
        let ticks = drawing.outlined(Canvas.Colour(grey: 0.4))
        #expect(ticks.contains { $0.size.x == 0 && $0.low.y > whole.high.y - 0.1 && abs($0.middle.x - whole.middle.x) < 0.1 }, "0 below the middle")
        #expect(ticks.contains { $0.size.y == 0 && $0.high.x < whole.low.x + 0.1 && abs($0.middle.y - whole.middle.y) < 0.1 }, "0 left of it")
        #expect(try drawn(.init(image, title: "x", annotations: marks)).outlined(Canvas.Colour(grey: 0.4)).isEmpty)
    }

    @Test func enlargesThePartThatItMarks() throws {
        let blue = Canvas.Colour(0, 0.62, 0.95)
        let part = MagnetogramFigure.Region(x: 10, y: 20, width: 20, height: 10, of: image)
        #expect(part == MagnetogramFigure.Region(x: 0.25, y: 0.5, width: 0.5, height: 0.25))
        let panel = MagnetogramFigure.Panel(image, title: "x", arcsecPerPixel: 2)
        #expect(try drawn(panel).outlined(blue).isEmpty)
        let drawing = try drawn(panel, panel, zoom: part)
        #expect(drawing.outlined(blue).count == 4, "marked and enlarged in both panels")
        let frame = try #require(frames(drawing).panels.first), marks = drawing.outlined(blue)
        let (marked, enlarged) = (marks[0], marks[1])
        let corner = (marked.low - frame.low) / frame.size, extent = marked.size / frame.size
        #expect(abs(corner.x - 0.25) < 0.01 && abs(corner.y - 0.25) < 0.01, "counted from the lower left corner")
        #expect(abs(extent.x - 0.5) < 0.01 && abs(extent.y - 0.25) < 0.01)
        #expect(abs(enlarged.size.x - frame.size.x) < 3 && abs(enlarged.size.x / enlarged.size.y - 2) < 0.02 && enlarged.low.y > frame.high.y)
        let plain = try pngSize(png { try MagnetogramFigure([panel]).write(to: $0) })
        let zoomed = try pngSize(png { try MagnetogramFigure([panel], zoom: part).write(to: $0) })
        #expect(zoomed.width == plain.width && zoomed.height > plain.height + 100)
    }

    @Test func drawsAllAtOnce() throws {
        var image = image
        image[3, 3] = .nan
        let coordinates = MagnetogramFigure.Coordinates(x: 5e6...7e6, y: -3e6...(-2e6), xLabel: "a long label of this axis", yLabel: "y")
        let mask = MagnetogramFigure.Mask(image.pixels.map { $0 > 0 })
        let panels = [
            MagnetogramFigure.Panel(image, title: "a", arcsecPerPixel: 0.5, coordinates: coordinates, mask: mask),
            MagnetogramFigure.Panel(image, title: "b", scale: ColourScale(.sequential(upper: 2e-7), label: "a long label of this scale")),
            MagnetogramFigure.Panel(Image(width: 1, height: 1, repeating: 0), title: "c", annotations: [.circle(x: 0, y: 0, radius: 9, label: "")]),
        ]
        let zoom = MagnetogramFigure.Region(x: 0.9, y: -0.1, width: 0.3, height: 0.01)
        try expectPictures { try MagnetogramFigure(panels, title: "all", zoom: zoom).write(to: $0) }
    }
}
