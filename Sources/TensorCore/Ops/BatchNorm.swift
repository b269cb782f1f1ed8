/// Batch normalisation in training (Ioffe & Szegedy 2015): (x − mean) / √(variance + epsilon) · weight + bias, with each channel's mean and
/// population variance over all images and pixels of the batch.
///
/// - Parameters:
///   - x: `[batch, …, channels]`
///   - weight, bias: `[channels]`
/// - Returns: the result, shaped as `x`, and the batch's `mean` and `variance`, `[channels]`, through which no gradient passes.
public func batchNorm(_ x: Tensor, weight: Tensor, bias: Tensor, epsilon: Float = 1e-5) -> (result: Tensor, mean: Tensor, variance: Tensor) {
    let channels = x.extent(-1)
    precondition(
        weight.shape == [channels] && bias.shape == [channels],
        "batchNorm: input \(x.shape), weight \(weight.shape) and bias \(bias.shape) do not fit")
    // All pixels as those of one image, each channel a group of its own.
    let (result, statistics) = normalizeChannels(x, batch: 1, groups: channels, weight: weight, bias: bias, epsilon: epsilon)
    return (
        result, Tensor(shape: [channels], values: statistics.means.map { Float($0) }),
        Tensor(shape: [channels], values: statistics.variances.map { Float($0) })
    )
}

/// Batch normalisation at inference: the same with a mean and a variance that do not depend on `x`, such as running averages.
///
/// - Parameters:
///   - x: `[batch, …, channels]`
///   - mean, variance, weight, bias: `[channels]`; mean and variance are constants.
/// - Returns: shaped as `x`
public func batchNorm(_ x: Tensor, mean: Tensor, variance: Tensor, weight: Tensor, bias: Tensor, epsilon: Float = 1e-5) -> Tensor {
    let channels = x.extent(-1)
    precondition(
        [mean, variance, weight, bias].allSatisfy { $0.shape == [channels] },
        "batchNorm: input \(x.shape), mean \(mean.shape), variance \(variance.shape), weight \(weight.shape) and bias \(bias.shape) do not fit")
    let statistics = ChannelStatistics(means: mean.values.map { Double($0) }, variances: variance.values.map { Double($0) })
    return normalizeChannels(x, batch: 1, groups: channels, weight: weight, bias: bias, epsilon: epsilon, given: statistics).result
}
