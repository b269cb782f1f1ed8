/// Pieces of HTML that are well-formed XML too.
enum HTML {
    /// Text for contents and for attributes in double quotes. Characters that XML forbids become U+FFFD.
    static func escaped(_ text: String) -> String {
        text.unicodeScalars.map { scalar in
            switch scalar {
            case "&": "&amp;"
            case "<": "&lt;"
            case ">": "&gt;"
            case "\"": "&quot;"
            case "\t", "\n", "\r": String(scalar)
            case "\u{0}"..."\u{1F}", "\u{FFFE}", "\u{FFFF}": "\u{FFFD}"
            default: String(scalar)
            }
        }.joined()
    }

    /// An element with text in it.
    static func element(_ name: String, _ text: String) -> String { "<\(name)>\(escaped(text))</\(name)>" }

    /// A table whose first column heads the rows.
    /// - Parameter isBold: asked for every row and column, both from 0.
    static func table(head: [String], rows: [[String]], isBold: (_ row: Int, _ column: Int) -> Bool = { _, _ in false }) -> String {
        let heading = head.map { "<th scope=\"col\">\(escaped($0))</th>" }.joined()
        let lines = rows.enumerated().map { number, row in
            let cells = row.enumerated().map { column, cell in
                let text = isBold(number, column) ? element("strong", cell) : escaped(cell)
                return column == 0 ? "<th scope=\"row\">\(text)</th>" : "<td>\(text)</td>"
            }
            return "<tr>\(cells.joined())</tr>\n"
        }
        return "<table>\n<thead><tr>\(heading)</tr></thead>\n<tbody>\n\(lines.joined())</tbody>\n</table>\n"
    }
}
