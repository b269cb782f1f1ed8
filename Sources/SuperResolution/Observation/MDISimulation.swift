import Foundation
import Groundwork
import SolarImage
import TensorCore

/// What MDI would have seen of a field that HMI observed: blurred by MDI's optics, averaged over MDI's pixels, on MDI's scale of Gauss, with MDI's
/// noise.
///
/// MDI's saturation in the umbrae of large spots is not imitated, nor that its noise varies over the disk.
package struct MDISimulation: Sendable, Equatable {
    /// Full width at half maximum, in arcsec, of the Gaussian by which HMI's field is blurred before it is averaged over pixels; 0 for none.
    ///
    /// 3.32″ is the Gaussian that Yeo, Solanki & Krivova 2024 (A&A, doi:10.1051/0004-6361/202450102, Table 2) blur HMI's magnetograms with to compare
    /// them with MDI's. With it, the slope of MDI on HMI comes out as ``factor`` in a region observed by both.
    package var blurWidth = 3.32
    /// What MDI reads where HMI reads 1 G (Liu et al. 2012, Solar Physics 279, 295).
    package var factor = 1.4
    /// Standard deviation of the noise in MDI's Gauss: 16.2 G in magnetograms averaged over five minutes (`INTERVAL` 300), 26.4 G in those of one minute
    /// (Liu et al. 2012); the 96-minute series has both. Of HMI's own noise, 6.3 G in 720 s, less than 1 G is left after blurring.
    package var noise = 16.2
    /// How many pixels of HMI are averaged along each axis.
    package var scale = 4

    package init() {}

    /// - Throws: `Failure` (`.usage`) naming what is out of range.
    package func validate() throws {
        func check(_ isSound: Bool, _ name: String, _ expected: String, _ found: Double) throws {
            guard isSound else { throw Failure(.usage, "\(name) is not valid", expected: expected, found: String(format: "%g", found)) }
        }
        try check((0...60).contains(blurWidth), "the width of the blur", "0 … 60 arcsec", blurWidth)
        try check((0.01...100).contains(factor), "the factor from HMI to MDI", "0.01 … 100", factor)
        try check((0...1000).contains(noise), "the noise", "0 … 1000 G", noise)
        try check((1...64).contains(scale), "the scale", "1 … 64", Double(scale))
    }

    /// The low-resolution image.
    ///
    /// The blur weighs the pixels that hold data only, so NaN does not spread and a uniform field stays what it is up to the limb; borders are
    /// continued by reflection, unless all of them is NaN. A pixel is NaN where all of its block is. For several crops of one map, simulate the map:
    /// its crops then agree where they overlap.
    /// - Parameters:
    ///   - image: HMI's field in Gauss.
    ///   - arcsecPerPixel: the side of its pixels.
    ///   - random: for the noise, such as `Random(seed: seed, name: "MDI noise of \(digest)")`; the value at a pixel depends on its place in the
    ///     image alone.
    /// - Returns: `[height / scale, width / scale]`, in MDI's Gauss; columns and rows beyond the last whole block are dropped.
    /// - Precondition: the image holds at least one block; `arcsecPerPixel` is above 0.
    package func lowResolution(of image: Image, arcsecPerPixel: Double, random: Random) -> Image {
        precondition(arcsecPerPixel > 0, "pixels of \(arcsecPerPixel) arcsec")
        var result = image.blurred(deviation: blurWidth / (8 * log(2.0)).squareRoot() / arcsecPerPixel).blockMean(by: scale)
        var random = random
        let deviates = noise > 0 ? random.normal([result.height, result.width]).values : []
        for index in result.pixels.indices {
            result.pixels[index] = result.pixels[index] * Float(factor) + (deviates.isEmpty ? 0 : deviates[index] * Float(noise))
        }
        return result
    }
}

extension Image {
    /// The mean of the pixels that hold data, weighted by a Gaussian of that standard deviation in pixels. NaN stays NaN.
    package func blurred(deviation: Double) -> Image {
        guard deviation > 0 else { return self }
        func smooth(_ image: Image) -> Image { image.filtered { exp(-2 * .pi * .pi * deviation * deviation * $0 * $0) } }
        var result = smooth(self)
        guard pixels.contains(where: { !$0.isFinite }) else { return result }
        let weights = smooth(Image(width: width, height: height, pixels: pixels.map { $0.isFinite ? 1 : .nan }))
        for index in result.pixels.indices { result.pixels[index] /= weights.pixels[index] }
        return result
    }
}
