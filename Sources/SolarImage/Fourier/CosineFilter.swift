import CFFTW
import Groundwork

/// Filters a field continued by reflection at its borders, so that opposite borders do not mix.
///
/// The Fourier transform of a field so continued is its cosine transform (DCT-II), which takes the room of the field alone: it is computed in place, row by
/// row, then in bundles of columns, which are filtered and transformed back while they are in cache.
package enum CosineFilter {
    /// Multiplies each coefficient by the gain at its distance from zero frequency. The same bits at any number of threads.
    ///
    /// - Parameters:
    ///   - values: `height` rows of `width`, replaced by what is left of them.
    ///   - gain: of the frequency in cycles per pixel, 0 to 0.707; called by several threads.
    /// - Precondition: there are `width * height` values, both at least 1.
    package static func apply(_ gain: (_ frequency: Double) -> Double, to values: inout [Double], width: Int, height: Int) {
        precondition(width > 0 && height > 0 && values.count == width * height, "\(width) × \(height) values are \(values.count)")
        let rows = (FourierPlan.of(.cosine(count: width)), FourierPlan.of(.inverseCosine(count: width)))
        let columns = (FourierPlan.of(.cosine(count: height)), FourierPlan.of(.inverseCosine(count: height)))
        // DCT-II and DCT-III one after the other multiply by 2n.
        let scale = 1 / (4 * Double(width) * Double(height))
        values.withUnsafeMutableBufferPointer { values in
            guard let start = values.baseAddress else { return }
            func transformRows(_ plan: FourierPlan) {
                Parallel.forEachBlock(of: height, size: 32) { block in
                    for y in block { fftw_execute_r2r(plan.pointer, start + y * width, start + y * width) }
                }
            }
            transformRows(rows.0)
            Parallel.forEachBlock(of: width, size: 16) { block in
                withUnsafeTemporaryAllocation(of: Double.self, capacity: height * block.count) { lines in
                    guard let first = lines.baseAddress else { return }
                    for y in 0..<height {
                        let row = start + y * width + block.lowerBound
                        for line in 0..<block.count { first[line * height + y] = row[line] }
                    }
                    for line in 0..<block.count {
                        let values = first + line * height
                        let horizontal = Double(block.lowerBound + line) / Double(2 * width)
                        fftw_execute_r2r(columns.0.pointer, values, values)
                        for y in 0..<height {
                            let vertical = Double(y) / Double(2 * height)
                            values[y] *= scale * gain((horizontal * horizontal + vertical * vertical).squareRoot())
                        }
                        fftw_execute_r2r(columns.1.pointer, values, values)
                    }
                    for y in 0..<height {
                        let row = start + y * width + block.lowerBound
                        for line in 0..<block.count { row[line] = first[line * height + y] }
                    }
                }
            }
            transformRows(rows.1)
        }
    }
}
