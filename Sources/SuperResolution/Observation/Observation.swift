import Foundation
import Groundwork
import SolarImage
import TensorCore

/// What an instrument makes of a field x that HMI would record: y = gain · block mean(PSF ∗ x) + noise.
///
/// Simulation, training, consistency and uncertainty all mean this by an observation. Two terms are not linear, and none of those that invert it know
/// of them: in weak field the gain may be larger, and strong field may saturate.
package struct Observation: Sendable, Codable, Equatable {
    /// What the instrument reads where HMI reads 1 G.
    package var gain = 1.0
    package var psf = PointSpreadFunction.none
    /// Standard deviation of the noise in the instrument's Gauss per low-resolution pixel, independent from pixel to pixel.
    package var noise = 0.0
    /// By how much of itself the gain is larger in the weakest field. It falls off as exp(−(B / 400 G)²), with B the field on HMI's scale: so do the
    /// ratios of MDI to blurred HMI in three pairs of NOAA 11183, from 1.62 at 15–60 G over 1.49 at 300–450 G to 1.40 beyond 700 G.
    package var weakFieldExcess = 0.0
    /// In the instrument's Gauss, what no field exceeds before noise is added; nil for none.
    package var saturation: Double?

    package init() {}

    /// By the conditions of an image, with the noise of its part of the disk.
    package init(of map: Magnetogram) {
        let conditions = map.conditions
        self.init(conditions)
        noise = conditions.noise(over: map.grid, width: map.image.width, height: map.image.height)
    }

    /// By conditions, with the noise of the whole disk.
    package init(_ conditions: ObservingConditions) {
        (gain, psf, noise, saturation) = (conditions.gain, conditions.psf, conditions.noise, conditions.saturation)
    }

    /// The mean of every block, without blur or noise: HMI degraded.
    package static let blockMean = Observation()

    /// Whether the block means of x are known exactly, up to the gain.
    package var isExact: Bool { psf == .none && noise == 0 }

    /// The variance of the noise on HMI's scale, in G² per low-resolution pixel: of y / gain.
    package var noiseVariance: Double { (noise / gain) * (noise / gain) }

    /// - Throws: `Failure` (`.usage`) naming what is out of range.
    package func validate() throws {
        func check(_ isSound: Bool, _ name: String, _ expected: String, _ found: Double) throws {
            guard isSound else { throw Failure(.usage, "\(name) is not valid", expected: expected, found: String(format: "%g", found)) }
        }
        try check((0...60).contains(psf.width), "the width of the blur", "0 … 60 arcsec", psf.width)
        try check((0...1).contains(psf.wingFraction), "the wing of the blur", "0 … 1", psf.wingFraction)
        try check((0...600).contains(psf.wingWidth), "the width of the wing", "0 … 600 arcsec", psf.wingWidth)
        try check((0.01...100).contains(gain), "the factor from HMI to the instrument", "0.01 … 100", gain)
        try check((0...1000).contains(noise), "the noise", "0 … 1000 G", noise)
    }
}

extension Observation {
    /// How many pixels of x around a crop its low resolution depends on; whole blocks.
    package func margin(arcsecPerPixel: Double, scale: Int) -> Int {
        Int((psf.reach / arcsecPerPixel / Double(scale)).rounded(.up)) * scale
    }

    /// The low resolution without noise, in the instrument's Gauss.
    ///
    /// The blur weighs the pixels that hold data only, so NaN does not spread and a uniform field stays what it is up to the limb; borders are continued
    /// by reflection. A pixel is NaN where all of its block is.
    /// - Parameters:
    ///   - image: x in Gauss.
    ///   - arcsecPerPixel: the side of its pixels.
    /// - Returns: `[height / scale, width / scale]`; columns and rows beyond the last whole block are dropped.
    /// - Precondition: the image holds at least one block; `arcsecPerPixel` is above 0.
    package func mean(of image: Image, arcsecPerPixel: Double, scale: Int) -> Image {
        precondition(arcsecPerPixel > 0, "pixels of \(arcsecPerPixel) arcsec")
        var result = image.blurred(by: psf, arcsecPerPixel: arcsecPerPixel).blockMean(by: scale)
        guard gain != 1 || weakFieldExcess != 0 || saturation != nil else { return result }
        let limit = saturation.map { Float($0) } ?? .infinity
        for index in result.pixels.indices {
            let field = Double(result.pixels[index])
            let excess = weakFieldExcess == 0 ? 0 : weakFieldExcess * exp(-(field / 400) * (field / 400))
            let value = Float(field * gain * (1 + excess))
            result.pixels[index] = value.isNaN ? .nan : max(-limit, min(limit, value))
        }
        return result
    }

    /// Adds the noise.
    /// - Parameter random: the value at a pixel depends on its place in the image alone.
    package func addNoise(to image: inout Image, _ random: inout Random) {
        guard noise > 0 else { return }
        let deviates = random.normal([image.height, image.width]).values
        for index in image.pixels.indices { image.pixels[index] += deviates[index] * Float(noise) }
    }
}
