import Groundwork
import VectorKernels

/// Convolution as products with patches (im2col): of any kernel, stride and padding.
///
/// Where there are many pixels each task gathers a block of patches that stays in the cache and multiplies it; where there are few, all patches are gathered
/// first and the products are cut over the weights as well.
struct PatchConvolution {
    let geometry: ConvolutionGeometry

    private var patch: Int { geometry.patch }
    private var outputs: Int { geometry.outputs }

    /// Pixels whose patches of `size` values stay in the cache: whole tiles of all kernels.
    private func block(_ size: Int) -> Int { min(168, max(42, ConvolutionAlgorithm.patchesAtATime / size / 42 * 42)) }

    /// Whether there are too few blocks of pixels to share out.
    private func isSmall(pixels: Int, patch size: Int, columns: Int) -> Bool {
        (pixels + block(size) - 1) / block(size) < ConvolutionAlgorithm.patchBlocks && columns > 64
    }

    /// target ← patches·operand + bias + residual.
    private func products(
        pixels: Int, patch size: Int, of operand: PackedMatrix, into target: UnsafeMutablePointer<Float>, bias: UnsafePointer<Float>? = nil,
        residual: UnsafePointer<Float>? = nil, gather: (Range<Int>, UnsafeMutablePointer<Float>) -> Void
    ) {
        let columns = operand.columns
        if isSmall(pixels: pixels, patch: size, columns: columns) {
            let patches = gathered(pixels: pixels, patch: size, gather)
            operand.productInParallel(
                Matrix(pointer: patches.pointer, stride: size), into: Matrix(pointer: target, stride: columns), m: pixels, bias: bias,
                residual: residual)
            withExtendedLifetime(patches) {}
            return
        }
        Parallel.forEachBlock(of: pixels, size: block(size)) { block in
            let patches = Storage(count: block.count * size)
            gather(block, patches.pointer)
            let start = block.lowerBound * columns
            operand.product(
                Matrix(pointer: patches.pointer, stride: size), into: Matrix(pointer: target + start, stride: columns), m: block.count, bias: bias,
                residual: residual.map { $0 + start })
            withExtendedLifetime(patches) {}
        }
    }

    private func gathered(pixels: Int, patch size: Int, _ gather: (Range<Int>, UnsafeMutablePointer<Float>) -> Void) -> Storage {
        let patches = Storage(count: pixels * size)
        Parallel.forEachBlock(of: pixels, size: 16) { gather($0, patches.pointer + $0.lowerBound * size) }
        return patches
    }

    /// The patches of output pixels, `[pixels, kernel height, kernel width, inputs]`.
    private func gather(_ x: Tensor, _ pixels: Range<Int>, into patches: UnsafeMutablePointer<Float>) {
        image_gather_patches(
            x.pointer, geometry.height, geometry.width, geometry.inputs, geometry.outputHeight, geometry.outputWidth, pixels.lowerBound,
            pixels.count, geometry.kernelHeight, geometry.kernelWidth, geometry.stride, geometry.padding.top, geometry.padding.left, 0, patches)
    }

    /// For input pixels the gradients of the output pixels that saw them, tap by tap, `[pixels, kernel height, kernel width, outputs]`; at stride 1.
    private func gatherGradient(_ gradient: Tensor, _ pixels: Range<Int>, into patches: UnsafeMutablePointer<Float>) {
        image_gather_patches(
            gradient.pointer, geometry.outputHeight, geometry.outputWidth, outputs, geometry.height, geometry.width, pixels.lowerBound,
            pixels.count, geometry.kernelHeight, geometry.kernelWidth, geometry.stride, geometry.padding.top, geometry.padding.left, 1, patches)
    }

    private func operand(_ weight: Tensor) -> PackedMatrix {
        weight.packed(.patches(isReversed: false)) {
            PackedMatrix(Matrix(pointer: weight.pointer, stride: outputs), rows: patch, columns: outputs)
        }
    }

    /// Each tap's weights transposed, one below the other: `[taps · outputs, inputs]`.
    private func reversedOperand(_ weight: Tensor) -> PackedMatrix {
        weight.packed(.patches(isReversed: true)) {
            let taps = (0..<geometry.taps).map { tap in
                Matrix(pointer: weight.pointer + tap * geometry.inputs * outputs, stride: outputs, isTransposed: true)
            }
            return PackedMatrix(taps, rows: geometry.taps * outputs, columns: geometry.inputs)
        }
    }

    func convolve(_ x: Tensor, _ weight: Tensor, _ bias: Tensor?, _ residual: Tensor?, into result: Tensor) {
        let operand = operand(weight)
        if geometry.isPointwise {
            operand.productInParallel(
                Matrix(pointer: x.pointer, stride: patch), into: Matrix(pointer: result.pointer, stride: outputs), m: geometry.outputPixels,
                bias: bias?.pointer, residual: residual?.pointer)
        } else {
            products(
                pixels: geometry.outputPixels, patch: patch, of: operand, into: result.pointer, bias: bias?.pointer, residual: residual?.pointer
            ) { gather(x, $0, into: $1) }
        }
        withExtendedLifetime((x, bias, residual)) {}
    }

    func inputGradient(_ gradient: Tensor, _ weight: Tensor, into result: Tensor) {
        if geometry.stride > 1 {
            sumPatches(gradient, weight, into: result)
            return
        }
        let operand = reversedOperand(weight)
        if geometry.isPointwise {
            operand.productInParallel(
                Matrix(pointer: gradient.pointer, stride: outputs), into: Matrix(pointer: result.pointer, stride: geometry.inputs),
                m: geometry.inputPixels)
        } else {
            products(pixels: geometry.inputPixels, patch: geometry.taps * outputs, of: operand, into: result.pointer) {
                gatherGradient(gradient, $0, into: $1)
            }
        }
        withExtendedLifetime(gradient) {}
    }

    /// The input's gradient at larger strides, where few taps saw a pixel: the shares of each output pixel's whole patch in one product, for as many
    /// images as fit the cache, and then for each input pixel the sum of its shares (col2im).
    private func sumPatches(_ gradient: Tensor, _ weight: Tensor, into result: Tensor) {
        let (height, width, inputs) = (geometry.height, geometry.width, geometry.inputs)
        let pixels = geometry.outputHeight * geometry.outputWidth
        let images = min(geometry.batch, max(1, ConvolutionAlgorithm.sharesAtATime / (pixels * patch)))
        let shares = Storage(count: images * pixels * patch)
        let operand = PackedMatrix(Matrix(pointer: weight.pointer, stride: outputs, isTransposed: true), rows: outputs, columns: patch)
        for first in Swift.stride(from: 0, to: geometry.batch, by: images) {
            let count = min(images, geometry.batch - first)
            operand.productInParallel(
                Matrix(pointer: gradient.pointer + first * pixels * outputs, stride: outputs),
                into: Matrix(pointer: shares.pointer, stride: patch), m: count * pixels)
            Parallel.forEachBlock(of: count * height, size: max(1, elementwiseBlock / (width * inputs))) { rows in
                image_sum_patches(
                    shares.pointer, geometry.outputHeight, geometry.outputWidth, height, width, inputs, rows.lowerBound, rows.count,
                    geometry.kernelHeight, geometry.kernelWidth, geometry.stride, geometry.padding.top, geometry.padding.left,
                    result.pointer + (first * height + rows.lowerBound) * width * inputs)
            }
        }
        withExtendedLifetime((shares, weight, gradient)) {}
    }

    /// The gradient with respect to the weight: patchesᵀ × output gradient. Where there are many pixels, summed over a fixed cut of them into a few parts.
    func weightGradient(_ gradient: Tensor, _ x: Tensor) -> Tensor {
        let pixels = geometry.outputPixels
        let shape = geometry.weightShape
        if patch * outputs >= ConvolutionAlgorithm.wideWeights, geometry.isPointwise || pixels * patch <= ConvolutionAlgorithm.sharesAtATime {
            let patches = geometry.isPointwise ? x.storage : gathered(pixels: pixels, patch: patch) { gather(x, $0, into: $1) }
            defer { withExtendedLifetime((patches, gradient)) {} }
            return transposedProduct(
                Matrix(pointer: patches.pointer, stride: patch), Matrix(pointer: gradient.pointer, stride: outputs), shape: shape, rows: pixels)
        }
        let size = 2 * block(patch)
        let blocks = (pixels + size - 1) / size
        // Not the number of threads: the same seed gives the same bits at any.
        let parts = min(blocks, 16)
        let partial = Tensor(uninitialized: [parts, patch * outputs])
        Parallel.forEach(parts) { part in
            let patches = Storage(count: size * patch)
            for index in blocks * part / parts..<blocks * (part + 1) / parts {
                let block = index * size..<min(pixels, (index + 1) * size)
                var source = x.pointer + block.lowerBound * geometry.inputs
                if !geometry.isPointwise {
                    gather(x, block, into: patches.pointer)
                    source = patches.pointer
                }
                multiply(
                    Matrix(pointer: source, stride: patch, isTransposed: true),
                    Matrix(pointer: gradient.pointer + block.lowerBound * outputs, stride: outputs),
                    into: Matrix(pointer: partial.pointer + part * patch * outputs, stride: outputs), m: patch, n: outputs, k: block.count,
                    beta: index == blocks * part / parts ? 0 : 1)
            }
            withExtendedLifetime(patches) {}
        }
        withExtendedLifetime((x, gradient)) {}
        return summed(partial, over: [0]).viewed(as: shape)
    }
}
