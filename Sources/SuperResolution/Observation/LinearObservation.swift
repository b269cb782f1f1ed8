import Foundation
import SolarImage

/// What is known of how low resolution came about: y = block mean (PSF ∗ x) + noise, on HMI's scale of Gauss.
public struct LinearObservation: Sendable, Codable, Equatable {
    /// Full width at half maximum of the PSF, a Gaussian, in high-resolution pixels; 0 for a point.
    package var blurWidth: Double
    /// Standard deviation of the noise of a low-resolution pixel in Gauss, white; 0 for none.
    package var noise: Double

    package init(blurWidth: Double, noise: Double) { (self.blurWidth, self.noise) = (blurWidth, noise) }

    /// Block means as they are: HMI's field degraded.
    public static let exact = LinearObservation(blurWidth: 0, noise: 0)

    /// What MDI makes of the field that HMI would record, as ``MDISimulation`` has it.
    /// - Parameters:
    ///   - interval: seconds that were averaged, MDI's keyword `INTERVAL`; nil where it is not known, taken as 300.
    ///   - factor: what its values were divided by.
    ///   - arcsecPerPixel: the side of a high-resolution pixel.
    package static func mdi(interval: Double? = nil, factor: Double = MDISimulation().factor, arcsecPerPixel: Double) -> LinearObservation {
        let simulation = MDISimulation()
        // One minute: Liu et al. 2012, Solar Physics 279, 295.
        let noise = interval.map { $0 < 300 } == true ? 26.4 : simulation.noise
        return LinearObservation(blurWidth: simulation.blurWidth / arcsecPerPixel, noise: noise / factor)
    }

    /// A phrase for headers.
    package var description: String {
        self == .exact
            ? "exact: block means are those of the input"
            : String(format: "by the observation: PSF of FWHM %.3f pixels, noise %.3f G, white", blurWidth, noise)
    }

    /// The transfer function of the PSF at a frequency in cycles per high-resolution pixel whose square is given: 0 … 1.
    package func transfer(atSquare square: Double) -> Double {
        // exp(−2π²σ²f²), where the width is σ √(8 ln 2).
        exp(-square * (.pi * blurWidth) * (.pi * blurWidth) / (4 * log(2)))
    }
}
