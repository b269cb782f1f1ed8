import TensorCore

/// The normal distribution of a set of feature vectors, one an image: what a Fréchet distance compares.
package struct FeatureDistribution: Sendable {
    /// The number of vectors, at least 2.
    package let count: Int
    /// The length of a vector.
    package let dimensions: Int
    private let mean: [Double]
    /// A, of which A·Aᵀ is the covariance (over n − 1), `[dimensions, the lesser of count and dimensions]`.
    private let factor: DoubleMatrix

    /// - Parameter features: vectors of one length, at least 1.
    /// - Returns: nil for fewer than two vectors.
    package init?(_ features: [[Double]]) {
        guard features.count > 1 else { return nil }
        let (count, dimensions) = (features.count, features[0].count)
        precondition(features.allSatisfy { $0.count == dimensions }, "FeatureDistribution: vectors of lengths \(Set(features.map(\.count)).sorted())")
        (self.count, self.dimensions) = (count, dimensions)
        let mean = (0..<dimensions).map { index in features.reduce(0) { $0 + $1[index] } / Double(count) }
        self.mean = mean
        let scale = 1 / Double(count - 1).squareRoot()
        let centred = features.flatMap { zip($0, mean).map { ($0 - $1) * scale } }
        factor = DoubleMatrix(rows: dimensions, columns: count, values: centred).lowerFactor
    }

    /// Whether so many vectors are too few for a covariance of full rank: n vectors vary along n − 1 directions at most, and in all others the distribution
    /// has no width.
    ///
    /// Distances are exact all the same, but of a sample rather than of what it was drawn from: even two sets of the same images' kind lie well
    /// apart, the farther the fewer vectors they have. Such distances compare with each other alone, at equal counts.
    package static func isRankDeficient(count: Int, dimensions: Int) -> Bool { count <= dimensions }

    /// The Fréchet distance (Dowson & Landau 1982; of image features, Heusel et al. 2017), ‖μ₁ − μ₂‖² + Tr(Σ₁ + Σ₂ − 2(Σ₁Σ₂)^½), a squared
    /// distance; 0 for equal distributions.
    ///
    /// With Σ = A·Aᵀ the trace of the root is the sum of the singular values of A₁ᵀA₂, whatever the rank: no root of a matrix is taken.
    /// - Parameter other: of the same dimensions
    /// - Returns: at least 0; NaN if a feature is not finite.
    package func frechetDistance(to other: FeatureDistribution) -> Double {
        precondition(dimensions == other.dimensions, "frechetDistance: features of \(dimensions) and \(other.dimensions) dimensions")
        guard let singular = factor.transposedProduct(other.factor).singularValues else { return .nan }
        func sumOfSquares(_ values: [Double]) -> Double { values.reduce(0) { $0 + $1 * $1 } }
        let means = sumOfSquares(zip(mean, other.mean).map { $0 - $1 })
        let variances = sumOfSquares(factor.values) + sumOfSquares(other.factor.values)
        return max(0, means + variances - 2 * singular.reduce(0, +))
    }
}
