import Foundation
import Groundwork

/// Distributions of several models side by side: a row a model, a panel a quantity.
package struct BoxPlot: Sendable {
    /// One quantity of every model.
    package struct Panel: Sendable {
        package var title: String
        /// Quantity and unit.
        package var axisLabel: String
        /// The values of each row; what is not finite is left out. Empty for a row without.
        package var values: [[Double]]
        /// Where a vertical line stands, such as at no error.
        package var reference: Double?

        package init(title: String, axisLabel: String, values: [[Double]], reference: Double? = 0) {
            (self.title, self.axisLabel, self.values, self.reference) = (title, axisLabel, values, reference)
        }
    }

    /// What a box shows: quartiles, and whiskers to the outermost values within 1.5 interquartile ranges of the box (Tukey 1977).
    package struct Box: Sendable, Equatable {
        package let lowerWhisker: Double, lowerQuartile: Double, median: Double, upperQuartile: Double, upperWhisker: Double
        package let outliers: [Double]

        /// Quartiles are interpolated linearly between the sorted values.
        /// - Returns: nil without a finite value.
        package init?(of values: [Double]) {
            let sorted = values.filter(\.isFinite).sorted()
            guard let first = sorted.first, let last = sorted.last else { return nil }
            func quantile(_ part: Double) -> Double {
                let place = part * Double(sorted.count - 1)
                let index = min(Int(place), sorted.count - 1), next = min(index + 1, sorted.count - 1)
                return sorted[index] + (place - Double(index)) * (sorted[next] - sorted[index])
            }
            let (lower, upper) = (quantile(0.25), quantile(0.75))
            let reach = 1.5 * (upper - lower)
            let within = sorted.filter { $0 >= lower - reach && $0 <= upper + reach }
            (lowerQuartile, median, upperQuartile) = (lower, quantile(0.5), upper)
            (lowerWhisker, upperWhisker) = (min(within.first ?? first, lower), max(within.last ?? last, upper))
            outliers = sorted.filter { $0 < lower - reach || $0 > upper + reach }
        }
    }

    /// Up to this many values are drawn as points too.
    package static let mostPoints = 12

    package var title: String
    /// The rows, from above.
    package var names: [String]
    package var panels: [Panel]

    /// - Precondition: every panel has as many lists of values as there are names.
    package init(title: String, names: [String], panels: [Panel]) {
        precondition(panels.allSatisfy { $0.values.count == names.count }, "a panel's rows are not the plot's")
        (self.title, self.names, self.panels) = (title, names, panels)
    }

    /// Writes a PNG, PDF or SVG, by the extension.
    /// - Throws: `Failure` (`.cannotWrite`).
    package func write(to url: URL, overwrite: Bool = false) throws {
        let layout = try Canvas.measure(for: url) { Layout(self, on: $0) }
        try Canvas.draw(to: url, width: layout.width, height: layout.height, overwrite: overwrite) { canvas in
            canvas.text(title, x: layout.margin, y: layout.margin + 18, size: 16, bold: true, maximumWidth: layout.width - 2 * layout.margin)
            for (index, lines) in layout.names.enumerated() {
                let middle = layout.top + (Double(index) + 0.5) * layout.rowHeight
                for (number, line) in lines.enumerated() {
                    let offset = (Double(number) - Double(lines.count - 1) / 2) * 16 + 4.5
                    canvas.text(line, x: layout.margin + layout.nameWidth, y: middle + offset, anchor: .right, maximumWidth: layout.nameWidth)
                }
            }
            for (index, panel) in panels.enumerated() { draw(panel, in: layout.frame(index), rowHeight: layout.rowHeight, on: canvas) }
        }
    }
}

extension BoxPlot {
    /// Names at the left, panels to the right of them.
    private struct Layout {
        let margin = 20.0, gap = 24.0, rowHeight: Double, panelWidth: Double, nameWidth: Double, top = 92.0
        let names: [[String]]
        private let panelCount: Int

        init(_ plot: BoxPlot, on canvas: Canvas) {
            panelCount = plot.panels.count
            panelWidth = panelCount == 1 ? 640 : 430
            names = plot.names.map { canvas.lines($0, size: 13, width: 230) }
            nameWidth = min(260, names.joined().map { canvas.textWidth($0, size: 13) }.max() ?? 0)
            rowHeight = names.contains { $0.count > 1 } ? 40 : 32
        }

        var width: Double { 2 * margin + nameWidth + Double(panelCount) * (panelWidth + gap) }
        var height: Double { top + Double(max(1, names.count)) * rowHeight + 62 }

        func frame(_ index: Int) -> Canvas.Rectangle {
            Canvas.Rectangle(
                x: margin + nameWidth + gap / 2 + Double(index) * (panelWidth + gap), y: top, width: panelWidth,
                height: max(1, Double(names.count)) * rowHeight)
        }
    }

    private func draw(_ panel: Panel, in frame: Canvas.Rectangle, rowHeight: Double, on canvas: Canvas) {
        canvas.text(panel.title, x: frame.x, y: frame.y - 12, size: 14, bold: true, maximumWidth: frame.width)
        canvas.text(panel.axisLabel, x: frame.x + frame.width / 2, y: frame.y + frame.height + 42, anchor: .centre, maximumWidth: frame.width)
        let boxes = panel.values.map { Box(of: $0) }
        guard let axis = Self.axis(boxes, reference: panel.reference) else {
            canvas.stroke(frame, .axis)
            canvas.text("no values", x: frame.x + frame.width / 2, y: frame.y + frame.height / 2 + 4, anchor: .centre)
            return
        }
        canvas.drawHorizontalAxis(axis, below: frame, grid: .grid)
        func x(_ value: Double) -> Double { frame.x + axis.position(of: value) * frame.width }
        if let reference = panel.reference {
            canvas.line([(x(reference), frame.y), (x(reference), frame.y + frame.height)], .black, lineWidth: 1.2, dashes: [5, 4])
        }
        canvas.stroke(frame, .axis)
        for (index, box) in boxes.enumerated() {
            guard let box else { continue }
            let (colour, _) = Canvas.Colour.curve(index)
            let middle = frame.y + (Double(index) + 0.5) * rowHeight, half = 9.0
            for (from, to) in [(box.lowerWhisker, box.lowerQuartile), (box.upperQuartile, box.upperWhisker)] where from < to {
                canvas.line([(x(from), middle), (x(to), middle)], colour, lineWidth: 1.4)
            }
            for whisker in [box.lowerWhisker, box.upperWhisker] {
                canvas.line([(x(whisker), middle - half / 2), (x(whisker), middle + half / 2)], colour, lineWidth: 1.4)
            }
            let body = Canvas.Rectangle(
                x: x(box.lowerQuartile), y: middle - half, width: x(box.upperQuartile) - x(box.lowerQuartile), height: 2 * half)
            canvas.fill(body, .white)
            canvas.fill(body, Canvas.Colour(colour.red, colour.green, colour.blue, opacity: 0.25))
            canvas.stroke(body, colour, lineWidth: 1.4)
            canvas.line([(x(box.median), middle - half), (x(box.median), middle + half)], colour, lineWidth: 3)
            let values = panel.values[index].filter(\.isFinite)
            for value in values.count <= Self.mostPoints ? values : box.outliers {
                if axis.range.contains(value) {
                    canvas.disk(x: x(value), y: middle, radius: 2.6, .black)
                } else {
                    // Beyond the axis: an arrowhead at its end.
                    let (tip, side) = value < axis.range.lowerBound ? (frame.x + 2, 1.0) : (frame.x + frame.width - 2, -1.0)
                    canvas.fill([(tip, middle), (tip + side * 8, middle - 5), (tip + side * 8, middle + 5)], .black)
                }
            }
        }
    }

    /// An axis that shows whiskers and the reference; outliers too, unless that made it more than three times as long.
    private static func axis(_ boxes: [Box?], reference: Double?) -> PlotAxis? {
        let boxes = boxes.compactMap(\.self)
        guard !boxes.isEmpty else { return nil }
        let inner = boxes.flatMap { [$0.lowerWhisker, $0.upperWhisker] } + [reference].compactMap(\.self)
        let all = inner + boxes.flatMap(\.outliers)
        func span(_ values: [Double]) -> Double { (values.max() ?? 0) - (values.min() ?? 0) }
        return PlotAxis(.linear, showing: span(all) <= 3 * span(inner) || span(inner) == 0 ? all : inner, fixed: nil, isRoomy: true)
    }

    /// Whether a value lies beyond the axis, where an arrowhead stands for it.
    package var hasValuesBeyondTheAxes: Bool {
        panels.contains { panel in
            let boxes = panel.values.map { Box(of: $0) }
            guard let axis = Self.axis(boxes, reference: panel.reference) else { return false }
            return boxes.contains { box in box?.outliers.contains { !axis.range.contains($0) } ?? false }
        }
    }
}
