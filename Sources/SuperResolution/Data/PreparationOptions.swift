import Foundation
import Groundwork
import SolarImage

/// The parts that prepared crops are split into; each has a folder of that name.
package enum PreparationPart: String, Sendable, Codable, CaseIterable {
    case train, validation, test
}

/// What `sr prepare` was asked to do.
package struct PreparationOptions: Sendable, Equatable {
    package enum Centre: String, Sendable, CaseIterable {
        /// Anywhere, every place as likely as another.
        case random
        /// Where the unsigned flux is densest.
        case strongest
    }

    /// What is never torn apart.
    package enum SplitUnit: String, Sendable, CaseIterable {
        /// Maps that share an active region; those without one by the month of observation.
        case region
        /// A calendar month in UTC.
        case month
        case file
    }

    /// Files of others are left out; nil takes all. A file that does not tell its instrument is taken to be of this one.
    package var instrument: Instrument?
    /// Side of a crop in pixels, a multiple of ``scale``; a map that is no larger is taken whole.
    package var cropSize = 1024
    package var cropsPerImage = 1
    package var centre = Centre.random
    /// How much finer the crops are than what will be super-resolved. Crops begin at multiples of it, so that the block means of all crops of a map
    /// are block means of the map.
    package var scale = 4
    /// Bits of `QUALITY` that make a file unfit besides the instrument's own.
    package var qualityMask: UInt32 = 0
    /// The share of the pixels that each of ``PreparationPart/allCases`` is to have; 1 in sum.
    package var split = [0.7, 0.15, 0.15]
    package var splitBy = SplitUnit.region
    package var seed: UInt64 = 1
    /// Whether to write a picture of every crop.
    package var previews = false

    package init() {}

    /// Maps with a shorter side are left out.
    package static let smallestSide = 32

    /// - Throws: `Failure` (`.usage`) naming the option, what is expected and what was found.
    package func validate() throws {
        func check(_ isSound: Bool, _ option: String, _ expected: String, _ found: Any) throws {
            guard isSound else { throw Failure(.usage, "--\(option) is not valid", expected: expected, found: "\(found)") }
        }
        try check((2...16).contains(scale), "scale", "2 … 16", scale)
        try check(
            (Self.smallestSide...65536).contains(cropSize) && cropSize % scale == 0, "crop-size",
            "\(Self.smallestSide) … 65536 in steps of \(scale) pixels, as --scale is \(scale)", cropSize)
        try check((1...10000).contains(cropsPerImage), "crops-per-image", "1 … 10000", cropsPerImage)
        try check(
            split.count == PreparationPart.allCases.count && split.allSatisfy { $0 >= 0 } && abs(split.reduce(0, +) - 1) < 1e-3, "split",
            "three shares for training, validation and test, 1 in sum, such as 0.7,0.15,0.15", splitText)
    }

    private var splitText: String { split.map { String(format: "%g", $0) }.joined(separator: ",") }

    /// As a configuration file that `sr prepare --config` reads; version and inputs stand in comments.
    package func yaml(inputs: [String]) -> String {
        // A line break in a path must not end the comment.
        let inputs = inputs.map { "#   \($0.replacing("\n", with: "\\n"))\n" }.joined()
        return """
            # sr \(programVersion) prepare
            \(inputs)instrument: \(instrument?.rawValue ?? "auto")
            crop-size: \(cropSize)
            crops-per-image: \(cropsPerImage)
            centre: \(centre.rawValue)
            scale: \(scale)
            quality-mask: "\(qualityMask.hexadecimal)"
            split: \(splitText)
            split-by: \(splitBy.rawValue)
            previews: \(previews)
            seed: \(seed)

            """
    }
}

extension UInt32 {
    /// `0x00010400`
    var hexadecimal: String { String(format: "0x%08x", self) }
}
