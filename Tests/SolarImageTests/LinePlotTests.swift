import Foundation
import SolarImage
import Testing

@Suite struct LinePlotTests {
    private let colour = Canvas.Colour.curve(0).colour

    private func plot(
        _ points: [(x: Double, y: Double)], x: PlotAxis.Scale = .linear, y: PlotAxis.Scale = .linear, name: String = "a", isStepped: Bool = false
    ) -> LinePlot {
        LinePlot(
            title: "Title", xLabel: "x", yLabel: "y", xScale: x, yScale: y, series: [.init(name: name, points: points, isStepped: isStepped)])
    }

    private func drawn(_ plot: LinePlot) throws -> Drawing { try Drawing { try plot.write(to: $0) } }
    /// Where the points of the first series are.
    private func dots(_ plot: LinePlot) throws -> [SIMD2<Double>] { try drawn(plot).filled(colour).map(\.middle) }

    /// Where the second of three points lies on the way from the first to the last, along both axes.
    private func part(_ plot: LinePlot) throws -> SIMD2<Double> {
        let places = try dots(plot)
        try #require(places.count == 3)
        return (places[1] - places[0]) / (places[2] - places[0])
    }

    private func isNear(_ a: SIMD2<Double>, _ x: Double, _ y: Double, _ tolerance: Double = 1e-3) -> Bool {
        abs(a.x - x) < tolerance && abs(a.y - y) < tolerance
    }

    @Test func placesValuesByTheScaleOfTheAxis() throws {
        #expect(isNear(try part(plot([(0, 10), (1, 20), (4, 40)])), 1 / 4, 1 / 3))
        #expect(isNear(try part(plot([(-3, -1e-9), (3, 0), (5, 3e-9)])), 3 / 4, 1 / 4))
        #expect(isNear(try part(plot([(1, 1), (10, 0.1), (1000, 1e-4)], x: .logarithmic, y: .logarithmic)), 1 / 3, 1 / 4))
        #expect(isNear(try part(plot([(1, 1e-100), (2, 1), (3, 1e100)], y: .logarithmic)), 1 / 2, 1 / 2))
    }

    @Test func fillsTheWidthButLeavesRoomAboveAndBelow() throws {
        for scale in [PlotAxis.Scale.linear, .logarithmic] {
            let drawing = try drawn(plot([(1, 1), (2, 1000)], x: scale, y: scale))
            let frame = try drawing.frame(), dots = drawing.filled(colour).map(\.middle)
            try #require(dots.count == 2)
            #expect(abs(dots[0].x - frame.low.x) < 0.1 && abs(dots[1].x - frame.high.x) < 0.1)
            #expect(dots[0].y < frame.high.y - 5 && dots[1].y > frame.low.y + 5, "y grows upwards")
            #expect(abs(frame.high.y - dots[0].y - (dots[1].y - frame.low.y)) < 0.1)
        }
    }

    @Test func aValueAloneStandsInTheMiddle() throws {
        let cases: [[(x: Double, y: Double)]] = [[(5, 7)], [(5, 7), (5, 7)], [(1e99, 1e99)], [(1e-99, 1e-99)], [(1e15, 1e-9)]]
        for points in cases {
            for scale in [PlotAxis.Scale.linear, .logarithmic] {
                let drawing = try drawn(plot(points, x: scale, y: scale))
                let dots = drawing.filled(colour).map(\.middle), middle = try drawing.frame().middle
                #expect(dots.count == points.count && dots.allSatisfy { isNear($0 - middle, 0, 0, 0.1) }, "\(points)")
            }
        }
        let negative = try drawn(plot([(0, -4)]))
        let dot = try #require(negative.filled(colour).first), middle = try negative.frame().middle
        #expect(isNear(dot.middle - middle, 0, 0, 0.1))
    }

    @Test func leavesOutWhatAnAxisCannotShow() throws {
        let points: [(x: Double, y: Double)] = [
            (1, 1), (0, 5), (-1, 5), (10, 10), (.nan, 1), (1, .nan), (1, .infinity), (-.infinity, 1), (5, -3), (100, 1000),
        ]
        let logarithmic = plot(points, x: .logarithmic, y: .logarithmic)
        #expect(isNear(try part(logarithmic), 1 / 2, 1 / 3))
        #expect(try drawn(logarithmic).outlined(colour).map(\.points.count) == [3, 2], "the curve and its sample in the legend")
        #expect(try dots(plot(points)).count == 6)
        #expect(try dots(plot(points, x: .logarithmic)).count == 4)
    }

    @Test func saysThatThereIsNothingToDraw() throws {
        for empty in [plot([]), plot([(.nan, 1), (1, .infinity)]), plot([(1, 0), (2, -1)], y: .logarithmic)] {
            let drawing = try drawn(empty)
            #expect(drawing.filled(colour).isEmpty && drawing.outlined(Canvas.Colour(grey: 0.4)).count == 1, "a frame without ticks")
        }
    }

    @Test func takesRangesThatItsAxesCanShow() throws {
        var figure = plot([(1, 1), (2, 10), (4, 100)], y: .logarithmic)
        let free = try dots(figure)
        figure.yRange = 0...1000
        #expect(try dots(figure) == free, "0 has no place on a logarithmic axis")
        figure.yRange = 1...10000
        figure.xRange = 0...4
        let frame = try drawn(figure).frame()
        let places = try dots(figure).map { SIMD2($0.x - frame.low.x, frame.high.y - $0.y) / frame.size }
        try #require(places.count == 3)
        #expect(isNear(places[0], 1 / 4, 0) && isNear(places[1], 1 / 2, 1 / 4) && isNear(places[2], 1, 1 / 2))
    }

    @Test func stepsHoldHalfwayToTheNeighbours() throws {
        let drawing = try drawn(plot([(0, 1), (1, 3), (2, 2)], isStepped: true))
        let path = try #require(drawing.outlined(colour).first { $0.points.count == 6 })
        let x: [Double] = [0, 1 / 3, 1 / 3, 2 / 3, 2 / 3, 1], y: [Double] = [1, 1, 0, 0, 1 / 2, 1 / 2]
        let isThere = path.points.indices.allSatisfy { isNear((path.points[$0] - path.low) / path.size, x[$0], y[$0]) }
        #expect(isThere, "\(path.points)")
        #expect(drawing.filled(colour).isEmpty, "no dots")
    }

    @Test func namesACurveOnce() throws {
        let points: [(x: Double, y: Double)] = [(0, 0), (1, 1)]
        func curves(_ names: String...) throws -> Int {
            try Drawing { try LinePlot.write(names.map { plot(points, name: $0) }, to: $0) }.outlined(colour).count
        }
        #expect(try curves("a", "a") == 3, "two curves and a piece of line beside their name")
        #expect(try curves("a", "b") == 4)
    }

    @Test func labelsOfMarkersDoNotOverlap() throws {
        func marked(_ places: [Double]) -> LinePlot {
            var figure = plot([(0, 0), (1, 1)])
            figure.markers = places.map { LinePlot.Marker(x: $0, label: "2″ and a few words") }
            return figure
        }
        func height(_ places: [Double]) throws -> Int { try pngSize(png { try marked(places).write(to: $0) }).height }
        let heights = [try height([]), try height([0.1, 0.9]), try height([0.1, 0.15]), try height([0.1, 0.15, 0.9])]
        #expect(heights[0] < heights[1] && heights[1] < heights[2] && heights[2] == heights[3])
        let lines = try drawn(marked([0.5, -1, 2, .nan, .infinity])).outlined(Canvas.Colour(grey: 0.35))
        #expect(lines.count == 1, "one of them is on the axis")
    }

    @Test func drawsWhateverItIsGiven() throws {
        let long = String(repeating: "a very long name ", count: 20), word = String(repeating: "x", count: 300)
        let cases: [[(x: Double, y: Double)]] = [
            [], [(0, 0)], [(.nan, .nan), (.infinity, 1)], [(-1, -1), (0, 0), (-2, 3)], [(1e-300, 1e-300), (1e-299, 1e-299)],
            [(-1e300, -1e300), (1e300, 1e300)], [(1, 1e-100), (2, 1e100)], [(1e15, 1), (1e15 + 0.125, 1)], [(2, 1), (1, 2), (2, 1)],
        ]
        var plots: [LinePlot] = []
        for points in cases {
            for scale in [PlotAxis.Scale.linear, .logarithmic] {
                let name = plots.count % 6 == 0 ? word : plots.count % 6 == 1 ? long : "a curve"
                var figure = plot(points, x: scale, y: scale, name: name, isStepped: points.count == 1)
                (figure.title, figure.xLabel, figure.yLabel) = (name, name, name)
                figure.markers = [.init(x: 1, label: name), .init(x: .nan, label: ""), .init(x: -1e300, label: "left")]
                plots.append(figure)
            }
        }
        try expectPictures { try LinePlot.write(plots, to: $0) }
        try expectPictures { try LinePlot.write([], to: $0) }
        var many = plot([])
        let styles: [LinePlot.Series.Style] = [.curve(nil), .curve(77), .truth, .reference]
        many.series = (0..<40).map { number in
            let points = (0..<80).map { (x: Double($0), y: Double($0 * number)) }
            return LinePlot.Series(name: "curve \(number)", points: points, style: styles[number % 4])
        }
        try expectPictures { try many.write(to: $0) }
        many.series = []
        try expectPictures { try many.write(to: $0) }
    }
}
