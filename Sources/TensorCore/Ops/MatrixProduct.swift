import COpenBLAS
import Groundwork

/// c ← alpha·a·b + beta·c with a `[m, k]`, b `[k, n]`, c `[m, n]`, on the calling thread.
func multiply(_ a: Matrix, _ b: Matrix, into c: Matrix, m: Int, n: Int, k: Int, alpha: Float = 1, beta: Float = 0) {
    OpenBLAS.prepare()
    cblas_sgemm(
        CblasRowMajor, a.isTransposed ? CblasTrans : CblasNoTrans, b.isTransposed ? CblasTrans : CblasNoTrans, blasint(m), blasint(n), blasint(k),
        alpha, a.pointer, blasint(a.stride), b.pointer, blasint(b.stride), beta, c.pointer, blasint(c.stride))
}

/// The matrix product over the last two dimensions: `[…, m, k]` × `[…, k, n]` → `[…, m, n]`, leading dimensions equal.
public func matmul(_ a: Tensor, _ b: Tensor) -> Tensor {
    precondition(
        a.shape.count >= 2 && a.shape.count == b.shape.count && a.shape.dropLast(2) == b.shape.dropLast(2) && a.extent(-1) == b.extent(-2),
        "matmul: shapes \(a.shape) and \(b.shape) do not fit")
    let (left, right) = (b.isTracked ? a.detached : nil, a.isTracked ? b.detached : nil)
    return batchedProduct(a, b, transposingA: false, transposingB: false).recorded(from: [a, b]) { gradient, _ in
        [
            right.map { batchedProduct(gradient, $0, transposingA: false, transposingB: true) },
            left.map { batchedProduct($0, gradient, transposingA: true, transposingB: false) },
        ]
    }
}

private func batchedProduct(_ a: Tensor, _ b: Tensor, transposingA: Bool, transposingB: Bool) -> Tensor {
    let (m, k) = transposingA ? (a.extent(-1), a.extent(-2)) : (a.extent(-2), a.extent(-1))
    let n = b.extent(transposingB ? -2 : -1)
    let result = Tensor(uninitialized: Array(a.shape.dropLast(2)) + [m, n])
    let batch = a.shape.dropLast(2).reduce(1, *)
    // OpenBLAS's bits depend on the cut, which must not depend on the threads.
    let cut = ProductCut(m: m, n: n, k: k, batch: batch, threads: 16)
    Parallel.forEach(batch * cut.count) { task in
        let (index, piece) = (task / cut.count, cut.piece(task % cut.count))
        let (row, column) = (piece.rows.lowerBound, piece.columns.lowerBound)
        multiply(
            Matrix(pointer: a.pointer + index * m * k, stride: a.extent(-1), isTransposed: transposingA).from(row: row, column: 0),
            Matrix(pointer: b.pointer + index * k * n, stride: b.extent(-1), isTransposed: transposingB).from(row: 0, column: column),
            into: Matrix(pointer: result.pointer + index * m * n, stride: n).from(row: row, column: column),
            m: piece.rows.count, n: piece.columns.count, k: k)
    }
    return result
}
