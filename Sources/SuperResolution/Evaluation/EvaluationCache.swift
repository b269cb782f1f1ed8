import Foundation
import Groundwork
import SolarImage

/// Scores of models on maps, kept in a folder so that an evaluation with one more model, or one that was interrupted, does not begin anew.
///
/// An entry is named after the digest of all it follows from: the program that computed it, model, map and options. So it is never out of date, and none
/// is ever changed.
package struct EvaluationCache {
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

    private struct Contents: Codable {
        /// ``programDigest()``
        var program: String
        var model: String
        var map: String
        var metrics: [String]
        var options: EvaluationOptions
    }

    /// - Parameters:
    ///   - model: what the predictions follow from, beside the map and the options.
    ///   - map: the digest of the map's file.
    ///   - program: the digest of what computes them.
    /// - Throws: `Failure` if the running program cannot be read.
    package static func key(
        model: String, map: String, metrics: [String], options: EvaluationOptions, program: String? = nil
    ) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let contents = Contents(program: try program ?? programDigest(), model: model, map: map, metrics: metrics, options: options)
        return try encoder.encode(contents).withUnsafeBytes { try sha256(of: $0) }
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
