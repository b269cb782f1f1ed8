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
    package init?(of image: Image) {
        var (count, sum, unsigned) = (0.0, 0.0, 0.0)
        var (least, greatest) = (Float.infinity, -Float.infinity)
        for value in image.pixels where value.isFinite {
            count += 1
            sum += Double(value)
            unsigned += Double(abs(value))
            (least, greatest) = (min(least, value), max(greatest, value))
        }
        guard count > 0 else { return nil }
        let mean = sum / count
        var squares = 0.0
        for value in image.pixels where value.isFinite { squares += (Double(value) - mean) * (Double(value) - mean) }
        (minimum, maximum, self.mean, unsignedMean) = (Double(least), Double(greatest), mean, unsigned / count)
        standardDeviation = (squares / count).squareRoot()
        missingFraction = 1 - count / Double(image.pixels.count)
    }
}
