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

    /// An entry as it is kept: with the digest of its text, so that a damaged one is none.
    private struct Kept: Codable {
        var sha256: String
        var entry: String

        init(_ entry: String) throws { (sha256, self.entry) = (try SuperResolution.sha256(ofText: entry), entry) }

        var isWhole: Bool { (try? SuperResolution.sha256(ofText: entry)) == sha256 }
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
        guard let data = try? Data(contentsOf: file(key, "json")), let kept = try? JSONDecoder().decode(Kept.self, from: data), kept.isWhole else {
            return nil
        }
        return try? decoder.decode(Entry.self, from: Data(kept.entry.utf8))
    }

    /// - Throws: `Failure` (`.cannotWrite`).
    func store(_ entry: Entry, _ key: String) throws {
        let encoder = JSONEncoder()
        encoder.nonConformingFloatEncodingStrategy = Self.convertToString
        let kept = try Kept(String(decoding: try encoder.encode(entry), as: UTF8.self))
        try writeAtomically(String(decoding: try JSONEncoder().encode(kept), as: UTF8.self), to: file(key, "json"))
    }

    /// - Parameter size: of the map that they are of.
    func pictures(_ key: String, size: (width: Int, height: Int)) -> Pictures? {
        try? {
            let file = try FITSFile(reading: file(key, "fits")), first = try file.firstImage()
            let (deviation, fine) = (try file.image(named: "STD"), try file.image(named: "FINE"))
            // Neither of another size nor damaged.
            let areSound = [first, deviation, fine].compactMap(\.self).allSatisfy { ($0.image.width, $0.image.height) == size && $0.remarks.isEmpty }
            return areSound ? Pictures(first: first.image, deviation: deviation?.image, fine: fine?.image) : nil
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
