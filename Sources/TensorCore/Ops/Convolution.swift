import Groundwork
import VectorKernels

/// Rows and columns of zeros around an image.
public struct Padding: Sendable, Equatable {
    public var top, bottom, left, right: Int

    public init(top: Int, bottom: Int, left: Int, right: Int) {
        (self.top, self.bottom, self.left, self.right) = (top, bottom, left, right)
    }

    /// The same on every side.
    public init(_ size: Int) { self.init(top: size, bottom: size, left: size, right: size) }
}

/// Two-dimensional convolution (cross-correlation, as in every deep-learning library).
///
/// - Parameters:
///   - x: `[batch, height, width, inputs]`
///   - weight: `[kernel height, kernel width, inputs, outputs]`
///   - bias: `[outputs]`
///   - residual: shaped as the result, added to it
/// - Returns: `[batch, (height + top + bottom − kernel height) / stride + 1, likewise, outputs]`
public func convolution(
    _ x: Tensor, weight: Tensor, bias: Tensor? = nil, residual: Tensor? = nil, stride: Int = 1, padding: Padding = Padding(0)
) -> Tensor {
    precondition(
        x.shape.count == 4 && weight.shape.count == 4 && x.shape[3] == weight.shape[2] && bias.map { $0.shape == [weight.shape[3]] } ?? true,
        "convolution: input \(x.shape), weight \(weight.shape) and bias \(bias?.shape ?? []) do not fit")
    let geometry = ConvolutionGeometry(input: x.shape, weight: weight.shape, stride: stride, padding: padding)
    precondition(
        residual.map { $0.shape == geometry.outputShape } ?? true,
        "convolution: the result \(geometry.outputShape) and the residual \(residual?.shape ?? []) do not fit")
    let inputs = [x, weight] + [bias, residual].compactMap(\.self)
    return geometry.forward(x, weight, bias, residual).recorded(from: inputs) { gradient, wanted in
        var gradients: [Tensor?] = [
            wanted[0] ? geometry.inputGradient(gradient, weight) : nil, wanted[1] ? geometry.weightGradient(gradient, x) : nil,
        ]
        if bias != nil { gradients.append(wanted[2] ? columnSums(gradient, columns: geometry.outputs) : nil) }
        if residual != nil { gradients.append(gradient) }
        return gradients
    }
}

/// Convolution as matrix products over blocks of patches (im2col) that stay in the cache.
private struct ConvolutionGeometry {
    let batch, height, width, inputs: Int
    let kernelHeight, kernelWidth, outputs: Int
    let outputHeight, outputWidth: Int
    let stride: Int
    let padding: Padding

    init(input: [Int], weight: [Int], stride: Int, padding: Padding) {
        (batch, height, width, inputs) = (input[0], input[1], input[2], input[3])
        (kernelHeight, kernelWidth, outputs) = (weight[0], weight[1], weight[3])
        (self.stride, self.padding) = (stride, padding)
        let (tall, wide) = (height + padding.top + padding.bottom - kernelHeight, width + padding.left + padding.right - kernelWidth)
        precondition(stride > 0 && tall >= 0 && wide >= 0, "convolution: input \(input) is smaller than the kernel \(weight)")
        (outputHeight, outputWidth) = (tall / stride + 1, wide / stride + 1)
    }

    private var isPointwise: Bool { kernelHeight == 1 && kernelWidth == 1 && stride == 1 && padding == Padding(0) }
    private var taps: Int { kernelHeight * kernelWidth }
    private var outputPixels: Int { batch * outputHeight * outputWidth }
    var outputShape: [Int] { [batch, outputHeight, outputWidth, outputs] }

    /// Winograd's algorithm where it applies and saves time.
    private var winograd: WinogradConvolution? {
        guard ConvolutionAlgorithm.current == .fastest, kernelHeight == 3, kernelWidth == 3, stride == 1,
            min(inputs, outputs) >= ConvolutionAlgorithm.winogradChannels, outputHeight >= 4, outputWidth >= 4,
            max(padding.top, padding.bottom, padding.left, padding.right) <= 2
        else { return nil }
        let convolution = WinogradConvolution(batch: batch, outputHeight: outputHeight, outputWidth: outputWidth, inputs: inputs, outputs: outputs)
        return convolution.tiles >= ConvolutionAlgorithm.winogradTiles ? convolution : nil
    }

    /// Whether the weights outgrow the cache while all patches together are small: then the products are cut over the weights rather than the pixels.
    private func isWide(pixels: Int, patch: Int) -> Bool {
        taps * inputs * outputs >= ConvolutionAlgorithm.wideWeights && pixels * patch <= ConvolutionAlgorithm.widePatches
    }

    /// Pixels whose patches stay in the cache.
    private func block(patch: Int) -> Int { min(1024, max(32, ConvolutionAlgorithm.patchesAtATime / patch)) }

    func forward(_ x: Tensor, _ weight: Tensor, _ bias: Tensor?, _ residual: Tensor?) -> Tensor {
        let result = Tensor(uninitialized: outputShape)
        if let winograd {
            winograd.convolve(
                x, height: height, width: width, weight: weight, isReversed: false, bias: bias, residual: residual, padding: padding, into: result)
            return result
        }
        convolvePatches(x, weight, bias, into: result)
        return residual.map { result + $0.detached } ?? result
    }

    private func convolvePatches(_ x: Tensor, _ weight: Tensor, _ bias: Tensor?, into result: Tensor) {
        if isPointwise {
            denseProduct(x, weight, isTransposed: false, bias: bias, into: result, rows: outputPixels, inputs: inputs, outputs: outputs)
            return
        }
        let patch = taps * inputs
        func product(_ patches: Storage, _ block: Range<Int>, _ multiply: (Matrix, Matrix, Matrix) -> Void) {
            let target = result.pointer + block.lowerBound * outputs
            multiply(
                Matrix(pointer: patches.pointer, stride: patch), Matrix(pointer: weight.pointer, stride: outputs),
                Matrix(pointer: target, stride: outputs))
            if let bias { vector_add(block.count, outputs, target, outputs, 1, bias.pointer, 0, 1, target) }
            withExtendedLifetime(patches) {}
        }
        if isWide(pixels: outputPixels, patch: patch) {
            product(allPatches(pixels: outputPixels, patch: patch) { gather(x, $0, into: $1) }, 0..<outputPixels) {
                multiplyInParallel($0, $1, into: $2, m: outputPixels, n: outputs, k: patch)
            }
            return
        }
        Parallel.forEachBlock(of: outputPixels, size: block(patch: patch)) { block in
            let patches = Storage(count: block.count * patch)
            gather(x, block, into: patches.pointer)
            product(patches, block) { multiply($0, $1, into: $2, m: block.count, n: outputs, k: patch) }
        }
    }

    private func gather(_ x: Tensor, _ block: Range<Int>, into patches: UnsafeMutablePointer<Float>) {
        image_gather_patches(
            x.pointer, height, width, inputs, outputHeight, outputWidth, block.lowerBound, block.count, kernelHeight, kernelWidth, stride,
            padding.top,
            padding.left, 0, patches)
    }

    private func gatherGradient(_ gradient: Tensor, _ block: Range<Int>, into patches: UnsafeMutablePointer<Float>) {
        image_gather_patches(
            gradient.pointer, outputHeight, outputWidth, outputs, height, width, block.lowerBound, block.count, kernelHeight, kernelWidth, stride,
            padding.top, padding.left, 1, patches)
    }

    private func allPatches(pixels: Int, patch: Int, _ gather: (Range<Int>, UnsafeMutablePointer<Float>) -> Void) -> Storage {
        let patches = Storage(count: pixels * patch)
        Parallel.forEachBlock(of: pixels, size: block(patch: patch)) { gather($0, patches.pointer + $0.lowerBound * patch) }
        return patches
    }

    /// The gradient with respect to the input. At stride 1 each input pixel gathers the output pixels that saw it, times the transposed weights, tap by
    /// tap.
    func inputGradient(_ gradient: Tensor, _ weight: Tensor) -> Tensor {
        let result = Tensor(uninitialized: [batch, height, width, inputs])
        let pixels = batch * height * width
        if isPointwise {
            denseProduct(gradient, weight, isTransposed: true, bias: nil, into: result, rows: pixels, inputs: outputs, outputs: inputs)
            return result
        }
        if let winograd {
            let around = Padding(top: 2 - padding.top, bottom: 2 - padding.bottom, left: 2 - padding.left, right: 2 - padding.right)
            winograd.reversed(height: height, width: width).convolve(
                gradient, height: outputHeight, width: outputWidth, weight: weight, isReversed: true, bias: nil, residual: nil, padding: around,
                into: result)
            return result
        }
        if stride > 1 {
            sumPatches(gradient, weight, into: result)
            return result
        }
        let patch = taps * outputs
        func products(_ patches: Storage, _ block: Range<Int>, _ multiply: (Matrix, Matrix, Matrix, Float) -> Void) {
            for tap in 0..<taps {
                multiply(
                    Matrix(pointer: patches.pointer + tap * outputs, stride: patch),
                    Matrix(pointer: weight.pointer + tap * inputs * outputs, stride: outputs, isTransposed: true),
                    Matrix(pointer: result.pointer + block.lowerBound * inputs, stride: inputs), tap == 0 ? 0 : 1)
            }
            withExtendedLifetime(patches) {}
        }
        if isWide(pixels: pixels, patch: patch) {
            products(allPatches(pixels: pixels, patch: patch) { gatherGradient(gradient, $0, into: $1) }, 0..<pixels) {
                multiplyInParallel($0, $1, into: $2, m: pixels, n: inputs, k: outputs, beta: $3)
            }
            return result
        }
        Parallel.forEachBlock(of: pixels, size: block(patch: patch)) { block in
            let patches = Storage(count: block.count * patch)
            gatherGradient(gradient, block, into: patches.pointer)
            products(patches, block) { multiply($0, $1, into: $2, m: block.count, n: inputs, k: outputs, beta: $3) }
        }
        return result
    }

    /// The input's gradient at larger strides, where few taps saw a pixel: the shares of each output pixel's whole patch in one product, for as many
    /// images as fit the cache, and then for each input pixel the sum of its shares.
    private func sumPatches(_ gradient: Tensor, _ weight: Tensor, into result: Tensor) {
        let patch = taps * inputs
        let pixels = outputHeight * outputWidth
        let images = min(batch, max(1, ConvolutionAlgorithm.sharesAtATime / (pixels * patch)))
        let shares = Storage(count: images * pixels * patch)
        for first in Swift.stride(from: 0, to: batch, by: images) {
            let count = min(images, batch - first)
            multiplyInParallel(
                Matrix(pointer: gradient.pointer + first * pixels * outputs, stride: outputs),
                Matrix(pointer: weight.pointer, stride: outputs, isTransposed: true), into: Matrix(pointer: shares.pointer, stride: patch),
                m: count * pixels, n: patch, k: outputs)
            Parallel.forEachBlock(of: count * height, size: max(1, elementwiseBlock / (width * inputs))) { rows in
                image_sum_patches(
                    shares.pointer, outputHeight, outputWidth, height, width, inputs, rows.lowerBound, rows.count, kernelHeight, kernelWidth, stride,
                    padding.top, padding.left, result.pointer + (first * height + rows.lowerBound) * width * inputs)
            }
        }
        withExtendedLifetime(shares) {}
    }

    /// The gradient with respect to the weight: patchesᵀ × output gradient, for narrow weights summed over a fixed cut of the pixels into a few parts.
    func weightGradient(_ gradient: Tensor, _ x: Tensor) -> Tensor {
        if let winograd { return winograd.weightGradient(gradient, x, height: height, width: width, padding: padding) }
        let patch = taps * inputs
        let shape = [kernelHeight, kernelWidth, inputs, outputs]
        if isWide(pixels: outputPixels, patch: patch) {
            let patches = allPatches(pixels: outputPixels, patch: patch) { gather(x, $0, into: $1) }
            let result = Tensor(uninitialized: shape)
            multiplyInParallel(
                Matrix(pointer: patches.pointer, stride: patch, isTransposed: true), Matrix(pointer: gradient.pointer, stride: outputs),
                into: Matrix(pointer: result.pointer, stride: outputs), m: patch, n: outputs, k: outputPixels)
            withExtendedLifetime(patches) {}
            return result
        }
        let size = block(patch: patch)
        let blocks = (outputPixels + size - 1) / size
        // Not the number of threads: the same seed gives the same bits at any.
        let parts = min(blocks, 8)
        let partial = Tensor(uninitialized: [parts, patch * outputs])
        Parallel.forEach(parts) { part in
            let patches = Storage(count: size * patch)
            for index in blocks * part / parts..<blocks * (part + 1) / parts {
                let block = index * size..<min(outputPixels, (index + 1) * size)
                var source = x.pointer + block.lowerBound * inputs
                if !isPointwise {
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
        return summed(partial, over: [0]).viewed(as: shape)
    }
}
