/// The ranges that training draws the conditions of each crop from, each value as likely as another: what an instrument may make of a field.
package struct Degradation: Sendable, Equatable {
    /// The ``Instrument/name`` that is simulated.
    package var instrument: String
    /// Full width at half maximum of the core of its PSF, arcsec.
    package var width: ClosedRange<Double>
    /// The share of the light in the wing.
    package var wingFraction: ClosedRange<Double>
    /// Full width at half maximum of the wing, arcsec.
    package var wingWidth: Double
    /// What the instrument reads where HMI reads 1 G, in strong field: what its values are divided by before a model sees them.
    package var gain: Double
    /// Factors of the gain, one for a crop.
    package var gainScatter: ClosedRange<Double>
    /// By how much of itself the gain is larger in the weakest field.
    package var weakFieldExcess: ClosedRange<Double>
    /// Standard deviation of the noise per low-resolution pixel, in Gauss on HMI's scale.
    package var noise: ClosedRange<Double>
    /// In the instrument's Gauss, what no field exceeds; nil for none.
    package var saturation: Double?
    /// Standard deviation, along each axis in arcsec, of where the low resolution lies against the high: nothing of the instrument, but of pairs that are
    /// registered no better.
    package var misregistration = 0.0
    /// Standard deviation of the gain from place to place as a share of itself: an instrument's sensitivity varies over its field, and two that look at different
    /// seconds see other oscillations and granules. One for a crop.
    package var gainVariation: ClosedRange<Double> = 0...0
    /// Full width at half maximum, arcsec, of the Gaussian over which the gain stays alike.
    package var gainVariationWidth = 10.0

    /// - Parameter check: told whether each range is sound, what is expected and what was found.
    package func check(_ check: (_ isSound: Bool, _ expected: String, _ found: Any) throws -> Void) throws {
        func within(_ range: ClosedRange<Double>, _ limits: ClosedRange<Double>, _ name: String) throws {
            try check(
                limits.contains(range.lowerBound) && limits.contains(range.upperBound), "\(name) from \(limits.lowerBound) to \(limits.upperBound)",
                "\(range.lowerBound) … \(range.upperBound)")
        }
        try within(width, 0...60, "a width")
        try within(wingFraction, 0...1, "a wing fraction")
        try check((0...600).contains(wingWidth), "a wing width of 0 … 600 arcsec", wingWidth)
        try check((0.01...100).contains(gain), "a gain of 0.01 … 100", gain)
        try within(gainScatter, 0.1...10, "a gain scatter")
        try within(weakFieldExcess, 0...10, "a weak-field excess")
        try within(noise, 0...1000, "noise")
        try check((0...10).contains(misregistration), "a misregistration of 0 … 10 arcsec", misregistration)
        try within(gainVariation, 0...1, "a gain variation")
        try check((0...600).contains(gainVariationWidth), "a gain variation width of 0 … 600 arcsec", gainVariationWidth)
        try check(saturation.map { $0 > 0 && $0.isFinite } ?? true, "a saturation above 0 G", saturation ?? 0)
    }
}

extension Degradation: Codable {
    private enum CodingKeys: String, CodingKey {
        case instrument, width
        case wingFraction = "wing-fraction"
        case wingWidth = "wing-width"
        case gain
        case gainScatter = "gain-scatter"
        case weakFieldExcess = "weak-field-excess"
        case noise, saturation, misregistration
        case gainVariation = "gain-variation"
        case gainVariationWidth = "gain-variation-width"
    }

    /// From all ranges, or from the name of an instrument alone, which stands for its own.
    package init(from decoder: any Decoder) throws {
        if let single = try? decoder.singleValueContainer(), let name = try? single.decode(String.self) {
            guard let degradation = Instrument(name: name)?.degradation else {
                throw DecodingError.dataCorruptedError(in: single, debugDescription: "\(name) cannot be simulated")
            }
            self = degradation
            return
        }
        let container = try decoder.container(keyedBy: CodingKeys.self)
        instrument = try container.decode(String.self, forKey: .instrument)
        width = try container.decode(ClosedRange<Double>.self, forKey: .width)
        wingFraction = try container.decode(ClosedRange<Double>.self, forKey: .wingFraction)
        wingWidth = try container.decode(Double.self, forKey: .wingWidth)
        gain = try container.decode(Double.self, forKey: .gain)
        gainScatter = try container.decode(ClosedRange<Double>.self, forKey: .gainScatter)
        weakFieldExcess = try container.decode(ClosedRange<Double>.self, forKey: .weakFieldExcess)
        noise = try container.decode(ClosedRange<Double>.self, forKey: .noise)
        saturation = try container.decodeIfPresent(Double.self, forKey: .saturation)
        misregistration = try container.decodeIfPresent(Double.self, forKey: .misregistration) ?? 0
        gainVariation = try container.decodeIfPresent(ClosedRange<Double>.self, forKey: .gainVariation) ?? 0...0
        gainVariationWidth = try container.decodeIfPresent(Double.self, forKey: .gainVariationWidth) ?? 10
    }
}
