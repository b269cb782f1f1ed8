import Groundwork
import VectorKernels

/// Group normalisation (Wu & He 2018) over height, width and the channels of a group, then weight and bias per channel; in the same pass over memory
/// what often follows it: activation(norm(x) + offset + residual).
///
/// - Parameters:
///   - x: `[batch, …, channels]`
///   - groups: divides the channels; neighbouring channels form a group.
///   - weight, bias: `[channels]`
///   - epsilon: added to the variance.
///   - offset: `[batch, channels]`, added to every pixel
///   - residual: shaped as `x`
public func groupNorm(
    _ x: Tensor, groups: Int, weight: Tensor, bias: Tensor, epsilon: Float = 1e-5, offset: Tensor? = nil, residual: Tensor? = nil,
    activation: Activation = .none
) -> Tensor {
    let channels = x.extent(-1)
    let batch = x.shape[0]
    precondition(
        channels % groups == 0 && weight.shape == [channels] && bias.shape == [channels] && offset.map { $0.shape == [batch, channels] } ?? true
            && residual.map { $0.shape == x.shape } ?? true,
        "groupNorm: input \(x.shape), \(groups) groups, weight \(weight.shape), bias \(bias.shape), offset \(offset?.shape ?? []) and residual "
            + "\(residual?.shape ?? []) do not fit")
    let pixels = x.count / (batch * channels)
    let members = channels / groups

    // y = x·scale[b, c] + shift[b, c], with mean and inverse deviation of (b, group) folded in.
    let moments = channelSums(x, batch: batch, pixels: pixels, channels: channels) {
        vector_channel_moments($0, channels, x.pointer + $1, x.pointer + $1 / (pixels * channels) * pixels * channels, $2, $3)
    }
    // Sums are taken of differences from each channel's first value: squares of values far from zero would cancel.
    func pivot(_ entry: Int) -> Double { Double(x.pointer[entry / channels * pixels * channels + entry % channels]) }
    var means = [Double](repeating: 0, count: batch * groups)
    var inverses = means
    let scale = Tensor(uninitialized: [batch, channels])
    let shift = Tensor(uninitialized: [batch, channels])
    for index in 0..<batch * groups {
        let (image, group) = (index / groups, index % groups)
        let range = image * channels + group * members..<image * channels + (group + 1) * members
        let total = Double(pixels * members)
        let mean = range.reduce(0) { $0 + moments.first[$1] + Double(pixels) * pivot($1) } / total
        let squares = range.reduce(0) { sum, entry in
            let distance = pivot(entry) - mean
            return sum + moments.second[entry] + 2 * distance * moments.first[entry] + Double(pixels) * distance * distance
        }
        let variance = max(0, squares / total)
        means[index] = mean
        inverses[index] = 1 / (variance + Double(epsilon)).squareRoot()
        for entry in range {
            let factor = inverses[index] * Double(weight.pointer[entry % channels])
            scale.pointer[entry] = Float(factor)
            let constant = Double(bias.pointer[entry % channels]) + Double(offset?.pointer[entry] ?? 0)
            shift.pointer[entry] = Float(constant - means[index] * factor)
        }
    }
    let result = Tensor(uninitialized: x.shape)
    forEachPixelBlock(batch: batch, pixels: pixels, channels: channels) { image, start, count in
        vector_channel_affine(
            count, channels, x.pointer + start, scale.pointer + image * channels, shift.pointer + image * channels,
            residual.map { $0.pointer + start }, activation.kernel, result.pointer + start)
    }
    withExtendedLifetime((scale, shift, residual)) {}

    return result.recorded(from: [x, weight, bias] + [offset, residual].compactMap(\.self)) { outer, wanted in
        // The gradient before the activation.
        var gradient = outer
        if activation != .none {
            let inner = Tensor(uninitialized: x.shape)
            forEachPixelBlock(batch: batch, pixels: pixels, channels: channels) { image, start, count in
                vector_channel_activation_gradient(
                    count, channels, outer.pointer + start, x.pointer + start, scale.pointer + image * channels, shift.pointer + image * channels,
                    residual.map { $0.pointer + start }, activation.kernel, inner.pointer + start)
            }
            withExtendedLifetime((scale, shift, residual)) {}
            gradient = inner
        }
        // With s = Σ g and p = Σ g·x per channel, everything else follows without another pass.
        let sums = channelSums(x, batch: batch, pixels: pixels, channels: channels) {
            vector_channel_products(
                $0, channels, gradient.pointer + $1, x.pointer + $1, x.pointer + $1 / (pixels * channels) * pixels * channels, $2, $3)
        }
        let weightGradient = Tensor(zeros: [channels])
        let biasGradient = Tensor(zeros: [channels])
        let offsetGradient = offset.map { _ in Tensor(shape: [batch, channels], values: sums.first.map { Float($0) }) }
        let coefficients = Tensor(uninitialized: [3, batch, channels])
        for index in 0..<batch * groups {
            let (image, group) = (index / groups, index % groups)
            let range = image * channels + group * members..<image * channels + (group + 1) * members
            let (mean, inverse) = (means[index], inverses[index])
            var (average, projection) = (0.0, 0.0)
            for entry in range {
                let channel = entry % channels
                let normalized = inverse * (sums.second[entry] + (pivot(entry) - mean) * sums.first[entry])
                weightGradient.pointer[channel] += Float(normalized)
                biasGradient.pointer[channel] += Float(sums.first[entry])
                average += Double(weight.pointer[channel]) * sums.first[entry]
                projection += Double(weight.pointer[channel]) * normalized
            }
            average /= Double(pixels * members)
            projection /= Double(pixels * members)
            // dx = inverse·(w·g − average − normalised x·projection)
            for entry in range {
                coefficients.pointer[entry] = Float(inverse * Double(weight.pointer[entry % channels]))
                coefficients.pointer[batch * channels + entry] = Float(-inverse * inverse * projection)
                coefficients.pointer[2 * batch * channels + entry] = Float(inverse * (mean * inverse * projection - average))
            }
        }
        var inputGradient: Tensor?
        if wanted[0] {
            let target = Tensor(uninitialized: x.shape)
            forEachPixelBlock(batch: batch, pixels: pixels, channels: channels) { image, start, count in
                let a = coefficients.pointer + image * channels
                vector_channel_combine(
                    count, channels, gradient.pointer + start, a, x.pointer + start, a + batch * channels, a + 2 * batch * channels,
                    target.pointer + start)
            }
            inputGradient = target
        }
        withExtendedLifetime(coefficients) {}
        return [inputGradient, weightGradient, biasGradient] + [offsetGradient, residual == nil ? nil : gradient].compactMap(\.self)
    }
}

/// Blocks of pixels of one image each: `body(image, offset of the first value, pixels)`.
private func forEachPixelBlock(batch: Int, pixels: Int, channels: Int, _ body: (Int, Int, Int) -> Void) {
    let size = max(1, elementwiseBlock / channels)
    let blocks = (pixels + size - 1) / size
    Parallel.forEach(batch * blocks) { task in
        let (image, start) = (task / blocks, task % blocks * size)
        body(image, (image * pixels + start) * channels, min(size, pixels - start))
    }
}

/// Two sums per image and channel, `[batch · channels]` each: in float over short blocks, in double over the blocks.
private func channelSums(
    _ x: Tensor, batch: Int, pixels: Int, channels: Int, _ kernel: (Int, Int, UnsafeMutablePointer<Float>, UnsafeMutablePointer<Float>) -> Void
) -> (first: [Double], second: [Double]) {
    let size = max(1, min(256, elementwiseBlock / channels))
    let blocks = (pixels + size - 1) / size
    let partial = Tensor(zeros: [batch * blocks, 2, channels])
    Parallel.forEach(batch * blocks) { task in
        let (image, start) = (task / blocks, task % blocks * size)
        let target = partial.pointer + task * 2 * channels
        kernel(min(size, pixels - start), (image * pixels + start) * channels, target, target + channels)
    }
    var first = [Double](repeating: 0, count: batch * channels)
    var second = first
    for task in 0..<batch * blocks {
        let source = partial.pointer + task * 2 * channels
        let target = task / blocks * channels
        for channel in 0..<channels {
            first[target + channel] += Double(source[channel])
            second[target + channel] += Double(source[channels + channel])
        }
    }
    return (first, second)
}
