import Foundation

/// A table of text, as a terminal, Markdown, LaTeX, HTML and other programs take it.
package struct TextTable: Sendable {
    package struct Cell: Sendable, ExpressibleByStringLiteral {
        package var text: String
        /// Whether it is set in bold, where that can be.
        package var isBold = false

        package init(_ text: String, isBold: Bool = false) { (self.text, self.isBold) = (text, isBold) }
        package init(stringLiteral text: String) { self.init(text) }
    }

    /// Above the first column, then above each of the others.
    package var head: [String]
    /// As long as `head`; the first cell names the row.
    package var rows: [[Cell]]

    package init(head: [String], rows: [[Cell]]) { (self.head, self.rows) = (head, rows) }

    /// Columns aligned with spaces, the first to the left.
    package var text: String {
        let lines = [[""] + head.dropFirst()] + rows.map { $0.map(\.text) }
        let widths = head.indices.map { column in lines.map { $0[column].count }.max() ?? 0 }
        return lines.map { line in
            line.enumerated().map { column, cell in
                let space = String(repeating: " ", count: widths[column] - cell.count)
                return column == 0 ? cell + space : space + cell
            }.joined(separator: "  ") + "\n"
        }.joined()
    }

    package var markdown: String {
        func line(_ cells: [String]) -> String { "| " + cells.map { $0.replacing("|", with: "\\|") }.joined(separator: " | ") + " |\n" }
        return line(head) + "|---|" + String(repeating: "---:|", count: head.count - 1) + "\n"
            + rows.map { line($0.map { $0.isBold ? "**\($0.text)**" : $0.text }) }.joined()
    }

    /// A `tabular` alone, with the rules of the package booktabs.
    package var latex: String {
        func escaped(_ text: String) -> String {
            let special: [Character: String] = [
                "%": "\\%", "_": "\\_", "&": "\\&", "#": "\\#", "$": "\\$", "{": "\\{", "}": "\\}", "~": "\\textasciitilde{}",
                "^": "\\textasciicircum{}", "<": "\\textless{}", ">": "\\textgreater{}", "|": "\\textbar{}", "\\": "\\textbackslash{}", "±": "$\\pm$",
                "–": "--", "−": "$-$", "∞": "$\\infty$", "″": "$''$",
            ]
            return text.map { special[$0] ?? String($0) }.joined()
        }
        func line(_ cells: [String]) -> String { cells.joined(separator: " & ") + " \\\\\n" }
        return "% needs \\usepackage{booktabs}\n\\begin{tabular}{l\(String(repeating: "c", count: head.count - 1))}\n\\toprule\n"
            + line([""] + head.dropFirst().map(escaped)) + "\\midrule\n"
            + rows.map { line($0.map { $0.isBold ? "\\textbf{\(escaped($0.text))}" : escaped($0.text) }) }.joined()
            + "\\bottomrule\n\\end{tabular}\n"
    }

    /// An HTML `table`, also well-formed XML.
    package var html: String {
        HTML.table(head: head, rows: rows.map { $0.map(\.text) }) { row, column in rows[row][column].isBold }
    }
}
