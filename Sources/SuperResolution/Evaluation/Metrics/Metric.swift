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
        case nearest(Double)
        /// A figure that tells of a model, but not how good it is.
        case neither

        /// How far `value` is from the best, in units that only serve to compare models; nil if no value is better than another.
        package func distance(_ value: Double) -> Double? {
            switch self {
            case .higher: -value
            case .lower: value
            case .nearestToOne: value > 0 ? abs(log(value)) : .infinity
            case .nearest(let best): abs(value - best)
            case .neither: nil
            }
        }
    }

    /// The key in `report.json` and `per-image.csv`.
    package let key: String
    /// The name in tables and figures.
    package var name: String
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
    /// What was found of a map.
    package struct Values: Sendable, Equatable, ExpressibleByDictionaryLiteral {
        /// By metric key or detail key; deviations with their sign. A metric that is undefined for the map is left out.
        package var numbers: [String: Double]
        /// What curves are drawn from, by the name of the curve.
        package var tallies: [String: Tally] = [:]

        package init(_ numbers: [String: Double]) { self.numbers = numbers }
        package init(dictionaryLiteral elements: (String, Double)...) { self.init(Dictionary(uniqueKeysWithValues: elements)) }

        package subscript(key: String) -> Double? {
            get { numbers[key] }
            set { numbers[key] = newValue }
        }
    }

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
    package var metrics: [Metric]
    /// Keys of further values, for `per-image.csv` alone.
    package let details: [String]
    package let scoring: Scoring

    package init(name: String, metrics: [Metric], details: [String] = [], scoring: Scoring) {
        self.name = name
        self.metrics = metrics
        self.details = details
        self.scoring = scoring
    }

    /// The same metrics, named after another circle in Fourier space than that of 2″.
    /// - Parameter period: in arcsec.
    func judging(beyondPeriod period: Double) -> MetricGroup {
        var group = self
        for index in metrics.indices { group.metrics[index].name = metrics[index].name.replacing("2″", with: "\(Ticks.label(period))″") }
        return group
    }

    /// All groups, in the order of the table.
    package static let all: [MetricGroup] = [
        .peakSignalToNoise, .structuralSimilarity, .perceptualDistance, .frechetDistance, .flux, .activeRegionSize, .spectrum, .quietSun, .field,
        .calibration,
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
