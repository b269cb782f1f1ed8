import Foundation
import Groundwork
import SolarImage

/// A line of `manifest.jsonl` for a crop.
package struct ManifestCrop: Sendable, Codable, Equatable {
    /// Path within the prepared folder.
    package var output: String
    package var source: String
    /// Of the source's bytes.
    package var sha256: String
    package var split: PreparationPart
    /// All that the source shows, such as `HARP 1449`, `NOAA 11429`.
    package var region: [String]
    package var instrument: Instrument
    /// ISO 8601, UTC.
    package var time: String?
    /// The crop's lowest left pixel in the source, from 0.
    package var x, y: Int
    package var width, height: Int
    package var arcsecPerPixel: Double?
    /// `QUALITY` of the source.
    package var quality: UInt32?
    package var statistics: FieldStatistics

    package enum CodingKeys: String, CodingKey {
        case output, source, sha256, split, region, instrument, time, x, y, width, height, quality, statistics
        case arcsecPerPixel = "arcsec_per_pixel"
    }
}

/// A line of `manifest.jsonl` for a file that was left out.
package struct ManifestRejection: Sendable, Codable, Equatable {
    package var source: String
    /// The reason.
    package var rejected: String
}

/// `manifest.jsonl`, written line by line.
struct ManifestWriter {
    private let url: URL
    private let handle: FileHandle

    /// Begins an empty manifest.
    /// - Throws: `Failure` (`.cannotWrite`).
    init(_ url: URL) throws {
        try writeAtomically("", to: url)
        guard let handle = FileHandle(forWritingAtPath: url.path) else { throw Failure(.cannotWrite, "cannot be written", at: url.path) }
        (self.url, self.handle) = (url, handle)
    }

    func append(_ line: some Encodable) throws {
        do {
            try handle.write(contentsOf: Data((try jsonText(line) + "\n").utf8))
        } catch {
            throw Failure(.cannotWrite, "cannot be written", at: url.path, found: error.localizedDescription)
        }
    }
}

/// JSON on one line with its keys in alphabetical order, or indented.
func jsonText(_ value: some Encodable, isIndented: Bool = false) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    if isIndented { encoder.outputFormatting.insert(.prettyPrinted) }
    return String(decoding: try encoder.encode(value), as: UTF8.self)
}
