import Foundation
import Logging
import SolarImage

extension Evaluation {
    /// Writes tables, figures and the page.
    /// - Returns: tables for a terminal.
    /// - Throws: `Failure` (`.cannotWrite`).
    func writeReport(_ findings: EvaluationFindings, dataPath: String, to output: URL) throws -> String {
        let names = competitors.map(\.name)
        var report = EvaluationReport(
            models: competitors.map { ($0.name, $0.digest) }, scores: findings.scores, groups: groups, path: dataPath,
            options: evaluationOptions(isProbabilistic: competitors.contains(where: \.isProbabilistic)))
        for (index, competitor) in competitors.enumerated() {
            var metrics = report.models[index].metrics
            metrics["frechet"] = features.flatMap { findings.frechetDistance(of: competitor.name, in: $0) }
            metrics["seconds_per_sample"] = findings.seconds[competitor.name].map { Summary(of: $0) }
            metrics["parameters"] = competitor.parameterCount.map { Summary(of: [Double($0)]) }
            metrics["training_hours"] = competitor.trainingHours.map { Summary(of: [$0]) }
            report.models[index].metrics = metrics
        }
        let warnings = findings.warnings(of: names, features: features)
        for warning in warnings { logger.warning("\(warning)") }
        report.warnings = findings.failures.map(\.description) + warnings
        report.statements = names.compactMap { findings.uncertaintyStatement(of: $0, cutoff: options.fineCutoff) }

        let metrics = groups.flatMap(\.metrics)
        let differences = competitors.first { !$0.isBaseline }.flatMap { first in
            DifferenceTable(metrics, of: names.filter { $0 != first.name }, from: first.name, scores: findings.scores)
        }
        let curves = EvaluationCurves(models: names, scores: findings.scores, truths: findings.truths)
        try report.write(to: output, scores: findings.scores, groups: groups, differences: differences, curves: curves)
        let drawing = EvaluationDrawing(
            report: report, scores: findings.scores, curves: curves, illustrations: findings.illustrations,
            logs: competitors.compactMap { competitor in competitor.log.map { (competitor.name, $0) } })
        let figures = try drawing.write(to: output.appendingPathComponent("figures"))
        let table = EvaluationTable(report, metrics: metrics + Metric.costs)
        let further = differences.map { [EvaluationPage.Table(title: "Paired differences", caption: $0.caption, table: $0.table)] } ?? []
        try EvaluationPage(report, table: table, furtherTables: further, figures: figures).write(to: output.appendingPathComponent("report.html"))
        let statements = report.statements.isEmpty ? nil : report.statements.joined(separator: "\n") + "\n"
        return [table.table.text, differences?.text, statements].compactMap(\.self).joined(separator: "\n")
    }
}

extension Metric {
    /// What a model costs.
    package static let costs = [
        Metric(key: "seconds_per_sample", name: "Time for a sample", unit: "s", better: .neither, decimals: 2),
        Metric(key: "parameters", name: "Parameters", better: .neither, decimals: 0),
        Metric(key: "training_hours", name: "Training", unit: "h", better: .neither, decimals: 2),
    ]
}
