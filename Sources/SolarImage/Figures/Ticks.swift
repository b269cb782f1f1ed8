import Foundation

/// Steps for axes.
package enum Ticks {
    /// The largest of 1, 2 and 5 times a power of ten that does not exceed `value`; `value` is above 0.
    package static func roundStep(atMost value: Double) -> Double {
        let power = pow(10, floor(log10(value)))
        return [5, 2, 1].first { $0 * power <= value * (1 + 1e-9) }.map { $0 * power } ?? power
    }

    /// A number without needless digits and with a true minus sign.
    package static func label(_ value: Double) -> String {
        let text = value == value.rounded() && abs(value) < 1e9 ? String(Int(value)) : "\(Double(String(format: "%.6g", value)) ?? value)"
        return (text.hasSuffix(".0") ? String(text.dropLast(2)) : text).replacing("-", with: "−")
    }

    /// A place on an axis and its label; with an exponent the label is a power of ten, ten being `label`.
    package struct Tick: Sendable, Equatable {
        package var value: Double
        package var label: String
        package var exponent: String?
    }

    /// Multiples of a round step in `range`, as many as `count` at most, all with the same number of digits after the point.
    package static func linear(_ range: ClosedRange<Double>, atMost count: Int) -> [Tick] {
        let span = range.upperBound - range.lowerBound
        guard span > 1e-300, span.isFinite else { return [Tick(value: range.lowerBound, label: label(range.lowerBound))] }
        var step = roundStep(atMost: span / Double(max(1, count)))
        // Steps grow 1, 2, 5, 10 until few enough fit.
        while (range.upperBound / step + 1e-9).rounded(.down) - (range.lowerBound / step - 1e-9).rounded(.up) + 1 > Double(max(2, count)) {
            step = roundStep(atMost: step * 2.5)
        }
        let first = (range.lowerBound / step - 1e-9).rounded(.up), last = (range.upperBound / step + 1e-9).rounded(.down)
        guard first <= last else { return [] }
        let decimals = max(0, -Int(floor(log10(step) + 1e-9)))
        return stride(from: first, through: last, by: 1).map { index in
            let value = index * step
            let isPlain = decimals <= 6 && abs(value) < 1e9
            return Tick(value: value, label: isPlain ? String(format: "%.\(decimals)f", value + 0).replacing("-", with: "−") : label(value))
        }
    }

    /// Ticks of a logarithmic axis, as many as `count` at most: over three decades and more powers of ten (each, or every second, third …), over less
    /// 1, 2 and 5 times them, and within a decade multiples of a round step.
    /// - Precondition: the range is above 0.
    package static func logarithmic(_ range: ClosedRange<Double>, atMost count: Int) -> [Tick] {
        precondition(range.lowerBound > 0, "a logarithmic axis from \(range.lowerBound)")
        let low = log10(range.lowerBound), high = log10(range.upperBound)
        let first = Int((low - 1e-9).rounded(.up)), last = Int((high + 1e-9).rounded(.down))
        if high - low >= 3, first <= last {
            let step = (last - first + max(1, count - 1)) / max(1, count - 1)
            // The powers that are multiples of the step, so that 10⁰ is among them.
            let exponents = (first...last).filter { step <= 1 || $0 % step == 0 }
            let isPlain = low >= -3.1 && high <= 4.1
            return exponents.map { exponent in
                let value = pow(10, Double(exponent))
                return isPlain
                    ? Tick(value: value, label: label(value)) : Tick(value: value, label: "10", exponent: "\(exponent)".replacing("-", with: "−"))
            }
        }
        guard high > low else { return [Tick(value: range.lowerBound, label: label(range.lowerBound))] }
        for digits in [[1.0, 2, 5], [1, 3], [1]] {
            let values = (Int(low.rounded(.down))...Int(high.rounded(.up))).flatMap { decade in digits.map { $0 * pow(10, Double(decade)) } }
                .filter { log10($0) >= low - 1e-9 && log10($0) <= high + 1e-9 }
            if values.count >= 3, values.count <= count { return values.map { Tick(value: $0, label: label($0)) } }
        }
        return linear(range, atMost: count).filter { $0.value > 0 }
    }
}
