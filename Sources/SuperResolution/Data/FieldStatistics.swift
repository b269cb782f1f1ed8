import Foundation
import SolarImage

/// Statistics of a field in Gauss over the pixels that have a value.
package struct FieldStatistics: Sendable, Codable, Equatable {
    package let minimum, maximum, mean: Double
    /// Mean of |B|.
    package let unsignedMean: Double
    /// Of all pixels (by n, not n − 1).
    package let standardDeviation: Double
    /// The share of the pixels without a value.
    package let missingFraction: Double

    package enum CodingKeys: String, CodingKey {
        case minimum, maximum, mean
        case unsignedMean = "unsigned_mean"
        case standardDeviation = "standard_deviation"
        case missingFraction = "missing_fraction"
    }

    /// Nil if no pixel has a value.
    package init?(of image: Image) { self.init(PixelStatistics(of: image), pixels: image.pixels.count) }

    /// Of an image of so many pixels whose statistics are known.
    init?(_ known: PixelStatistics, pixels: Int) {
        guard known.count > 0 else { return nil }
        (minimum, maximum, mean) = (known.minimum, known.maximum, known.mean)
        unsignedMean = known.unsignedSum / Double(known.count)
        standardDeviation = known.moments.second.squareRoot()
        missingFraction = 1 - Double(known.count) / Double(pixels)
    }
}
