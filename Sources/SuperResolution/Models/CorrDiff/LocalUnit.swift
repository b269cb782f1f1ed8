import TensorCore

/// The scale of what a field may hold beyond its low resolution y, from y alone: √(floor² + variance · v + square · m) Gauss, with v the variance and m the mean
/// square of y over 3 × 3 pixels. Fields differ by a factor of a hundred between quiet Sun and spots; in this unit they are alike.
package struct LocalUnit: Sendable, Codable, Equatable {
    /// Gauss, where y is 0 all around.
    package var floor: Float
    package var variance: Float
    package var square: Float

    package init(floor: Float, variance: Float, square: Float) { (self.floor, self.variance, self.square) = (floor, variance, square) }

    /// Chosen on HMI's active regions.
    package static let activeRegions = LocalUnit(floor: 6, variance: 0.15, square: 0.0016)

    /// - Parameter low: `[batch, height, width, 1]` in Gauss; continued beyond its borders by the pixels at them
    /// - Returns: the unit, and √m, both in Gauss and of that shape
    package func callAsFunction(_ low: Tensor) -> (unit: Tensor, strength: Tensor) {
        let (batch, height, width) = (low.shape[0], low.shape[1], low.shape[2])
        var units = [Float](repeating: 0, count: low.count), strengths = units
        for image in 0..<batch {
            let values = low.pointer + image * height * width
            for y in 0..<height {
                let rows = [max(0, y - 1), y, min(height - 1, y + 1)]
                for x in 0..<width {
                    var sum: Float = 0
                    var squares: Float = 0
                    for row in rows {
                        for column in [max(0, x - 1), x, min(width - 1, x + 1)] {
                            let value = values[row * width + column]
                            sum += value
                            squares += value * value
                        }
                    }
                    let (mean, meanSquare) = (sum / 9, squares / 9)
                    let place = (image * height + y) * width + x
                    units[place] = (floor * floor + variance * max(0, meanSquare - mean * mean) + square * meanSquare).squareRoot()
                    strengths[place] = meanSquare.squareRoot()
                }
            }
        }
        return (Tensor(shape: low.shape, values: units), Tensor(shape: low.shape, values: strengths))
    }

    func check(_ check: Check) throws {
        try check(floor > 0 && floor.isFinite, "a floor of more than 0 G", floor)
        try check(variance >= 0 && variance.isFinite && square >= 0 && square.isFinite, "shares of at least 0", "\(variance), \(square)")
    }
}
