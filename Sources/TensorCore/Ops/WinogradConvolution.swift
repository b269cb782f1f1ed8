import Groundwork
import VectorKernels

/// 3 × 3 convolution at stride 1 by Winograd's F(4 × 4, 3 × 3) (Lavin & Gray 2016): 2.25 multiplications an output in the place of 9.
///
/// Tiles go through transform, 36 matrix products and inverse transform a cacheful at a time: see ``isNarrow`` for whose cache.
struct WinogradConvolution {
    let batch, outputHeight, outputWidth, inputs, outputs: Int

    private var tileRows: Int { (outputHeight + 3) / 4 }
    private var tileColumns: Int { (outputWidth + 3) / 4 }
    var tiles: Int { batch * tileRows * tileColumns }
    private var weights: Int { inputs * outputs }

    /// Tiles whose transforms, inputs' and outputs', are worked on at a time.
    private var chunk: Int { min(tiles, max(64, ConvolutionAlgorithm.winogradTilesAtATime / (36 * (inputs + outputs)))) }

    /// Tiles left free between planes: at a distance of a power of two all 36 would fall into the same few sets of the cache.
    private var planeGap: Int { 1 }

    /// Whether the transformed weights fit a core's second-level cache: then each task takes a block of tiles through all three steps while that is in
    /// the cache too. Otherwise the tasks share each step of a chunk, so that the weights are packed for the products once a chunk.
    private var isNarrow: Bool { 36 * weights <= ConvolutionAlgorithm.winogradNarrowWeights }

    /// Tiles of a task's block.
    private var narrowBlock: Int { min(256, max(32, ConvolutionAlgorithm.winogradNarrowTiles / (36 * (inputs + outputs)))) }

    /// The convolution that gives the gradient of an input of this height and width: inputs and outputs change places.
    func reversed(height: Int, width: Int) -> WinogradConvolution {
        WinogradConvolution(batch: batch, outputHeight: height, outputWidth: width, inputs: outputs, outputs: inputs)
    }

    /// - Parameters:
    ///   - x: `[batch, height, width, inputs]`
    ///   - weight: `[3, 3, inputs, outputs]`; if `isReversed`, `[3, 3, outputs, inputs]` to be used flipped in space, as for the gradient of an input
    ///   - residual: shaped as `result`, added to it
    ///   - result: `[batch, output height, output width, outputs]`, overwritten
    func convolve(
        _ x: Tensor, height: Int, width: Int, weight: Tensor, isReversed: Bool, bias: Tensor?, residual: Tensor?, padding: Padding,
        into result: Tensor
    ) {
        let transformed = transformedWeights(weight, isReversed: isReversed)
        // Inside a task of its own a chunk's loops run on that task's thread alone.
        func convolve(_ chunk: Range<Int>) {
            let (count, apart) = (chunk.count, chunk.count + planeGap)
            let planes = Storage(count: 36 * apart * (inputs + outputs))
            let products = planes.pointer + 36 * apart * inputs
            Parallel.forEachBlock(of: count, size: 16) { block in
                winograd_input(
                    x.pointer, height, width, inputs, tileRows, tileColumns, chunk.lowerBound + block.lowerBound, block.count, padding.top,
                    padding.left, apart, planes.pointer + block.lowerBound * inputs)
            }
            Parallel.forEach(36) { plane in
                multiply(
                    Matrix(pointer: planes.pointer + plane * apart * inputs, stride: inputs),
                    Matrix(pointer: transformed.pointer + plane * weights, stride: isReversed ? inputs : outputs, isTransposed: isReversed),
                    into: Matrix(pointer: products + plane * apart * outputs, stride: outputs), m: count, n: outputs, k: inputs)
            }
            Parallel.forEachBlock(of: count, size: 16) { block in
                winograd_output(
                    products + block.lowerBound * outputs, outputHeight, outputWidth, outputs, tileRows, tileColumns,
                    chunk.lowerBound + block.lowerBound, block.count, apart, bias?.pointer, residual?.pointer, result.pointer)
            }
            withExtendedLifetime(planes) {}
        }
        if isNarrow {
            Parallel.forEachBlock(of: tiles, size: narrowBlock, convolve)
        } else {
            for first in stride(from: 0, to: tiles, by: chunk) { convolve(first..<min(tiles, first + chunk)) }
        }
        withExtendedLifetime((transformed, bias, residual)) {}
    }

    /// The 36 planes of the weights; kept with them while nothing is recorded, since at inference they stay as they are.
    private func transformedWeights(_ weight: Tensor, isReversed: Bool) -> Storage {
        let isKept = Tape.current == nil && !isReversed
        if isKept, let kept = weight.storage.derived.withLock({ $0 }) { return kept }
        let transformed = Storage(count: 36 * weights)
        Parallel.forEachBlock(of: weights, size: 4096) {
            winograd_weight(weight.pointer, weights, $0.lowerBound, $0.count, isReversed ? 1 : 0, transformed.pointer)
        }
        if isKept { weight.storage.derived.withLock { $0 = transformed } }
        return transformed
    }

    /// The gradient of the weights, `[3, 3, inputs, outputs]`: for each of the 36 planes the product of transformed inputs and output gradients over
    /// a chunk of tiles after the other.
    func weightGradient(_ gradient: Tensor, _ x: Tensor, height: Int, width: Int, padding: Padding) -> Tensor {
        let planes = Storage(count: 36 * (chunk + planeGap) * (inputs + outputs))
        let products = Storage(count: 36 * weights)
        for first in stride(from: 0, to: tiles, by: chunk) {
            let count = min(chunk, tiles - first)
            let apart = count + planeGap
            let slopes = planes.pointer + 36 * apart * inputs
            Parallel.forEachBlock(of: count, size: 16) { block in
                let start = first + block.lowerBound
                winograd_input(
                    x.pointer, height, width, inputs, tileRows, tileColumns, start, block.count, padding.top, padding.left, apart,
                    planes.pointer + block.lowerBound * inputs)
                winograd_output_gradient(
                    gradient.pointer, outputHeight, outputWidth, outputs, tileRows, tileColumns, start, block.count, apart,
                    slopes + block.lowerBound * outputs)
            }
            Parallel.forEach(36) { plane in
                multiply(
                    Matrix(pointer: planes.pointer + plane * apart * inputs, stride: inputs, isTransposed: true),
                    Matrix(pointer: slopes + plane * apart * outputs, stride: outputs),
                    into: Matrix(pointer: products.pointer + plane * weights, stride: outputs), m: inputs, n: outputs, k: count,
                    beta: first == 0 ? 0 : 1)
            }
        }
        let result = Tensor(uninitialized: [3, 3, inputs, outputs])
        Parallel.forEachBlock(of: weights, size: 4096) {
            winograd_weight_gradient(products.pointer, weights, $0.lowerBound, $0.count, result.pointer)
        }
        withExtendedLifetime((planes, products)) {}
        return result
    }
}
