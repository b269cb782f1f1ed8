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
        batch > 0 && groups > 0 && channels % groups == 0 && weight.shape == [channels] && bias.shape == [channels]
            && offset.map { $0.shape == [batch, channels] } ?? true
            && residual.map { $0.shape == x.shape } ?? true,
        "groupNorm: input \(x.shape), \(groups) groups, weight \(weight.shape), bias \(bias.shape), offset \(offset?.shape ?? []) and residual "
            + "\(residual?.shape ?? []) do not fit")
    return normalizeChannels(
        x, batch: batch, groups: groups, weight: weight, bias: bias, epsilon: epsilon, offset: offset, residual: residual, activation: activation
    ).result
}
