import Foundation

extension Image {
    /// The image with each Fourier coefficient multiplied by a gain that depends on its distance from zero frequency alone.
    ///
    /// The image is continued by reflection at its borders, so that opposite borders do not mix; where all its border is NaN, as around a full disk,
    /// there is no need. NaN counts as 0 and stays NaN.
    /// - Parameter gain: of the frequency in cycles per pixel, 0 to 0.707.
    package func filtered(gain: (_ frequency: Double) -> Double) -> Image {
        let copies = hasEmptyBorder ? 1 : 2
        let (wide, high) = (copies * width, copies * height)
        var values = [Double](repeating: 0, count: wide * high)
        for y in 0..<high {
            let row = (y < height ? y : high - 1 - y) * width
            for x in 0..<wide {
                let value = pixels[row + (x < width ? x : wide - 1 - x)]
                values[y * wide + x] = value.isFinite ? Double(value) : 0
            }
        }
        var transform = FourierTransform(of: values, width: wide, height: high)
        transform.scale(by: gain)
        let filtered = transform.inverse()
        var result = self
        for y in 0..<height {
            for x in 0..<width where self[x, y].isFinite { result[x, y] = Float(filtered[y * wide + x]) }
        }
        return result
    }

    /// The image above a cut-off: a Butterworth high-pass of that order, with gain 1/√(1 + (cutoff/f)^{2·order}).
    /// - Parameter cutoff: cycles per pixel, where the gain is 1/√2; above 0.
    package func highPassed(cutoff: Double, order: Int) -> Image {
        filtered { frequency in frequency == 0 ? 0 : 1 / (1 + pow(cutoff / frequency, Double(2 * order))).squareRoot() }
    }

    private var hasEmptyBorder: Bool {
        (0..<width).allSatisfy { !self[$0, 0].isFinite && !self[$0, height - 1].isFinite }
            && (0..<height).allSatisfy { !self[0, $0].isFinite && !self[width - 1, $0].isFinite }
    }
}
