/// How noise becomes a sample.
public enum Sampler: String, Sendable, Codable, CaseIterable {
    /// DPM-Solver++(2M), deterministic: x̂₀ is extrapolated from two steps, but for the first and the last (Lu et al. 2022, algorithm 2).
    case dpmSolver = "dpm-solver++"
    /// Deterministic at η = 0; at η = 1 as much noise is put back as the process has (Song et al. 2021, equations 12 and 16).
    case ddim
    /// Ancestral with σ² = β, in all steps of the noise schedule (Ho et al. 2020, algorithm 2).
    case ddpm
}
