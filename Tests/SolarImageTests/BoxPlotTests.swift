import Foundation
import SolarImage
import Testing

@Suite struct BoxPlotTests {
    private let colour = Canvas.Colour.curve(0).colour

    private func plot(_ values: [Double], reference: Double? = nil) -> BoxPlot {
        BoxPlot(title: "Errors", names: ["a model"], panels: [.init(title: "Flux", axisLabel: "error (%)", values: [values], reference: reference)])
    }

    /// Numbers by numpy 2.4.6: `q = percentile(v, [25, 50, 75])`, whiskers the least and the greatest of those from `q[0] - 1.5 * (q[2] - q[0])` to
    /// `q[2] + 1.5 * (q[2] - q[0])`.
    @Test func boxesAreThoseOfNumpy() throws {
        func check(_ values: [Double], _ expected: [Double], outliers: [Double], sourceLocation: SourceLocation = #_sourceLocation) throws {
            let box = try #require(BoxPlot.Box(of: values), sourceLocation: sourceLocation)
            let found = [box.lowerWhisker, box.lowerQuartile, box.median, box.upperQuartile, box.upperWhisker]
            #expect(zip(found, expected).allSatisfy { near($0, $1) }, "\(found)", sourceLocation: sourceLocation)
            #expect(box.outliers == outliers, sourceLocation: sourceLocation)
            #expect(BoxPlot.Box(of: values.reversed()) == box, "the order does not matter", sourceLocation: sourceLocation)
        }
        try check([3.5, -1, 2, 8, 0.25, 4, 7, -2, 30, -40, 1.5], [-2, -0.375, 2, 5.5, 8], outliers: [-40, 30])
        try check([0.1, 0.4, 0.2, 0.9, 0.7, 0.3], [0.1, 0.225, 0.35, 0.625, 0.9], outliers: [])
        try check([1, 2], [1, 1.25, 1.5, 1.75, 2], outliers: [])
        try check([0.001, 0.002, 1, -7, .nan, .infinity, 2, 3], [0.001, 0.00125, 0.501, 1.75, 3], outliers: [-7])
        try check([5], [5, 5, 5, 5, 5], outliers: [])
        try check([Double](repeating: -3, count: 9) + [4], [-3, -3, -3, -3, -3], outliers: [4])
        let field = Fixture.pattern(40, 30).pixels.enumerated().map { Double($1) * ($0.isMultiple(of: 97) ? 4 : 1) }
        try check(field, [-1860, -493.25, -15, 470.25, 1696], outliers: [-4000, -3244, -2472, -2112, 2612, 2832, 3268, 3552])
    }

    @Test func needsAFiniteValue() {
        #expect(BoxPlot.Box(of: []) == nil)
        #expect(BoxPlot.Box(of: [.nan, .infinity, -.infinity]) == nil)
    }

    @Test func drawsTheBoxWhereItsValuesAre() throws {
        let drawing = try Drawing { try plot((0...10).map(Double.init)).write(to: $0) }
        let dots = drawing.filled(.black).map(\.middle.x).sorted()
        try #require(dots.count == 11, "few values are drawn one by one")
        func value(_ x: Double) -> Double { (x - dots[0]) / (dots[10] - dots[0]) * 10 }
        #expect(dots.indices.allSatisfy { near(value(dots[$0]), Double($0), 1e-3) })
        let body = try #require(drawing.filled(colour).first)
        #expect(near(value(body.low.x), 2.5, 1e-3) && near(value(body.high.x), 7.5, 1e-3))
        let upright = drawing.outlined(colour).filter { $0.size.x < 1e-9 }.map { value($0.middle.x) }.sorted()
        #expect(upright.count == 3 && zip(upright, [0, 5, 10]).allSatisfy { near($0, $1, 1e-3) }, "whiskers and median")
    }

    @Test func drawsRowsFromAboveAndLeavesOutEmptyOnes() throws {
        let panel = BoxPlot.Panel(title: "x", axisLabel: "y", values: [[1, 2, 3], [], [2, 3, 4]])
        let drawing = try Drawing { try BoxPlot(title: "T", names: ["a", "b", "c"], panels: [panel]).write(to: $0) }
        let rows = (0...2).map { drawing.filled(Canvas.Colour.curve($0).colour) }
        #expect(rows.map(\.count) == [1, 0, 1])
        let (first, last) = (try #require(rows[0].first), try #require(rows[2].first))
        #expect(first.middle.y < last.middle.y && first.middle.x < last.middle.x)
    }

    @Test func outliersFarAwayAreArrowsAtTheEnd() throws {
        let values = (0..<20).map(Double.init)
        #expect(!plot(values).hasValuesBeyondTheAxes)
        #expect(!plot(values + [40]).hasValuesBeyondTheAxes, "an axis twice as long still shows the boxes")
        #expect(plot(values + [1000]).hasValuesBeyondTheAxes)
        #expect(!plot(values + [1000], reference: 900).hasValuesBeyondTheAxes, "the axis reaches there for the reference")
        #expect(!plot([Double](repeating: 1, count: 15) + [9]).hasValuesBeyondTheAxes, "without a box to squeeze")
        #expect(!plot([.nan]).hasValuesBeyondTheAxes)
        let drawing = try Drawing { try plot(values + [-1000, 1000]).write(to: $0) }
        let frame = try drawing.frame()
        let arrows = drawing.filled(.black).sorted { $0.low.x < $1.low.x }
        try #require(arrows.count == 2, "of many values only outliers are drawn")
        #expect(arrows[0].low.x > frame.low.x && arrows[0].high.x < frame.low.x + 15)
        #expect(arrows[1].high.x < frame.high.x && arrows[1].low.x > frame.high.x - 15)
    }

    @Test func marksTheReference() throws {
        func references(_ reference: Double?) throws -> [Drawing.Shape] {
            try Drawing { try plot([4, 5, 6], reference: reference).write(to: $0) }.outlined(.black)
        }
        #expect(try references(nil).isEmpty)
        let line = try #require(try references(5).first)
        let median = try #require(try Drawing { try plot([4, 5, 6], reference: 5).write(to: $0) }.filled(colour).first).middle
        #expect(line.size.x == 0 && abs(line.middle.x - median.x) < 0.1)
    }

    @Test func keepsRoomForLongNames() throws {
        func width(_ name: String) throws -> Int {
            let plot = BoxPlot(title: "T", names: [name], panels: [.init(title: "x", axisLabel: "y", values: [[1, 2]])])
            return try pngSize(png { try plot.write(to: $0) }).width
        }
        let widths = [try width("a"), try width("a name of some length"), try width(String(repeating: "x", count: 100))]
        #expect(widths[0] < widths[1] && widths[1] < widths[2])
        #expect(try width(String(repeating: "x", count: 300)) == widths[2])
    }

    @Test func drawsWhateverItIsGiven() throws {
        let long = String(repeating: "a very long name ", count: 20), word = String(repeating: "x", count: 300)
        let rows: [[Double]] = [
            [], [.nan], [.infinity, -.infinity, 1], [0], [3, 3, 3], [-1e300, 1e300], [1e-300, 2e-300],
            [Double](repeating: 0, count: 50) + [1e9, -1e9],
        ]
        let names = rows.indices.map { [long, word, "", "名前 🌞"][$0 % 4] }
        let all = BoxPlot.Panel(title: long, axisLabel: word, values: rows, reference: .nan)
        let alone = rows.map { values in BoxPlot.Panel(title: word, axisLabel: long, values: rows.map { _ in values }, reference: nil) }
        try expectPictures { try BoxPlot(title: word, names: names, panels: [all] + alone).write(to: $0) }
        try expectPictures { try BoxPlot(title: long, names: [], panels: [.init(title: "x", axisLabel: "y", values: [])]).write(to: $0) }
        try expectPictures { try BoxPlot(title: long, names: [], panels: []).write(to: $0) }
        try expectPictures { try BoxPlot(title: "", names: ["a"], panels: []).write(to: $0) }
    }
}
