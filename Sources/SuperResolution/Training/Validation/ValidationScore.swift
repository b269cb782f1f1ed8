import Foundation

/// The figure by which the best weights of a run are chosen: of each metric named, how far it is from its best value, over how far bicubic enlargement is on the
/// same crops; the mean of these. So 1 is as good as bicubic, 0 perfect. Or the validation loss alone, under the name "loss".
package struct ValidationScore {
    package static let loss = "loss"

    /// The groups of metrics that validations compute.
    static let groups = MetricGroup.all.filter { ["psnr", "lpips", "flux", "spectrum", "field", "calibration"].contains($0.name) }

    /// What can be selected by: all metrics of these groups some of whose values are better than others.
    package static let names = [loss] + groups.flatMap(\.metrics).filter { $0.better != .neither }.map(\.key)

    /// By what the best weights of a system are chosen unless told otherwise: errors, likeness, and the power that LR does not hold.
    package static func usual(for model: ModelKind) -> [String] {
        switch model {
        case .ldmResidual, .ldm, .ddpmResidual, .ddpm, .corrdiff: ["crps", "lpips", "power_ratio_nyquist"]
        case .vqgan: ["rmse", "lpips", "power_ratio_nyquist"]
        case .enhance, .progressive: ["rmse", "lpips"]
        }
    }

    private let metrics: [Metric]
    /// Bicubic enlargement's distances from the best values.
    private let distances: [String: Double]

    /// - Parameters:
    ///   - names: metrics alone
    ///   - bicubic: the metrics of bicubic enlargement
    package init(_ names: [String], bicubic: [String: Double]) {
        metrics = Self.groups.flatMap(\.metrics).filter { names.contains($0.key) }
        distances = Dictionary(
            uniqueKeysWithValues: metrics.compactMap { metric in
                bicubic[metric.key].flatMap { Self.distance($0, metric) }.map { (metric.key, $0) }
            })
    }

    /// The score of a validation, the lower the better; nil if none of the metrics is defined.
    package func callAsFunction(_ values: [String: Double]) -> Double? {
        let terms = metrics.compactMap { metric -> Double? in
            guard let distance = values[metric.key].flatMap({ Self.distance($0, metric) }) else { return nil }
            // Where bicubic enlargement has no such figure, as for the spread of an ensemble, the distance stands by itself.
            guard let reference = distances[metric.key], reference > 0, reference.isFinite else { return distance }
            return distance / reference
        }
        return terms.isEmpty ? nil : terms.reduce(0, +) / Double(terms.count)
    }

    /// At least 0, and 0 for the best value.
    private static func distance(_ value: Double, _ metric: Metric) -> Double? {
        // Decibels of a peak signal-to-noise ratio as the error they stand for; the other figures of which more is better are at most 1.
        guard metric.better == .higher else { return metric.better.distance(value) }
        return metric.unit == "dB" ? pow(10, -value / 20) : 1 - value
    }
}
