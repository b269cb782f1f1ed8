import Foundation
import SolarImage

/// What the field of many crops is like, as a choice of normalisation needs to know; `fingerprint.json`.
package struct FieldFingerprint: Sendable, Encodable {
    package private(set) var crops = 0
    package private(set) var pixels = 0
    private var known = 0
    private var mean = 0.0
    /// Sum of squared deviations from the mean.
    private var squares = 0.0
    private var greatest = 0.0
    private var histogram = FieldHistogram()
    private var scales: ClosedRange<Double>?
    private var months: Set<String> = []

    private static let limits: [Float] = [10, 50, 100, 300, 1000]
    private static let percentiles = [50, 90, 99, 99.9, 100]

    package init() {}

    package mutating func add(_ image: Image, arcsecPerPixel: Double?, month: String?) {
        var histogram = FieldHistogram()
        histogram.add(image)
        add(FieldStatistics(of: image), histogram.data, pixels: image.pixels.count, arcsecPerPixel: arcsecPerPixel, month: month)
    }

    /// Adds a crop by what was noted of it.
    /// - Parameters:
    ///   - statistics: nil if no pixel has a value.
    ///   - histogram: ``FieldHistogram/data``.
    mutating func add(_ statistics: FieldStatistics?, _ histogram: Data, pixels: Int, arcsecPerPixel: Double?, month: String?) {
        crops += 1
        self.pixels += pixels
        if let scale = arcsecPerPixel { scales = min(scales?.lowerBound ?? scale, scale)...max(scales?.upperBound ?? scale, scale) }
        if let month { months.insert(month) }
        guard let statistics else { return }
        self.histogram.add(histogram)
        greatest = max(greatest, -statistics.minimum, statistics.maximum)
        // Two sets of numbers made one (Chan, Golub & LeVeque 1979).
        let count = ((1 - statistics.missingFraction) * Double(pixels)).rounded()
        let (old, new) = (Double(known), count)
        let difference = statistics.mean - mean
        mean += difference * new / (old + new)
        squares += statistics.standardDeviation * statistics.standardDeviation * new + difference * difference * old * new / (old + new)
        known += Int(count)
    }

    /// |B| in Gauss below or at which that share of the pixels lies, to a relative 1.3e-4.
    package func percentile(_ percent: Double) -> Double {
        percent < 100 ? min(greatest, histogram.value(rank: Int((percent / 100 * Double(known)).rounded(.up)))) : greatest
    }

    private enum CodingKeys: String, CodingKey {
        case crops, pixels, mean, months
        case missingFraction = "missing_fraction"
        case standardDeviation = "standard_deviation"
        case percentiles = "unsigned_percentiles"
        case below = "fraction_below"
        case scales = "arcsec_per_pixel"
    }

    /// Statistics that no pixel stands for are left out.
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(crops, forKey: .crops)
        try container.encode(pixels, forKey: .pixels)
        try container.encode(months.sorted(), forKey: .months)
        try container.encodeIfPresent(scales.map { [$0.lowerBound, $0.upperBound] }, forKey: .scales)
        guard known > 0 else { return }
        try container.encode(1 - Double(known) / Double(pixels), forKey: .missingFraction)
        try container.encode(mean, forKey: .mean)
        try container.encode((squares / Double(known)).squareRoot(), forKey: .standardDeviation)
        try container.encode(
            Dictionary(uniqueKeysWithValues: Self.percentiles.map { (String(format: "%g", $0), percentile($0)) }), forKey: .percentiles)
        try container.encode(
            Dictionary(uniqueKeysWithValues: Self.limits.map { (String(format: "%g", $0), Double(histogram.count(below: $0)) / Double(known)) }),
            forKey: .below)
    }
}
