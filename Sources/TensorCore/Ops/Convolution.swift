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
    let (hasBias, hasResidual) = (bias != nil, residual != nil)
    return geometry.forward(x, weight, bias, residual).recorded(from: inputs) { gradient, wanted in
        var gradients: [Tensor?] = [
            wanted[0] ? geometry.inputGradient(gradient, weight) : nil, wanted[1] ? geometry.weightGradient(gradient, x) : nil,
        ]
        if hasBias { gradients.append(wanted[2] ? columnSums(gradient, columns: geometry.outputs) : nil) }
        if hasResidual { gradients.append(gradient) }
        return gradients
    }
}

/// The extents of a convolution, and which algorithm computes it and its gradients.
struct ConvolutionGeometry {
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

    var isPointwise: Bool { kernelHeight == 1 && kernelWidth == 1 && stride == 1 && padding == Padding(0) }
    var taps: Int { kernelHeight * kernelWidth }
    /// Values that an output pixel sees.
    var patch: Int { taps * inputs }
    var inputPixels: Int { batch * height * width }
    var outputPixels: Int { batch * outputHeight * outputWidth }
    var outputShape: [Int] { [batch, outputHeight, outputWidth, outputs] }
    var weightShape: [Int] { [kernelHeight, kernelWidth, inputs, outputs] }

    /// Winograd's algorithm where it applies and saves time. It goes by the tiles of one image: an image's bits do not depend on how many are worked on
    /// together.
    private var winograd: WinogradConvolution? {
        guard ConvolutionAlgorithm.current == .fastest, kernelHeight == 3, kernelWidth == 3, stride == 1,
            min(inputs, outputs) >= ConvolutionAlgorithm.winogradChannels, outputHeight >= 4, outputWidth >= 4,
            max(padding.top, padding.bottom, padding.left, padding.right) <= 2
        else { return nil }
        let isCheap = inputs * outputs <= ConvolutionAlgorithm.winogradCheapWeights
        let least = isCheap ? ConvolutionAlgorithm.winogradFewTiles : ConvolutionAlgorithm.winogradTiles
        for side in [4, 2] {
            let convolution = WinogradConvolution(
                tileSide: side, batch: batch, outputHeight: outputHeight, outputWidth: outputWidth, inputs: inputs, outputs: outputs)
            if convolution.tiles >= least * batch { return convolution }
        }
        return nil
    }

    func forward(_ x: Tensor, _ weight: Tensor, _ bias: Tensor?, _ residual: Tensor?) -> Tensor {
        let result = Tensor(uninitialized: outputShape)
        if let winograd {
            winograd.convolve(
                x, height: height, width: width, weight: weight, isReversed: false, bias: bias, residual: residual, padding: padding, into: result)
        } else {
            PatchConvolution(geometry: self).convolve(x, weight, bias, residual, into: result)
        }
        return result
    }

    /// The gradient with respect to the input: at stride 1 a convolution of the output's gradient with the weights turned round.
    func inputGradient(_ gradient: Tensor, _ weight: Tensor) -> Tensor {
        let result = Tensor(uninitialized: [batch, height, width, inputs])
        if let winograd {
            let around = Padding(top: 2 - padding.top, bottom: 2 - padding.bottom, left: 2 - padding.left, right: 2 - padding.right)
            winograd.reversed(height: height, width: width).convolve(
                gradient, height: outputHeight, width: outputWidth, weight: weight, isReversed: true, bias: nil, residual: nil, padding: around,
                into: result)
        } else {
            PatchConvolution(geometry: self).inputGradient(gradient, weight, into: result)
        }
        return result
    }

    func weightGradient(_ gradient: Tensor, _ x: Tensor) -> Tensor {
        if let winograd { return winograd.weightGradient(gradient, x, height: height, width: width, padding: padding) }
        return PatchConvolution(geometry: self).weightGradient(gradient, x)
    }
}
