/// How a quantity varies over the disk as the detector sees it: factors whose mean square over the disk is 1.
public struct DiskPattern: Sendable, Equatable {
    /// Rows from the lowest up.
    private let factors: [[Double]]
    /// The outermost points' distance from the centre along each axis, in solar radii.
    private let extent: Double

    /// - Parameter values: of points at equal distances, row by row from the lowest, as many as columns; of any scale.
    init(_ values: [[Double]], extent: Double) {
        self.extent = extent
        let all = values.joined(), count = values.count
        // Of the corners of a square of that extent nothing is seen.
        let corners = [(0, 0), (0, count - 1), (count - 1, 0), (count - 1, count - 1)].map { values[$0.0][$0.1] }
        let squares = all.reduce(0) { $0 + $1 * $1 } - corners.reduce(0) { $0 + $1 * $1 }
        let mean = (squares / Double(all.count - 4)).squareRoot()
        factors = values.map { $0.map { $0 / mean } }
    }

    /// Between the points linearly, beyond the outermost as there.
    /// - Parameter place: to the right and upwards from the centre of the disk, in solar radii.
    func factor(at place: SIMD2<Double>) -> Double {
        let last = Double(factors.count - 1)
        let position = ((place / extent + 1) / 2 * last).clamped(lowerBound: SIMD2(0, 0), upperBound: SIMD2(last, last))
        let low = position.rounded(.down).clamped(lowerBound: SIMD2(0, 0), upperBound: SIMD2(last - 1, last - 1)), part = position - low
        let (x, y) = (Int(low.x), Int(low.y))
        func mixed(_ row: [Double]) -> Double { (1 - part.x) * row[x] + part.x * row[x + 1] }
        return (1 - part.y) * mixed(factors[y]) + part.y * mixed(factors[y + 1])
    }
}
