import CFFTW
import Groundwork

/// The Fourier transform of a field continued by reflection at its borders, so that opposite borders do not mix: the cosine transform (DCT-II), which is
/// done in place and so takes the room of the field alone.
///
/// Coefficient (k, l), at `l * width + k`, belongs to cos(πk(x + ½)/W) · cos(πl(y + ½)/H), of k/2W and l/2H cycles per pixel, normalised to a sum of squares
/// of 1: white noise of variance σ² has coefficients of variance σ². The same bits at any number of threads.
package enum CosineTransform {
    /// Replaces `values`, `height` rows of `width`, by their coefficients.
    /// - Precondition: there are `width * height` values, both at least 1.
    package static func forward(_ values: inout [Double], width: Int, height: Int) {
        func transform(_ plan: FourierPlan, _ line: UnsafeMutablePointer<Double>, _ count: Int) {
            fftw_execute_r2r(plan.pointer, line, line)
            let scale = (1 / (2 * Double(count))).squareRoot()
            for index in 0..<count { line[index] *= scale }
            line[0] *= 0.5.squareRoot()
        }
        let (rows, columns) = (FourierPlan.of(.cosine(count: width)), FourierPlan.of(.cosine(count: height)))
        withField(&values, width, height) { start in
            forEachRow(of: start, width: width, height: height) { transform(rows, $0, width) }
            forEachColumn(of: start, width: width, height: height) { _, line in transform(columns, line, height) }
        }
    }

    /// Replaces coefficients by their field: the reverse of ``forward(_:width:height:)``.
    /// - Precondition: there are `width * height` coefficients, both at least 1.
    package static func inverse(_ coefficients: inout [Double], width: Int, height: Int) {
        func transform(_ plan: FourierPlan, _ line: UnsafeMutablePointer<Double>, _ count: Int) {
            let scale = (1 / (2 * Double(count))).squareRoot()
            for index in 0..<count { line[index] *= scale }
            line[0] *= 2.0.squareRoot()
            fftw_execute_r2r(plan.pointer, line, line)
        }
        let (rows, columns) = (FourierPlan.of(.inverseCosine(count: width)), FourierPlan.of(.inverseCosine(count: height)))
        withField(&coefficients, width, height) { start in
            forEachColumn(of: start, width: width, height: height) { _, line in transform(columns, line, height) }
            forEachRow(of: start, width: width, height: height) { transform(rows, $0, width) }
        }
    }

    static func withField(_ values: inout [Double], _ width: Int, _ height: Int, _ body: (_ start: UnsafeMutablePointer<Double>) -> Void) {
        precondition(width > 0 && height > 0 && values.count == width * height, "\(width) × \(height) values are \(values.count)")
        values.withUnsafeMutableBufferPointer { if let start = $0.baseAddress { body(start) } }
    }

    /// Calls `body` for each row of `width` values, on several threads.
    static func forEachRow(
        of start: UnsafeMutablePointer<Double>, width: Int, height: Int, _ body: (_ line: UnsafeMutablePointer<Double>) -> Void
    ) {
        Parallel.forEachBlock(of: height, size: 32) { block in
            for y in block { body(start + y * width) }
        }
    }

    /// Calls `body` for each column as a line of `height` values, which then replaces the column, on several threads. Columns are copied in bundles, which
    /// stay in cache.
    static func forEachColumn(
        of start: UnsafeMutablePointer<Double>, width: Int, height: Int, _ body: (_ column: Int, _ line: UnsafeMutablePointer<Double>) -> Void
    ) {
        Parallel.forEachBlock(of: width, size: 16) { block in
            withUnsafeTemporaryAllocation(of: Double.self, capacity: height * block.count) { lines in
                guard let first = lines.baseAddress else { return }
                for y in 0..<height {
                    let row = start + y * width + block.lowerBound
                    for line in 0..<block.count { first[line * height + y] = row[line] }
                }
                for line in 0..<block.count { body(block.lowerBound + line, first + line * height) }
                for y in 0..<height {
                    let row = start + y * width + block.lowerBound
                    for line in 0..<block.count { row[line] = first[line * height + y] }
                }
            }
        }
    }
}
