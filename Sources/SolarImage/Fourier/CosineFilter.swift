import CFFTW

/// Filters a field continued by reflection at its borders, as ``CosineTransform`` does, in place: row by row, then in bundles of columns, which are filtered
/// and transformed back while they are in cache.
package enum CosineFilter {
    /// Multiplies each coefficient by the gain at its distance from zero frequency. The same bits at any number of threads.
    ///
    /// - Parameters:
    ///   - values: `height` rows of `width`, replaced by what is left of them.
    ///   - gain: of the frequency in cycles per pixel, 0 to 0.707; called by several threads.
    /// - Precondition: there are `width * height` values, both at least 1.
    package static func apply(_ gain: (_ frequency: Double) -> Double, to values: inout [Double], width: Int, height: Int) {
        let rows = (FourierPlan.of(.cosine(count: width)), FourierPlan.of(.inverseCosine(count: width)))
        let columns = (FourierPlan.of(.cosine(count: height)), FourierPlan.of(.inverseCosine(count: height)))
        // DCT-II and DCT-III one after the other multiply by 2n.
        let scale = 1 / (4 * Double(width) * Double(height))
        CosineTransform.withField(&values, width, height) { start in
            CosineTransform.forEachRow(of: start, width: width, height: height) { fftw_execute_r2r(rows.0.pointer, $0, $0) }
            CosineTransform.forEachColumn(of: start, width: width, height: height) { column, line in
                let horizontal = Double(column) / Double(2 * width)
                fftw_execute_r2r(columns.0.pointer, line, line)
                for y in 0..<height {
                    let vertical = Double(y) / Double(2 * height)
                    line[y] *= scale * gain((horizontal * horizontal + vertical * vertical).squareRoot())
                }
                fftw_execute_r2r(columns.1.pointer, line, line)
            }
            CosineTransform.forEachRow(of: start, width: width, height: height) { fftw_execute_r2r(rows.1.pointer, $0, $0) }
        }
    }
}
