import Foundation
import SolarImage
import TensorCore

/// Fields that an observation and a power spectrum allow: the ``Kriging`` estimate and a Gaussian random field as its error is distributed, as strong as the
/// field varies about each pixel. It knows nothing of what the Sun's field looks like, so that an ensemble that is worth its name does better.
package struct KrigingEnsemble {
    private let kriging: Kriging
    private let low: Image
    private let mean: Image
    private let digest: String
    private let seed: UInt64

    /// - Parameters:
    ///   - low: in Gauss, NaN where there are no data.
    ///   - seed: of the noise, which is each image's own.
    /// - Throws: `Failure` (`.other`) if libcrypto cannot digest the image.
    package init(_ kriging: Kriging, from low: Image, seed: UInt64) throws {
        (self.kriging, self.low, self.seed) = (kriging, low, seed)
        mean = kriging.estimate(from: low)
        digest = try low.pixelDigest()
    }

    /// A sample in Gauss, NaN where the low resolution is; its block means are those of low resolution where that is exact.
    ///
    /// With e a random field of spectrum S and n noise, the error of the estimate of a field m e is m (e − S Aᵀ (A S Aᵀ + R/m²)⁻¹ (A e + n/m)).
    /// - Parameter number: which sample of the ensemble, 0 up.
    package func sample(_ number: Int) -> Image {
        let factor = kriging.factor
        let (columns, rows) = (low.width, low.height)
        var random = Random(seed: seed, name: "kriging sample \(number) of \(digest)")
        var field = random.normal([rows * factor, columns * factor]).values.map { Double($0) }
        for y in 0..<rows * factor {
            let vertical = Double(y) / Double(2 * rows * factor)
            for x in 0..<columns * factor {
                let horizontal = Double(x) / Double(2 * columns * factor)
                field[y * columns * factor + x] *= kriging.spectrum.power(atSquare: vertical * vertical + horizontal * horizontal).squareRoot()
            }
        }
        let seen = kriging.fold(field, width: columns, height: rows)
        let noise = kriging.observation.noise
        // White noise has white coefficients.
        let deviates = noise > 0 ? random.normal([rows, columns]).values.map { noise * Double($0) } : []
        let error = kriging.blended(over: low) { strength in
            let observed = deviates.isEmpty ? seen : zip(seen, deviates).map { $0 + $1 / strength }
            var error = kriging.spread(observed, width: columns, height: rows, strength: strength)
            for index in error.indices { error[index] = field[index] - error[index] }
            CosineTransform.inverse(&error, width: columns * factor, height: rows * factor)
            return error
        }
        var sample = mean
        // In logarithm, so that no strength between two is below 0.
        let strengths = kriging.strengths(of: low).map { log2($0) }
        sample.pixels.withUnsafeMutableBufferPointer { pixels in
            error.withUnsafeBufferPointer { error in
                BicubicUpsampling(scale: factor).forEachRow(of: strengths, width: columns, height: rows) { y, row in
                    for (x, strength) in row.enumerated() { pixels[y * row.count + x] += Float(exp2(strength)) * error[y * row.count + x] }
                }
            }
        }
        guard kriging.observation == .exact else { return sample }
        return sample.consistent(with: low, spectrum: kriging.spectrum, factor: factor)
    }
}
