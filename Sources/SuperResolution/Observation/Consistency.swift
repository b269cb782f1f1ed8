import Groundwork
import SolarImage

extension Image {
    /// The image changed as little and as smoothly as needed for its block means to be those of `low`, so that it keeps the flux of its input.
    ///
    /// With M the block mean and B bicubic enlargement, the change is s = B c, where c solves (M B) c = r for the residual r = low − M x. Repeating r over
    /// the blocks would do as well, but leaves the steps between blocks as a lattice; s has no steps. M B is separable, pentadiagonal along each
    /// axis and strictly diagonally dominant (eigenvalues between 0.64 and 1), so the solution is direct and stable at any size.
    /// What is left of r, by rounding and in blocks with some pixels of NaN, is then spread evenly over the pixels of each block.
    ///
    /// - Parameters:
    ///   - low: the low-resolution input in Gauss, smaller by `factor` along both axes. Blocks where it, or the image, is NaN alone have no residual.
    ///   - weight: how much of the residual is corrected, from 0 (nothing) to 1 (all of it).
    /// - Returns: an image with NaN where this one has it.
    package func consistent(with low: Image, factor: Int = 4, weight: Double = 1) -> Image {
        precondition(
            width == low.width * factor && height == low.height * factor,
            "\(width) × \(height) is not \(factor) times \(low.width) × \(low.height)")
        let means = blockMean(by: factor)
        /// The residual of each block against block means `m`, towards the weighted goal; 0 where there is none.
        func residual(_ m: Image) -> [Double] {
            low.pixels.indices.map { i in
                let (goal, before, now) = (Double(low.pixels[i]), Double(means.pixels[i]), Double(m.pixels[i]))
                let difference = before + weight * (goal - before) - now
                return difference.isFinite ? difference : 0
            }
        }
        var correction = residual(means)
        if correction.allSatisfy({ $0 == 0 }) { return self }

        let upsampling = BicubicUpsampling(scale: factor)
        PentadiagonalSolver(bands: upsampling.blockMeanBands(count: low.height)).solveColumns(of: &correction, width: low.width)
        PentadiagonalSolver(bands: upsampling.blockMeanBands(count: low.width)).solveRows(of: &correction)
        var result = self
        result.pixels.withUnsafeMutableBufferPointer { target in
            upsampling.forEachRow(of: correction, width: low.width, height: low.height) { y, row in
                for x in 0..<width { target[y * width + x] = Float(Double(target[y * width + x]) + row[x]) }
            }
        }
        let rest = residual(result.blockMean(by: factor))
        result.pixels.withUnsafeMutableBufferPointer { target in
            Parallel.forEachBlock(of: height, size: 64) { block in
                for y in block {
                    for x in 0..<width { target[y * width + x] += Float(rest[y / factor * low.width + x / factor]) }
                }
            }
        }
        return result
    }
}

/// Solves A x = b for a diagonally dominant pentadiagonal A by its LU factors, which need no pivoting then (Golub & Van Loan, *Matrix Computations*, §4.3).
struct PentadiagonalSolver {
    /// Per row: the two multipliers of L, the inverse of U's diagonal, U's two entries right of it.
    private var factors: [Double]
    private let count: Int

    /// - Parameter bands: row after row, the entries of columns i − 2 … i + 2; those outside the matrix are 0.
    init(bands: [Double]) {
        factors = bands
        count = bands.count / 5
        for i in 0..<count {
            let row = 5 * i
            if i >= 2 {
                // factors[… + 2] of finished rows holds the inverse of the pivot.
                factors[row] *= factors[row - 10 + 2]
                factors[row + 1] -= factors[row] * factors[row - 10 + 3]
                factors[row + 2] -= factors[row] * factors[row - 10 + 4]
            }
            if i >= 1 {
                factors[row + 1] *= factors[row - 5 + 2]
                factors[row + 2] -= factors[row + 1] * factors[row - 5 + 3]
                factors[row + 3] -= factors[row + 1] * factors[row - 5 + 4]
            }
            factors[row + 2] = 1 / factors[row + 2]
        }
    }

    /// Replaces each column of `values` (`count` rows of `width`) by its solution.
    func solveColumns(of values: inout [Double], width: Int) {
        values.withUnsafeMutableBufferPointer { values in
            Parallel.forEachBlock(of: width, size: 64) { columns in
                solve(values, lines: columns, lineStride: 1, stride: width)
            }
        }
    }

    /// Replaces each row of `values` (rows of `count`) by its solution.
    func solveRows(of values: inout [Double]) {
        values.withUnsafeMutableBufferPointer { values in
            Parallel.forEachBlock(of: values.count / count, size: 16) { rows in
                solve(values, lines: rows, lineStride: count, stride: 1)
            }
        }
    }

    /// Solves for the lines that start at `lines * lineStride` and step by `stride`, all lines abreast.
    private func solve(_ values: UnsafeMutableBufferPointer<Double>, lines: Range<Int>, lineStride: Int, stride: Int) {
        factors.withUnsafeBufferPointer { factors in
            for i in 0..<count {
                let (two, one) = (factors[5 * i], factors[5 * i + 1])
                for line in lines {
                    let position = line * lineStride + i * stride
                    if i >= 2 { values[position] -= two * values[position - 2 * stride] }
                    if i >= 1 { values[position] -= one * values[position - stride] }
                }
            }
            for i in (0..<count).reversed() {
                let (inverse, one, two) = (factors[5 * i + 2], factors[5 * i + 3], factors[5 * i + 4])
                for line in lines {
                    let position = line * lineStride + i * stride
                    if i + 1 < count { values[position] -= one * values[position + stride] }
                    if i + 2 < count { values[position] -= two * values[position + 2 * stride] }
                    values[position] *= inverse
                }
            }
        }
    }
}
