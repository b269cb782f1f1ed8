import COpenBLAS
import Groundwork

/// A matrix in memory: `rows` × `columns` as it will be used, row-major with `stride` between rows, or stored transposed.
struct Matrix {
    var pointer: UnsafeMutablePointer<Float>
    var stride: Int
    var isTransposed = false
}

/// c ← alpha·a·b + beta·c with a `[m, k]`, b `[k, n]`, c `[m, n]`, on the calling thread.
func multiply(_ a: Matrix, _ b: Matrix, into c: Matrix, m: Int, n: Int, k: Int, alpha: Float = 1, beta: Float = 0) {
    singleThreaded
    cblas_sgemm(
        CblasRowMajor, a.isTransposed ? CblasTrans : CblasNoTrans, b.isTransposed ? CblasTrans : CblasNoTrans, blasint(m), blasint(n), blasint(k),
        alpha,
        a.pointer, blasint(a.stride), b.pointer, blasint(b.stride), beta, c.pointer, blasint(c.stride))
}

/// The same, cut into pieces of c whose size does not depend on the number of threads.
func multiplyInParallel(_ a: Matrix, _ b: Matrix, into c: Matrix, m: Int, n: Int, k: Int, beta: Float = 0) {
    let (height, width) = (min(m, 256), min(n, 512))
    let rows = (m + height - 1) / height
    let columns = (n + width - 1) / width
    Parallel.forEach(rows * columns) { task in
        let (row, column) = (task / columns * height, task % columns * width)
        var (left, right, target) = (a, b, c)
        left.pointer += a.isTransposed ? row : row * a.stride
        right.pointer += b.isTransposed ? column * b.stride : column
        target.pointer += row * c.stride + column
        multiply(left, right, into: target, m: min(height, m - row), n: min(width, n - column), k: k, beta: beta)
    }
}

/// The matrix product over the last two dimensions: `[…, m, k]` × `[…, k, n]` → `[…, m, n]`, leading dimensions equal.
public func matmul(_ a: Tensor, _ b: Tensor) -> Tensor {
    precondition(
        a.shape.count >= 2 && a.shape.count == b.shape.count && a.shape.dropLast(2) == b.shape.dropLast(2) && a.extent(-1) == b.extent(-2),
        "matmul: shapes \(a.shape) and \(b.shape) do not fit")
    return batchedProduct(a, b, transposingA: false, transposingB: false).recorded(from: [a, b]) { gradient, wanted in
        [
            wanted[0] ? batchedProduct(gradient, b, transposingA: false, transposingB: true) : nil,
            wanted[1] ? batchedProduct(a, gradient, transposingA: true, transposingB: false) : nil,
        ]
    }
}

private func batchedProduct(_ a: Tensor, _ b: Tensor, transposingA: Bool, transposingB: Bool) -> Tensor {
    let (m, k) = transposingA ? (a.extent(-1), a.extent(-2)) : (a.extent(-2), a.extent(-1))
    let n = b.extent(transposingB ? -2 : -1)
    let result = Tensor(uninitialized: Array(a.shape.dropLast(2)) + [m, n])
    let batch = a.shape.dropLast(2).reduce(1, *)
    func product(_ index: Int, _ body: (Matrix, Matrix, Matrix) -> Void) {
        body(
            Matrix(pointer: a.pointer + index * m * k, stride: a.extent(-1), isTransposed: transposingA),
            Matrix(pointer: b.pointer + index * k * n, stride: b.extent(-1), isTransposed: transposingB),
            Matrix(pointer: result.pointer + index * m * n, stride: n))
    }
    if batch == 1 {
        product(0) { multiplyInParallel($0, $1, into: $2, m: m, n: n, k: k) }
    } else {
        Parallel.forEach(batch) { index in product(index) { multiply($0, $1, into: $2, m: m, n: n, k: k) } }
    }
    return result
}
