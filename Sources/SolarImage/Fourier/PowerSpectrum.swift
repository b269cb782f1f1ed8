import Foundation

/// The Fourier power of an image under a Hann window, by spatial frequency in cycles per pixel (0.5 is the Nyquist frequency along an axis, 0.707 the
/// corner).
///
/// The mean of the finite pixels is subtracted, NaN becomes 0, and the window w(x, y) = sin²(π(x + ½)/W) · sin²(π(y + ½)/H) takes the borders to 0,
/// since a jump from one border to the other would put power into all high frequencies. Power is divided by W·H·Σw², so that white noise of variance
/// σ² has power σ² in all W·H coefficients together, in Gauss².
package struct PowerSpectrum: Sendable {
    /// Transform of the windowed image, not divided by anything.
    package let transform: FourierTransform
    private let normalisation: Double

    package init(of image: Image) {
        let (width, height) = (image.width, image.height)
        let finite = image.pixels.lazy.filter(\.isFinite)
        let mean = finite.reduce(0.0) { $0 + Double($1) } / Double(max(1, finite.count))
        func window(_ count: Int) -> [Double] {
            (0..<count).map {
                let sine = sin(Double.pi * (Double($0) + 0.5) / Double(count))
                return sine * sine
            }
        }
        let (across, up) = (window(width), window(height))
        var values = [Double](repeating: 0, count: width * height)
        image.pixels.withUnsafeBufferPointer { pixels in
            values.withUnsafeMutableBufferPointer { values in
                for y in 0..<height {
                    for x in 0..<width where pixels[y * width + x].isFinite {
                        values[y * width + x] = (Double(pixels[y * width + x]) - mean) * across[x] * up[y]
                    }
                }
            }
        }
        transform = FourierTransform(of: values, width: width, height: height)
        func sumOfSquares(_ window: [Double]) -> Double { window.reduce(0) { $0 + $1 * $1 } }
        normalisation = 1 / (Double(width * height) * sumOfSquares(across) * sumOfSquares(up))
    }

    /// The power, in Gauss², at frequencies above `lower` and up to `upper` cycles per pixel.
    package func power(from lower: Double, to upper: Double) -> Double {
        var sum = 0.0
        transform.coefficients.withUnsafeBufferPointer { values in
            transform.forEachFrequency { index, frequency, multiplicity in
                if frequency > lower, frequency <= upper {
                    sum += multiplicity * (values[2 * index] * values[2 * index] + values[2 * index + 1] * values[2 * index + 1])
                }
            }
        }
        return sum * normalisation
    }

    /// The power, in Gauss², at frequencies above `frequency` cycles per pixel, the corners of the transform included.
    package func power(beyond frequency: Double) -> Double { power(from: frequency, to: .infinity) }

    /// The correlation of this spectrum's coefficients with another's at frequencies above `lower` and up to `upper`: Re ΣFG* / √(Σ|F|² Σ|G|²), −1 to
    /// 1, NaN if either has no power there.
    /// - Precondition: both images have one size.
    package func correlation(with other: PowerSpectrum, from lower: Double, to upper: Double) -> Double {
        precondition(transform.width == other.transform.width && transform.height == other.transform.height, "spectra of different sizes")
        var (product, first, second) = (0.0, 0.0, 0.0)
        transform.coefficients.withUnsafeBufferPointer { a in
            other.transform.coefficients.withUnsafeBufferPointer { b in
                transform.forEachFrequency { index, frequency, multiplicity in
                    guard frequency > lower, frequency <= upper else { return }
                    let (re, im) = (2 * index, 2 * index + 1)
                    product += multiplicity * (a[re] * b[re] + a[im] * b[im])
                    first += multiplicity * (a[re] * a[re] + a[im] * a[im])
                    second += multiplicity * (b[re] * b[re] + b[im] * b[im])
                }
            }
        }
        return product / (first * second).squareRoot()
    }

    /// The mean power of a coefficient in rings of equal width.
    /// - Parameter bins: how many rings divide 0 … 0.5 cycles per pixel; by default half the shorter side.
    /// - Returns: for each ring with a coefficient in it the middle frequency in cycles per pixel and the mean power in Gauss². Zero frequency is
    ///   left out.
    package func radial(bins: Int? = nil) -> [(frequency: Double, power: Double)] {
        let bins = max(1, bins ?? min(transform.width, transform.height) / 2)
        var sums = [Double](repeating: 0, count: bins), counts = sums
        transform.coefficients.withUnsafeBufferPointer { values in
            transform.forEachFrequency { index, frequency, multiplicity in
                guard frequency > 0, frequency <= 0.5 else { return }
                let bin = min(bins - 1, Int(frequency * 2 * Double(bins)))
                sums[bin] += multiplicity * (values[2 * index] * values[2 * index] + values[2 * index + 1] * values[2 * index + 1])
                counts[bin] += multiplicity
            }
        }
        return (0..<bins).filter { counts[$0] > 0 }.map { ((Double($0) + 0.5) / Double(2 * bins), sums[$0] / counts[$0] * normalisation) }
    }

    /// The amplitude |F| of the windowed image with zero frequency in the centre (column W/2, row H/2), in Gauss.
    package var amplitude: Image {
        let (width, height, half) = (transform.width, transform.height, transform.halfWidth)
        var result = Image(width: width, height: height, repeating: 0)
        for row in 0..<height {
            for column in 0..<width {
                // Beyond the middle of the row stands the conjugate of the coefficient at the opposite frequency.
                let isStored = column < half
                let index = (isStored ? row : (height - row) % height) * half + (isStored ? column : width - column)
                let (re, im) = (transform.coefficients[2 * index], transform.coefficients[2 * index + 1])
                result[(column + width / 2) % width, (row + height / 2) % height] = Float((re * re + im * im).squareRoot())
            }
        }
        return result
    }
}
