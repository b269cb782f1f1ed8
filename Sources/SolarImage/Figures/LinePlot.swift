import Foundation
import Groundwork

/// Curves over linear or logarithmic axes, such as a loss over training steps.
package struct LinePlot: Sendable {
    package struct Series: Sendable {
        package enum Style: Sendable, Equatable {
            /// Colour and dashes by this index, from 0; nil for that of the series.
            case curve(Int?)
            /// Thick and black.
            case truth
            /// What would be ideal: dashed, grey.
            case reference
        }

        package var name: String
        /// Points that are finite and, on logarithmic axes, above 0 are drawn.
        package var points: [(x: Double, y: Double)]
        package var style: Style
        /// Whether values hold from halfway to the last point until halfway to the next, as counts do.
        package var isStepped: Bool

        package init(name: String, points: [(x: Double, y: Double)], style: Style = .curve(nil), isStepped: Bool = false) {
            (self.name, self.points, self.style, self.isStepped) = (name, points, style, isStepped)
        }
    }

    /// A vertical line at `x`, its label above the plot.
    package struct Marker: Sendable {
        package var x: Double
        package var label: String

        package init(x: Double, label: String) { (self.x, self.label) = (x, label) }
    }

    package var title: String
    package var xLabel: String
    package var yLabel: String
    package var xScale: PlotAxis.Scale
    package var yScale: PlotAxis.Scale
    /// What the axes show; by default what the series need.
    package var xRange: ClosedRange<Double>?
    package var yRange: ClosedRange<Double>?
    package var markers: [Marker]
    package var series: [Series]

    package init(
        title: String, xLabel: String, yLabel: String, xScale: PlotAxis.Scale = .linear, yScale: PlotAxis.Scale = .logarithmic,
        xRange: ClosedRange<Double>? = nil, yRange: ClosedRange<Double>? = nil, markers: [Marker] = [], series: [Series]
    ) {
        (self.title, self.xLabel, self.yLabel) = (title, xLabel, yLabel)
        (self.xScale, self.yScale, self.xRange, self.yRange) = (xScale, yScale, xRange, yRange)
        (self.markers, self.series) = (markers, series)
    }

    /// Writes a PNG, PDF or SVG, by the extension. Without a point to draw it says so.
    /// - Throws: `Failure` (`.cannotWrite`).
    package func write(to url: URL, overwrite: Bool = false) throws { try LinePlot.write([self], to: url, overwrite: overwrite) }

    /// Writes several plots side by side, with one legend below them for the series of all: those of one name are one.
    /// - Throws: `Failure` (`.cannotWrite`).
    package static func write(_ plots: [LinePlot], to url: URL, overwrite: Bool = false) throws {
        let layout = try Canvas.measure(for: url) { Layout(plots, on: $0) }
        try Canvas.draw(to: url, width: layout.width, height: layout.height, overwrite: overwrite) { canvas in
            for (index, plot) in plots.enumerated() {
                plot.draw(in: layout.frame(index), top: layout.top(index), drawn: layout.drawn[index], on: canvas)
            }
            layout.legend.draw(x: layout.margin, y: layout.legendTop, on: canvas)
        }
    }
}

extension LinePlot {
    /// Plots side by side, the legend below.
    private struct Layout {
        let margin = 24.0, axisWidth = 72.0, titleHeight = 44.0, markerHeight: Double, axisHeight = 58.0, plotWidth: Double, frameWidth: Double,
            plotHeight = 380.0
        let columns: Int, rows: Int
        let drawn: [[Drawn]]
        let legend: PlotLegend

        init(_ plots: [LinePlot], on canvas: Canvas) {
            columns = max(1, min(2, plots.count))
            rows = (plots.count + columns - 1) / columns
            plotWidth = columns == 1 ? 780 : 560
            frameWidth = columns == 1 ? plotWidth : plotWidth - 16
            drawn = plots.map { $0.drawnSeries() }
            let width = frameWidth
            markerHeight = plots.map { Double($0.markerRows(width: width, on: canvas).compactMap(\.self).max().map { $0 + 1 } ?? 0) * 18 }.max() ?? 0
            var entries: [PlotLegend.Entry] = []
            for series in drawn.joined() where !entries.contains(where: { $0.name == series.name }) { entries.append(series.entry) }
            // The training loop's single curve needs no more room than it had.
            legend = PlotLegend(entries, width: Double(columns) * (plotWidth + axisWidth) + 16, on: canvas)
        }

        var cellHeight: Double { titleHeight + markerHeight + plotHeight + axisHeight }
        var width: Double { 2 * margin + Double(columns) * (axisWidth + plotWidth) + 16 }
        var legendTop: Double { margin / 2 + Double(rows) * cellHeight + 6 }
        var height: Double { legendTop + legend.height + margin / 2 }

        func top(_ index: Int) -> Double { margin / 2 + Double(index / columns) * cellHeight }

        func frame(_ index: Int) -> Canvas.Rectangle {
            Canvas.Rectangle(
                x: margin + axisWidth + Double(index % columns) * (axisWidth + plotWidth), y: top(index) + titleHeight + markerHeight,
                width: frameWidth, height: plotHeight)
        }
    }

    /// A series with points to draw, and how.
    private struct Drawn {
        let name: String
        let points: [(x: Double, y: Double)]
        let colour: Canvas.Colour
        let dashes: [Double]
        let lineWidth: Double
        let hasDots: Bool

        var entry: PlotLegend.Entry { PlotLegend.Entry(name: name, colour: colour, dashes: dashes, lineWidth: lineWidth) }
    }

    private func drawnSeries() -> [Drawn] {
        series.enumerated().compactMap { index, series in
            let points = series.points.filter { PlotAxis.canDraw($0.x, xScale) && PlotAxis.canDraw($0.y, yScale) }
            guard !points.isEmpty else { return nil }
            let hasDots = points.count < 60 && !series.isStepped && series.style != .reference
            let path = series.isStepped ? Self.steps(points) : points
            switch series.style {
            case .curve(let chosen):
                let (colour, dashes) = Canvas.Colour.curve(chosen ?? index)
                return Drawn(name: series.name, points: path, colour: colour, dashes: dashes, lineWidth: 1.8, hasDots: hasDots)
            case .truth:
                return Drawn(name: series.name, points: path, colour: .black, dashes: [], lineWidth: 3.2, hasDots: hasDots)
            case .reference:
                return Drawn(name: series.name, points: path, colour: Canvas.Colour(grey: 0.5), dashes: [5, 5], lineWidth: 1.8, hasDots: false)
            }
        }
    }

    private static func steps(_ points: [(x: Double, y: Double)]) -> [(x: Double, y: Double)] {
        points.indices.flatMap { index in
            let half = points.count < 2 ? 0.5 : (index > 0 ? points[index].x - points[index - 1].x : points[1].x - points[0].x) / 2
            let next = index + 1 < points.count ? (points[index + 1].x - points[index].x) / 2 : half
            return [(points[index].x - half, points[index].y), (points[index].x + next, points[index].y)]
        }
    }

    /// Which row above the plot each marker's label stands in, 0 the lowest, so that none overlaps another; nil for markers that are not shown.
    private func markerRows(width: Double, on canvas: Canvas) -> [Int?] {
        guard let axis = axes()?.x else { return markers.map { _ in nil } }
        var ends: [Double] = []
        return markers.map { marker in
            guard axis.canDraw(marker.x), axis.range.contains(marker.x) else { return nil }
            let (start, end) = Self.span(of: marker, axis, width: width, on: canvas)
            let row = ends.firstIndex { $0 + 12 <= start } ?? ends.count
            if row == ends.count { ends.append(end) } else { ends[row] = end }
            return row
        }
    }

    /// Where a marker's label begins and ends, seen from the left end of the axis: centred on the line, but within the axis.
    private static func span(of marker: Marker, _ axis: PlotAxis, width: Double, on canvas: Canvas) -> (Double, Double) {
        let length = canvas.textWidth(marker.label, size: 12)
        let start = min(max(axis.position(of: marker.x) * width - length / 2, 0), max(0, width - length))
        return (start, start + length)
    }

    private func axes() -> (x: PlotAxis, y: PlotAxis)? {
        let points = drawnSeries().flatMap(\.points)
        guard let x = PlotAxis(xScale, showing: points.map(\.x), fixed: xRange, isRoomy: false) else { return nil }
        let shown = points.filter { x.range.contains($0.x) }.map(\.y)
        return PlotAxis(yScale, showing: shown, fixed: yRange, isRoomy: true).map { (x, $0) }
    }

    private func draw(in frame: Canvas.Rectangle, top: Double, drawn: [Drawn], on canvas: Canvas) {
        canvas.text(title, x: frame.x - 40, y: top + 22, size: 16, bold: true, maximumWidth: frame.width + 40)
        canvas.text(xLabel, x: frame.x + frame.width / 2, y: frame.y + frame.height + 42, anchor: .centre, maximumWidth: frame.width)
        canvas.text(
            yLabel, x: frame.x - 56, y: frame.y + frame.height / 2, anchor: .centre, turned: true, maximumWidth: frame.height)
        guard let (xAxis, yAxis) = axes() else {
            canvas.stroke(frame, .axis)
            canvas.text("nothing to draw yet", x: frame.x + frame.width / 2, y: frame.y + frame.height / 2, size: 14, anchor: .centre)
            return
        }
        canvas.drawHorizontalAxis(xAxis, below: frame, grid: .grid)
        canvas.drawVerticalAxis(yAxis, leftOf: frame, grid: .grid)
        canvas.stroke(frame, .axis)
        func place(_ point: (x: Double, y: Double)) -> (x: Double, y: Double) {
            (frame.x + xAxis.position(of: point.x) * frame.width, frame.y + frame.height - yAxis.position(of: point.y) * frame.height)
        }
        let rows = markerRows(width: frame.width, on: canvas)
        for (marker, row) in zip(markers, rows) {
            guard let row else { continue }
            let x = place((marker.x, yAxis.range.upperBound)).x
            let base = frame.y - 6 - Double(row) * 18
            canvas.line([(x, base + 3), (x, frame.y + frame.height)], Canvas.Colour(grey: 0.35), lineWidth: 1.2, dashes: [2, 3])
            canvas.text(marker.label, x: frame.x + Self.span(of: marker, xAxis, width: frame.width, on: canvas).0, y: base, size: 12)
        }
        canvas.clipped(to: frame) {
            for series in drawn {
                let points = series.points.map(place)
                canvas.line(points, series.colour, lineWidth: series.lineWidth, dashes: series.dashes)
                for point in series.hasDots ? points : [] { canvas.disk(x: point.x, y: point.y, radius: series.lineWidth + 1, series.colour) }
            }
        }
    }
}

/// The names of curves in columns, each beside a piece of its line.
struct PlotLegend {
    struct Entry {
        let name: String
        let colour: Canvas.Colour
        let dashes: [Double]
        let lineWidth: Double
    }

    private let entries: [Entry]
    private let columns: Int
    private let columnWidth: Double
    private let rowHeight = 22.0, sample = 40.0

    /// - Parameter width: that of all columns.
    init(_ entries: [Entry], width: Double, on canvas: Canvas) {
        self.entries = entries
        let longest = entries.map { canvas.textWidth($0.name, size: 13) }.max() ?? 0
        columns = max(1, min(max(1, entries.count), Int(width / (longest + sample + 36))))
        columnWidth = min(width / Double(columns), longest + sample + 60)
    }

    private var rows: Int { (entries.count + columns - 1) / columns }
    var height: Double { Double(rows) * rowHeight + 4 }

    /// Column by column, so that neighbours stay together.
    func draw(x: Double, y: Double, on canvas: Canvas) {
        for (index, entry) in entries.enumerated() {
            let left = x + Double(index / max(1, rows)) * columnWidth, middle = y + (Double(index % max(1, rows)) + 0.5) * rowHeight
            canvas.line([(left, middle), (left + sample, middle)], entry.colour, lineWidth: entry.lineWidth + 0.4, dashes: entry.dashes)
            canvas.text(entry.name, x: left + sample + 10, y: middle + 4.5, maximumWidth: columnWidth - sample - 24)
        }
    }
}
