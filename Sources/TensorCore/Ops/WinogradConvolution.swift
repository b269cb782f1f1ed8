import Groundwork
import VectorKernels

/// 3 × 3 convolution at stride 1 by Winograd's F(4 × 4, 3 × 3) (Lavin & Gray 2016): 2.25 multiplications an output in the place of 9.
///
/// Each task takes a block of tiles through transform, 36 matrix products and inverse transform while it is in the cache.
struct WinogradConvolution {
    let batch, outputHeight, outputWidth, inputs, outputs: Int

    private var tileRows: Int { (outputHeight + 3) / 4 }
    private var tileColumns: Int { (outputWidth + 3) / 4 }
    private var tiles: Int { batch * tileRows * tileColumns }
    private var weights: Int { inputs * outputs }

    /// Tiles worked on at a time: transformed inputs and outputs of about 1 MiB, the second-level cache of a core, but matrices of at least 32 rows.
    private var block: Int { min(256, max(32, (1 << 18) / (36 * (inputs + outputs)))) }

    /// The convolution that gives the gradient of an input of this height and width: inputs and outputs change places.
    func reversed(height: Int, width: Int) -> WinogradConvolution {
        WinogradConvolution(batch: batch, outputHeight: height, outputWidth: width, inputs: outputs, outputs: inputs)
    }

    /// - Parameters:
    ///   - x: `[batch, height, width, inputs]`
    ///   - weight: `[3, 3, inputs, outputs]`
    ///   - result: `[batch, output height, output width, outputs]`, overwritten
    func convolve(_ x: Tensor, height: Int, width: Int, weight: Tensor, bias: Tensor?, padding: Padding, into result: Tensor) {
        let transformed = Storage(count: 36 * weights)
        Parallel.forEachBlock(of: weights, size: 4096) { winograd_weight(weight.pointer, weights, $0.lowerBound, $0.count, transformed.pointer) }
        Parallel.forEachBlock(of: tiles, size: block) { tiles in
            let planes = Storage(count: 36 * tiles.count * (inputs + outputs))
            let products = planes.pointer + 36 * tiles.count * inputs
            winograd_input(
                x.pointer, height, width, inputs, tileRows, tileColumns, tiles.lowerBound, tiles.count, padding.top, padding.left, planes.pointer)
            for plane in 0..<36 {
                multiply(
                    Matrix(pointer: planes.pointer + plane * tiles.count * inputs, stride: inputs),
                    Matrix(pointer: transformed.pointer + plane * weights, stride: outputs),
                    into: Matrix(pointer: products + plane * tiles.count * outputs, stride: outputs), m: tiles.count, n: outputs, k: inputs)
            }
            winograd_output(
                products, outputHeight, outputWidth, outputs, tileRows, tileColumns, tiles.lowerBound, tiles.count, bias?.pointer, result.pointer)
            withExtendedLifetime(planes) {}
        }
        withExtendedLifetime((transformed, bias)) {}
    }

    /// The gradient of the weights, `[3, 3, inputs, outputs]`: products of transformed inputs and output gradients, summed over a few parts of the tiles and then over the parts.
    func weightGradient(_ gradient: Tensor, _ x: Tensor, height: Int, width: Int, padding: Padding) -> Tensor {
        let size = block
        let blocks = (tiles + size - 1) / size
        let parts = min(blocks, weightGradientParts)
        let partial = Tensor(uninitialized: [parts, 36 * weights])
        Parallel.forEach(parts) { part in
            let planes = Storage(count: 36 * size * (inputs + outputs))
            for index in blocks * part / parts..<blocks * (part + 1) / parts {
                let first = index * size
                let count = min(size, tiles - first)
                let slopes = planes.pointer + 36 * count * inputs
                winograd_input(x.pointer, height, width, inputs, tileRows, tileColumns, first, count, padding.top, padding.left, planes.pointer)
                winograd_output_gradient(gradient.pointer, outputHeight, outputWidth, outputs, tileRows, tileColumns, first, count, slopes)
                for plane in 0..<36 {
                    multiply(
                        Matrix(pointer: planes.pointer + plane * count * inputs, stride: inputs, isTransposed: true),
                        Matrix(pointer: slopes + plane * count * outputs, stride: outputs),
                        into: Matrix(pointer: partial.pointer + (part * 36 + plane) * weights, stride: outputs), m: inputs, n: outputs, k: count,
                        beta: index == blocks * part / parts ? 0 : 1)
                }
            }
            withExtendedLifetime(planes) {}
        }
        let sum = summed(partial, over: [0])
        let result = Tensor(uninitialized: [3, 3, inputs, outputs])
        Parallel.forEachBlock(of: weights, size: 4096) { winograd_weight_gradient(sum.pointer, weights, $0.lowerBound, $0.count, result.pointer) }
        withExtendedLifetime(sum) {}
        return result
    }
}
