import Foundation

/// The table of the paper: a row a metric, a column a model, each cell mean ± standard deviation over maps.
package struct EvaluationTable: Sendable {
    private struct Row {
        let metric: Metric
        let summaries: [Summary?]
        /// The columns whose mean, as printed, is the best.
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
            let least = distances.compactMap(\.self).min()
            return Row(metric: metric, summaries: summaries, best: Set(distances.indices.filter { distances[$0] != nil && distances[$0] == least }))
        }
    }

    /// For a terminal: columns aligned with spaces.
    package var text: String {
        let cells = cells(heading: "") { cell, _ in cell }
        let widths = (cells.first ?? []).indices.map { column in cells.map { $0[column].count }.max() ?? 0 }
        return cells.map { line in
            line.enumerated().map { column, cell in
                let space = String(repeating: " ", count: widths[column] - cell.count)
                return column == 0 ? cell + space : space + cell
            }.joined(separator: "  ") + "\n"
        }.joined()
    }

    /// Markdown with the best of each row in bold.
    package var markdown: String {
        var lines = cells(heading: "Metric") { cell, isBest in isBest ? "**\(cell)**" : cell }
            .map { "| " + $0.map { $0.replacing("|", with: "\\|") }.joined(separator: " | ") + " |" }
        lines.insert("|---|" + String(repeating: "---:|", count: names.count), at: 1)
        return lines.joined(separator: "\n") + "\n"
    }

    /// LaTeX (a `tabular` alone) with the best of each row in bold.
    package var latex: String {
        func escaped(_ text: String) -> String {
            let special: [Character: String] = [
                "%": "\\%", "_": "\\_", "&": "\\&", "#": "\\#", "$": "\\$", "{": "\\{", "}": "\\}", "~": "\\textasciitilde{}",
                "^": "\\textasciicircum{}", "\\": "\\textbackslash{}", "±": "$\\pm$", "–": "--", "∞": "$\\infty$", "″": "$''$",
            ]
            return text.map { special[$0] ?? String($0) }.joined()
        }
        // The marks are put in after escaping, by characters that no cell holds.
        let lines = cells(heading: "") { cell, isBest in isBest ? "\u{2}\(cell)\u{3}" : cell }.map { line in
            line.map { escaped($0).replacing("\u{2}", with: "\\textbf{").replacing("\u{3}", with: "}") }.joined(separator: " & ") + " \\\\"
        }
        let body = ["\\hline", lines[0], "\\hline"] + lines.dropFirst() + ["\\hline"]
        return "\\begin{tabular}{l\(String(repeating: "c", count: names.count))}\n" + body.joined(separator: "\n") + "\n\\end{tabular}\n"
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

    /// Heading and rows as text; `mark` sees every cell of a model and whether it is the best of its row.
    private func cells(heading: String, mark: (_ cell: String, _ isBest: Bool) -> String) -> [[String]] {
        [[heading] + names]
            + rows.map { row in
                [row.metric.title]
                    + row.summaries.enumerated().map { column, summary in
                        mark(cell(summary, decimals: row.metric.decimals), row.best.contains(column) && names.count > 1)
                    }
            }
    }

    private func cell(_ summary: Summary?, decimals: Int) -> String {
        guard let summary, !summary.mean.isNaN else { return "–" }
        func text(_ value: Double) -> String { value.isInfinite ? (value < 0 ? "−∞" : "∞") : String(format: "%.\(decimals)f", value) }
        return summary.std.isNaN ? text(summary.mean) : "\(text(summary.mean)) ± \(text(summary.std))"
    }
}
