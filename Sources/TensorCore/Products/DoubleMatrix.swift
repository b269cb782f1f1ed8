import COpenBLAS

/// A matrix of 64-bit floats for statistics, column after column as LAPACK has it.
package struct DoubleMatrix: Sendable {
    package let rows, columns: Int
    /// `columns` columns of `rows` values.
    package let values: [Double]

    /// - Precondition: `values.count == rows * columns`, both at least 1.
    package init(rows: Int, columns: Int, values: [Double]) {
        precondition(rows > 0 && columns > 0 && values.count == rows * columns, "DoubleMatrix: \(values.count) values for \(rows) × \(columns)")
        (self.rows, self.columns, self.values) = (rows, columns, values)
    }

    /// selfᵀ·other, `[columns, other's columns]`, on the calling thread.
    package func transposedProduct(_ other: DoubleMatrix) -> DoubleMatrix {
        precondition(rows == other.rows, "transposedProduct: \(rows) and \(other.rows) rows")
        OpenBLAS.prepare()
        let product = [Double](unsafeUninitializedCapacity: columns * other.columns) { buffer, initialized in
            cblas_dgemm(
                CblasColMajor, CblasTrans, CblasNoTrans, blasint(columns), blasint(other.columns), blasint(rows), 1, values, blasint(rows),
                other.values, blasint(rows), 0, buffer.baseAddress, blasint(columns))
            initialized = columns * other.columns
        }
        return DoubleMatrix(rows: columns, columns: other.columns, values: product)
    }

    /// The lower triangle L of self = L·Q, Q of orthonormal rows, so that L·Lᵀ = self·selfᵀ; the matrix itself if it has no more columns than rows.
    /// - Returns: `[rows, min(rows, columns)]`
    package var lowerFactor: DoubleMatrix {
        guard columns > rows else { return self }
        var factors = values
        var (m, n, stride) = (blasint(rows), blasint(columns), blasint(rows))
        var scales = [Double](repeating: 0, count: rows)
        Self.withWorkspace { work, size, info in dgelqf_(&m, &n, &factors, &stride, &scales, work, size, info) }
        // Above the diagonal lies what makes Q.
        for column in 1..<max(1, rows) {
            for row in 0..<column { factors[column * rows + row] = 0 }
        }
        return DoubleMatrix(rows: rows, columns: rows, values: Array(factors[..<(rows * rows)]))
    }

    /// The singular values, the largest first; nil if the matrix holds a value that is not finite or the iteration does not converge.
    package var singularValues: [Double]? {
        guard values.allSatisfy(\.isFinite) else { return nil }
        var copy = values
        var (m, n, stride) = (blasint(rows), blasint(columns), blasint(rows))
        // Of vectors that are not asked for.
        var (leftStride, rightStride) = (blasint(1), blasint(1))
        var job = CChar(UInt8(ascii: "N"))
        let count = min(rows, columns)
        var result = [Double](repeating: 0, count: count)
        var integers = [blasint](repeating: 0, count: 8 * count)
        let info = Self.withWorkspace { work, size, info in
            dgesdd_(&job, &m, &n, &copy, &stride, &result, nil, &leftStride, nil, &rightStride, work, size, &integers, info, 1)
        }
        return info == 0 ? result : nil
    }

    /// Calls a routine of LAPACK twice: for the size of workspace that it wants, and with it.
    /// - Returns: what the routine says of its success: 0, or what went wrong.
    @discardableResult
    private static func withWorkspace(
        _ routine: (_ work: UnsafeMutablePointer<Double>, _ size: UnsafePointer<blasint>, _ info: UnsafeMutablePointer<blasint>) -> Void
    ) -> blasint {
        OpenBLAS.prepare()
        var (wanted, size, info) = (0.0, blasint(-1), blasint(0))
        routine(&wanted, &size, &info)
        guard info == 0 else { return info }
        size = blasint(max(1, wanted))
        var work = [Double](repeating: 0, count: Int(size))
        routine(&work, &size, &info)
        return info
    }
}
