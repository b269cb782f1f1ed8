import Foundation
import Groundwork
import SuperResolution
import TensorCore
import Testing

@Suite struct DiffusionTests {
    /// What `Scripts/make-diffusion-fixtures.py` wrote.
    private struct Reference: Decodable {
        struct Trajectory: Decodable {
            /// `epsilon` or `v_prediction`.
            let prediction: String
            /// The field before each step and after the last.
            let fields: [[Float]]
        }
        let timesteps: [[Int]]
        let mean, deviation: [Float]
        let trajectories: [Trajectory]
    }

    private static func file(_ name: String) -> URL {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../Fixtures/Diffusion/\(name)").standardizedFileURL
    }

    private static func reference() throws -> Reference { try JSONDecoder().decode(Reference.self, from: Data(contentsOf: file("ddim.json"))) }

    private func tensor(_ values: [Float]) -> Tensor { Tensor(shape: [values.count], values: values) }

    /// The best predictor's output for data whose elements are independent normal.
    private func predict(_ target: PredictionTarget, alpha: Double, noisy: Tensor, mean: [Float], deviation: [Float]) -> Tensor {
        let noisy = noisy.values
        return tensor(
            noisy.indices.map { index in
                let (x, m, s) = (Double(noisy[index]), Double(mean[index]), Double(deviation[index]))
                let clean = m + alpha.squareRoot() * s * s * (x - alpha.squareRoot() * m) / (alpha * s * s + 1 - alpha)
                let noise = (x - alpha.squareRoot() * clean) / (1 - alpha).squareRoot()
                return Float(target == .noise ? noise : alpha.squareRoot() * noise - (1 - alpha).squareRoot() * clean)
            })
    }

    // MARK: - Schedule

    /// β and ᾱ as the paper's code has them.
    @Test func scheduleOfThePaper() throws {
        let fixture = try ModelsFixture("noise-schedule")
        let (alphas, betas) = (NoiseSchedule.paper.cumulativeAlphas, try fixture["beta"].values)
        expectClose(Tensor(shape: [1000], values: alphas.map { Float($0) }), try fixture["alpha_bar"], "ᾱ", tolerance: 1e-6)
        // Each by itself, also where ᾱ is small.
        for (own, golden) in zip(alphas, try fixture["alpha_bar"].values) { #expect(abs(own / Double(golden) - 1) < 1e-4) }
        for step in 1..<1000 { #expect(abs(1 - alphas[step] / alphas[step - 1] - Double(betas[step])) < 1e-8) }
        #expect(abs(1 - alphas[0] - Double(betas[0])) < 1e-8)
        var short = NoiseSchedule.paper
        (short.steps, short.firstBeta) = (1, 0.1)
        #expect(short.cumulativeAlphas == [0.9])
    }

    @Test func timestepsAreThoseOfTrailingSpacing() throws {
        for expected in try Self.reference().timesteps {
            #expect(NoiseSchedule.paper.samplingTimesteps(expected.count) == expected, "\(expected.count) steps")
        }
    }

    @Test(arguments: 1...1000) func timestepsDescendFromTheNoisiest(count: Int) {
        let timesteps = NoiseSchedule.paper.samplingTimesteps(count)
        #expect(timesteps.count == count && timesteps.first == 999)
        #expect(timesteps.allSatisfy { (0..<1000).contains($0) })
        #expect(zip(timesteps, timesteps.dropFirst()).allSatisfy { $0 > $1 })
    }

    // MARK: - Prediction

    @Test(arguments: [PredictionTarget.noise, .velocity]) func targetsAndTheirResolutionAreInverse(_ target: PredictionTarget) {
        var random = Random(seed: 4)
        let (clean, noise) = (random.normal([5, 7]), random.normal([5, 7]))
        for alpha in [0.9999, 0.5, 0.01] {
            let (signal, deviation) = (Tensor(Float(alpha.squareRoot())), Tensor(Float((1 - alpha).squareRoot())))
            let noisy = signal * clean + deviation * noise
            let output = target.target(clean: clean, noise: noise, signal: signal, deviation: deviation)
            let resolved = target.resolve(output, noisy: noisy, cumulativeAlpha: alpha)
            expectClose(resolved.clean, clean, "x₀ at ᾱ = \(alpha)", tolerance: 1e-5)
            expectClose(resolved.noise, noise, "ε at ᾱ = \(alpha)", tolerance: 1e-5)
        }
    }

    // MARK: - Sampling

    /// Every step of deterministic DDIM agrees with that of diffusers.
    @Test func stepsAgreeWithDiffusers() throws {
        let reference = try Self.reference()
        let schedule = NoiseSchedule.paper
        let alphas = schedule.cumulativeAlphas
        for trajectory in reference.trajectories {
            let target: PredictionTarget = trajectory.prediction == "epsilon" ? .noise : .velocity
            let steps = try schedule.samplingSteps(.ddim, count: trajectory.fields.count - 1)
            let name = "\(trajectory.prediction), \(steps.count) steps"
            var step = 0
            let result = drawSample(
                from: tensor(trajectory.fields[0]), steps: steps, target: target,
                noise: {
                    Issue.record("\(name): noise in step \(step)")
                    return tensor(trajectory.fields[0])
                }
            ) { noisy, timestep in
                #expect(timestep == schedule.samplingTimesteps(steps.count)[step])
                expectClose(noisy, tensor(trajectory.fields[step]), "\(name), before step \(step)", tolerance: 1e-5)
                step += 1
                return predict(target, alpha: alphas[timestep], noisy: noisy, mean: reference.mean, deviation: reference.deviation)
            }
            #expect(step == steps.count)
            // A single step to the data divides the rounding of noise by √ᾱ ≈ 1/160.
            let tolerance: Float = target == .noise && steps.count == 1 ? 5e-5 : 1e-5
            expectClose(result, tensor(trajectory.fields[step]), "\(name), result", tolerance: tolerance)
        }
    }

    /// What `samplers.safetensors` holds: sampler, η, noise schedule and steps.
    private static let trajectories: [(sampler: Sampler, eta: String, schedule: String, count: Int)] =
        [(.ddim, "0.5", "paper", 5), (.ddim, "0.5", "paper", 50), (.ddim, "1", "paper", 5), (.ddim, "1", "paper", 50), (.ddim, "0.3", "short", 10)]
        + [(.ddpm, "0", "paper", 1000), (.ddpm, "0", "short", 40), (.dpmSolver, "0", "short", 10)]
        + [1, 2, 3, 10, 16, 20, 1000].map { (.dpmSolver, "0", "paper", $0) }

    /// Every step of the others agrees with that of diffusers, given the noise that it puts back.
    @Test(arguments: trajectories, ["epsilon", "v_prediction"])
    func samplersAgreeWithDiffusers(_ case: (sampler: Sampler, eta: String, schedule: String, count: Int), prediction: String) throws {
        let file = try SafetensorsFile(reading: Self.file("samplers.safetensors"))
        let (sampler, count) = (`case`.sampler, `case`.count)
        let fields = try file.tensor(named: "\(sampler.rawValue) \(`case`.eta) \(`case`.schedule) \(count) \(prediction)")
        let (noise, mean, deviation) = (try file.tensor(named: "noise"), try file.tensor(named: "mean"), try file.tensor(named: "deviation"))
        #expect(fields.shape == [count + 1, mean.count])
        func row(_ index: Int, of tensor: Tensor) -> Tensor { tensor.sliced(axis: 0, range: index..<index + 1).reshaped(to: [mean.count]) }

        let schedule = `case`.schedule == "paper" ? NoiseSchedule.paper : NoiseSchedule(steps: 40, firstBeta: 2e-3, lastBeta: 0.25)
        let alphas = schedule.cumulativeAlphas
        let target: PredictionTarget = prediction == "epsilon" ? .noise : .velocity
        let steps = try schedule.samplingSteps(sampler, count: count, eta: try #require(Double(`case`.eta)))
        var (step, draws) = (0, 0)
        let result = drawSample(
            from: row(0, of: fields), steps: steps, target: target,
            noise: {
                draws += 1
                return row(step - 1, of: noise)
            }
        ) { noisy, timestep in
            expectClose(noisy, row(step, of: fields), "before step \(step)", tolerance: 1e-5)
            step += 1
            return predict(target, alpha: alphas[timestep], noisy: noisy, mean: mean.values, deviation: deviation.values)
        }
        #expect(step == count && draws == (sampler == .dpmSolver ? 0 : count - 1))
        // A single step to the data divides the rounding of noise by √ᾱ ≈ 1/160.
        expectClose(result, row(count, of: fields), "result", tolerance: target == .noise && count == 1 ? 5e-5 : 1e-5)
    }

    /// Noise that is put back adds to what is left of the old: x_t has the variance of its timestep whichever way it came there.
    @Test(arguments: [0, 0.4, 1], [2, 17, 1000]) func noiseKeepsTheVarianceOfItsTimestep(eta: Double, count: Int) throws {
        let steps = try NoiseSchedule.paper.samplingSteps(.ddim, count: count, eta: eta)
        for (step, next) in zip(steps, steps.dropFirst()) {
            let variance = step.noisy * step.noisy * (1 - step.cumulativeAlpha) + step.noise * step.noise
            #expect(abs(variance - (1 - next.cumulativeAlpha)) < 1e-12)
            #expect(abs(step.noisy * step.cumulativeAlpha.squareRoot() + step.clean - next.cumulativeAlpha.squareRoot()) < 1e-12)
            #expect((step.noise > 0) == (eta > 0))
        }
        #expect(steps.last.map { [$0.noisy, $0.clean, $0.previousClean, $0.noise] } == [0, 1, 0, 0])
    }

    @Test(arguments: Sampler.allCases) func stepsThatTheScheduleDoesNotHave(_ sampler: Sampler) throws {
        let schedule = NoiseSchedule(steps: 30, firstBeta: 1e-3, lastBeta: 0.2)
        #expect(try schedule.samplingSteps(sampler, count: 30).count == 30)
        for count in [-1, 0, 31, .max] {
            let failure = try #require(throws: Failure.self) { try schedule.samplingSteps(sampler, count: count) }
            #expect(failure.category == .usage && failure.description.contains("expected 1 … 30") && failure.found == "\(count)")
        }
        guard sampler == .ddpm else {
            for count in 1...29 { #expect(try schedule.samplingSteps(sampler, count: count).count == count) }
            return
        }
        for count in [1, 15, 29] {
            let failure = try #require(throws: Failure.self) { try schedule.samplingSteps(sampler, count: count) }
            #expect(failure.category == .usage && failure.description.contains("variance β") && failure.found == "\(count)")
            #expect(failure.expected?.contains("30") == true)
        }
    }

    /// A model's file may hold a schedule that is all noise or none.
    @Test(arguments: [(100_000, 1e-4, 0.02), (50, 0.999_999, 0.999_999), (1000, 1e-300, 1e-300), (1000, 1e-17, 0.5), (1, 0.5, 0.5), (2, 1e-9, 1e-9)])
    func stepsAreFinite(count: Int, firstBeta: Double, lastBeta: Double) throws {
        let schedule = NoiseSchedule(steps: count, firstBeta: firstBeta, lastBeta: lastBeta)
        for sampler in Sampler.allCases {
            for count in Set([1, 2, 20, count]) where count <= schedule.steps && (sampler != .ddpm || count == schedule.steps) {
                for step in try schedule.samplingSteps(sampler, count: count, eta: 1) {
                    let values = [step.noisy, step.clean, step.previousClean, step.noise]
                    #expect(values.allSatisfy { $0.isFinite }, "\(sampler.rawValue), \(count) steps, \(step.timestep): \(values)")
                }
            }
        }
    }

    /// Whoever knows the data gives it back in any number of steps.
    @Test(arguments: [PredictionTarget.noise, .velocity], [1, 3, 20]) func perfectPredictorGivesTheData(_ target: PredictionTarget, count: Int) throws
    {
        let schedule = NoiseSchedule.paper
        let alphas = schedule.cumulativeAlphas
        var random = Random(seed: 5)
        let (clean, noise) = (random.normal([2, 3, 4, 5]), random.normal([2, 3, 4, 5]))
        let last = alphas[999]
        let initial = clean * Float(last.squareRoot()) + noise * Float((1 - last).squareRoot())
        for sampler in [Sampler.dpmSolver, .ddim] {
            let steps = try schedule.samplingSteps(sampler, count: count)
            let result = drawSample(from: initial, steps: steps, target: target, noise: { noise }) { _, timestep in
                let alpha = alphas[timestep]
                return target.target(
                    clean: clean, noise: noise, signal: Tensor(Float(alpha.squareRoot())), deviation: Tensor(Float((1 - alpha).squareRoot())))
            }
            // Noise is divided by √ᾱ ≈ 1/160 on the way.
            expectClose(result, clean, "x₀ by \(sampler.rawValue)", tolerance: target == .noise && count == 1 ? 1e-4 : 1e-5)
        }
    }

    @Test func errorsOfThePredictorPassThrough() throws {
        struct Stop: Error {}
        let steps = try NoiseSchedule.paper.samplingSteps(.dpmSolver, count: 2)
        #expect(throws: Stop.self) {
            try drawSample(from: Tensor(zeros: [2]), steps: steps, target: .noise, noise: { Tensor(zeros: [2]) }) { _, timestep in
                if timestep == 499 { throw Stop() }
                return Tensor(zeros: [2])
            }
        }
    }
}
