import Foundation
import SolarImage

/// What of an ``Observation`` is linear: y = block mean (PSF ∗ x) + noise, on HMI's scale of Gauss.
public struct LinearObservation: Sendable, Codable, Equatable {
    package var psf: PointSpreadFunction
    /// Standard deviation of the noise of a low-resolution pixel in Gauss, white; 0 for none.
    package var noise: Double
    /// The side of a high-resolution pixel.
    package var arcsecPerPixel: Double

    package init(psf: PointSpreadFunction, noise: Double, arcsecPerPixel: Double) {
        (self.psf, self.noise, self.arcsecPerPixel) = (psf, noise, arcsecPerPixel)
    }

    /// - Parameter arcsecPerPixel: the side of a high-resolution pixel.
    package init(_ observation: Observation, arcsecPerPixel: Double) {
        self =
            observation.isExact
            ? .exact : LinearObservation(psf: observation.psf, noise: observation.noiseVariance.squareRoot(), arcsecPerPixel: arcsecPerPixel)
    }

    /// Block means as they are: HMI's field degraded.
    public static let exact = LinearObservation(psf: .none, noise: 0, arcsecPerPixel: 1)

    /// A phrase for headers.
    package var description: String {
        self == .exact
            ? "exact: block means are those of the input"
            : String(format: "by the observation: PSF of FWHM %.3f arcsec, noise %.3f G, white", psf.width, noise)
    }

    /// The transfer function of the PSF at a frequency in cycles per high-resolution pixel whose square is given: 0 … 1.
    package func transfer(atSquare square: Double) -> Double { psf.transfer(at: square.squareRoot() / arcsecPerPixel) }
}
