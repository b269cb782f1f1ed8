import Foundation
import Groundwork

/// Curves over a linear horizontal and a logarithmic vertical axis, such as a loss over training steps.
package struct LinePlot: Sendable {
    package struct Series: Sendable {
        package var name: String
        /// Points with a positive, finite y are drawn.
        package var points: [(x: Double, y: Double)]

        package init(name: String, points: [(x: Double, y: Double)]) { (self.name, self.points) = (name, points) }
    }

    package var title: String
    package var xLabel: String
    package var yLabel: String
    package var series: [Series]

    package init(title: String, xLabel: String, yLabel: String, series: [Series]) {
        (self.title, self.xLabel, self.yLabel, self.series) = (title, xLabel, yLabel, series)
    }

    /// Colours that differ in lightness too, for print and for the colour-blind.
    private static let colours = [
        Canvas.Colour(0.12, 0.35, 0.65), Canvas.Colour(0.85, 0.45, 0.05), Canvas.Colour(0.1, 0.55, 0.35), Canvas.Colour(0.6, 0.2, 0.5),
    ]

    /// Writes a PNG, PDF or SVG, by the extension. Without a point to draw it says so.
    /// - Throws: `Failure` (`.cannotWrite`).
    package func write(to url: URL, overwrite: Bool = false) throws {
        try Canvas.draw(to: url, width: 900, height: 520, overwrite: overwrite) { canvas in
            canvas.fill(Canvas.Rectangle(x: 0, y: 0, width: canvas.width, height: canvas.height), .white)
            let frame = Canvas.Rectangle(x: 90, y: 56, width: canvas.width - 120, height: canvas.height - 126)
            canvas.text(title, x: frame.x, y: 30, size: 16, anchor: .left, bold: true)
            let drawn = series.map { Series(name: $0.name, points: $0.points.filter { $0.x.isFinite && $0.y.isFinite && $0.y > 0 }) }.filter {
                !$0.points.isEmpty
            }
            let points = drawn.flatMap(\.points)
            guard let left = points.map(\.x).min(), let right = points.map(\.x).max(), let low = points.map(\.y).min(),
                let high = points.map(\.y).max()
            else {
                canvas.text("nothing to draw yet", x: frame.x + frame.width / 2, y: frame.y + frame.height / 2, size: 14, anchor: .centre)
                return
            }
            let (bottom, top) = (log10(low) - 0.05, log10(high) + 0.05)
            func x(_ value: Double) -> Double { frame.x + (value - left) / max(right - left, 1e-9) * frame.width }
            func y(_ value: Double) -> Double { frame.y + frame.height - (log10(value) - bottom) / (top - bottom) * frame.height }
            let grid = Canvas.Colour(grey: 0.88)
            let step = Ticks.roundStep(atMost: max(right - left, 1) / 5)
            for value in stride(from: (left / step).rounded(.up) * step, through: right, by: step) {
                canvas.line([(x(value), frame.y), (x(value), frame.y + frame.height)], grid)
                canvas.text(Ticks.label(value), x: x(value), y: frame.y + frame.height + 16, size: 12, anchor: .centre)
            }
            // Ticks at 1, 2 and 5 of each decade, so that even a short range has some.
            for decade in Int(bottom.rounded(.down))...Int(top.rounded(.up)) {
                for digit in [1.0, 2, 5] {
                    let value = digit * pow(10, Double(decade))
                    guard log10(value) >= bottom, log10(value) <= top else { continue }
                    canvas.line([(frame.x, y(value)), (frame.x + frame.width, y(value))], grid)
                    canvas.text(String(format: "%g", value), x: frame.x - 8, y: y(value) + 4, size: 12, anchor: .right)
                }
            }
            canvas.stroke(frame, Canvas.Colour(grey: 0.5))
            for (index, series) in drawn.enumerated() {
                let colour = Self.colours[index % Self.colours.count]
                canvas.line(series.points.map { (x($0.x), y($0.y)) }, colour, lineWidth: 1.8)
                for point in series.points.count < 60 ? series.points : [] {
                    canvas.circle(x: x(point.x), y: y(point.y), radius: 2.5, colour, lineWidth: 1.5)
                }
                let offset = frame.x + frame.width - 150 * Double(drawn.count - index)
                canvas.line([(offset, 26), (offset + 24, 26)], colour, lineWidth: 2.5)
                canvas.text(series.name, x: offset + 30, y: 30, size: 13, anchor: .left)
            }
            canvas.text(xLabel, x: frame.x + frame.width / 2, y: canvas.height - 24, size: 13, anchor: .centre)
            canvas.text(yLabel, x: frame.x - 30, y: 48, size: 13, anchor: .left)
        }
    }
}
