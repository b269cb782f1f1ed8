import Groundwork
import VectorKernels

/// 3 × 3 convolution at stride 1 by Winograd's algorithm F(m × m, 3 × 3) (Lavin & Gray 2016): of 9 multiplications an output 2.25 are left for tiles of m = 4
/// outputs a side, and 4 for m = 2, which takes half as many transformed weights.
///
/// Tiles go through transform, (m + 2)² matrix products and inverse transform a cacheful at a time: see ``isNarrow`` for whose cache.
struct WinogradConvolution {
    /// m, 4 or 2.
    let tileSide: Int
    let batch, outputHeight, outputWidth, inputs, outputs: Int

    private var tileRows: Int { (outputHeight + tileSide - 1) / tileSide }
    private var tileColumns: Int { (outputWidth + tileSide - 1) / tileSide }
    /// Matrix products.
    private var planeCount: Int { (tileSide + 2) * (tileSide + 2) }
    var tiles: Int { batch * tileRows * tileColumns }
    private var weights: Int { inputs * outputs }

    /// Tiles whose transforms, inputs' and outputs', are worked on at a time.
    private var chunk: Int { min(tiles, max(64, ConvolutionAlgorithm.winogradTilesAtATime / (planeCount * (inputs + outputs)))) }

    /// Tiles left free between planes: at a distance of a power of two all would fall into the same few sets of the cache.
    private var planeGap: Int { 1 }

    /// Whether the transformed weights fit a core's second-level cache: then each task takes a block of tiles through all three steps while that is in
    /// the cache too. Otherwise the tasks share each step of a chunk, so that the weights are packed for the products once a chunk.
    private var isNarrow: Bool { planeCount * weights <= ConvolutionAlgorithm.winogradNarrowWeights }

    /// Tiles of a task's block.
    private var narrowBlock: Int { min(256, max(32, ConvolutionAlgorithm.winogradNarrowTiles / (planeCount * (inputs + outputs)))) }

    /// The convolution that gives the gradient of an input of this height and width: inputs and outputs change places.
    func reversed(height: Int, width: Int) -> WinogradConvolution {
        WinogradConvolution(tileSide: tileSide, batch: batch, outputHeight: height, outputWidth: width, inputs: outputs, outputs: inputs)
    }

    /// The tiles over an image that is read or written.
    private func tiles(height: Int, width: Int, channels: Int) -> winograd_tiles {
        winograd_tiles(m: tileSide, rows: tileRows, columns: tileColumns, height: height, width: width, channels: channels)
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
        let (sources, targets) = (
            tiles(height: height, width: width, channels: inputs), tiles(height: outputHeight, width: outputWidth, channels: outputs)
        )
        let operands =
            transformsOnce(weight)
            ? [] : weight.packed(.winograd(tileSide: tileSide, isReversed: isReversed)) { transformed(weight, isReversed: isReversed) }
        // Inside a task of its own a chunk's loops run on that task's thread alone.
        func convolve(_ chunk: Range<Int>) {
            let (count, apart) = (chunk.count, chunk.count + planeGap)
            let planes = Storage(count: planeCount * apart * (inputs + outputs))
            let products = planes.pointer + planeCount * apart * inputs
            Parallel.forEachBlock(of: count, size: 8) { block in
                withUnsafePointer(to: sources) {
                    winograd_input(
                        $0, x.pointer, chunk.lowerBound + block.lowerBound, block.count, padding.top, padding.left, apart,
                        planes.pointer + block.lowerBound * inputs)
                }
            }
            if operands.isEmpty {
                multiply(planes.pointer, apart: apart, count: count, weight, isReversed: isReversed, into: products)
            } else {
                let cut = ProductCut(m: count, n: outputs, k: inputs, batch: planeCount)
                Parallel.forEach(planeCount * cut.count) { task in
                    let (plane, piece) = (task / cut.count, cut.piece(task % cut.count))
                    let start = piece.rows.lowerBound
                    operands[plane].product(
                        Matrix(pointer: planes.pointer + (plane * apart + start) * inputs, stride: inputs),
                        into: Matrix(pointer: products + (plane * apart + start) * outputs, stride: outputs), m: piece.rows.count,
                        columns: piece.columns)
                }
            }
            Parallel.forEachBlock(of: count, size: 8) { block in
                withUnsafePointer(to: targets) {
                    winograd_output(
                        $0, products + block.lowerBound * outputs, chunk.lowerBound + block.lowerBound, block.count, apart, bias?.pointer,
                        residual?.pointer, result.pointer)
                }
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

    /// Whether each part of the weights is transformed where it is multiplied with, in a core's second-level cache, and never written to memory: when it would be
    /// used but once, and there are parts for all threads.
    private func transformsOnce(_ weight: Tensor) -> Bool {
        !weight.keepsPacked && !isNarrow && tiles <= chunk && outputs >= ConvolutionAlgorithm.winogradColumns * Parallel.threadCount
    }

    /// products ← planes·transformed weights, for `count` tiles, planes of `apart` tiles: the bits are those of products with ``transformed(_:isReversed:)``.
    private func multiply(
        _ planes: UnsafeMutablePointer<Float>, apart: Int, count: Int, _ weight: Tensor, isReversed: Bool, into products: UnsafeMutablePointer<Float>
    ) {
        let kernel = ProductKernel.current
        let width = kernel.panelWidth(columns: outputs)
        let depth = Int(gemm_block)
        let size = PackedMatrix.count(rows: depth, columns: ConvolutionAlgorithm.winogradColumns, panelWidth: width) + planeGapOfWeights
        Parallel.forEachBlock(of: outputs, size: ConvolutionAlgorithm.winogradColumns) { columns in
            let operands = Storage(count: planeCount * size)
            for start in stride(from: 0, to: inputs, by: depth) {
                let rows = start..<min(inputs, start + depth)
                transform(
                    weight, isReversed: isReversed, rows: rows, columns: columns, panelWidth: width, depth: rows.count, plane: size,
                    into: operands.pointer)
                for plane in 0..<planeCount {
                    PackedMatrix(rows: rows.count, columns: outputs, kernel: kernel, storage: operands, offset: plane * size).product(
                        Matrix(pointer: planes + plane * apart * inputs + start, stride: inputs),
                        into: Matrix(pointer: products + plane * apart * outputs + columns.lowerBound, stride: outputs), m: count,
                        columns: 0..<columns.count, accumulates: start > 0)
                }
            }
        }
        withExtendedLifetime(weight) {}
    }

    /// Floats left free between planes of weights.
    private var planeGapOfWeights: Int { 16 }

    /// Rows and columns of the operands, `[inputs, outputs]`, into panels of `depth` rows.
    private func transform(
        _ weight: Tensor, isReversed: Bool, rows: Range<Int>, columns: Range<Int>, panelWidth: Int, depth: Int, plane: Int,
        into target: UnsafeMutablePointer<Float>
    ) {
        if isReversed {
            winograd_reversed_weight(
                tileSide, weight.pointer, outputs, inputs, rows.lowerBound, rows.count, columns.lowerBound, columns.count, panelWidth, depth, plane,
                target)
        } else {
            winograd_weight(
                tileSide, weight.pointer, inputs, outputs, rows.lowerBound, rows.count, columns.lowerBound, columns.count, panelWidth, depth, plane,
                target)
        }
    }

    /// The operands `[inputs, outputs]` that the weights become.
    private func transformed(_ weight: Tensor, isReversed: Bool) -> [PackedMatrix] {
        let kernel = ProductKernel.current
        let width = kernel.panelWidth(columns: outputs)
        let size = PackedMatrix.count(rows: inputs, columns: outputs, panelWidth: width) + planeGapOfWeights
        let storage = Storage(count: planeCount * size)
        let target = storage.pointer
        // Rows of the operands, whole lanes of them where the weights are transposed.
        Parallel.forEachBlock(of: inputs, size: 16) { rows in
            transform(
                weight, isReversed: isReversed, rows: rows, columns: 0..<outputs, panelWidth: width, depth: inputs, plane: size,
                into: target + rows.lowerBound * width)
        }
        return (0..<planeCount).map { PackedMatrix(rows: inputs, columns: outputs, kernel: kernel, storage: storage, offset: $0 * size) }
    }

    /// The gradient of the weights, `[3, 3, inputs, outputs]`: for each plane the product of transformed inputs and output gradients over a chunk of tiles after
    /// the other. Tasks take a piece of all planes, and turn it into gradients after the last chunk.
    func weightGradient(_ gradient: Tensor, _ x: Tensor, height: Int, width: Int, padding: Padding) -> Tensor {
        let kernel = ProductKernel.current
        let panelWidth = kernel.panelWidth(columns: outputs)
        let (sources, targets) = (
            tiles(height: height, width: width, channels: inputs), tiles(height: outputHeight, width: outputWidth, channels: outputs)
        )
        func apart(_ count: Int) -> Int { PackedMatrix.count(rows: count, columns: outputs, panelWidth: panelWidth) + 16 * planeGap }
        let planes = Storage(count: planeCount * (chunk + planeGap) * inputs)
        let slopes = Storage(count: planeCount * apart(chunk))
        // Multiples of the tiles of most kernels, that fit the second-level cache.
        let taskColumns = min(ConvolutionAlgorithm.winogradColumns, (outputs + 15) / 16 * 16)
        let columnPieces = (outputs + taskColumns - 1) / taskColumns
        var taskRows = 112
        while taskRows > 14, (inputs + taskRows - 1) / taskRows * columnPieces < 4 * Parallel.threadCount { taskRows /= 2 }
        let tasks = (inputs + taskRows - 1) / taskRows * columnPieces
        let piece = taskRows * taskColumns + 16 * planeGap
        let kept = tiles > chunk ? Storage(count: tasks * planeCount * piece) : nil
        let result = Tensor(uninitialized: [3, 3, inputs, outputs])
        for first in stride(from: 0, to: tiles, by: chunk) {
            let count = min(chunk, tiles - first)
            let (inputsApart, slopesApart) = ((count + planeGap) * inputs, apart(count))
            Parallel.forEachBlock(of: count, size: 8) { block in
                let start = first + block.lowerBound
                withUnsafePointer(to: sources) {
                    winograd_input(
                        $0, x.pointer, start, block.count, padding.top, padding.left, count + planeGap, planes.pointer + block.lowerBound * inputs)
                }
                withUnsafePointer(to: targets) {
                    winograd_output_gradient(
                        $0, gradient.pointer, start, block.count, count, panelWidth, slopesApart, slopes.pointer + block.lowerBound * panelWidth)
                }
            }
            Parallel.forEach(tasks) { task in
                let own = kept ?? Storage(count: planeCount * piece)
                let products = own.pointer + (kept == nil ? 0 : task * planeCount * piece)
                let (row, column) = (task / columnPieces * taskRows, task % columnPieces * taskColumns)
                let (rows, columns) = (min(taskRows, inputs - row), min(taskColumns, outputs - column))
                for plane in 0..<planeCount {
                    PackedMatrix(rows: count, columns: outputs, kernel: kernel, storage: slopes, offset: plane * slopesApart).product(
                        Matrix(pointer: planes.pointer + plane * inputsApart + row, stride: inputs, isTransposed: true),
                        into: Matrix(pointer: products + plane * piece - column, stride: taskColumns), m: rows, columns: column..<column + columns,
                        accumulates: first > 0)
                }
                if first + count == tiles {
                    winograd_weight_gradient(
                        tileSide, rows, columns, products, taskColumns, piece, result.pointer + row * outputs + column, outputs, weights)
                }
                withExtendedLifetime(own) {}
            }
        }
        withExtendedLifetime((planes, slopes, x, gradient)) {}
        return result
    }
}
