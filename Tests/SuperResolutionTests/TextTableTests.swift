import SuperResolution
import Testing

@Suite struct TextTableTests {
    private let table = TextTable(
        head: ["Metric", "small", "c_1 & d"],
        rows: [["SSIM", TextTable.Cell("0.9 ± 0.1", isBold: true), "–"], ["Error of 1 %", "−5", TextTable.Cell("∞", isBold: true)]])

    @Test func columnsOfTextAreAligned() {
        let lines = table.text.split(separator: "\n")
        #expect(lines.count == 3 && Set(lines.map(\.count)) == [12 + 2 + 9 + 2 + 7])
        #expect(lines[0].hasSuffix("      small  c_1 & d") && !lines[0].contains("Metric"))
        #expect(lines[1] == "SSIM          0.9 ± 0.1        –" && lines[2] == "Error of 1 %         −5        ∞")
    }

    @Test func markdownKeepsPipesInTheirCells() {
        var table = table
        table.head[1] = "a|b"
        table.rows[0][1].text = "|x|"
        #expect(
            table.markdown == #"""
                | Metric | a\|b | c_1 & d |
                |---|---:|---:|
                | SSIM | **\|x\|** | – |
                | Error of 1 % | −5 | **∞** |

                """#)
    }

    @Test func latexIsATabularWithRules() {
        #expect(
            table.latex == #"""
                % needs \usepackage{booktabs}
                \begin{tabular}{lcc}
                \toprule
                 & small & c\_1 \& d \\
                \midrule
                SSIM & \textbf{0.9 $\pm$ 0.1} & -- \\
                Error of 1 \% & $-$5 & \textbf{$\infty$} \\
                \bottomrule
                \end{tabular}

                """#)
    }

    @Test func latexTakesEveryCharacter() {
        let escapes = [
            "%": #"\%"#, "_": #"\_"#, "&": #"\&"#, "#": "\\#", "$": #"\$"#, "{": #"\{"#, "}": #"\}"#, "~": #"\textasciitilde{}"#,
            "^": #"\textasciicircum{}"#, #"\"#: #"\textbackslash{}"#, "2″": "2$''$", "0–1": "0--1", "<": "\\textless{}", ">": "\\textgreater{}",
            "|": "\\textbar{}",
        ]
        for (text, escaped) in escapes {
            let latex = TextTable(head: ["Metric", text], rows: [["row", TextTable.Cell(text)]]).latex
            #expect(latex.contains("\n & \(escaped) \\\\\n") && latex.contains("\nrow & \(escaped) \\\\\n"), "\(text): \(latex)")
        }
    }

    @Test func htmlShowsTextAsItIs() throws {
        let names = ["<script>alert(\"1\")</script>", "a & b", "tab\tand \u{1}"]
        let page = try XMLReading(
            TextTable(head: names, rows: [["&amp;", "1 < 2", TextTable.Cell("\"best\"", isBold: true)], ["row", "", "5 > 4"]]).html)
        #expect(page.elements[0].name == "table" && page["script"].isEmpty)
        #expect(page["th"].map(\.text) == ["<script>alert(\"1\")</script>", "a & b", "tab\tand \u{FFFD}", "&amp;", "row"])
        #expect(page["th"].map { $0.attributes["scope"] } == ["col", "col", "col", "row", "row"])
        #expect(page["td"].map(\.text) == ["1 < 2", "\"best\"", "", "5 > 4"])
        #expect(page["strong"].map(\.text) == ["\"best\""] && page["tr"].count == 3)
    }

    @Test func aTableWithoutRowsHasItsHead() throws {
        let table = TextTable(head: ["Metric", "a"], rows: [])
        #expect(table.markdown == "| Metric | a |\n|---|---:|\n" && table.text.contains("a"))
        #expect(try XMLReading(table.html)["th"].count == 2)
    }
}
