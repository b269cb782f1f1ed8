import ArgumentParser
import SuperResolution

extension Sampler: ExpressibleByArgument {}
extension SuperResolver.NoiseKey: ExpressibleByArgument {}

/// How models draw samples.
struct SamplingOptions: ParsableArguments {
    @Option(help: "dpm-solver++ or ddim, in few steps; or ddpm, in all steps of the model's noise schedule.")
    var sampler = SuperResolver.Options().sampler

    @Option(help: "Denoising steps (default: 20; 1000 for ddpm).")
    var steps: Int?

    @Option(help: "Of ddim: 0 is deterministic, 1 puts back as much noise as ddpm (default: 0).")
    var eta: Double?

    @Option(help: "Seed of the noise.")
    var seed: UInt64 = 1

    @Option(
        help: """
            Noise of a sample: own (keyed by the input's pixels: maps are independent) or shared (one field for all maps of a size, for movies of one \
            region).
            """)
    var noise = SuperResolver.NoiseKey.own

    @Option(help: "Side of a tile in low-resolution pixels (default: the model's own).")
    var tile: Int?

    @Option(help: "Low-resolution pixels that neighbouring tiles share (default: the model's own).")
    var overlap: Int?

    var resolver: SuperResolver.Options {
        SuperResolver.Options(sampler: sampler, steps: stepCount, eta: eta ?? 0, tile: tile, overlap: overlap, seed: seed, noise: noise)
    }

    /// As entries of a configuration file.
    var entries: [String: Any] {
        var entries: [String: Any] = [
            "sampler": sampler.rawValue, "steps": stepCount, "seed": seed, "noise": noise.rawValue,
        ]
        if let tile { entries["tile"] = tile }
        if let overlap { entries["overlap"] = overlap }
        if let eta { entries["eta"] = eta }
        return entries
    }

    private var stepCount: Int { steps ?? (sampler == .ddpm ? NoiseSchedule.paper.steps : SuperResolver.Options().steps) }

    func validate() throws {
        if let steps, steps < 1 { throw ValidationError("--steps must be at least 1, not \(steps)") }
        if let tile, !(16...1024).contains(tile) || tile % 4 != 0 {
            throw ValidationError("--tile must be 16 … 1024 in steps of 4 pixels, not \(tile)")
        }
        if let overlap, overlap < 0 || overlap >= tile ?? 1024 {
            throw ValidationError("--overlap must be at least 0 and less than --tile, not \(overlap)")
        }
        guard let eta else { return }
        guard (0...1).contains(eta) else { throw ValidationError("--eta must be 0 … 1, not \(eta)") }
        guard sampler == .ddim else { throw ValidationError("--eta belongs to --sampler ddim, not \(sampler.rawValue)") }
    }
}
