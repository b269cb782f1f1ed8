import CFFTW

/// The discrete Fourier transform of a real image, as FFTW computes it (Frigo & Johnson 2005, Proc. IEEE 93, 216): unnormalised, F(k, l) = Σ f(x, y)
/// e^{−2πi(kx/W + ly/H)}.
///
/// Only the half with k = 0 … W/2 is stored; the rest is its conjugate: F(W − k, H − l) = F(k, l)*.
package struct FourierTransform: Sendable {
    /// Size of the image.
    package let width: Int, height: Int
    /// `height` rows of `width / 2 + 1` coefficients, real and imaginary part in turn; row l is the vertical frequency l / height, beyond the middle
    /// l / height − 1.
    package private(set) var coefficients: [Double]

    package var halfWidth: Int { width / 2 + 1 }

    /// Transforms `values`, `height` rows of `width`.
    /// - Precondition: their number is `width * height`, both at least 1.
    package init(of values: [Double], width: Int, height: Int) {
        precondition(width > 0 && height > 0 && values.count == width * height, "the transform of \(width) × \(height) got \(values.count) values")
        self.width = width
        self.height = height
        coefficients = [Double](repeating: 0, count: height * (width / 2 + 1) * 2)
        let plan = FourierPlan.of(.image(width: width, height: height))
        var values = values
        values.withUnsafeMutableBufferPointer { input in
            coefficients.withUnsafeMutableBytes { output in
                fftw_execute_dft_r2c(plan.pointer, input.baseAddress, output.bindMemory(to: fftw_complex.self).baseAddress)
            }
        }
    }

    /// Calls `body` for each stored coefficient.
    /// - Parameters:
    ///   - index: position in pairs: the real part is `coefficients[2 * index]`.
    ///   - frequency: distance from zero frequency in cycles per pixel, 0 to 0.707.
    ///   - multiplicity: how many coefficients of the whole transform it stands for, 1 or 2.
    package func forEachFrequency(_ body: (_ index: Int, _ frequency: Double, _ multiplicity: Double) -> Void) {
        for row in 0..<height {
            let vertical = Double(row <= height / 2 ? row : row - height) / Double(height)
            for column in 0..<halfWidth {
                let horizontal = Double(column) / Double(width)
                let isAlone = column == 0 || (width % 2 == 0 && column == width / 2)
                body(row * halfWidth + column, (horizontal * horizontal + vertical * vertical).squareRoot(), isAlone ? 1 : 2)
            }
        }
    }
}
