import Foundation

/// The colours of a picture's values, and what its colour bar says.
package struct ColourScale: Sendable, Equatable {
    package enum Kind: Sendable, Equatable {
        /// Grey from black at −`limit` to white at `limit`, which is above 0; zero is mid-grey.
        case field(limit: Double)
        /// From dark at 0 to bright at `upper`, which is above 0; lightness is even in the value.
        case sequential(upper: Double)
        /// From dark at `lower` to bright at `upper`; lightness is even in the logarithm. Both are above 0 and differ. Values of 0 and below are dark.
        case logarithmic(lower: Double, upper: Double)
    }

    package let kind: Kind
    /// Quantity and unit, such as "STD (G)".
    package let label: String

    /// - Precondition: the bounds are finite and above 0.
    package init(_ kind: Kind, label: String) {
        switch kind {
        case .field(let bound), .sequential(let bound): precondition(bound > 0 && bound.isFinite, "a colour scale to \(bound)")
        case .logarithmic(let lower, let upper): precondition(lower > 0 && lower < upper && upper.isFinite, "a colour scale \(lower) … \(upper)")
        }
        (self.kind, self.label) = (kind, label)
    }

    /// From 0 to a round value that nearly all pixels (99.5 %) of the images stay below: for standard deviations, whose few largest would leave the rest dark.
    package init(deviations images: [Image], label: String) {
        let upper =
            images.map { image -> Double in
                let values = image.pixels.filter(\.isFinite).sorted()
                return values.isEmpty ? 0 : Double(values[Int(0.995 * Double(values.count - 1))])
            }.max() ?? 0
        let step = upper > 0 ? Ticks.roundStep(atMost: upper / 5) : 1
        self.init(.sequential(upper: upper > 0 ? (upper / step).rounded(.up) * step : 1), label: label)
    }

    /// Where a pixel has no value: a pale blue, which none of the scales holds.
    package static let noData: UInt32 = 0xC9D6E8

    /// The colour map "magma" of matplotlib (S. van der Walt and N. Smith, CC0), perceptually uniform, at 17 even places.
    private static let magma: [UInt32] = [
        0x000004, 0x0A0822, 0x1D1147, 0x36106B, 0x51127C, 0x6A1C81, 0x832681, 0x9C2E7F, 0xB73779, 0xD0416F, 0xE75263, 0xF56B5C, 0xFC8961, 0xFEA772,
        0xFEC488, 0xFDE2A3, 0xFCFDBF,
    ]

    /// The values at the two ends of the colour bar.
    package var range: ClosedRange<Double> {
        switch kind {
        case .field(let limit): -limit...limit
        case .sequential(let upper): 0...upper
        case .logarithmic(let lower, let upper): lower...upper
        }
    }

    /// Where on the colour bar a value stands, 0 to 1.
    package func position(of value: Double) -> Double {
        let position =
            switch kind {
            case .field(let limit): (value / limit + 1) / 2
            case .sequential(let upper): value / upper
            case .logarithmic(let lower, let upper): value > 0 ? (log(value) - log(lower)) / (log(upper) - log(lower)) : 0
            }
        return min(max(position, 0), 1)
    }

    /// The colour at a place of the colour bar, 0 to 1, as 0xRRGGBB.
    private func colour(at position: Double) -> UInt32 {
        if case .field = kind {
            let grey = UInt32((position * 255).rounded())
            return grey << 16 | grey << 8 | grey
        }
        let place = position * Double(Self.magma.count - 1)
        let index = min(Int(place), Self.magma.count - 2)
        let part = place - Double(index)
        return [16, 8, 0].reduce(0) { colour, shift in
            let (from, to) = (Double(Self.magma[index] >> UInt32(shift) & 255), Double(Self.magma[index + 1] >> UInt32(shift) & 255))
            return colour | UInt32((from + part * (to - from)).rounded()) << UInt32(shift)
        }
    }

    /// The colour of each pixel as 0xRRGGBB.
    package func colours(_ image: Image) -> [UInt32] {
        // Finer than 8 bits a channel.
        let table = (0...4095).map { colour(at: Double($0) / 4095) }
        return image.pixels.map { value in
            guard value.isFinite else { return Self.noData }
            if case .field = kind { return colour(at: position(of: Double(value))) }
            return table[Int((position(of: Double(value)) * 4095).rounded())]
        }
    }

    /// The colours of the bar, from below.
    var ramp: [UInt32] { (0..<256).map { colour(at: Double($0) / 255) } }

    /// As many ticks as `count` at most.
    func ticks(atMost count: Int) -> [Ticks.Tick] {
        if case .logarithmic = kind { return Ticks.logarithmic(range, atMost: count) }
        return Ticks.linear(range, atMost: count)
    }
}
