import Foundation
import SolarImage

/// What one model scored on one map: a row of `per-image.csv`.
package struct Score: Sendable, Equatable, Codable {
    package var model: String
    package var file: String
    /// The NOAA or HARP number of the region, if known.
    package var region: String?
    /// The pixel grid of the map, such as `CEA` or `CCD`, if known.
    package var grid: String?
    package var width: Int
    package var height: Int
    /// From 1; nil for the scores of all samples as one ensemble.
    package var sample: Int?
    /// By metric key, signed key and detail key. What is undefined for this map is left out.
    package var values: [String: Double]
    /// What curves are drawn from, by the name of the curve.
    package var tallies: [String: Tally] = [:]
    /// The features by which sets of maps are compared.
    package var features: [Double]?
    /// The part of the truth's pixels that hold no data, 0 to 1.
    package var maskedFraction: Double
    /// The part of the truth's pixels with data for which the prediction has none; they count as 0 G.
    package var missingFraction: Double

    /// Scores every sample by itself and, if a group asks for it, all of them as an ensemble.
    ///
    /// - Parameters:
    ///   - samples: at least one prediction in Gauss; a deterministic model has one.
    ///   - features: of images, if sets of maps are to be compared.
    /// - Returns: a row a sample, then a row of the ensemble's scores if there are any.
    /// - Throws: `Failure` (`.badData`) if a sample is not of the truth's size; what a metric throws.
    package static func rows(
        model: String, file: String, region: String? = nil, grid: String? = nil, samples: [Image], truth: Truth, groups: [MetricGroup],
        features: ImageFeatures? = nil, options: EvaluationOptions
    ) throws -> [Score] {
        let comparisons = try samples.map { try Comparison($0, with: truth) }
        func row(_ sample: Int?, missingFraction: Double) -> Score {
            Score(
                model: model, file: file, region: region, grid: grid, width: truth.field.width, height: truth.field.height, sample: sample,
                values: [:], maskedFraction: truth.maskedFraction, missingFraction: missingFraction)
        }
        var rows = comparisons.enumerated().map { row($0 + 1, missingFraction: $1.missingFraction) }
        var ensemble = row(nil, missingFraction: comparisons.map(\.missingFraction).max() ?? 0)
        for group in groups {
            switch group.scoring {
            case .eachSample(let score):
                for (index, comparison) in comparisons.enumerated() {
                    rows[index].add(try score(comparison, options), of: group)
                }
            case .ensemble(let score):
                ensemble.add(try score(comparisons, options), of: group)
            case .wholeSet:
                guard let features else { continue }
                for (index, comparison) in comparisons.enumerated() {
                    rows[index].features = try features(comparison, clip: options.clip)
                }
            }
        }
        return ensemble.values.isEmpty ? rows : rows + [ensemble]
    }

    /// The mean over the samples of each map, by file; maps without that value are left out.
    package static func means(of key: String, in scores: [Score]) -> [String: Double] {
        var sums: [String: (sum: Double, count: Int)] = [:]
        for score in scores {
            guard let value = score.values[key] else { continue }
            let sum = sums[score.file] ?? (0, 0)
            sums[score.file] = (sum.sum + value, sum.count + 1)
        }
        return sums.mapValues { $0.sum / Double($0.count) }
    }

    /// Takes over a group's values; of a deviation the modulus and, beside it, the signed value.
    private mutating func add(_ scored: MetricGroup.Values, of group: MetricGroup) {
        values.merge(scored.numbers) { _, new in new }
        tallies.merge(scored.tallies) { _, new in new }
        for metric in group.metrics where metric.isDeviation {
            guard let deviation = scored[metric.key] else { continue }
            values[metric.key] = abs(deviation)
            values[metric.signedKey] = deviation
        }
    }
}

/// Mean and spread of a metric over the maps of a set.
package struct Summary: Codable, Sendable, Equatable {
    /// NaN if no map has a value.
    package var mean: Double
    /// The sample standard deviation over the maps (n − 1); NaN for fewer than two.
    package var std: Double
    /// The number of maps for which the metric is defined.
    package var n: Int
    /// For a Fréchet distance: the space of its features.
    package var featureSpace: String?

    private enum CodingKeys: String, CodingKey {
        case mean, std, n
        case featureSpace = "feature_space"
    }

    package init(of values: [Double], featureSpace: String? = nil) {
        n = values.count
        let mean = n > 0 ? values.reduce(0, +) / Double(n) : .nan
        self.mean = mean
        std = n > 1 ? (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(n - 1)).squareRoot() : .nan
        self.featureSpace = featureSpace
    }

    /// JSON has no number for what is not finite: `null` is read as NaN.
    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        mean = try container.decode(Double?.self, forKey: .mean) ?? .nan
        std = try container.decode(Double?.self, forKey: .std) ?? .nan
        n = try container.decode(Int.self, forKey: .n)
        featureSpace = try container.decodeIfPresent(String.self, forKey: .featureSpace)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(mean.isFinite ? mean : nil, forKey: .mean)
        try container.encode(std.isFinite ? std : nil, forKey: .std)
        try container.encode(n, forKey: .n)
        try container.encodeIfPresent(featureSpace, forKey: .featureSpace)
    }

    /// The summaries of one model's scores by key: samples are averaged within each map first, then over maps.
    package static func byKey(of scores: [Score], groups: [MetricGroup]) -> [String: Summary] {
        var summaries: [String: Summary] = [:]
        for metric in groups.flatMap(\.metrics) {
            for key in metric.isDeviation ? [metric.key, metric.signedKey] : [metric.key] {
                let means = Score.means(of: key, in: scores).sorted { $0.key < $1.key }.map(\.value)
                if !means.isEmpty { summaries[key] = Summary(of: means) }
            }
        }
        return summaries
    }
}
