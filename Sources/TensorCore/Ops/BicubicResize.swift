import Groundwork
import VectorKernels

/// Keys' cubic convolution kernel (1981, *IEEE Trans. ASSP* 29, 1153) at a distance from its centre, in samples; 0 from 2 on.
/// - Parameter a: the slope at distance 1.
package func cubicConvolutionKernel(_ distance: Double, a: Double) -> Double {
    let x = abs(distance)
    if x <= 1 { return ((a + 2) * x - (a + 3)) * x * x + 1 }
    return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0
}

/// The two bicubic interpolations in use.
public enum BicubicKernel: String, Sendable, Codable, CaseIterable {
    /// Keys' kernel with a = −0.75 over the four nearest pixels, edge pixels repeated: PyTorch's `interpolate(mode="bicubic")`, OpenCV.
    case plain
    /// Keys' kernel with a = −0.5, widened where the image shrinks, over the pixels inside the image: PyTorch's with `antialias=True`, Pillow.
    case antialiased
}

/// Bicubic interpolation to another size, pixel centres at half-integers (PyTorch's `align_corners=False`).
///
/// - Parameters:
///   - x: `[batch, height, width, channels]`
///   - height, width: of the result
/// - Returns: `[batch, height, width, channels]`
public func resizeBicubic(_ x: Tensor, height: Int, width: Int, kernel: BicubicKernel) -> Tensor {
    let (batch, oldHeight, oldWidth, channels) = imageShape(x, "resizeBicubic")
    precondition(min(oldHeight, oldWidth, height, width) > 0, "resizeBicubic: shape \(x.shape) to \(height) × \(width)")
    let vertical = ResamplingMatrix(bicubic: kernel, inputs: oldHeight, outputs: height)
    let horizontal = ResamplingMatrix(bicubic: kernel, inputs: oldWidth, outputs: width)
    func resample(_ x: Tensor, _ vertical: ResamplingMatrix, _ horizontal: ResamplingMatrix) -> Tensor {
        let between = vertical.apply(to: x, outer: batch, inner: x.shape[2] * channels)
        return horizontal.apply(to: between, outer: batch * vertical.outputs, inner: channels)
            .viewed(as: [batch, vertical.outputs, horizontal.outputs, channels])
    }
    return resample(x, vertical, horizontal).recorded(from: [x]) { gradient, _ in [resample(gradient, vertical.transposed, horizontal.transposed)] }
}

/// A sparse matrix whose rows are weights of neighbouring inputs, for one axis of an image.
private struct ResamplingMatrix {
    let inputs, outputs: Int
    /// The most weights that an output has.
    private let taps: Int
    /// For each output the input of its first weight, and how many weights it has. What it has none for may be infinite, and must not be multiplied by 0.
    private let first, counts: [Int]
    /// `[outputs, taps]`
    private let weights: [Float]

    /// - Parameter rows: for each output the input of its first weight, and its weights.
    private init(inputs: Int, rows: [(first: Int, weights: [Double])]) {
        self.inputs = inputs
        outputs = rows.count
        let taps = rows.reduce(1) { max($0, $1.weights.count) }
        (first, counts) = (rows.map(\.first), rows.map(\.weights.count))
        weights = rows.flatMap { row in row.weights.map { Float($0) } + Array(repeating: 0, count: taps - row.weights.count) }
        self.taps = taps
    }

    init(bicubic kernel: BicubicKernel, inputs: Int, outputs: Int) {
        let scale = Double(inputs) / Double(outputs)
        let rows = (0..<outputs).map { output -> (first: Int, weights: [Double]) in
            let centre = (Double(output) + 0.5) * scale
            switch kernel {
            case .plain:
                let nearest = Int((centre - 0.5).rounded(.down))
                let first = max(nearest - 1, 0)
                var weights = [Double](repeating: 0, count: min(nearest + 2, inputs - 1) - first + 1)
                for input in nearest - 1...nearest + 2 {
                    weights[min(max(input, 0), inputs - 1) - first] += cubicConvolutionKernel(Double(input) + 0.5 - centre, a: -0.75)
                }
                return (first, weights)
            case .antialiased:
                let width = max(1, scale)
                let first = max(0, Int(centre - 2 * width + 0.5))
                let end = min(inputs, Int(centre + 2 * width + 0.5))
                let weights = (first..<end).map { cubicConvolutionKernel((Double($0) + 0.5 - centre) / width, a: -0.5) }
                let total = weights.reduce(0, +)
                return (first, weights.map { $0 / total })
            }
        }
        self.init(inputs: inputs, rows: rows)
    }

    /// The matrix that carries gradients back. The outputs that see an input are neighbours, as the inputs that an output sees are.
    var transposed: ResamplingMatrix {
        var rows = [(first: Int, weights: [Double])](repeating: (0, []), count: inputs)
        for output in 0..<outputs {
            for tap in 0..<counts[output] {
                let input = first[output] + tap
                if rows[input].weights.isEmpty { rows[input].first = output }
                rows[input].weights += [Double](repeating: 0, count: output - rows[input].first - rows[input].weights.count)
                rows[input].weights.append(Double(weights[output * taps + tap]))
            }
        }
        return ResamplingMatrix(inputs: outputs, rows: rows)
    }

    /// `[outer, inputs, inner]` in memory → `[outer, outputs, inner]`. Nothing is recorded.
    func apply(to x: Tensor, outer: Int, inner: Int) -> Tensor {
        let result = Tensor(uninitialized: [outer, outputs, inner])
        // Blocks of lines where there are many, of a line's outputs where there are few.
        let lines = max(1, elementwiseBlock / (outputs * inner))
        let size = lines > 1 ? outputs : max(1, elementwiseBlock / inner)
        let pieces = (outputs + size - 1) / size
        first.withUnsafeBufferPointer { first in
            counts.withUnsafeBufferPointer { counts in
                weights.withUnsafeBufferPointer { weights in
                    guard let first = first.baseAddress, let counts = counts.baseAddress, let weights = weights.baseAddress else { return }
                    Parallel.forEach((outer + lines - 1) / lines * pieces) { task in
                        let start = task % pieces * size
                        for line in task / pieces * lines..<min(outer, (task / pieces + 1) * lines) {
                            image_resample(
                                x.pointer + line * inputs * inner, inner, min(size, outputs - start), first + start, counts + start, taps,
                                weights + start * taps, result.pointer + (line * outputs + start) * inner)
                        }
                    }
                }
            }
        }
        return result
    }
}
