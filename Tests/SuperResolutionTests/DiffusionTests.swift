import Foundation
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

    private static func reference() throws -> Reference {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../Fixtures/Diffusion/ddim.json")
        return try JSONDecoder().decode(Reference.self, from: Data(contentsOf: file.standardizedFileURL))
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

    /// Every step agrees with that of diffusers, for the best predictor of normal data.
    @Test func stepsAgreeWithDiffusers() throws {
        let reference = try Self.reference()
        let schedule = NoiseSchedule.paper
        let alphas = schedule.cumulativeAlphas
        func tensor(_ values: [Float]) -> Tensor { Tensor(shape: [values.count], values: values) }
        for trajectory in reference.trajectories {
            let target: PredictionTarget = trajectory.prediction == "epsilon" ? .noise : .velocity
            let timesteps = schedule.samplingTimesteps(trajectory.fields.count - 1)
            let name = "\(trajectory.prediction), \(timesteps.count) steps"
            var step = 0
            let result = sampleDDIM(from: tensor(trajectory.fields[0]), schedule: schedule, timesteps: timesteps, target: target) { noisy, timestep in
                #expect(timestep == timesteps[step])
                expectClose(noisy, tensor(trajectory.fields[step]), "\(name), before step \(step)", tolerance: 1e-5)
                step += 1
                let alpha = alphas[timestep]
                let values = noisy.values.indices.map { index in
                    let (x, m, s) = (Double(noisy.values[index]), Double(reference.mean[index]), Double(reference.deviation[index]))
                    let clean = m + alpha.squareRoot() * s * s * (x - alpha.squareRoot() * m) / (alpha * s * s + 1 - alpha)
                    let noise = (x - alpha.squareRoot() * clean) / (1 - alpha).squareRoot()
                    return Float(target == .noise ? noise : alpha.squareRoot() * noise - (1 - alpha).squareRoot() * clean)
                }
                return tensor(values)
            }
            #expect(step == timesteps.count)
            // A single step to the data divides the rounding of noise by √ᾱ ≈ 1/160.
            let tolerance: Float = target == .noise && timesteps.count == 1 ? 5e-5 : 1e-5
            expectClose(result, tensor(trajectory.fields[step]), "\(name), result", tolerance: tolerance)
        }
    }

    /// Whoever knows the data gives it back in any number of steps.
    @Test(arguments: [PredictionTarget.noise, .velocity], [1, 3, 20]) func perfectPredictorGivesTheData(_ target: PredictionTarget, count: Int) {
        let schedule = NoiseSchedule.paper
        let alphas = schedule.cumulativeAlphas
        var random = Random(seed: 5)
        let (clean, noise) = (random.normal([2, 3, 4, 5]), random.normal([2, 3, 4, 5]))
        let timesteps = schedule.samplingTimesteps(count)
        let last = alphas[999]
        let initial = clean * Float(last.squareRoot()) + noise * Float((1 - last).squareRoot())
        let result = sampleDDIM(from: initial, schedule: schedule, timesteps: timesteps, target: target) { _, timestep in
            let alpha = alphas[timestep]
            return target.target(
                clean: clean, noise: noise, signal: Tensor(Float(alpha.squareRoot())), deviation: Tensor(Float((1 - alpha).squareRoot())))
        }
        // Noise is divided by √ᾱ ≈ 1/160 on the way.
        expectClose(result, clean, "x₀", tolerance: target == .noise && count == 1 ? 1e-4 : 1e-5)
    }

    @Test func errorsOfThePredictorPassThrough() {
        struct Stop: Error {}
        #expect(throws: Stop.self) {
            try sampleDDIM(from: Tensor(zeros: [2]), schedule: .paper, timesteps: [999, 499], target: .noise) { _, timestep in
                if timestep == 499 { throw Stop() }
                return Tensor(zeros: [2])
            }
        }
    }
}
