import Foundation

/// The table of the paper: a row a metric, a column a model, each cell mean ± standard deviation over maps.
package struct EvaluationTable: Sendable {
    private struct Row {
        let metric: Metric
        let summaries: [Summary?]
        /// The columns whose mean, as printed, is the best of several.
        let best: Set<Int>
    }

    private let names: [String]
    private let rows: [Row]

    /// - Parameter metrics: the rows, from above; those for which no model has a value are left out.
    package init(_ report: EvaluationReport, metrics: [Metric]) {
        names = report.models.map(\.name)
        rows = metrics.compactMap { metric in
            let summaries = report.models.map { $0.metrics[metric.key] }
            guard summaries.contains(where: { $0 != nil }) else { return nil }
            let distances = summaries.map { summary -> Double? in
                guard let mean = summary?.mean, !mean.isNaN else { return nil }
                let unit = pow(10, Double(metric.decimals))
                return metric.better.distance((mean * unit).rounded() / unit)
            }
            let compared = distances.compactMap(\.self), least = compared.min()
            return Row(
                metric: metric, summaries: summaries,
                best: compared.count < 2 ? [] : Set(distances.indices.filter { distances[$0] != nil && distances[$0] == least }))
        }
    }

    /// Metrics by models, the best of each row in bold.
    package var table: TextTable {
        TextTable(
            head: ["Metric"] + names,
            rows: rows.map { row in
                [TextTable.Cell(row.metric.title)]
                    + row.summaries.enumerated().map { column, summary in
                        TextTable.Cell(cell(summary, decimals: row.metric.decimals), isBold: row.best.contains(column))
                    }
            })
    }

    /// Comma-separated: key, name, unit and, for each model, mean, std and n in full precision.
    package var commaSeparated: String {
        let head = ["metric", "name", "unit"] + names.flatMap { ["\($0) mean", "\($0) std", "\($0) n"] }
        return commaSeparatedText(
            [head]
                + rows.map { row in
                    [row.metric.key, row.metric.name, row.metric.unit]
                        + row.summaries.flatMap { summary -> [String] in
                            guard let summary else { return ["", "", ""] }
                            return ["\(summary.mean)", summary.std.isNaN ? "" : "\(summary.std)", "\(summary.n)"]
                        }
                })
    }

    private func cell(_ summary: Summary?, decimals: Int) -> String {
        guard let summary, !summary.mean.isNaN else { return "–" }
        func text(_ value: Double) -> String {
            value.isInfinite ? (value < 0 ? "−∞" : "∞") : String(format: "%.\(decimals)f", value).replacing("-", with: "−")
        }
        return summary.std.isNaN ? text(summary.mean) : "\(text(summary.mean)) ± \(text(summary.std))"
    }
}
