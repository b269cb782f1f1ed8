import Foundation
import Groundwork

/// The outcome of an evaluation, as `report.json` holds it.
package struct EvaluationReport: Codable, Sendable, Equatable {
    package struct Model: Codable, Sendable, Equatable {
        package var name: String
        /// The model file's SHA-256 in hexadecimal; nil for a baseline.
        package var fileSHA256: String?
        /// By metric key and, for deviations, signed key.
        package var metrics: [String: Summary]

        private enum CodingKeys: String, CodingKey {
            case name, metrics
            case fileSHA256 = "file_sha256"
        }

        package init(name: String, fileSHA256: String?, metrics: [String: Summary]) {
            self.name = name
            self.fileSHA256 = fileSHA256
            self.metrics = metrics
        }

        package func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(name, forKey: .name)
            try container.encode(fileSHA256, forKey: .fileSHA256)  // null, rather than left out
            try container.encode(metrics, forKey: .metrics)
        }
    }

    /// What was evaluated.
    package struct Data: Codable, Sendable, Equatable {
        package var path: String
        package var maps: Int
        /// The most samples that a model gave of a map.
        package var samples: Int
        /// The part of the truth's pixels that hold no data, mean over the maps.
        package var maskedFraction: Double

        private enum CodingKeys: String, CodingKey {
            case path, maps, samples
            case maskedFraction = "masked_fraction"
        }
    }

    package var models: [Model]
    package var data: Data
    package var options: EvaluationOptions
    /// What was left out, and what a reader of the figures has to know.
    package var warnings: [String] = []
    /// What the figures say of claims that can be tested.
    package var statements: [String] = []

    /// Averages `scores` model by model.
    /// - Parameters:
    ///   - models: in the order of the table, with the SHA-256 of their files.
    ///   - path: the data's folder.
    package init(models: [(name: String, fileSHA256: String?)], scores: [Score], groups: [MetricGroup], path: String, options: EvaluationOptions) {
        self.models = models.map { model in
            Model(
                name: model.name, fileSHA256: model.fileSHA256,
                metrics: Summary.byKey(of: scores.filter { $0.model == model.name }, groups: groups))
        }
        let masked = Dictionary(scores.map { ($0.file, $0.maskedFraction) }) { first, _ in first }.sorted { $0.key < $1.key }.map(\.value)
        data = Data(
            path: path, maps: masked.count, samples: scores.compactMap(\.sample).max() ?? 0,
            maskedFraction: masked.isEmpty ? 0 : masked.reduce(0, +) / Double(masked.count))
        self.options = options
    }

    /// Writes `report.json`, `table.md`, `table.csv`, `table.tex`, `per-image.csv`, `curves.csv` and, if models were compared, `differences.md`,
    /// `differences.csv` and `differences.tex` into `folder`, each whole or not at all.
    /// - Throws: `Failure` (`.cannotWrite`).
    package func write(
        to folder: URL, scores: [Score], groups: [MetricGroup], differences: DifferenceTable? = nil, curves: EvaluationCurves
    ) throws {
        let table = EvaluationTable(self, metrics: groups.flatMap(\.metrics) + Metric.costs)
        try writeAtomically(json(), to: folder.appending(path: "report.json"))
        try writeAtomically(table.table.markdown, to: folder.appending(path: "table.md"))
        try writeAtomically(table.commaSeparated, to: folder.appending(path: "table.csv"))
        try writeAtomically(table.table.latex, to: folder.appending(path: "table.tex"))
        try writeAtomically(Self.perImage(scores, groups: groups), to: folder.appending(path: "per-image.csv"))
        try writeAtomically(curves.commaSeparated, to: folder.appending(path: "curves.csv"))
        guard let differences else { return }
        try writeAtomically("\(differences.caption)\n\n\(differences.table.markdown)", to: folder.appending(path: "differences.md"))
        try writeAtomically(differences.commaSeparated, to: folder.appending(path: "differences.csv"))
        try writeAtomically(differences.table.latex, to: folder.appending(path: "differences.tex"))
    }

    /// The report as JSON with sorted keys; what is not finite is `null`.
    package func json() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(self), as: UTF8.self) + "\n"
    }

    /// One line a score: model, map, region, grid, size, sample, every metric with its signed deviation, details, masked and missing fractions.
    /// What is undefined is left empty, and so is the sample of an ensemble's scores.
    package static func perImage(_ scores: [Score], groups: [MetricGroup]) -> String {
        let keys = groups.filter { if case .wholeSet = $0.scoring { false } else { true } }
            .flatMap { group in group.metrics.flatMap { $0.isDeviation ? [$0.key, $0.signedKey] : [$0.key] } + group.details }
        let head = ["model", "file", "region", "grid", "width", "height", "sample"] + keys + ["masked_fraction", "missing_fraction"]
        let lines = scores.map { score -> [String] in
            let labels = [score.model, score.file, score.region ?? "", score.grid ?? "", "\(score.width)", "\(score.height)"]
            let values = keys.map { key in score.values[key].map { "\($0)" } ?? "" }
            return labels + [score.sample.map { "\($0)" } ?? ""] + values + ["\(score.maskedFraction)", "\(score.missingFraction)"]
        }
        return commaSeparatedText([head] + lines)
    }
}

/// Lines of comma-separated fields (RFC 4180), quoted where they need it.
func commaSeparatedText(_ lines: [[String]]) -> String {
    lines.map { line in
        line.map { field in
            field.contains(where: { ",\"\r\n".contains($0) || $0.isNewline }) ? "\"\(field.replacing("\"", with: "\"\""))\"" : field
        }.joined(separator: ",") + "\n"
    }.joined()
}
