/// How the values of one image go with those of another on the same grid, pixel by pixel.
package struct FieldComparison: Sendable, Equatable {
    /// The number of pixels compared.
    package let count: Int
    /// Pearson's correlation, −1 to 1; NaN if either image has one value only.
    package let correlation: Double
    /// Σxy/Σx², the slope of the line y = ax through the origin with the least Σ(y − ax)². NaN if x is 0 everywhere.
    package let slopeThroughOrigin: Double
    /// Of the line y = ax + b with the least Σ(y − ax − b)². NaN if x has one value only.
    package let slope: Double, intercept: Double

    /// Compares the pixels that hold data in both images.
    /// - Parameters:
    ///   - moving: the values y.
    ///   - reference: the values x: the image with less noise, for noise in x makes the slopes too small.
    ///   - mask: true for the pixels to compare, row by row; all of them by default.
    /// - Precondition: images and mask have one size.
    package init(of moving: Image, with reference: Image, where mask: [Bool]? = nil) {
        precondition(
            moving.width == reference.width && moving.height == reference.height && (mask.map { $0.count == moving.pixels.count } ?? true),
            "images of different sizes")
        func forEach(_ body: (_ x: Double, _ y: Double) -> Void) {
            for index in moving.pixels.indices where mask?[index] ?? true {
                let (x, y) = (reference.pixels[index], moving.pixels[index])
                if x.isFinite, y.isFinite { body(Double(x), Double(y)) }
            }
        }
        var (count, x, y, xx, xy) = (0, 0.0, 0.0, 0.0, 0.0)
        forEach {
            count += 1
            x += $0
            y += $1
            xx += $0 * $0
            xy += $0 * $1
        }
        let (meanX, meanY) = (x / Double(count), y / Double(count))
        var (varianceX, varianceY, covariance) = (0.0, 0.0, 0.0)
        forEach {
            varianceX += ($0 - meanX) * ($0 - meanX)
            varianceY += ($1 - meanY) * ($1 - meanY)
            covariance += ($0 - meanX) * ($1 - meanY)
        }
        self.count = count
        correlation = covariance / (varianceX * varianceY).squareRoot()
        slopeThroughOrigin = xy / xx
        slope = covariance / varianceX
        intercept = meanY - slope * meanX
    }
}
