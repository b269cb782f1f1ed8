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
    /// All that it shows, such as `HARP 1449`, `NOAA 11429`.
    package var region: [String]
    package var instrument: Instrument
    /// ISO 8601, UTC.
    package var time: String?
    /// The crop's lowest left pixel in the source, from 0, in the source turned by 180° where ``turned`` says so.
    package var x, y: Int
    package var width, height: Int
    /// Whether the source is upside down, and the crop was turned upright.
    package var turned: Bool
    /// μ of the crop's centre.
    package var mu: Double?
    /// Carrington longitude and latitude of the crop's centre in degrees.
    package var carrington: [Double]?
    package var arcsecPerPixel: Double?
    /// `QUALITY` of the source.
    package var quality: UInt32?
    package var statistics: FieldStatistics
    /// How the extension `LR` goes with the crop, if it has one.
    package var pair: PairStatistics?

    package enum CodingKeys: String, CodingKey {
        case output, source, sha256, split, region, instrument, time, x, y, width, height, turned, mu, carrington, quality, statistics, pair
        case arcsecPerPixel = "arcsec_per_pixel"
    }
}

/// A line of `manifest.jsonl` for a file, or a crop of one, that was left out.
package struct ManifestRejection: Sendable, Codable, Equatable {
    package var source: String
    /// The reason.
    package var rejected: String
}

/// JSON on one line with its keys in alphabetical order, or indented.
func jsonText(_ value: some Encodable, isIndented: Bool = false) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    if isIndented { encoder.outputFormatting.insert(.prettyPrinted) }
    return String(decoding: try encoder.encode(value), as: UTF8.self)
}
