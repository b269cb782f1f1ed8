import Foundation
import Groundwork
import SolarImage
import TensorCore

/// Makes the low resolution of each crop by ``MDISimulation``.
package struct SimulatedPairs: LowResolutionSource {
    package var simulation: MDISimulation
    package var seed: UInt64

    package init(_ simulation: MDISimulation, seed: UInt64) { (self.simulation, self.seed) = (simulation, seed) }

    package func partner(of map: UprightMap) throws -> any LowResolutionPartner {
        guard let arcsecPerPixel = map.geometry.arcsecPerPixel else {
            throw Failure(
                .badData, "the header does not say how large a pixel is, so that MDI cannot be simulated", at: "\(map.file.source.path), CDELT1",
                expected: "a scale", found: "none")
        }
        return Partner(simulation: simulation, arcsecPerPixel: arcsecPerPixel, seed: seed, name: "MDI noise of \(map.sha256)")
    }

    private struct Partner: LowResolutionPartner {
        let simulation: MDISimulation
        let arcsecPerPixel: Double
        let seed: UInt64
        let name: String

        /// Beyond four standard deviations of the blur there is 6·10⁻⁵ of its weight; whole blocks.
        var margin: Int {
            let deviation = simulation.blurWidth / (8 * log(2.0)).squareRoot() / arcsecPerPixel
            return Int((4 * deviation / Double(simulation.scale)).rounded(.up)) * simulation.scale
        }

        func lowResolution(of surroundings: Magnetogram, inner: CropFrame, frame: CropFrame) throws -> LowResolution {
            let crop = surroundings.cropped(x: inner.x, y: inner.y, width: inner.width, height: inner.height)
            let scale = simulation.scale
            // Blurred with its surroundings, but with noise of its own.
            var random = Random(seed: seed, name: "\(name) \(frame.x) \(frame.y)")
            var quiet = simulation
            quiet.noise = 0
            let blurred = quiet.lowResolution(of: surroundings.image, arcsecPerPixel: arcsecPerPixel, random: random)
            var image = blurred.cropped(x: inner.x / scale, y: inner.y / scale, width: inner.width / scale, height: inner.height / scale)
            if simulation.noise > 0 {
                let deviates = random.normal([image.height, image.width]).values
                for index in image.pixels.indices { image.pixels[index] += deviates[index] * Float(simulation.noise) }
            }
            let comparison = FieldComparison(of: image, with: crop.image.blockMean(by: scale))
            return LowResolution(
                image: image, of: crop, scale: scale,
                statistics: PairStatistics(
                    kind: .simulated, factor: simulation.factor, correlation: comparison.correlation, slopeOfMeans: comparison.slopeThroughOrigin),
                history: String(
                    format: "sr \(programVersion): MDI simulated: blurred to %g arcsec, mean of %d x %d pixels, times %g, noise of %g G",
                    simulation.blurWidth, scale, scale, simulation.factor, simulation.noise))
        }
    }
}
