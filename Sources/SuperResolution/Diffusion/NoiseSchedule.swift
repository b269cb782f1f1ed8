import TensorCore

/// The noise process of the paper (Ho et al. 2020): x_t = √ᾱ_t·x₀ + √(1 − ᾱ_t)·ε with β linear over T steps.
public struct NoiseSchedule: Sendable, Codable, Equatable {
    /// T, 1000 in the paper.
    public var steps: Int
    /// β of the first step, 1e-4 in the paper.
    public var firstBeta: Double
    /// β of the last step, 0.02 in the paper.
    public var lastBeta: Double

    /// - Parameters:
    ///   - steps: at least 1
    ///   - firstBeta, lastBeta: 0 < first ≤ last < 1
    public init(steps: Int, firstBeta: Double, lastBeta: Double) { (self.steps, self.firstBeta, self.lastBeta) = (steps, firstBeta, lastBeta) }

    public static let paper = NoiseSchedule(steps: 1000, firstBeta: 1e-4, lastBeta: 0.02)

    /// ᾱ_t = Π (1 − β_s) for t = 0 … T − 1.
    public var cumulativeAlphas: [Double] {
        var product = 1.0
        return (0..<steps).map { step in
            product *= 1 - (firstBeta + (lastBeta - firstBeta) * Double(step) / Double(max(1, steps - 1)))
            return product
        }
    }

    /// `count` timesteps for sampling, descending from T − 1 in equal strides ("trailing", Lin et al. 2024, table 2); halves round to even.
    public func samplingTimesteps(_ count: Int) -> [Int] {
        (0..<count).map { Int((Double(steps) - Double($0) * Double(steps) / Double(count)).rounded(.toNearestOrEven)) - 1 }
    }

    private enum CodingKeys: String, CodingKey {
        case steps
        case firstBeta = "first_beta"
        case lastBeta = "last_beta"
    }
}

/// What a denoising network's output means.
public enum PredictionTarget: String, Sendable, Codable {
    /// The noise ε (Ho et al. 2020); the paper's.
    case noise
    /// v = √ᾱ·ε − √(1 − ᾱ)·x₀ (Salimans & Ho 2022), which stays well scaled where x_t is nearly all noise.
    case velocity

    /// What the network should give for x₀ and ε at ᾱ.
    package func target(clean: Tensor, noise: Tensor, signal: Tensor, deviation: Tensor) -> Tensor {
        self == .noise ? noise : signal * noise - deviation * clean
    }

    /// x₀ and ε from the network's output at one ᾱ.
    package func resolve(_ output: Tensor, noisy: Tensor, cumulativeAlpha: Double) -> (clean: Tensor, noise: Tensor) {
        let signal = Float(cumulativeAlpha.squareRoot())
        let deviation = Float((1 - cumulativeAlpha).squareRoot())
        switch self {
        case .noise: return ((noisy - output * deviation) / signal, output)
        case .velocity: return (noisy * signal - output * deviation, noisy * deviation + output * signal)
        }
    }
}
