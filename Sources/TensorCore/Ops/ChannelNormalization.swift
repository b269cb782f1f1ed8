import Groundwork
import VectorKernels

/// Means and population variances of each image's groups of channels, `[batch · groups]`.
struct ChannelStatistics {
    var means, variances: [Double]
}

/// What group and batch normalisation have in common: activation((x − mean) / √(variance + epsilon) · weight + bias + offset + residual), one mean
/// and one variance for each image and group of neighbouring channels.
///
/// - Parameters:
///   - x: `[batch, pixels, channels]` in memory, whatever its shape says.
///   - groups: divides the channels.
///   - weight, bias: `[channels]`
///   - given: constants to normalise with; by default the statistics are those of `x`, and the gradient passes through them too.
///   - offset: `[batch, channels]`
///   - residual: shaped as `x`
/// - Returns: the result, shaped as `x`, and the statistics it was normalised with.
func normalizeChannels(
    _ x: Tensor, batch: Int, groups: Int, weight: Tensor, bias: Tensor, epsilon: Float, given: ChannelStatistics? = nil, offset: Tensor? = nil,
    residual: Tensor? = nil, activation: Activation = .none
) -> (result: Tensor, statistics: ChannelStatistics) {
    let channels = x.extent(-1)
    let pixels = x.count / (batch * channels)
    let members = channels / groups
    let statistics = given ?? channelStatistics(x, batch: batch, pixels: pixels, channels: channels, groups: groups)
    let means = statistics.means
    let inverses = statistics.variances.map { 1 / ($0 + Double(epsilon)).squareRoot() }

    // y = x·scale[b, c] + shift[b, c], with mean and inverse deviation of (b, group) folded in.
    let scale = Tensor(uninitialized: [batch, channels])
    let shift = Tensor(uninitialized: [batch, channels])
    for entry in 0..<batch * channels {
        let index = entry / members
        let factor = inverses[index] * Double(weight.pointer[entry % channels])
        scale.pointer[entry] = Float(factor)
        let constant = Double(bias.pointer[entry % channels]) + Double(offset?.pointer[entry] ?? 0)
        shift.pointer[entry] = Float(constant - means[index] * factor)
    }
    let result = Tensor(uninitialized: x.shape)
    forEachPixelBlock(batch: batch, pixels: pixels, channels: channels) { image, start, count in
        vector_channel_affine(
            count, channels, x.pointer + start, scale.pointer + image * channels, shift.pointer + image * channels,
            residual.map { $0.pointer + start }, activation.kernel, result.pointer + start)
    }
    withExtendedLifetime((scale, shift, residual)) {}

    // The activation's derivative alone asks for the residual's values.
    let (hasOffset, hasResidual, kept) = (offset != nil, residual != nil, activation == .none ? nil : residual)
    let recorded = result.recorded(from: [x, weight, bias] + [offset, residual].compactMap(\.self)) { outer, wanted in
        // The gradient before the activation.
        var gradient = outer
        if activation != .none {
            let inner = Tensor(uninitialized: x.shape)
            forEachPixelBlock(batch: batch, pixels: pixels, channels: channels) { image, start, count in
                vector_channel_activation_gradient(
                    count, channels, outer.pointer + start, x.pointer + start, scale.pointer + image * channels, shift.pointer + image * channels,
                    kept.map { $0.pointer + start }, activation.kernel, inner.pointer + start)
            }
            withExtendedLifetime((scale, shift, kept)) {}
            gradient = inner
        }
        // With s = Σ g and p = Σ g·x per channel, everything else follows without another pass.
        let sums = channelSums(x, batch: batch, pixels: pixels, channels: channels) {
            vector_channel_products(
                $0, channels, gradient.pointer + $1, x.pointer + $1, x.pointer + $1 / (pixels * channels) * pixels * channels, $2, $3)
        }
        let weightGradient = Tensor(zeros: [channels])
        let biasGradient = Tensor(zeros: [channels])
        let offsetGradient = !hasOffset ? nil : Tensor(shape: [batch, channels], values: sums.first.map { Float($0) })
        let coefficients = Tensor(uninitialized: [3, batch, channels])
        for index in 0..<batch * groups {
            let range = index * members..<(index + 1) * members
            let (mean, inverse) = (means[index], inverses[index])
            var (average, projection) = (0.0, 0.0)
            for entry in range {
                let channel = entry % channels
                let normalized = inverse * (sums.second[entry] + (pivot(x, entry, pixels: pixels, channels: channels) - mean) * sums.first[entry])
                weightGradient.pointer[channel] += Float(normalized)
                biasGradient.pointer[channel] += Float(sums.first[entry])
                average += Double(weight.pointer[channel]) * sums.first[entry]
                projection += Double(weight.pointer[channel]) * normalized
            }
            // What passes through the statistics, where they are those of `x`.
            let share = given == nil ? 1 / Double(pixels * members) : 0
            average *= share
            projection *= share
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
        return [inputGradient, weightGradient, biasGradient] + [offsetGradient, hasResidual ? gradient : nil].compactMap(\.self)
    }
    return (recorded, statistics)
}

/// Sums over pixels are taken of differences from each channel's first value in its image: squares of values far from zero would cancel.
/// - Parameter entry: image · channels + channel
private func pivot(_ x: Tensor, _ entry: Int, pixels: Int, channels: Int) -> Double {
    Double(x.pointer[entry / channels * pixels * channels + entry % channels])
}

private func channelStatistics(_ x: Tensor, batch: Int, pixels: Int, channels: Int, groups: Int) -> ChannelStatistics {
    let moments = channelSums(x, batch: batch, pixels: pixels, channels: channels) {
        vector_channel_moments($0, channels, x.pointer + $1, x.pointer + $1 / (pixels * channels) * pixels * channels, $2, $3)
    }
    let members = channels / groups
    let total = Double(pixels * members)
    var statistics = ChannelStatistics(means: [], variances: [])
    for index in 0..<batch * groups {
        let range = index * members..<(index + 1) * members
        let pivots = range.map { pivot(x, $0, pixels: pixels, channels: channels) }
        let mean = zip(range, pivots).reduce(0) { $0 + moments.first[$1.0] + Double(pixels) * $1.1 } / total
        let squares = zip(range, pivots).reduce(0) { sum, pair in
            let distance = pair.1 - mean
            return sum + moments.second[pair.0] + 2 * distance * moments.first[pair.0] + Double(pixels) * distance * distance
        }
        statistics.means.append(mean)
        // Not by `max`, which would make 0 of NaN.
        statistics.variances.append(squares < 0 ? 0 : squares / total)
    }
    return statistics
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
