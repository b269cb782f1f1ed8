import Foundation
import Groundwork
import SolarImage

/// A file that crops are taken from, with what is known of it after one reading.
package struct PreparationSource: Sendable, Codable {
    /// Its place among the inputs.
    package let number: Int
    package let url: URL
    package let sha256: String
    package let instrument: Instrument
    package let taiSeconds: Double?
    /// Those that header and name tell of.
    package let regions: [Region]
    package let quality: UInt32?
    package let arcsecPerPixel: Double?
    package let width, height: Int
    /// Whether it is upside down in the file. Crops are taken from it turned upright.
    package let isTurned: Bool
    package let crops: [PreparationCrop]
    /// Crops that were not taken, since they make no pairs.
    package let refusals: [Refusal]

    package struct Refusal: Sendable, Codable {
        package let frame: CropFrame
        package let reason: String
    }

    package init(
        number: Int, url: URL, sha256: String, instrument: Instrument, taiSeconds: Double?, regions: [Region], quality: UInt32?,
        arcsecPerPixel: Double?, width: Int, height: Int, isTurned: Bool, crops: [PreparationCrop],
        refusals: [Refusal] = []
    ) {
        (self.number, self.url, self.sha256, self.instrument) = (number, url, sha256, instrument)
        (self.taiSeconds, self.regions, self.quality, self.arcsecPerPixel) = (taiSeconds, regions, quality, arcsecPerPixel)
        (self.width, self.height, self.isTurned, self.crops, self.refusals) = (width, height, isTurned, crops, refusals)
    }

    package var time: ObservationTime? { taiSeconds.map(ObservationTime.init(taiSeconds:)) }

    /// Pixels of all its crops.
    package var pixels: Int { crops.reduce(0) { $0 + $1.pixels } }

    /// Year and month of observation, such as `2012-03`, in UTC.
    package var month: String? { time.map { String($0.description.prefix(7)) } }
}

/// A crop, but for its pixels.
package struct PreparationCrop: Sendable, Codable, Equatable {
    /// In the upright map.
    package let frame: CropFrame
    package let statistics: FieldStatistics
    /// Those that it shows.
    package let regions: [Region]
    /// Of its centre, if known.
    package let mu: Double?
    /// What it shows of the Sun, if known.
    package let footprint: CropFootprint?
    package let pair: PairStatistics?

    package init(
        frame: CropFrame, statistics: FieldStatistics, regions: [Region] = [], mu: Double? = nil, footprint: CropFootprint? = nil,
        pair: PairStatistics? = nil
    ) {
        (self.frame, self.statistics, self.regions) = (frame, statistics, regions)
        (self.mu, self.footprint, self.pair) = (mu, footprint, pair)
    }

    package var pixels: Int { frame.width * frame.height }
}

/// A file that is left out.
package struct PreparationRejection: Sendable {
    package let number: Int
    package let url: URL
    package let reason: String
    /// What is wrong with the file; nil if it is sound, but not wanted.
    package let failure: Failure?

    init(number: Int, url: URL, reason: String) {
        (self.number, self.url, self.reason, failure) = (number, url, reason, nil)
    }

    init(number: Int, url: URL, failure: Failure) {
        // The file is named beside the reason; the place within it belongs to the reason.
        var text = failure
        text.location = failure.location.flatMap { location in
            let place = location.hasPrefix(url.path) ? location.dropFirst(url.path.count).drop { $0 == "," || $0 == " " } : Substring(location)
            return place.isEmpty ? nil : String(place)
        }
        (self.number, self.url, self.reason, self.failure) = (number, url, text.description, failure)
    }
}

/// Regions are written as ``Region/description`` shows them.
extension Region: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let parts = try container.decode(String.self).split(separator: " ")
        switch (parts.first, parts.dropFirst().first.flatMap { Int($0) }) {
        case ("HARP", let number?): self = .harp(number)
        case ("TARP", let number?): self = .tarp(number)
        case ("NOAA", let number?): self = .noaa(number)
        default: throw DecodingError.dataCorruptedError(in: container, debugDescription: "not a region")
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
