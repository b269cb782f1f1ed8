import Foundation

/// What a run that has ended came to: its best weights, what they were measured to do, and what to do with them.
package struct TrainingReport {
    /// The best validation, as its line of the log tells; nil without validation.
    private let best: MetricsLog.Line?
    private let skipped: Int
    private let configuration: TrainingConfiguration
    private let folder: RunFolder

    package init(of folder: RunFolder, _ configuration: TrainingConfiguration) {
        (self.folder, self.configuration) = (folder, configuration)
        let lines = MetricsLog.lines(of: folder.metrics)
        best = lines.filter { $0["validation_score"] != nil }.min { ($0["validation_score"] ?? .infinity) < ($1["validation_score"] ?? .infinity) }
        skipped = lines.count { $0.skippedFiles != nil }
    }

    /// Lines for people.
    package var lines: [String] {
        var lines: [String] = []
        if skipped > 0 { lines.append("skipped: \(skipped) steps, listed in \(folder.metrics.path)") }
        if let best, let step = best["step"], let score = best["validation_score"], let loss = best["validation_loss"] {
            let isLoss = configuration.select == [ValidationScore.loss]
            let names = configuration.select.joined(separator: ", ")
            let text =
                isLoss
                ? String(format: "loss %.4g", loss)
                : String(format: "score %.4g", score) + " (of \(names); 1 for bicubic), " + String(format: "loss %.4g", loss)
            lines.append("best: step \(Int(step)), \(text)")
            let figures = Self.figures.compactMap { key in
                best[MetricsLog.validationPrefix + key].flatMap { value in
                    Self.metrics[key].map { metric in
                        "\(metric.name) " + String(format: "%.\(metric.decimals)f", value) + (metric.unit.isEmpty ? "" : " \(metric.unit)")
                    }
                }
            }
            if !figures.isEmpty {
                let count = configuration.validation.crops
                lines.append("on \(count) validation crop\(count == 1 ? "" : "s"): \(figures.joined(separator: ", "))")
            }
        }
        lines.append("model: \(folder.model.path)")
        lines.append("next: \(next)")
        return lines
    }

    private static let figures = [
        "psnr_mean", "psnr", "rmse", "crps", "lpips", "unsigned_flux_error", "power_ratio_nyquist", "power_ratio_2arcsec", "correlation_band_3",
        "spread_skill",
    ]

    private static let metrics = Dictionary(uniqueKeysWithValues: ValidationScore.groups.flatMap(\.metrics).map { ($0.key, $0) })

    private var next: String {
        switch configuration.system {
        case .autoencoder: "sr train DATA --model ldm-residual --autoencoder \(folder.model.path) --output RUN"
        case .latentDiffusion, .pixelDiffusion, .regression, .corrdiff: "sr evaluate DATA/test --model \(folder.model.path) --output REPORT"
        }
    }
}
