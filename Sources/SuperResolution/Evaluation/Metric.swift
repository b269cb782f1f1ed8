import Foundation
import Groundwork
import SolarImage

/// A figure by which predictions are judged: a row of the table, a key of `report.json`, a column of `per-image.csv`.
package struct Metric: Sendable, Equatable {
    /// Which values are better.
    package enum Better: Sendable, Equatable {
        case higher, lower
        /// A ratio whose best value is 1.
        case nearestToOne

        /// How far `value` is from the best, in units that only serve to compare models.
        package func distance(_ value: Double) -> Double {
            switch self {
            case .higher: -value
            case .lower: value
            case .nearestToOne: value > 0 ? abs(log(value)) : .infinity
            }
        }
    }

    /// The key in `report.json` and `per-image.csv`.
    package let key: String
    /// The name in tables and figures.
    package let name: String
    /// `dB`, `%` and the like; empty for a pure number.
    package let unit: String
    package let better: Better
    /// Digits after the point in tables.
    package let decimals: Int
    /// Whether the metric is a deviation from the truth: its score is then the modulus, and the signed value stands beside it under ``signedKey``.
    package let isDeviation: Bool

    package init(key: String, name: String, unit: String = "", better: Better, decimals: Int, isDeviation: Bool = false) {
        self.key = key
        self.name = name
        self.unit = unit
        self.better = better
        self.decimals = decimals
        self.isDeviation = isDeviation
    }

    /// The key of the signed value of a deviation.
    package var signedKey: String { key + "_signed" }
    /// The name and, in brackets, the unit.
    package var title: String { unit.isEmpty ? name : "\(name) (\(unit))" }
}

/// Metrics that are computed together because they share their work, and chosen together on the command line.
package struct MetricGroup: Sendable {
    /// Values by metric key; deviations with their sign. A metric that is undefined for a map is left out.
    package typealias Values = [String: Double]

    package enum Scoring: Sendable {
        /// Every sample is scored by itself; a map's score is the mean over its samples.
        case eachSample(@Sendable (Comparison, EvaluationOptions) throws -> Values)
        /// All samples of a map are scored as one ensemble.
        case ensemble(@Sendable ([Comparison], EvaluationOptions) throws -> Values)
        /// The whole set of maps has one score, which the caller computes and puts into the report.
        case wholeSet
    }

    /// The name by which the command line knows the group, such as `flux`.
    package let name: String
    package let metrics: [Metric]
    /// Keys of further values, for `per-image.csv` alone.
    package let details: [String]
    package let scoring: Scoring

    package init(name: String, metrics: [Metric], details: [String] = [], scoring: Scoring) {
        self.name = name
        self.metrics = metrics
        self.details = details
        self.scoring = scoring
    }

    /// The groups that need nothing but the maps and what comes with the program.
    package static let fieldGroups: [MetricGroup] = [
        .peakSignalToNoise, .structuralSimilarity, .perceptualDistance, .flux, .activeRegionSize, .spectrum,
    ]
}

extension [MetricGroup] {
    /// The groups of the given names, in this array's order.
    /// - Throws: `Failure` (`.usage`) for a name that is none of them.
    package func named(_ names: [String]) throws -> [MetricGroup] {
        if let unknown = names.first(where: { name in !contains { $0.name == name } }) {
            throw Failure(.usage, "there is no metric of that name", expected: map(\.name).joined(separator: ", "), found: unknown)
        }
        return filter { names.contains($0.name) }
    }
}
