import Foundation
import TensorCore

/// How much wider an ensemble must be than its samples are, by the strength of low resolution: factors of the deviations from the mean, between strengths by a
/// straight line over the logarithm, beyond the outermost as there.
package struct SpreadCalibration: Sendable, Codable, Equatable {
    /// Root mean square of low resolution over 3 × 3 pixels, Gauss, ascending.
    package var strengths: [Float]
    package var factors: [Float]

    package init(strengths: [Float], factors: [Float]) { (self.strengths, self.factors) = (strengths, factors) }

    /// The strengths that are told apart.
    package static let strengths: [Float] = [5, 15, 50, 150, 500, 1500]

    /// What is measured at a strength counts for the two next to it: their places and weights.
    package static func shares(of strength: Float, among strengths: [Float]) -> [(place: Int, weight: Float)] {
        guard let upper = strengths.firstIndex(where: { $0 > strength }) else { return [(strengths.count - 1, 1)] }
        guard upper > 0 else { return [(0, 1)] }
        let part = log(strength / strengths[upper - 1]) / log(strengths[upper] / strengths[upper - 1])
        return [(upper - 1, 1 - part), (upper, part)]
    }

    /// - Parameter strengths: `[batch, height, width, 1]` in Gauss
    /// - Returns: factors of that shape
    package func callAsFunction(_ strengths: Tensor) -> Tensor {
        Tensor(
            shape: strengths.shape,
            values: strengths.values.map { strength in
                Self.shares(of: strength, among: self.strengths).reduce(0) { $0 + $1.weight * factors[$1.place] }
            })
    }

    func check(_ check: Check) throws {
        let isAscending = zip(strengths, strengths.dropFirst()).allSatisfy { $0 < $1 }
        try check(
            !strengths.isEmpty && strengths.count == factors.count && isAscending && strengths.allSatisfy { $0 > 0 && $0.isFinite },
            "as many factors as ascending strengths", "\(strengths), \(factors)")
        try check(factors.allSatisfy { (0.1...10).contains($0) }, "factors of 0.1 … 10", factors)
    }
}
