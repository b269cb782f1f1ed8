import TensorCore

/// Mean and standard deviation of each latent channel, so that what is diffused has mean 0 and variance 1.
package struct LatentStatistics: Sendable, Codable, Equatable {
    /// Of x₀: E(HR), in residual systems E(HR) − E(LR↑).
    package var targetMean, targetDeviation: [Float]
    /// Of the condition E(LR↑).
    package var conditionMean, conditionDeviation: [Float]

    private enum CodingKeys: String, CodingKey {
        case targetMean = "target_mean"
        case targetDeviation = "target_deviation"
        case conditionMean = "condition_mean"
        case conditionDeviation = "condition_deviation"
    }

    /// Mean 0 and deviation 1.
    package init(channels: Int, conditionChannels: Int? = nil) {
        (targetMean, targetDeviation) = (Array(repeating: 0, count: channels), Array(repeating: 1, count: channels))
        let count = conditionChannels ?? channels
        (conditionMean, conditionDeviation) = (Array(repeating: 0, count: count), Array(repeating: 1, count: count))
    }

    /// Measures both from latents `[…, channels]`.
    package init(target: Tensor, condition: Tensor) {
        (targetMean, targetDeviation) = Self.moments(target)
        (conditionMean, conditionDeviation) = Self.moments(condition)
    }

    private static func moments(_ x: Tensor) -> (mean: [Float], deviation: [Float]) {
        let channels = x.extent(-1)
        let rows = x.reshaped(to: [-1, channels])
        let mean = rows.mean(axes: [0], keepingDimensions: true)
        let variance = (rows - mean).squared().mean(axes: [0])
        return (mean.values, variance.values.map { max($0.squareRoot(), 1e-6) })
    }

    package func normalizeTarget(_ x: Tensor) -> Tensor { (x - vector(targetMean)) / vector(targetDeviation) }
    package func denormalizeTarget(_ x: Tensor) -> Tensor { x * vector(targetDeviation) + vector(targetMean) }
    package func normalizeCondition(_ x: Tensor) -> Tensor { (x - vector(conditionMean)) / vector(conditionDeviation) }

    private func vector(_ values: [Float]) -> Tensor { Tensor(shape: [values.count], values: values) }
}
