import Foundation

/// What curves of models and of the truth are drawn from: tallies over all maps, and over samples.
package struct EvaluationCurves: Sendable {
    package struct Model: Sendable {
        package let name: String
        /// By the name of the curve: `spectrum` (mean power of a coefficient in Gauss² by cycles per pixel), `field_strength` and `mu` (errors in Gauss, by
        /// Gauss and by μ), `histogram` (pixels by Gauss), `coverage` (by the level of the interval), `ranks` (pixels by samples below the truth).
        package let tallies: [String: Tally]
    }

    package let models: [Model]
    /// With `spectrum` and `histogram` alone.
    package let truth: Model

    package init(models: [String], scores: [Score], truths: [Score]) {
        func model(_ name: String, _ scores: [Score]) -> Model {
            var tallies: [String: Tally] = [:]
            for score in scores { tallies.add(score.tallies) }
            return Model(name: name, tallies: tallies)
        }
        self.models = models.map { name in model(name, scores.filter { $0.model == name }) }
        truth = model("truth", truths)
    }

    /// Comma-separated: a line a class, with its count, mean and root mean square.
    package var commaSeparated: String {
        var lines = [["model", "curve", "from", "to", "count", "mean", "rms"]]
        for model in models + [truth] {
            for (name, tally) in model.tallies.sorted(by: { $0.key < $1.key }) {
                for index in tally.counts.indices where tally.counts[index] > 0 {
                    lines.append([
                        model.name, name, "\(tally.edges[index])", "\(tally.edges[index + 1])", "\(tally.counts[index])", "\(tally.mean(index))",
                        "\(tally.rootMeanSquare(index))",
                    ])
                }
            }
        }
        return commaSeparatedText(lines)
    }
}
