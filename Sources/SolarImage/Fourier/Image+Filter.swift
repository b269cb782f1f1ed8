import Groundwork

extension Image {
    /// The image with each Fourier coefficient multiplied by a gain that depends on its distance from zero frequency alone.
    ///
    /// The image is continued by reflection at its borders, so that opposite borders do not mix. NaN counts as 0 and stays NaN.
    /// - Parameter gain: of the frequency in cycles per pixel, 0 to 0.707; called by several threads.
    package func filtered(gain: (_ frequency: Double) -> Double) -> Image {
        var values = pixels.map { $0.isFinite ? Double($0) : 0 }
        CosineFilter.apply(gain, to: &values, width: width, height: height)
        var result = self
        for (index, value) in values.enumerated() where pixels[index].isFinite { result.pixels[index] = Float(value) }
        return result
    }

    /// The image above a cut-off, by a ``ButterworthHighPass``.
    /// - Parameter cutoff: cycles per pixel, where the gain is 1/√2; above 0.
    package func highPassed(cutoff: Double, order: Int) -> Image {
        filtered(gain: ButterworthHighPass(cutoff: cutoff, order: order).gain(at:))
    }
}
