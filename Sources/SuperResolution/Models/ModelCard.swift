import Foundation
import Groundwork

/// What a model was found to do, and what it must not be trusted with; kept in its file.
public struct ModelCard: Sendable, Codable, Equatable {
    /// The folder of maps that it was measured on, with the one it lies in, and how many.
    package var data: String
    package var maps: Int
    /// Samples of each map; 1 of a deterministic model.
    package var samples: Int
    /// Means over the maps by ``Metric/key``.
    package var figures: [String: Double]
    /// What its author has to say of its limits.
    package var limits: String?

    package init(data: String, maps: Int, samples: Int, figures: [String: Double], limits: String? = nil) {
        (self.data, self.maps, self.samples, self.figures, self.limits) = (data, maps, samples, figures, limits)
    }

    /// From the `report.json` of an evaluation.
    /// - Parameter digest: the SHA-256 of the model's file.
    /// - Throws: `Failure`: `.missingInput`, or `.badData` if it is no such report, or one that does not tell of the model.
    public init(report url: URL, digest: String, limits: String? = nil) throws {
        guard let bytes = FileManager.default.contents(atPath: url.path) else {
            throw Failure(.missingInput, "there is no such report", at: url.path, remedy: "give the report.json of `sr evaluate`")
        }
        let report: EvaluationReport
        do {
            report = try JSONDecoder().decode(EvaluationReport.self, from: bytes)
        } catch let error as DecodingError {
            throw Failure(.badData, "the file is no report", at: url.path, found: error.summary, remedy: "give the report.json of `sr evaluate`")
        }
        guard let model = report.models.first(where: { $0.fileSHA256 == digest }) else {
            throw Failure(
                .badData, "the report does not tell of the model", at: url.path, expected: "a model of the SHA-256 \(digest)",
                found: report.models.compactMap(\.fileSHA256).joined(separator: ", "), remedy: "evaluate this file")
        }
        let keys = Set(MetricGroup.all.flatMap(\.metrics).map(\.key))
        self.init(
            data: report.data.path.split(separator: "/").suffix(2).joined(separator: "/"), maps: report.data.maps, samples: report.data.samples,
            figures: model.metrics.filter { keys.contains($0.key) && $0.value.mean.isFinite }.mapValues(\.mean), limits: limits)
    }
}

extension ModelCard: CustomStringConvertible {
    /// For people: one line a figure, in the order of the tables.
    public var description: String {
        let rows = MetricGroup.all.flatMap(\.metrics).compactMap { metric in
            figures[metric.key].map { "\(metric.title): \(String(format: "%.\(metric.decimals)f", $0))" }
        }
        let origin = "\(data), \(maps) \(maps == 1 ? "map" : "maps"), \(samples) \(samples == 1 ? "sample" : "samples")"
        return ([origin] + rows + [limits].compactMap { $0 }).joined(separator: "\n")
    }
}
