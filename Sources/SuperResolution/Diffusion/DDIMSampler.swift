import TensorCore

/// The deterministic sampler of Song et al. 2021 (equation 12 with η = 0).
///
/// - Parameters:
///   - initial: pure noise, any shape
///   - timesteps: descending, as ``NoiseSchedule/samplingTimesteps(_:)`` gives them
///   - predict: the network's output for a noisy field at a timestep
/// - Returns: x₀
/// - Throws: what `predict` throws, such as an interruption.
package func sampleDDIM(
    from initial: Tensor, schedule: NoiseSchedule, timesteps: [Int], target: PredictionTarget,
    predict: (_ noisy: Tensor, _ timestep: Int) throws -> Tensor
) rethrows -> Tensor {
    let alphas = schedule.cumulativeAlphas
    var x = initial
    for (index, timestep) in timesteps.enumerated() {
        let (clean, noise) = target.resolve(try predict(x, timestep), noisy: x, cumulativeAlpha: alphas[timestep])
        let next = index + 1 < timesteps.count ? alphas[timesteps[index + 1]] : 1
        x = clean * Float(next.squareRoot()) + noise * Float((1 - next).squareRoot())
    }
    return x
}
