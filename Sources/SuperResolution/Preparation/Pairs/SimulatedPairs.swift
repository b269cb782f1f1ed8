import Foundation
import Groundwork
import SolarImage
import TensorCore

/// Makes the low resolution of each crop as an instrument would have seen it.
package struct SimulatedPairs: LowResolutionSource {
    private let observation: Observation
    private let instrument: Instrument
    private let seed: UInt64
    private let scale: Int

    package init(_ observation: Observation, of instrument: Instrument, seed: UInt64, scale: Int) {
        (self.observation, self.instrument, self.seed, self.scale) = (observation, instrument, seed, scale)
    }

    package func partner(of map: UprightMap) throws -> any LowResolutionPartner {
        guard let arcsecPerPixel = map.geometry.arcsecPerPixel else {
            throw Failure(
                .badData, "the header does not say how large a pixel is, so that \(instrument.title ?? "it") cannot be simulated",
                at: "\(map.file.source.path), CDELT1", expected: "a scale", found: "none")
        }
        return Partner(
            observation: observation, instrument: instrument, arcsecPerPixel: arcsecPerPixel, scale: scale, seed: seed,
            name: "\(instrument.title ?? "") noise of \(map.sha256)")
    }

    private struct Partner: LowResolutionPartner {
        let observation: Observation
        let instrument: Instrument
        let arcsecPerPixel: Double
        let scale: Int
        let seed: UInt64
        let name: String

        var margin: Int { observation.margin(arcsecPerPixel: arcsecPerPixel, scale: scale) }

        func lowResolution(of surroundings: Magnetogram, inner: CropFrame, frame: CropFrame) throws -> LowResolution {
            let crop = surroundings.cropped(x: inner.x, y: inner.y, width: inner.width, height: inner.height)
            // Blurred with its surroundings, but with noise of its own.
            let blurred = observation.mean(of: surroundings.image, arcsecPerPixel: arcsecPerPixel, scale: scale)
            var image = blurred.cropped(x: inner.x / scale, y: inner.y / scale, width: inner.width / scale, height: inner.height / scale)
            var random = Random(seed: seed, name: "\(name) \(frame.x) \(frame.y)")
            observation.addNoise(to: &image, &random)
            let comparison = FieldComparison(of: image, with: crop.image.blockMean(by: scale))
            return LowResolution(
                image: image, by: instrument, of: crop, scale: scale,
                statistics: PairStatistics(
                    kind: .simulated, factor: observation.gain, correlation: comparison.correlation, slopeOfMeans: comparison.slopeThroughOrigin),
                history: "sr \(programVersion): \(instrument.title ?? "") simulated: "
                    + String(
                        format: "blurred to %g arcsec, mean of %d x %d pixels, times %g, noise of %g G", observation.psf.width, scale, scale,
                        observation.gain, observation.noise))
        }
    }
}
