import ArgumentParser
import SuperResolution

extension Sampler: ExpressibleByArgument {}
extension SuperResolver.NoiseKey: ExpressibleByArgument {}

/// How diffusion models draw samples.
struct SamplingOptions: ParsableArguments {
    @Option(help: "dpm-solver++ or ddim, in few steps; or ddpm, in all steps of the model's noise schedule.")
    var sampler = SuperResolver.Options().sampler

    @Option(help: "Denoising steps (default: 20; 1000 for ddpm).")
    var steps: Int?

    @Option(help: "Of ddim: 0 is deterministic, 1 puts back as much noise as ddpm (default: 0).")
    var eta: Double?

    @Option(help: "Seed of the noise.")
    var seed: UInt64 = 1

    var stepCount: Int { steps ?? (sampler == .ddpm ? NoiseSchedule.paper.steps : SuperResolver.Options().steps) }
    var etaOrZero: Double { eta ?? 0 }

    func validate() throws {
        if let steps, steps < 1 { throw ValidationError("--steps must be at least 1, not \(steps)") }
        guard let eta else { return }
        guard (0...1).contains(eta) else { throw ValidationError("--eta must be 0 … 1, not \(eta)") }
        guard sampler == .ddim else { throw ValidationError("--eta belongs to --sampler ddim, not \(sampler.rawValue)") }
    }
}
