import Groundwork
import VectorKernels

/// Root-mean-square normalisation over the last dimension (Zhang & Sennrich 2019), x / √(mean(x²) + epsilon) · weight, and an activation in the same
/// pass over memory.
///
/// Each pixel is normalised by its own channels, so the result at a pixel does not depend on any other.
/// - Parameters:
///   - x: `[…, channels]`
///   - weight: `[channels]`
public func rmsNorm(_ x: Tensor, weight: Tensor, epsilon: Float = 1e-3, activation: Activation = .none) -> Tensor {
    let channels = x.extent(-1)
    precondition(weight.shape == [channels], "rmsNorm: input \(x.shape) and weight \(weight.shape) do not fit")
    let result = Tensor(uninitialized: x.shape)
    forEachRowBlock(of: x) { row, count, _ in
        vector_rms_norm(
            count, channels, x.pointer + row * channels, weight.pointer, epsilon, activation.kernel, result.pointer + row * channels)
    }
    return result.recorded(from: [x, weight]) { gradient, _ in
        let target = Tensor(uninitialized: x.shape)
        let partial = Tensor(zeros: [rowBlocks(of: x), channels])
        forEachRowBlock(of: x) { row, count, block in
            vector_rms_norm_gradient(
                count, channels, x.pointer + row * channels, weight.pointer, gradient.pointer + row * channels, epsilon,
                activation.kernel, target.pointer + row * channels, partial.pointer + block * channels)
        }
        return [target, columnSums(partial, columns: channels)]
    }
}

/// Layer normalisation over the last dimension (Ba et al. 2016): (x − mean) / √(variance + epsilon) · weight + bias.
///
/// - Parameters:
///   - x: `[…, channels]`
///   - weight, bias: `[channels]`
public func layerNorm(_ x: Tensor, weight: Tensor, bias: Tensor, epsilon: Float = 1e-5) -> Tensor {
    let channels = x.extent(-1)
    precondition(
        weight.shape == [channels] && bias.shape == [channels],
        "layerNorm: input \(x.shape), weight \(weight.shape) and bias \(bias.shape) do not fit")
    let result = Tensor(uninitialized: x.shape)
    forEachRowBlock(of: x) { row, count, _ in
        vector_layer_norm(count, channels, x.pointer + row * channels, weight.pointer, bias.pointer, epsilon, result.pointer + row * channels)
    }
    return result.recorded(from: [x, weight, bias]) { gradient, _ in
        let target = Tensor(uninitialized: x.shape)
        let blocks = rowBlocks(of: x)
        let partial = Tensor(zeros: [2, blocks, channels])
        forEachRowBlock(of: x) { row, count, block in
            vector_layer_norm_gradient(
                count, channels, x.pointer + row * channels, weight.pointer, gradient.pointer + row * channels, epsilon,
                target.pointer + row * channels,
                partial.pointer + block * channels, partial.pointer + (blocks + block) * channels)
        }
        let sums = summed(partial, over: [1])
        let both = sums.values
        return [target, Tensor(shape: [channels], values: Array(both[..<channels])), Tensor(shape: [channels], values: Array(both[channels...]))]
    }
}

private func rowsPerBlock(_ x: Tensor) -> Int { max(1, elementwiseBlock / x.extent(-1)) }

private func rowBlocks(of x: Tensor) -> Int { (x.count / x.extent(-1) + rowsPerBlock(x) - 1) / rowsPerBlock(x) }

/// `body(first row, rows, index of the block)`
private func forEachRowBlock(of x: Tensor, _ body: (Int, Int, Int) -> Void) {
    let size = rowsPerBlock(x)
    Parallel.forEachBlock(of: x.count / x.extent(-1), size: size) { body($0.lowerBound, $0.count, $0.lowerBound / size) }
}
