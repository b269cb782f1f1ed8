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
        let operands = weight.packed(.winograd(isReversed: isReversed)) { transformed(weight, isReversed: isReversed) }
        // Inside a task of its own a chunk's loops run on that task's thread alone.
        func convolve(_ chunk: Range<Int>) {
            let (count, apart) = (chunk.count, chunk.count + planeGap)
            let planes = Storage(count: 36 * apart * (inputs + outputs))
            let products = planes.pointer + 36 * apart * inputs
            Parallel.forEachBlock(of: count, size: 8) { block in
                winograd_input(
                    x.pointer, height, width, inputs, tileRows, tileColumns, chunk.lowerBound + block.lowerBound, block.count, padding.top,
                    padding.left, apart, planes.pointer + block.lowerBound * inputs)
            }
            let cut = ProductCut(m: count, n: outputs, k: inputs, batch: 36)
            Parallel.forEach(36 * cut.count) { task in
                let (plane, piece) = (task / cut.count, cut.piece(task % cut.count))
                let start = piece.rows.lowerBound
                operands[plane].product(
                    Matrix(pointer: planes.pointer + (plane * apart + start) * inputs, stride: inputs),
                    into: Matrix(pointer: products + (plane * apart + start) * outputs, stride: outputs), m: piece.rows.count, columns: piece.columns)
            }
            Parallel.forEachBlock(of: count, size: 8) { block in
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
        withExtendedLifetime((x, bias, residual)) {}
    }

    /// The 36 operands `[inputs, outputs]` that the weights become.
    private func transformed(_ weight: Tensor, isReversed: Bool) -> [PackedMatrix] {
        let kernel = ProductKernel.current
        let width = kernel.panelWidth(columns: outputs)
        let size = PackedMatrix.count(rows: inputs, columns: outputs, panelWidth: width)
        let storage = Storage(count: 36 * size)
        let target = storage.pointer
        // Rows of the operands, whole lanes of them where the weights are transposed.
        Parallel.forEachBlock(of: inputs, size: 16) { rows in
            if isReversed {
                winograd_reversed_weight(weight.pointer, outputs, inputs, rows.lowerBound, rows.count, width, target)
            } else {
                winograd_weight(weight.pointer, inputs, outputs, rows.lowerBound, rows.count, width, target)
            }
        }
        return (0..<36).map { PackedMatrix(rows: inputs, columns: outputs, kernel: kernel, storage: storage, offset: $0 * size) }
    }

    /// The gradient of the weights, `[3, 3, inputs, outputs]`: for each of the 36 planes the product of transformed inputs and output gradients over
    /// a chunk of tiles after the other.
    func weightGradient(_ gradient: Tensor, _ x: Tensor, height: Int, width: Int, padding: Padding) -> Tensor {
        let kernel = ProductKernel.current
        let panelWidth = kernel.panelWidth(columns: outputs)
        func apart(_ count: Int) -> Int { PackedMatrix.count(rows: count, columns: outputs, panelWidth: panelWidth) + 16 * planeGap }
        let planes = Storage(count: 36 * (chunk + planeGap) * inputs)
        let slopes = Storage(count: 36 * apart(chunk))
        let products = Storage(count: 36 * weights)
        for first in stride(from: 0, to: tiles, by: chunk) {
            let count = min(chunk, tiles - first)
            let (inputsApart, slopesApart) = ((count + planeGap) * inputs, apart(count))
            Parallel.forEachBlock(of: count, size: 8) { block in
                let start = first + block.lowerBound
                winograd_input(
                    x.pointer, height, width, inputs, tileRows, tileColumns, start, block.count, padding.top, padding.left, count + planeGap,
                    planes.pointer + block.lowerBound * inputs)
                winograd_output_gradient(
                    gradient.pointer, outputHeight, outputWidth, outputs, tileRows, tileColumns, start, block.count, count, panelWidth, slopesApart,
                    slopes.pointer + block.lowerBound * panelWidth)
            }
            let cut = ProductCut(m: inputs, n: outputs, k: count, batch: 36)
            Parallel.forEach(36 * cut.count) { task in
                let (plane, piece) = (task / cut.count, cut.piece(task % cut.count))
                let start = piece.rows.lowerBound
                PackedMatrix(rows: count, columns: outputs, kernel: kernel, storage: slopes, offset: plane * slopesApart).product(
                    Matrix(pointer: planes.pointer + plane * inputsApart + start, stride: inputs, isTransposed: true),
                    into: Matrix(pointer: products.pointer + plane * weights + start * outputs, stride: outputs), m: piece.rows.count,
                    columns: piece.columns, accumulates: first > 0)
            }
        }
        let result = Tensor(uninitialized: [3, 3, inputs, outputs])
        Parallel.forEachBlock(of: weights, size: 4096) {
            winograd_weight_gradient(products.pointer, weights, $0.lowerBound, $0.count, result.pointer)
        }
        withExtendedLifetime((planes, slopes, products, x, gradient)) {}
        return result
    }
}
