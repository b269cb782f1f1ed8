import Foundation
import SolarImage

/// The power of a kind of field by spatial frequency, whatever the direction: what is known of a field before it is observed.
///
/// Power is the mean square, in Gauss², of the orthonormal cosine coefficients (``CosineTransform``) of frequencies between 2⁻⁹ and 2^-½ cycles per
/// high-resolution pixel, in quarters of an octave. In between it is a straight line in log power over log frequency; beyond the ends it is constant.
public struct FieldSpectrum: Sendable, Equatable {
    /// Cycles per high-resolution pixel, ascending: the middle, in logarithm, of each class.
    package static let frequencies = (0..<34).map { exp2((Double($0) + 0.5) / 4 - 9) }

    /// Gauss², at ``frequencies``.
    package let power: [Double]
    /// log₂ of ``power``.
    private let logarithms: [Double]

    /// Gauss²: a hundredth of a Gauss in every coefficient. Less than fields are rounded by when stored.
    private static let least = 1e-4

    /// - Precondition: as many powers as ``frequencies``, each above 0.
    package init(power: [Double]) {
        precondition(FieldSpectrum.isSound(power), "a spectrum of \(power.count) powers")
        self.power = power
        logarithms = power.map { log2($0) }
    }

    private static func isSound(_ power: [Double]) -> Bool { power.count == frequencies.count && power.allSatisfy { $0 > 0 && $0.isFinite } }

    /// Measures the spectrum of fields in Gauss, NaN as 0. Each coefficient counts alike, so large fields count for more.
    ///
    /// A class without a coefficient, as the lowest are in small fields, takes the power in between those about it or of the next.
    /// - Returns: nil if no field has a coefficient in any class.
    package init?(of fields: some Sequence<Image>) {
        var sums = [Double](repeating: 0, count: Self.frequencies.count), counts = sums
        for field in fields {
            let (width, height) = (field.width, field.height)
            var values = field.pixels.map { $0.isFinite ? Double($0) : 0 }
            CosineTransform.forward(&values, width: width, height: height)
            for y in 0..<height {
                let vertical = Double(y) / Double(2 * height)
                for x in 0..<width {
                    let horizontal = Double(x) / Double(2 * width)
                    let position = 2 * log2(horizontal * horizontal + vertical * vertical) + 36
                    guard position >= 0, position < Double(sums.count) else { continue }
                    sums[Int(position)] += values[y * width + x] * values[y * width + x]
                    counts[Int(position)] += 1
                }
            }
        }
        let known = counts.indices.filter { counts[$0] > 0 }
        guard let first = known.first, let last = known.last else { return nil }
        func mean(_ index: Int) -> Double { max(sums[index] / counts[index], Self.least) }
        self.init(
            power: counts.indices.map { index in
                guard index > first, index < last else { return mean(index <= first ? first : last) }
                guard counts[index] == 0, let lower = known.last(where: { $0 < index }), let upper = known.first(where: { $0 > index }) else {
                    return mean(index)
                }
                return mean(lower) + (mean(upper) - mean(lower)) * Double(index - lower) / Double(upper - lower)
            })
    }

    /// Gauss², at a frequency in cycles per high-resolution pixel whose square is given, 0 up.
    package func power(atSquare square: Double) -> Double {
        let position = 2 * log2(square) + 35.5
        guard position > 0 else { return power[0] }
        guard position < Double(power.count - 1) else { return power[power.count - 1] }
        let index = Int(position)
        return exp2(logarithms[index] + (position - Double(index)) * (logarithms[index + 1] - logarithms[index]))
    }

    /// Active regions with the quiet Sun around them, as HMI's line-of-sight SHARP maps show them at 0.5″ a pixel: 23 maps of 2012, 2014 and 2025, measured
    /// by `Scripts/kriging.py`.
    package static let activeRegions = FieldSpectrum(power: [
        2.249e7, 5.445e7, 1.106e8, 6.165e7, 3.319e7, 3.541e7, 3.954e7, 2.978e7, 1.682e7, 1.243e7, 6.86e6, 3.99e6, 2.539e6, 1.712e6, 1.152e6, 7.258e5,
        4.572e5, 3.238e5, 1.88e5, 1.187e5, 6.921e4, 3.981e4, 2.551e4, 1.541e4, 8898, 4733, 2261, 905.2, 321.5, 93.23, 20.53, 4.043, 1.224, 0.2067,
    ])
}

extension FieldSpectrum: Codable {
    private enum CodingKeys: String, CodingKey { case power }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let power = try container.decode([Double].self, forKey: .power)
        guard FieldSpectrum.isSound(power) else {
            throw DecodingError.dataCorruptedError(
                forKey: .power, in: container, debugDescription: "\(Self.frequencies.count) numbers above 0 are expected, not \(power)")
        }
        self.init(power: power)
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(power, forKey: .power)
    }
}
