import TensorCore

extension Tensor {
    /// The mean of values where there are data, shape `[]`: a loss learns nothing from pixels off the disk, whatever stands for them.
    /// - Parameter weights: of every value, or of every place for all channels (`[batch, height, width, 1]`), 0 … 1; nil for 1 everywhere.
    package func mean(weightedBy weights: Tensor?) -> Tensor {
        guard let weights else { return mean() }
        // All weights 0: there is nothing to learn, and the mean is 0.
        let total = weights.sum().item * Float(count / weights.count)
        return (self * weights).sum() / max(total, 1e-6)
    }
}
