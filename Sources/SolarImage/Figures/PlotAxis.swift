import Foundation

/// An axis of a plot: which values it shows, and where.
package struct PlotAxis: Sendable {
    package enum Scale: Sendable { case linear, logarithmic }

    package let scale: Scale
    package let range: ClosedRange<Double>

    /// An axis that shows all values, with a little room beside them if `isRoomy`.
    /// - Parameters:
    ///   - values: those that can be drawn on such an axis count: up to 10¹⁰⁰ and, where it is logarithmic, from 10⁻¹⁰⁰ on.
    ///   - fixed: the range instead of that of the values.
    /// - Returns: nil if there is nothing to show.
    init?(_ scale: Scale, showing values: [Double], fixed: ClosedRange<Double>?, isRoomy: Bool) {
        self.scale = scale
        let drawn = values.filter { Self.canDraw($0, scale) }
        if let fixed, Self.canDraw(fixed.lowerBound, scale), Self.canDraw(fixed.upperBound, scale), fixed.lowerBound < fixed.upperBound {
            range = fixed
            return
        }
        guard let low = drawn.min(), let high = drawn.max() else { return nil }
        switch scale {
        case .linear:
            let span = high > low ? high - low : max(abs(high), 1) * 0.1
            let room = isRoomy || high == low ? 0.05 * span : 0
            range = low - room...high + room
        case .logarithmic:
            // A factor of 1.12 at least, so that the ends differ.
            let factor = max(1.12, pow(high / low, 0.03))
            range = isRoomy || high == low ? low / factor...high * factor : low...high
        }
    }

    static func canDraw(_ value: Double, _ scale: Scale) -> Bool { abs(value) <= 1e100 && (scale == .linear || value >= 1e-100) }

    func canDraw(_ value: Double) -> Bool { Self.canDraw(value, scale) }

    /// Where a value stands, 0 at the axis's begin and 1 at its end.
    func position(of value: Double) -> Double {
        switch scale {
        case .linear: (value - range.lowerBound) / (range.upperBound - range.lowerBound)
        case .logarithmic: log(value / range.lowerBound) / log(range.upperBound / range.lowerBound)
        }
    }

    /// The most ticks whose labels leave room between them.
    /// - Parameter extent: the room that a label takes along the axis.
    func ticks(length: Double, extent: (Ticks.Tick) -> Double) -> [Ticks.Tick] {
        for count in stride(from: 12, through: 2, by: -1) {
            let ticks = scale == .linear ? Ticks.linear(range, atMost: count) : Ticks.logarithmic(range, atMost: count)
            let places = ticks.map { position(of: $0.value) * length }, extents = ticks.map(extent)
            let fits = ticks.indices.dropFirst().allSatisfy { places[$0] - places[$0 - 1] >= (extents[$0] + extents[$0 - 1]) / 2 }
            if fits || count == 2 { return fits ? ticks : Array(ticks.prefix(1)) }
        }
        return []
    }
}

extension Canvas {
    /// The size of tick labels.
    static let tickSize = 12.0
    private static let exponentRise = 5.0

    func width(of tick: Ticks.Tick) -> Double {
        textWidth(tick.label, size: Canvas.tickSize) + (tick.exponent.map { textWidth($0, size: Canvas.smallestText) } ?? 0)
    }

    /// A tick's label; `y` is its base line. Exponents are raised rather than set smaller than the smallest text.
    func label(_ tick: Ticks.Tick, x: Double, y: Double, anchor: Anchor) {
        let width = width(of: tick)
        let left = anchor == .left ? x : anchor == .centre ? x - width / 2 : x - width
        text(tick.label, x: left, y: y, size: Canvas.tickSize)
        if let exponent = tick.exponent {
            text(exponent, x: left + textWidth(tick.label, size: Canvas.tickSize), y: y - Canvas.exponentRise, size: Canvas.smallestText)
        }
    }

    /// Ticks, grid lines and labels below a frame.
    func drawHorizontalAxis(_ axis: PlotAxis, below frame: Rectangle, grid: Colour?) {
        for tick in axis.ticks(length: frame.width, extent: { width(of: $0) + 14 }) {
            let x = frame.x + axis.position(of: tick.value) * frame.width
            if let grid { line([(x, frame.y), (x, frame.y + frame.height)], grid) }
            line([(x, frame.y + frame.height), (x, frame.y + frame.height + 4)], .axis)
            label(tick, x: x, y: frame.y + frame.height + 18, anchor: .centre)
        }
    }

    /// Ticks, grid lines and labels left of a frame.
    func drawVerticalAxis(_ axis: PlotAxis, leftOf frame: Rectangle, grid: Colour?) {
        for tick in axis.ticks(length: frame.height, extent: { _ in 24 }) {
            let y = frame.y + frame.height - axis.position(of: tick.value) * frame.height
            if let grid { line([(frame.x, y), (frame.x + frame.width, y)], grid) }
            line([(frame.x - 4, y), (frame.x, y)], .axis)
            label(tick, x: frame.x - 8, y: y + 4.5, anchor: .right)
        }
    }
}

extension Canvas.Colour {
    /// Frames and ticks, and the lines of a grid.
    static let axis = Canvas.Colour(grey: 0.4), grid = Canvas.Colour(grey: 0.88)

    /// Colours that differ in lightness too, for print and for the colour-blind.
    private static let distinct = [
        Canvas.Colour(0.12, 0.35, 0.65), Canvas.Colour(0.85, 0.45, 0.05), Canvas.Colour(0.1, 0.55, 0.35), Canvas.Colour(0.6, 0.2, 0.5),
        Canvas.Colour(0.3, 0.68, 0.9), Canvas.Colour(0.72, 0.1, 0.12),
    ]
    private static let dashes: [[Double]] = [[], [7, 4], [2, 3], [10, 3, 2, 3]]

    /// The colour and the dashes of the curve at `index`, from 0: 24 curves differ.
    package static func curve(_ index: Int) -> (colour: Canvas.Colour, dashes: [Double]) {
        (distinct[index % distinct.count], dashes[index / distinct.count % dashes.count])
    }
}
