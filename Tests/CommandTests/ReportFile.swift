import Foundation

/// `report.json`, by the keys that other programs rely on.
struct ReportFile: Decodable {
    struct Model: Decodable {
        var name: String
        var digest: String?
        var metrics: [String: Summary]

        private enum CodingKeys: String, CodingKey {
            case name, metrics
            case digest = "file_sha256"
        }
    }

    struct Summary: Decodable {
        var mean: Double?
        var std: Double?
        var n: Int
        var featureSpace: String?

        private enum CodingKeys: String, CodingKey {
            case mean, std, n
            case featureSpace = "feature_space"
        }
    }

    struct Source: Decodable { var path: String, maps: Int, samples: Int }

    /// How samples were drawn, if any were.
    struct Options: Decodable { var samples: Int?, sampler: String?, steps: Int?, tile: Int?, eta: Double?, seed: Int? }

    var models: [Model]
    var data: Source
    var options: Options
    var warnings: [String]
    var statements: [String]

    /// That of a folder into which `evaluate` wrote.
    init(in folder: URL) throws {
        self = try JSONDecoder().decode(ReportFile.self, from: Data(contentsOf: folder.appendingPathComponent("report.json")))
    }

    func metric(_ model: String, _ key: String) -> Summary? { models.first { $0.name == model }?.metrics[key] }
    func mean(_ model: String, _ key: String) -> Double? { metric(model, key)?.mean }
}
