import Foundation
import Groundwork
import SolarImage

/// The figures of an evaluation, each written as NAME.png and NAME.pdf into one folder.
///
/// A model has the same colour in all of them. What has no data has no figure.
package struct EvaluationFigures: Sendable {
    /// A figure that was written, and what the page says about it.
    package struct Figure: Sendable, Equatable {
        /// The name of the files without ending.
        package var name: String
        package var title: String
        /// What is shown and how it was made, in plain text.
        package var caption: String
        /// What stands for the picture where it cannot be seen.
        package var alternativeText: String
        /// The PNG file.
        package var url: URL

        package init(name: String, title: String, caption: String, alternativeText: String, url: URL) {
            (self.name, self.title, self.caption, self.alternativeText, self.url) = (name, title, caption, alternativeText, url)
        }
    }

    package let folder: URL
    /// The names of all models in the order of the table, which gives them their colours.
    package let models: [String]
    /// The low-resolution Nyquist frequency and that of the 2″ circle, in cycles per high-resolution pixel.
    package let nyquist: Double, circle: Double
    /// The side of a high-resolution pixel in arcsec; nil if unknown.
    package let arcsecPerPixel: Double?

    package init(folder: URL, models: [String], nyquist: Double = 0.125, circle: Double = 0.25, arcsecPerPixel: Double? = 0.5) {
        (self.folder, self.models) = (folder, models)
        (self.nyquist, self.circle, self.arcsecPerPixel) = (nyquist, circle, arcsecPerPixel)
    }

    /// Writes both files with `draw`, over former ones.
    func write(_ name: String, title: String, caption: String, shown: [String], draw: (URL) throws -> Void) throws -> Figure {
        let png = folder.appending(path: "\(name).png")
        try draw(png)
        try draw(folder.appending(path: "\(name).pdf"))
        let text = shown.isEmpty ? "\(title)." : "\(title): \(shown.joined(separator: ", "))."
        return Figure(name: name, title: title, caption: caption, alternativeText: text, url: png)
    }

    func style(_ model: String) -> LinePlot.Series.Style { .curve(models.firstIndex(of: model)) }

    /// A spatial frequency's name by its period, such as "4″"; the frequency itself in cycles per pixel if the size of a pixel is unknown.
    func period(_ frequency: Double) -> String {
        guard let arcsecPerPixel else { return "\(Ticks.label(frequency))/pixel" }
        return Ticks.label((arcsecPerPixel / frequency * 10).rounded() / 10) + "″"
    }

    var nyquistLabel: String { "LR Nyquist, \(period(nyquist))" }
}

// MARK: - Distributions over maps

extension EvaluationFigures {
    /// Box plots of the deviations of every map: unsigned flux and size of the active region, in %, with their sign.
    /// - Returns: nil without a value.
    package func boxPlots(unsignedFluxErrors: [(name: String, values: [Double])], regionSizeErrors: [(name: String, values: [Double])]) throws
        -> Figure?
    {
        func panel(_ title: String, _ axisLabel: String, _ errors: [(name: String, values: [Double])]) -> BoxPlot.Panel? {
            guard errors.contains(where: { $0.values.contains(where: \.isFinite) }) else { return nil }
            return BoxPlot.Panel(
                title: title, axisLabel: axisLabel, values: models.map { model in errors.first { $0.name == model }?.values ?? [] })
        }
        let panels = [
            panel("Unsigned flux", "deviation of Σ|B|·A from the truth (%)", unsignedFluxErrors),
            panel("Size of the active region", "deviation of the area from the truth (%)", regionSizeErrors),
        ].compactMap(\.self)
        guard !panels.isEmpty else { return nil }
        let plot = BoxPlot(title: "Deviations from the truth, map by map", names: models, panels: panels)
        var caption =
            "One value a map, the mean over its samples, with its sign: below zero the prediction has too little. Boxes hold the middle half of the "
            + "maps, the thick line is the median, whiskers reach to the outermost map within 1.5 interquartile ranges, dots are maps beyond them; up "
            + "to \(BoxPlot.mostPoints) maps are drawn one by one."
        if plot.hasValuesBeyondTheAxes { caption += " Arrowheads stand for maps beyond the axis." }
        return try write("box-plots", title: "Flux and size of active regions", caption: caption, shown: models) {
            try plot.write(to: $0, overwrite: true)
        }
    }

    /// How often each field strength occurs: the densities of the truth and of every model over B in Gauss.
    /// - Returns: nil without a point.
    package func fieldHistograms(
        truth: [(field: Double, density: Double)], predictions: [(name: String, points: [(field: Double, density: Double)])]
    ) throws -> Figure? {
        guard predictions.contains(where: { !$0.points.isEmpty }) else { return nil }
        func points(_ values: [(field: Double, density: Double)]) -> [(x: Double, y: Double)] { values.map { ($0.field, $0.density) } }
        let plot = LinePlot(
            title: "Distribution of the field", xLabel: "B (G)", yLabel: "density (1/G)",
            series: [LinePlot.Series(name: "truth", points: points(truth), style: .truth, isStepped: true)]
                + predictions.map { LinePlot.Series(name: $0.name, points: points($0.points), style: style($0.name), isStepped: true) })
        return try write(
            "field-histogram", title: "Distribution of the field",
            caption: "Probability density of the field of all pixels of all maps, in 1/G. A model that blurs has too few strong fields.",
            shown: ["truth"] + predictions.map(\.name)
        ) { try plot.write(to: $0, overwrite: true) }
    }

    /// Bias and root-mean-square error in Gauss by the truth's field strength, side by side.
    /// - Returns: nil without a point.
    package func errorsByField(_ errors: [(name: String, bins: [(field: Double, bias: Double, rmse: Double)])]) throws -> Figure? {
        try binnedErrors(
            errors.map { ($0.name, $0.bins.map { ($0.field, $0.bias, $0.rmse) }) }, name: "errors-by-field", title: "Errors by field strength",
            xLabel: "|B| of the truth (G)",
            caption: "Bias: the mean error along the truth's polarity, sgn(B)·(prediction − truth), below zero where fields are too weak. RMSE: the "
                + "root-mean-square error. Both in Gauss over the pixels of all maps, binned by the truth's field strength.")
    }

    /// The same by μ, the cosine of the angle between line of sight and vertical: 1 at the centre of the disk, 0 at the limb.
    /// - Returns: nil without a point.
    package func errorsByMu(_ errors: [(name: String, bins: [(mu: Double, bias: Double, rmse: Double)])]) throws -> Figure? {
        try binnedErrors(
            errors.map { ($0.name, $0.bins.map { ($0.mu, $0.bias, $0.rmse) }) }, name: "errors-by-mu", title: "Errors by place on the disk",
            xLabel: "μ (1: centre of the disk, 0: limb)",
            caption:
                "Bias (mean error along the truth's polarity) and root-mean-square error in Gauss, binned by μ, the cosine of the angle between the "
                + "line of sight and the vertical.")
    }

    private func binnedErrors(
        _ errors: [(name: String, bins: [(x: Double, bias: Double, rmse: Double)])], name: String, title: String, xLabel: String, caption: String
    ) throws -> Figure? {
        guard errors.contains(where: { $0.bins.contains { $0.bias.isFinite || $0.rmse.isFinite } }) else { return nil }
        let all = errors.flatMap { $0.bins.map(\.x) }.filter(\.isFinite)
        let zero = [(x: all.min() ?? 0, y: 0.0), (x: all.max() ?? 1, y: 0)]
        let bias = LinePlot(
            title: "Bias", xLabel: xLabel, yLabel: "bias (G)", yScale: .linear,
            series: [LinePlot.Series(name: "no error", points: zero, style: .reference)]
                + errors.map { LinePlot.Series(name: $0.name, points: $0.bins.map { ($0.x, $0.bias) }, style: style($0.name)) })
        let largest = errors.flatMap { $0.bins.map(\.rmse) }.filter(\.isFinite).max() ?? 0
        let rmse = LinePlot(
            title: "RMSE", xLabel: xLabel, yLabel: "RMSE (G)", yScale: .linear, yRange: 0...max(largest * 1.05, 1e-6),
            series: errors.map { LinePlot.Series(name: $0.name, points: $0.bins.map { ($0.x, $0.rmse) }, style: style($0.name)) })
        return try write(name, title: title, caption: caption, shown: errors.map(\.name)) {
            try LinePlot.write([bias, rmse], to: $0, overwrite: true)
        }
    }
}

// MARK: - Ensembles and training

extension EvaluationFigures {
    /// How often the truth lies in central intervals of the samples, over how often it should; fractions, 0 to 1.
    /// - Returns: nil without a probabilistic model.
    package func calibration(_ models: [(name: String, coverage: [(nominal: Double, empirical: Double)], spreadSkill: Double?)]) throws -> Figure? {
        let drawn = models.filter { !$0.coverage.isEmpty }
        guard !drawn.isEmpty else { return nil }
        let plot = LinePlot(
            title: "Calibration of the ensembles", xLabel: "nominal coverage of the central interval",
            yLabel: "part of pixels whose truth lies in it",
            yScale: .linear, xRange: 0...1, yRange: 0...1,
            series: [LinePlot.Series(name: "ideal", points: [(0, 0), (1, 1)], style: .reference)]
                + drawn.map { model in
                    let name = model.spreadSkill.map { "\(model.name), spread/skill \(String(format: "%.2f", $0))" } ?? model.name
                    return LinePlot.Series(name: name, points: model.coverage.map { ($0.nominal, $0.empirical) }, style: style(model.name))
                })
        return try write(
            "calibration", title: "Calibration of the ensembles",
            caption:
                "How often the truth lies within central intervals of the samples. Below the dashed line the samples are too much alike. Spread/skill: "
                + "the spread of the samples over the error of their mean; 1 is ideal.",
            shown: drawn.map(\.name)
        ) { try plot.write(to: $0, overwrite: true) }
    }

    /// Where the truth stands among the sorted samples: for each model a count a rank, from below all samples to above all.
    /// - Returns: nil without a count.
    package func rankHistograms(_ models: [(name: String, counts: [Double])]) throws -> Figure? {
        let drawn = models.compactMap { model -> (name: String, frequencies: [Double])? in
            let sum = model.counts.reduce(0, +)
            return sum > 0 ? (model.name, model.counts.map { $0 / sum * Double(model.counts.count) }) : nil
        }
        guard !drawn.isEmpty else { return nil }
        let ranks = Double(drawn.map(\.frequencies.count).max() ?? 1)
        let highest = drawn.flatMap(\.frequencies).max() ?? 1
        let plot = LinePlot(
            title: "Rank histogram", xLabel: "samples below the truth", yLabel: "frequency / that of an ideal ensemble", yScale: .linear,
            xRange: -0.5...ranks - 0.5, yRange: 0...max(2, highest * 1.05),
            series: [LinePlot.Series(name: "ideal", points: [(-0.5, 1), (ranks - 0.5, 1)], style: .reference)]
                + drawn.map { model in
                    LinePlot.Series(
                        name: model.name, points: model.frequencies.enumerated().map { (Double($0.offset), $0.element) }, style: style(model.name),
                        isStepped: true)
                })
        return try write(
            "rank-histogram", title: "Rank histogram",
            caption: "How many of the samples lie below the truth, over all pixels. Flat is ideal; high at both ends: too little spread; high in the "
                + "middle: too much; higher on one side: biased.",
            shown: drawn.map(\.name)
        ) { try plot.write(to: $0, overwrite: true) }
    }

    /// Training and validation loss over steps, from the `metrics.jsonl` of training runs; files that do not exist are passed over.
    /// - Returns: nil without a loss.
    package func learningCurves(_ logs: [(name: String, url: URL)]) throws -> Figure? {
        let runs = logs.map { (name: $0.name, lines: MetricsLog.lines(of: $0.url)) }
        func plot(_ title: String, _ key: String) -> LinePlot? {
            let series = runs.map { run in
                LinePlot.Series(
                    name: run.name,
                    points: run.lines.compactMap { line in
                        if let step = line["step"], let loss = line[key] { (step, loss) } else { nil }
                    }, style: style(run.name))
            }.filter { !$0.points.isEmpty }
            return series.isEmpty ? nil : LinePlot(title: title, xLabel: "step", yLabel: "loss", series: series)
        }
        let plots = [plot("Training", "loss"), plot("Validation", "validation_loss")].compactMap(\.self)
        guard !plots.isEmpty else { return nil }
        return try write(
            "learning-curves", title: "Learning curves",
            caption: "Loss over training steps, as the runs' metrics.jsonl tell. Losses of models that learn different targets cannot be compared.",
            shown: runs.filter { !$0.lines.isEmpty }.map(\.name)
        ) { try LinePlot.write(plots, to: $0, overwrite: true) }
    }
}
