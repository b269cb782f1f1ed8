import Foundation
import Groundwork
import SuperResolution
import Testing

@Suite struct EvaluationPageTests {
    @Test func thePageHoldsAllFigures() throws {
        let outcome = try EvaluationExample.models.get()
        let document = try XMLReading(outcome.text("report.html"))
        let start = "data:image/png;base64,"
        let shown = document["img"].compactMap { picture in
            picture.attributes["src"].flatMap { $0.hasPrefix(start) ? Data(base64Encoded: String($0.dropFirst(start.count))) : nil }
        }
        let drawn = try outcome.names(in: "figures").filter { $0.hasSuffix(".png") }.map {
            try Data(contentsOf: outcome.folder.appending(path: "figures/\($0)"))
        }
        #expect(document["img"].count == drawn.count && Set(shown) == Set(drawn))
        // Two of them of the null model.
        #expect(drawn.count == 15)
        #expect(document["img"].allSatisfy { $0.attributes["alt"]?.isEmpty == false })
        #expect(document["figure"].count == drawn.count && document["figcaption"].allSatisfy { $0.text.count > 40 })
        let identifiers = document.elements.compactMap { $0.attributes["id"] }
        #expect(Set(identifiers).count == identifiers.count)
    }

    @Test func thePageNeedsNothingElse() throws {
        for outcome in [try EvaluationExample.models.get(), try EvaluationExample.predictions.get()] {
            let page = try outcome.text("report.html")
            let document = try XMLReading(page)
            for name in ["script", "link", "iframe", "object", "base"] { #expect(document[name].isEmpty) }
            #expect(document.elements.allSatisfy { $0.attributes["href"] == nil && $0.attributes.keys.allSatisfy { !$0.hasPrefix("on") } })
            // Not the page itself, which is of megabytes, in the message.
            let hasLinks = ["http:", "https:", "url(", "@import"].contains { page.contains($0) }
            #expect(!hasLinks)
            #expect(document["style"].first?.text.contains("@media (prefers-color-scheme: dark)") == true)
        }
    }

    @Test func thePageSaysWhatTheReportDoes() throws {
        let outcome = try EvaluationExample.predictions.get()
        let (report, document) = (try outcome.report(), try XMLReading(outcome.text("report.html")))
        let items = document["li"].map(\.text)
        #expect(report.warnings.count >= 7 && items == report.warnings + report.statements)
        let cells = document["th"].map(\.text)
        for title in ["PSNR (dB)", "SSIM", "LPIPS", "RMSE (G)", "other"] { #expect(cells.contains(title), "\(title)") }
        // Metrics and models; of one competitor there are no differences.
        #expect(document["table"].count == 2)
        #expect(try XMLReading(EvaluationExample.models.get().text("report.html"))["table"].count == 3)
    }

    private func report(_ name: String) -> EvaluationReport {
        var report = EvaluationReport(models: [(name, nil)], scores: [], groups: [], path: "<maps> & more", options: EvaluationOptions())
        report.warnings = ["\u{1}<script>alert('x')</script>", "a \"quoted\" name"]
        return report
    }

    private func page(_ name: String, figures: [EvaluationFigures.Figure] = []) -> EvaluationPage {
        EvaluationPage(report(name), table: EvaluationTable(report(name), metrics: []), figures: figures)
    }

    @Test func textIsShownAsItIs() throws {
        let name = "<b>\"ldm\" & 'co'</b>"
        let document = try XMLReading(page(name).html())
        #expect(document["script"].isEmpty && document["b"].isEmpty)
        #expect(document["th"].filter { $0.text == name }.count == 2, "above the metrics, and before its digest")
        #expect(document["li"].map(\.text) == ["\u{FFFD}<script>alert('x')</script>", "a \"quoted\" name"])
        #expect(document["p"].contains { $0.text.contains("<maps> & more") })
        #expect(document["title"].first?.text == "Evaluation of 1 model")
    }

    @Test func aFigureThatIsGoneIsMissed() throws {
        let gone = URL(filePath: "/nowhere/figure.png")
        let figure = EvaluationFigures.Figure(name: "figure", title: "Figure", caption: "None", alternativeText: "None", url: gone)
        let failure = try #require(throws: Failure.self) { try page("a", figures: [figure]).html() }
        #expect(failure.category == .missingInput && failure.location == gone.path)
    }
}
