import Groundwork
import SolarImage
import TensorCore

/// Separable bicubic enlargement by a whole factor: cubic convolution (Keys 1981, *IEEE Trans. ASSP* 29, 1153) with pixel centres at half-integers
/// and edge pixels repeated beyond the edge, as PyTorch's `interpolate(mode="bicubic", align_corners=False)`.
package struct BicubicUpsampling: Sendable {
    /// New pixels per old one along an axis.
    package let scale: Int
    /// For each position of a new pixel inside its old one: the first of its four taps, from -2 to 0 relative to the old pixel, and their weights.
    private let phases: [(first: Int, weights: SIMD4<Double>)]

    /// - Parameter a: the slope of Keys' kernel at distance 1: -0.75 in PyTorch and OpenCV, -0.5 in antialiased resizers (third-order accurate).
    package init(scale: Int, a: Double = -0.75) {
        precondition(scale > 0, "an image cannot be enlarged \(scale) times")
        self.scale = scale
        func kernel(_ distance: Double) -> Double { cubicConvolutionKernel(distance, a: a) }
        phases = (0..<scale).map { phase in
            let centre = (Double(phase) + 0.5) / Double(scale) - 0.5
            let below = centre.rounded(.down)
            let t = centre - below
            return (Int(below) - 1, SIMD4(kernel(1 + t), kernel(t), kernel(1 - t), kernel(2 - t)))
        }
    }

    /// Enlarges `values` (`height` rows of `width`) and hands the new rows, each of `width * scale` values, to `receive` in no set order, on several threads.
    package func forEachRow(of values: [Double], width: Int, height: Int, _ receive: (_ row: Int, _ values: UnsafeBufferPointer<Double>) -> Void) {
        precondition(values.count == width * height, "\(values.count) values are not \(width) × \(height)")
        values.withUnsafeBufferPointer { source in
            Parallel.forEachBlock(of: height * scale, size: 32) { block in
                // Two repeated values at each end stand in for the taps beyond the edges.
                var blended = [Double](repeating: 0, count: width + 4)
                var row = [Double](repeating: 0, count: width * scale)
                for y in block {
                    let vertical = phases[y % scale]
                    let offsets = (0..<4).map { min(max(y / scale + vertical.first + $0, 0), height - 1) * width }
                    let (first, second, third, fourth) = (offsets[0], offsets[1], offsets[2], offsets[3])
                    let weights = vertical.weights
                    blended.withUnsafeMutableBufferPointer { blended in
                        for x in 0..<width {
                            blended[x + 2] =
                                weights[0] * source[first + x] + weights[1] * source[second + x] + weights[2] * source[third + x]
                                + weights[3] * source[fourth + x]
                        }
                        (blended[0], blended[1]) = (blended[2], blended[2])
                        (blended[width + 2], blended[width + 3]) = (blended[width + 1], blended[width + 1])
                        row.withUnsafeMutableBufferPointer { row in
                            for (phase, horizontal) in phases.enumerated() {
                                let weights = horizontal.weights
                                for x in 0..<width {
                                    let tap = x + 2 + horizontal.first
                                    row[x * scale + phase] =
                                        weights[0] * blended[tap] + weights[1] * blended[tap + 1] + weights[2] * blended[tap + 2]
                                        + weights[3] * blended[tap + 3]
                                }
                            }
                        }
                    }
                    row.withUnsafeBufferPointer { receive(y, $0) }
                }
            }
        }
    }
}

extension Image {
    /// The image enlarged `scale` times by ``BicubicUpsampling``. NaN counts as 0 G, and pixels of the result inside a NaN pixel are NaN again.
    package func bicubic(by scale: Int, a: Double = -0.75) -> Image {
        var result = Image(width: width * scale, height: height * scale, repeating: 0)
        let columns = result.width
        let known = pixels.map { $0.isNaN ? 0 : Double($0) }
        pixels.withUnsafeBufferPointer { source in
            result.pixels.withUnsafeMutableBufferPointer { target in
                BicubicUpsampling(scale: scale, a: a).forEachRow(of: known, width: width, height: height) { y, row in
                    let start = y / scale * width
                    for x in 0..<columns { target[y * columns + x] = source[start + x / scale].isNaN ? .nan : Float(row[x]) }
                }
            }
        }
        return result
    }
}
