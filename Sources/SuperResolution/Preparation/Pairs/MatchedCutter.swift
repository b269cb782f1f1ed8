import Foundation
import SolarImage

/// Cuts crops of a full disk of MDI on its grid made finer, each with HMI's field resampled there (``MagnetogramPair``).
struct MatchedCutter: CropCutter {
    /// Of MDI's grid made finer.
    let geometry: MapGeometry
    var width: Int { low.image.width * options.scale }
    var height: Int { low.image.height * options.scale }
    let isTurned: Bool

    private let high: UprightMap
    private let low: Magnetogram
    private let lowSHA256: String
    private let options: PreparationOptions

    /// - Parameters:
    ///   - high: HMI's.
    ///   - low: MDI's.
    /// - Throws: `Failure` (`.badData`) if MDI's cannot be read.
    init(high: UprightMap, low: UprightMap, options: PreparationOptions) throws {
        (self.high, self.options) = (high, options)
        (self.low, isTurned, lowSHA256) = (try low.read(), low.isTurned, low.sha256)
        var fine = self.low.header
        fine.refineGrid(by: options.scale)
        geometry = try MapGeometry(fine, time: self.low.time, at: self.low.source.path)
    }

    func cuts(by placement: CropPlacement) throws -> [CropCut] {
        let frames = placement.frames(in: low.image.replicated(by: options.scale))
        guard !frames.isEmpty else { return [] }
        let field = try high.file.whole()
        var pairing = MagnetogramPair.Options()
        // A product of this program is on HMI's scale already.
        let factor = low.header.isProduct ? 1 : options.factor ?? low.conditions.gain
        (pairing.scale, pairing.factor, pairing.minimumCorrelation) = (options.scale, factor, options.minimumCorrelation)
        return frames.map { frame in
            CropCut(frame: frame) { [pairing] in
                let pair = try MagnetogramPair(high: field, low: low, frame: frame, options: pairing), figures = pair.figures
                if let refusal = pair.refusal { throw Unpaired("\(refusal); paired with \(low.source.lastPathComponent)") }
                let statistics = PairStatistics(
                    kind: .matched, source: low.source.path, sha256: lowSHA256, time: low.time?.description, factor: factor,
                    correlation: figures.correlation, slopeOfMeans: figures.slopeThroughOrigin, shift: figures.shift, registration: figures)
                return (
                    pair.high, LowResolution(map: pair.low, statistics: statistics),
                    "SHA-256 of \(field.source.lastPathComponent) \(high.sha256), of \(low.source.lastPathComponent) \(lowSHA256)"
                )
            }
        }
    }
}
