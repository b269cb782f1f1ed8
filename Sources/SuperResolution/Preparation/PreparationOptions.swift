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
        /// At the places of NOAA's active regions.
        case noaa
    }

    /// What is never torn apart.
    package enum SplitUnit: String, Sendable, CaseIterable {
        /// Crops that show one active region or one part of the Sun; where neither is known, those of one month.
        case region
        /// A calendar month in UTC.
        case month
        case file
    }

    /// Where the low resolution of pairs comes from.
    package enum LowResolution: Sendable, Equatable {
        /// No pairs: it is made of the crops when they are used.
        case none
        /// What an instrument would have seen.
        case simulated(Observation, by: Instrument)
        /// MDI's maps in this folder, which lie on the grid of HMI's.
        case registered(URL)
        /// MDI's full disks in this folder, taken at most so many minutes from HMI's; crops lie on MDI's grid made finer.
        case matched(URL, minutes: Double)
    }

    /// Files of others are left out; nil takes all. A file that does not tell its instrument is taken to be of this one.
    package var instrument: Instrument?
    /// Side of a crop in pixels, a multiple of ``scale``; a map that is no larger is taken whole.
    package var cropSize = 1024
    package var cropsPerImage = 1
    package var centre = Centre.random
    /// Files that say where active regions are.
    package var regions: [URL] = []
    /// μ, the cosine of the angle from the centre of the disk, that the centre of a crop has at least. It counts where the header tells it.
    package var minimumMu = 0.2
    /// How much finer the crops are than what will be super-resolved. Crops begin at multiples of it, so that the block means of all crops of a map
    /// are block means of the map.
    package var scale = 4
    package var lowResolution = LowResolution.none
    /// The correlation that the two images of a pair have at least.
    package var minimumCorrelation = 0.7
    /// What MDI reads where HMI reads 1 G; nil for what each file's conditions say.
    package var factor: Double?
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
        try check(centre != .noaa || !regions.isEmpty, "centre noaa", "positions of active regions, --regions FILE", "none")
        try check((0...1).contains(minimumMu), "min-mu", "0 (the limb) … 1 (the centre of the disk)", minimumMu)
        try check((-1...1).contains(minimumCorrelation), "min-correlation", "−1 … 1", minimumCorrelation)
        try check((0.01...100).contains(factor ?? 1), "mdi-factor", "0.01 … 100", factor ?? 1)
        if case .simulated(let observation, _) = lowResolution { try observation.validate() }
        if case .matched(_, let minutes) = lowResolution {
            try check((0...10080).contains(minutes), "max-time-difference", "0 … 10080 minutes", minutes)
        }
        try check(
            split.count == PreparationPart.allCases.count && split.allSatisfy { $0 >= 0 } && abs(split.reduce(0, +) - 1) < 1e-3, "split",
            "three shares for training, validation and test, 1 in sum, such as 0.7,0.15,0.15", splitText)
    }

    private var splitText: String { split.map { String(format: "%g", $0) }.joined(separator: ",") }

    /// As a configuration file that `sr prepare --config` reads; version and inputs stand in comments.
    package func yaml(inputs: [String]) -> String {
        // A line break in a path must not end the comment.
        let inputs = inputs.map { "#   \($0.replacing("\n", with: "\\n"))\n" }.joined()
        func quoted(_ url: URL) -> String { (try? jsonText(url.path)) ?? "" }
        var lines = [
            "instrument: \(instrument?.name ?? "auto")", "crop-size: \(cropSize)", "crops-per-image: \(cropsPerImage)",
            "centre: \(centre.rawValue)",
        ]
        if !regions.isEmpty { lines.append("regions: [\(regions.map(quoted).joined(separator: ", "))]") }
        lines += ["min-mu: \(minimumMu)", "scale: \(scale)"]
        let pairing = factor.map { ["mdi-factor: \($0)"] } ?? []
        switch lowResolution {
        case .none: break
        case .simulated(let observation, let instrument):
            lines += [
                "simulate: \(instrument)", "mdi-factor: \(observation.gain)", "mdi-blur: \(observation.psf.width)", "mdi-noise: \(observation.noise)",
            ]
        case .registered(let folder):
            lines += ["registered: true", "pairs: \(quoted(folder))", "min-correlation: \(minimumCorrelation)"] + pairing
        case .matched(let folder, let minutes):
            lines += ["pairs: \(quoted(folder))", "max-time-difference: \(minutes)", "min-correlation: \(minimumCorrelation)"] + pairing
        }
        lines += [
            "quality-mask: \"\(qualityMask.hexadecimal)\"", "split: \(splitText)", "split-by: \(splitBy.rawValue)", "previews: \(previews)",
            "seed: \(seed)",
        ]
        return "# sr \(programVersion) prepare\n\(inputs)\(lines.joined(separator: "\n"))\n"
    }
}

extension UInt32 {
    /// `0x00010400`
    var hexadecimal: String { String(format: "0x%08x", self) }
}
