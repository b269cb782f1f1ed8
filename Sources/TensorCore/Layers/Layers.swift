/// A linear map of the last dimension with a bias; `weight [outputs, inputs]`, `bias [outputs]`.
public struct Linear: Sendable {
    public let weight: Parameter
    public let bias: Parameter

    /// Initial values as PyTorch's: uniform in ±1/√inputs.
    public init(_ inputs: Int, _ outputs: Int, in scope: Scope) {
        let bound = 1 / Float(inputs).squareRoot()
        weight = scope.parameter("weight", [outputs, inputs], .uniform(bound: bound))
        bias = scope.parameter("bias", [outputs], .uniform(bound: bound))
    }

    /// `[…, inputs]` → `[…, outputs]`
    public func callAsFunction(_ x: Tensor) -> Tensor { linear(x, weight: weight.tensor, bias: bias.tensor) }
}

/// A two-dimensional convolution; `weight [height, width, inputs, outputs]` (on disk `[outputs, inputs, height, width]`), `bias [outputs]`.
public struct Convolution: Sendable {
    public let weight: Parameter
    public let bias: Parameter?
    private let stride: Int
    private let padding: Padding

    /// Initial values as PyTorch's: uniform in ±1/√(inputs·kernel²), or all zero.
    /// - Parameters:
    ///   - padding: by default what keeps the size at stride 1.
    ///   - weights: initial values of the weight in the place of these.
    public init(
        _ inputs: Int, _ outputs: Int, kernel: Int, stride: Int = 1, padding: Padding? = nil, hasBias: Bool = true, startsAtZero: Bool = false,
        weights: ParameterStore.Initializer? = nil, in scope: Scope
    ) {
        let bound = startsAtZero ? 0 : 1 / Float(inputs * kernel * kernel).squareRoot()
        weight = scope.parameter("weight", [kernel, kernel, inputs, outputs], layout: .convolution, weights ?? .uniform(bound: bound))
        bias = hasBias ? scope.parameter("bias", [outputs], .uniform(bound: bound)) : nil
        self.stride = stride
        self.padding = padding ?? Padding(kernel / 2)
    }

    /// `[batch, height, width, inputs]` → `[batch, height', width', outputs]`
    /// - Parameter residual: shaped as the result, added to it
    public func callAsFunction(_ x: Tensor, residual: Tensor? = nil) -> Tensor {
        convolution(x, weight: weight.tensor, bias: bias?.tensor, residual: residual, stride: stride, padding: padding)
    }
}

/// Group normalisation with `weight [channels]` and `bias [channels]`.
public struct GroupNorm: Sendable {
    private let weight, bias: Parameter
    private let groups: Int
    private let epsilon: Float

    public init(_ channels: Int, groups: Int, epsilon: Float = 1e-5, in scope: Scope) {
        weight = scope.parameter("weight", [channels], .constant(1))
        bias = scope.parameter("bias", [channels], .constant(0))
        (self.groups, self.epsilon) = (groups, epsilon)
    }

    /// activation(norm(x) + offset + residual)
    /// - Parameters:
    ///   - x: `[batch, …, channels]`
    ///   - offset: `[batch, channels]`
    ///   - residual: shaped as `x`
    /// - Returns: shaped as `x`
    public func callAsFunction(_ x: Tensor, offset: Tensor? = nil, residual: Tensor? = nil, activation: Activation = .none) -> Tensor {
        groupNorm(
            x, groups: groups, weight: weight.tensor, bias: bias.tensor, epsilon: epsilon, offset: offset, residual: residual, activation: activation)
    }
}

/// Batch normalisation with `weight [channels]`, `bias [channels]` and the buffers `running_mean [channels]`, `running_var [channels]` and
/// `num_batches_tracked []`.
///
/// Whether it trains is the caller's to say. It cannot be told from a running tape: a checkpoint first computes its body without one, and gradients
/// may be wanted of a network that does not train.
public struct BatchNorm: Sendable {
    private let weight, bias: Parameter
    private let runningMean, runningVariance, batches: Buffer
    private let momentum, epsilon: Float

    /// - Parameters:
    ///   - momentum: the part that each batch has in the running averages.
    ///   - weights: initial values of the weight.
    public init(
        _ channels: Int, momentum: Float = 0.1, epsilon: Float = 1e-5, weights: ParameterStore.Initializer = .constant(1), in scope: Scope
    ) {
        weight = scope.parameter("weight", [channels], weights)
        bias = scope.parameter("bias", [channels], .constant(0))
        runningMean = scope.buffer("running_mean", Tensor(zeros: [channels]))
        runningVariance = scope.buffer("running_var", Tensor(repeating: 1, shape: [channels]))
        batches = scope.buffer("num_batches_tracked", Tensor(0))
        (self.momentum, self.epsilon) = (momentum, epsilon)
    }

    /// `[batch, …, channels]` → the same
    /// - Parameter isTraining: normalise with the statistics of `x`, at least two values a channel, and have the running ones follow them (those of a
    ///   sample of the population: sums of squares over n − 1); else normalise with the running ones.
    public func callAsFunction(_ x: Tensor, isTraining: Bool) -> Tensor {
        guard isTraining else {
            return batchNorm(
                x, mean: runningMean.value, variance: runningVariance.value, weight: weight.tensor, bias: bias.tensor, epsilon: epsilon)
        }
        let count = x.count / x.extent(-1)
        precondition(count > 1, "BatchNorm: one value a channel, in shape \(x.shape), has no variance")
        let (result, mean, variance) = batchNorm(x, weight: weight.tensor, bias: bias.tensor, epsilon: epsilon)
        runningMean.value = runningMean.value * (1 - momentum) + mean * momentum
        runningVariance.value = runningVariance.value * (1 - momentum) + variance * (momentum * Float(count) / Float(count - 1))
        batches.value = batches.value + 1
        return result
    }
}

/// Layer normalisation with `weight [channels]` and `bias [channels]`.
public struct LayerNorm: Sendable {
    private let weight, bias: Parameter

    public init(_ channels: Int, in scope: Scope) {
        weight = scope.parameter("weight", [channels], .constant(1))
        bias = scope.parameter("bias", [channels], .constant(0))
    }

    /// `[…, channels]` → the same
    public func callAsFunction(_ x: Tensor) -> Tensor { layerNorm(x, weight: weight.tensor, bias: bias.tensor) }
}

/// Root-mean-square normalisation per pixel with `weight [channels]`.
public struct RMSNorm: Sendable {
    private let weight: Parameter

    public init(_ channels: Int, in scope: Scope) {
        weight = scope.parameter("weight", [channels], .constant(1))
    }

    /// `[…, channels]` → the same
    public func callAsFunction(_ x: Tensor, activation: Activation = .none) -> Tensor {
        rmsNorm(x, weight: weight.tensor, activation: activation)
    }
}
