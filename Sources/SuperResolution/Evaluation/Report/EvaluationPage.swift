import Foundation
import Groundwork

/// `report.html`: an evaluation on one page that needs nothing else, neither other files nor a network nor scripts. It is well-formed XML.
package struct EvaluationPage: Sendable {
    /// A table beside the main one, such as the paired differences between models.
    package struct Table: Sendable {
        package var title: String
        /// What the table says, in plain text.
        package var caption: String
        package var table: TextTable

        package init(title: String, caption: String, table: TextTable) { (self.title, self.caption, self.table) = (title, caption, table) }
    }

    package var report: EvaluationReport
    package var table: EvaluationTable
    package var furtherTables: [Table]
    package var figures: [EvaluationFigures.Figure]

    package init(
        _ report: EvaluationReport, table: EvaluationTable, furtherTables: [Table] = [], figures: [EvaluationFigures.Figure] = []
    ) {
        (self.report, self.table, self.furtherTables) = (report, table, furtherTables)
        self.figures = figures
    }

    /// Writes the page with the figures in it, whole or not at all.
    /// - Throws: `Failure`: `.missingInput` if a figure cannot be read, `.cannotWrite`.
    package func write(to url: URL) throws { try writeAtomically(try html(), to: url) }

    /// The page.
    /// - Throws: `Failure` (`.missingInput`) if a figure cannot be read.
    package func html() throws -> String {
        let title = "Evaluation of \(report.models.count) \(report.models.count == 1 ? "model" : "models")"
        let figures = try figures.map(html(of:))
        return """
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8"/>
            <meta name="viewport" content="width=device-width, initial-scale=1"/>
            \(HTML.element("title", title))
            <style>
            \(Self.style)
            </style>
            </head>
            <body>
            <header>
            \(HTML.element("h1", title))
            \(HTML.element("p", summary))
            </header>
            <main>
            \(section("warnings", "Warnings", list(report.warnings)))\
            \(section("metrics", "Metrics", HTML.element("p", Self.metricsNote) + "\n" + Self.scrolling(table.table.html, "Metrics")))\
            \(section("statements", "Statements", list(report.statements)))\
            \(furtherTables.enumerated().map { section("table-\($0 + 1)", $1.title, html(of: $1)) }.joined())\
            \(section("figures", "Figures", figures.isEmpty ? nil : figures.joined()))\
            \(section("models", "Models", models))\
            \(section("options", "Options", try options()))\
            </main>
            <footer><p>Written by sr.</p></footer>
            </body>
            </html>

            """
    }

    private var summary: String {
        let data = report.data
        var text =
            "\(data.maps) \(data.maps == 1 ? "map" : "maps") of \(data.path), up to \(data.samples) \(data.samples == 1 ? "sample" : "samples") of each"
        if data.maskedFraction > 0 { text += "; \(String(format: "%.2g", 100 * data.maskedFraction)) % of the pixels hold no data and are left out" }
        return text + "."
    }

    private func list(_ lines: [String]) -> String? {
        lines.isEmpty ? nil : "<ul>\n" + lines.map { HTML.element("li", $0) + "\n" }.joined() + "</ul>"
    }

    private static let metricsNote =
        "Mean ± standard deviation over maps, each map's samples averaged first; a dash: undefined. The best of each row is bold."

    private func section(_ identifier: String, _ title: String, _ content: String?) -> String {
        guard let content else { return "" }
        return "<section aria-labelledby=\"\(identifier)\">\n<h2 id=\"\(identifier)\">\(HTML.escaped(title))</h2>\n\(content)\n</section>\n"
    }

    /// A wide table scrolls by itself rather than with the page.
    private static func scrolling(_ table: String, _ label: String) -> String {
        "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"\(HTML.escaped(label))\">\n\(table)</div>"
    }

    private func html(of table: Table) -> String {
        HTML.element("p", table.caption) + "\n" + Self.scrolling(table.table.html, table.title)
    }

    private func html(of figure: EvaluationFigures.Figure) throws -> String {
        guard let data = try? Data(contentsOf: figure.url) else {
            throw Failure(.missingInput, "the figure cannot be read", at: figure.url.path)
        }
        return """
            <figure id="\(HTML.escaped(figure.name))">
            \(HTML.element("h3", figure.title))
            <img src="data:image/png;base64,\(data.base64EncodedString())" alt="\(HTML.escaped(figure.alternativeText))"/>
            \(HTML.element("figcaption", figure.caption))
            </figure>

            """
    }

    private var models: String {
        Self.scrolling(
            HTML.table(head: ["Model", "SHA-256 of the file"], rows: report.models.map { [$0.name, $0.fileSHA256 ?? "– (needs no file)"] }), "Models")
    }

    /// The options as `report.json` names them.
    private func options() throws -> String {
        let encoded = try JSONEncoder().encode(report.options)
        let values = try JSONDecoder().decode([String: OptionValue].self, from: encoded).sorted { $0.key < $1.key }
        return "<dl>\n" + values.map { HTML.element("dt", $0.key.replacing("_", with: " ")) + HTML.element("dd", $0.value.text) + "\n" }.joined()
            + "</dl>"
    }

    /// Any value of JSON, as text.
    private struct OptionValue: Decodable {
        let text: String

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let value = try? container.decode(Bool.self) {
                text = value ? "yes" : "no"
            } else if let value = try? container.decode(UInt64.self) {
                text = "\(value)"
            } else if let value = try? container.decode(Double.self) {
                text = "\(value)"
            } else if let value = try? container.decode(String.self) {
                text = value
            } else if let values = try? container.decode([OptionValue].self) {
                text = values.map(\.text).joined(separator: ", ")
            } else if let values = try? container.decode([String: OptionValue].self) {
                text = values.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value.text)" }.joined(separator: ", ")
            } else {
                text = "–"
            }
        }
    }

    private static let style = """
        :root { color-scheme: light dark; --text: #1c2128; --page: #ffffff; --soft: #59636e; --line: #d1d9e0; --head: #f3f5f8; --warn: #fff4d6; }
        @media (prefers-color-scheme: dark) {
          :root { --text: #e6e8eb; --page: #14181d; --soft: #a3adb8; --line: #3a424c; --head: #1f252c; --warn: #3d3214; }
        }
        body { margin: 0 auto; padding: 1.5rem; max-width: 90rem; background: var(--page); color: var(--text); font: 1rem/1.5 system-ui, sans-serif; }
        h1 { font-size: 1.6rem; margin: 0 0 0.25rem; }
        h2 { font-size: 1.25rem; margin: 2rem 0 0.5rem; border-bottom: 1px solid var(--line); }
        h3 { font-size: 1rem; margin: 0 0 0.5rem; }
        header p, figcaption, section p, footer { color: var(--soft); }
        .scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: 6px; max-width: max-content; }
        table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 0.9rem; }
        th, td { padding: 0.3rem 0.75rem; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line); }
        tbody tr:last-child th, tbody tr:last-child td { border-bottom: none; }
        thead th { background: var(--head); }
        th:first-child { text-align: left; font-weight: 500; position: sticky; left: 0; background: var(--head); }
        figure { margin: 0 0 2rem; }
        figure img { max-width: 100%; height: auto; background: #ffffff; border: 1px solid var(--line); border-radius: 6px; padding: 0.5rem; }
        figcaption { max-width: 60rem; font-size: 0.9rem; }
        #warnings + ul { background: var(--warn); border-radius: 6px; padding: 0.75rem 0.75rem 0.75rem 2rem; overflow-wrap: anywhere; }
        dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.25rem 1.5rem; }
        dt { font-weight: 500; }
        dd { margin: 0; overflow-wrap: anywhere; }
        """
}
