import Foundation
import Groundwork
import SolarImage

/// Scores of models on maps, kept in a folder so that an evaluation with one more model, or one that was interrupted, does not begin anew.
///
/// An entry is named after the digest of all it follows from: program, model, map and options. So it is never out of date, and none is ever changed.
struct EvaluationCache {
    struct Entry: Codable {
        var scores: [Score]
        var secondsPerSample: Double
    }

    /// The predictions of a map that pictures show, in Gauss.
    struct Pictures {
        var first: Image
        /// The standard deviation of the samples, and the mask of where it is fine; nil for one sample.
        var deviation: Image?
        var fine: Image?
    }

    let folder: URL

    /// To be raised whenever a metric, or what is scored, changes.
    private static let format = 3

    private struct Contents: Codable {
        var format = EvaluationCache.format
        var program = programVersion
        var model: String
        var map: String
        var metrics: [String]
        var options: EvaluationOptions
    }

    /// - Parameters:
    ///   - model: what the predictions follow from, beside the map and the options.
    ///   - map: the digest of the map's file.
    static func key(model: String, map: String, metrics: [String], options: EvaluationOptions) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        return try encoder.encode(Contents(model: model, map: map, metrics: metrics, options: options)).withUnsafeBytes { try sha256(of: $0) }
    }

    private func file(_ key: String, _ ending: String) -> URL { folder.appendingPathComponent("\(key).\(ending)") }

    /// What is kept under a key; nil if nothing is, or nothing that can be read.
    func entry(_ key: String) -> Entry? {
        let decoder = JSONDecoder()
        decoder.nonConformingFloatDecodingStrategy = Self.convertFromString
        return (try? Data(contentsOf: file(key, "json"))).flatMap { try? decoder.decode(Entry.self, from: $0) }
    }

    /// - Throws: `Failure` (`.cannotWrite`).
    func store(_ entry: Entry, _ key: String) throws {
        let encoder = JSONEncoder()
        encoder.nonConformingFloatEncodingStrategy = Self.convertToString
        try writeAtomically(String(decoding: try encoder.encode(entry), as: UTF8.self), to: file(key, "json"))
    }

    func pictures(_ key: String) -> Pictures? {
        try? {
            let file = try FITSFile(reading: file(key, "fits"))
            return Pictures(
                first: try file.firstImage().image, deviation: try file.image(named: "STD")?.image, fine: try file.image(named: "FINE")?.image)
        }()
    }

    /// - Throws: `Failure` (`.cannotWrite`).
    func store(_ pictures: Pictures, _ key: String) throws {
        var extensions: [FITSWriter.Extension] = []
        for (name, image) in [("STD", pictures.deviation), ("FINE", pictures.fine)] {
            if let image { extensions.append((name, image, FITSHeader())) }
        }
        try FITSWriter.write(pictures.first, header: FITSHeader(), extensions: extensions, to: file(key, "fits"), overwrite: true)
    }

    private static let convertToString = JSONEncoder.NonConformingFloatEncodingStrategy.convertToString(
        positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    private static let convertFromString = JSONDecoder.NonConformingFloatDecodingStrategy.convertFromString(
        positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
}
