/// Paired differences from one model: a row a metric, a column a model.
package struct DifferenceTable: Sendable {
    private let differences: [PairedDifference]
    private let reference: String

    /// - Parameter reference: the model that all are compared with.
    package init(_ differences: [PairedDifference], reference: String) { (self.differences, self.reference) = (differences, reference) }

    /// - Returns: nil if nothing can be compared.
    package init?(_ metrics: [Metric], of models: [String], from reference: String, scores: [Score]) {
        let differences = metrics.flatMap { metric in models.compactMap { PairedDifference(metric, of: $0, from: reference, scores: scores) } }
        if differences.isEmpty { return nil }
        self.init(differences, reference: reference)
    }

    /// What the table shows, in a sentence.
    package var caption: String {
        let maps = differences.map(\.maps).max() ?? 0, regions = differences.map(\.regions).max() ?? 0
        return
            "Each model minus \(reference), mean over \(maps) \(maps == 1 ? "map" : "maps") of \(regions) \(regions == 1 ? "region" : "regions") and its 95 % bootstrap interval, regions drawn together; "
            + "of ratios the distance |ln r| from 1. Better and worse are said of the model, where the interval excludes 0."
    }

    package var table: TextTable {
        var models: [String] = [], metrics: [Metric] = []
        for difference in differences {
            if !models.contains(difference.model) { models.append(difference.model) }
            if !metrics.contains(difference.metric) { metrics.append(difference.metric) }
        }
        return TextTable(
            head: ["Difference from \(reference)"] + models,
            rows: metrics.map { metric in
                [TextTable.Cell(metric.title)]
                    + models.map { model in
                        let difference = differences.first { $0.metric == metric && $0.model == model }
                        return TextTable.Cell(difference?.text ?? "–", isBold: difference?.verdict == .better)
                    }
            })
    }

    /// For a terminal; a table too wide for one is left to the files.
    package var text: String {
        let lines = table.text
        guard lines.prefix(while: { !$0.isNewline }).count <= 200 else {
            return "The differences from \(reference), with 95 % intervals, are in differences.md and report.html.\n"
        }
        return caption + "\n" + lines
    }

    /// Comma-separated: a line a difference, in full precision.
    package var commaSeparated: String {
        commaSeparatedText(
            [["metric", "model", "reference", "mean", "lower", "upper", "maps", "regions", "verdict"]]
                + differences.map {
                    [
                        $0.metric.key, $0.model, $0.reference, "\($0.mean)", "\($0.lower)", "\($0.upper)", "\($0.maps)", "\($0.regions)",
                        $0.metric.better == .neither ? "" : $0.verdict.rawValue,
                    ]
                })
    }
}
