import Foundation
import Groundwork
import TensorCore

/// A step of any sampler: x ← `noisy`·x + `clean`·x̂₀ + `previousClean`·(x̂₀ of the step before) + `noise`·z, z ~ N(0, 1).
package struct SamplingStep: Sendable, Equatable {
    /// At which the network is asked.
    package var timestep: Int
    /// ᾱ there.
    package var cumulativeAlpha: Double
    package var noisy: Double
    package var clean: Double
    package var previousClean = 0.0
    package var noise: Double
}

extension NoiseSchedule {
    /// The steps from noise to data, at timesteps of trailing spacing; the last goes to ᾱ = 1 and is x̂₀.
    ///
    /// - Parameters:
    ///   - count: 1 … T; T for DDPM
    ///   - eta: η of DDIM, 0 … 1
    /// - Throws: `Failure` (`.usage`) for another count.
    package func samplingSteps(_ sampler: Sampler, count: Int, eta: Double = 0) throws -> [SamplingStep] {
        precondition((0...1).contains(eta), "samplingSteps: eta \(eta)")
        guard (1...steps).contains(count) else {
            throw Failure(
                .usage, "the model's noise schedule does not have that many steps", expected: "1 … \(steps) denoising steps", found: "\(count)")
        }
        guard sampler != .ddpm || count == steps else {
            throw Failure(
                .usage,
                "DDPM cannot skip steps: noise of variance β belongs to single steps of the noise schedule, over longer ones it is too much",
                expected: "\(steps) denoising steps", found: "\(count)",
                remedy: "take all \(steps), or another sampler; ddim with eta 1 is DDPM with a variance that fits")
        }
        let timesteps = samplingTimesteps(count)
        let all = cumulativeAlphas
        let alphas = timesteps.map { all[$0] }
        return timesteps.indices.map { index in
            let isLast = index == count - 1
            let (alpha, next) = (alphas[index], isLast ? 1 : alphas[index + 1])
            // A schedule may begin or end so gently or steeply that ᾱ is 1 or 0 in double precision.
            let remaining = max(1 - alpha, .leastNormalMagnitude)
            let beta = next > 0 ? 1 - alpha / next : 1
            let eta = sampler == .ddpm ? 1 : sampler == .ddim ? eta : 0
            let variance = eta * eta * (1 - next) / remaining * beta
            // Equation 12 of Song et al. with ε = (x − √ᾱ·x̂₀) / √(1 − ᾱ). At η = 0 this is DPM-Solver++ of first order, at η = 1 it has DDPM's mean.
            let noisy = ((1 - next - variance) / remaining).squareRoot()
            var step = SamplingStep(
                timestep: timesteps[index], cumulativeAlpha: alpha, noisy: noisy, clean: next.squareRoot() - noisy * alpha.squareRoot(),
                noise: variance.squareRoot())
            if sampler == .ddpm, !isLast { step.noise = beta.squareRoot() }
            if sampler == .dpmSolver, index > 0, !isLast {
                let (before, here, after) = (logSignalToNoise(alphas[index - 1]), logSignalToNoise(alpha), logSignalToNoise(next))
                let extrapolation = (after - here) / (here - before) / 2
                if extrapolation.isFinite { (step.clean, step.previousClean) = (step.clean * (1 + extrapolation), -step.clean * extrapolation) }
            }
            return step
        }
    }
}

/// 2λ = ln(ᾱ / (1 − ᾱ)).
private func logSignalToNoise(_ cumulativeAlpha: Double) -> Double { log(cumulativeAlpha / (1 - cumulativeAlpha)) }

/// Takes `steps` from noise to data.
///
/// - Parameters:
///   - initial: pure noise, any shape
///   - steps: as ``NoiseSchedule/samplingSteps(_:count:eta:)`` gives them
///   - noise: standard normal values of that shape, other ones each time; asked for by steps that put noise back alone.
///   - predict: the network's output for a noisy field at a timestep
/// - Returns: x₀
/// - Throws: what `predict` throws, such as an interruption.
package func drawSample(
    from initial: Tensor, steps: [SamplingStep], target: PredictionTarget, noise: () -> Tensor,
    predict: (_ noisy: Tensor, _ timestep: Int) throws -> Tensor
) rethrows -> Tensor {
    var x = initial
    var previous: Tensor?
    for step in steps {
        let clean = target.resolve(try predict(x, step.timestep), noisy: x, cumulativeAlpha: step.cumulativeAlpha).clean
        x = x * Float(step.noisy) + clean * Float(step.clean)
        if step.previousClean != 0, let previous { x = x + previous * Float(step.previousClean) }
        if step.noise != 0 { x = x + noise() * Float(step.noise) }
        previous = clean
    }
    return x
}
