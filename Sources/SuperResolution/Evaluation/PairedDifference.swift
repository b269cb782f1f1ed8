import Foundation
import TensorCore

/// By how much one model differs from another on the same maps, and how sure that is.
package struct PairedDifference: Sendable, Equatable {
    package let metric: Metric
    package let model: String
    /// The model it is compared with.
    package let reference: String
    /// The mean over maps of this model's value minus the reference's; of a ratio, of the distance |ln r| from 1.
    package let mean: Double
    /// The bounds of the central 95 % of means over maps drawn again with replacement (percentile bootstrap; Efron & Tibshirani 1993, ch. 13).
    package let lower: Double, upper: Double
    /// Maps that both have a value for, and the regions they show. Maps of one region are drawn together, since they are not independent.
    package let maps: Int, regions: Int

    /// What the interval says. With fewer than five regions it says little, however narrow it is.
    package enum Verdict: String, Sendable {
        case better, worse
        /// As far as the figures are printed.
        case equal
        case undecided = "not told apart"
    }

    package var verdict: Verdict {
        guard metric.better != .neither, regions > 1 else { return .undecided }
        guard [mean, lower, upper].contains(where: { text(of: $0).contains(/[1-9]/) }) else { return .equal }
        guard lower > 0 || upper < 0 else { return .undecided }
        return (lower > 0) == (metric.better == .higher) ? .better : .worse
    }

    /// Draws of maps.
    private static let draws = 10_000

    /// - Parameters:
    ///   - scores: of both models; samples are averaged within each map.
    /// - Returns: nil if they have no map in common for which both have finite values.
    package init?(_ metric: Metric, of model: String, from reference: String, scores: [Score]) {
        /// In units that can be subtracted, and in which better is as the metric says.
        func value(_ value: Double) -> Double {
            switch metric.better {
            case .nearestToOne, .nearest: metric.better.distance(value) ?? .nan
            case .higher, .lower, .neither: value
            }
        }
        let (own, other) = (
            Score.means(of: metric.key, in: scores.filter { $0.model == model }),
            Score.means(of: metric.key, in: scores.filter { $0.model == reference })
        )
        let regionOfFile = Dictionary(scores.map { ($0.file, $0.region ?? $0.file) }) { first, _ in first }
        var groups: [String: [Double]] = [:]
        for (file, mean) in own {
            guard let otherMean = other[file] else { continue }
            let difference = value(mean) - value(otherMean)
            if difference.isFinite { groups[regionOfFile[file] ?? file, default: []].append(difference) }
        }
        guard !groups.isEmpty else { return nil }
        (self.metric, self.model, self.reference) = (metric, model, reference)
        // In the order of regions and values, so that the interval does not depend on the order of maps.
        let regions = groups.sorted { $0.key < $1.key }.map { $0.value.sorted() }
        (maps, self.regions) = (regions.reduce(0) { $0 + $1.count }, regions.count)
        mean = regions.joined().reduce(0, +) / Double(maps)
        let sums = regions.map { (sum: $0.reduce(0, +), count: Double($0.count)) }
        var random = Random(seed: 1, name: "bootstrap")
        let drawn = random.uniform([Self.draws, sums.count]).values
        let means = (0..<Self.draws).map { draw -> Double in
            var (sum, count) = (0.0, 0.0)
            for place in 0..<sums.count {
                let region = sums[min(sums.count - 1, Int(drawn[draw * sums.count + place] * Float(sums.count)))]
                sum += region.sum
                count += region.count
            }
            return sum / count
        }.sorted()
        lower = means[Self.draws * 25 / 1000]
        upper = means[Self.draws - 1 - Self.draws * 25 / 1000]
    }

    /// Such as `+0.31 [0.12, 0.50] better`.
    package var text: String {
        "\(text(of: mean)) [\(text(of: lower)), \(text(of: upper))]" + (metric.better == .neither ? "" : " \(verdict.rawValue)")
    }

    private func text(of value: Double) -> String { String(format: "%+.\(metric.decimals + 1)f", value).replacing("-", with: "−") }
}
