/// A matrix in memory: `rows` × `columns` as it will be used, row-major with `stride` between rows, or stored transposed.
struct Matrix {
    var pointer: UnsafeMutablePointer<Float>
    var stride: Int
    var isTransposed = false

    /// The part from a row and a column on.
    func from(row: Int, column: Int) -> Matrix {
        Matrix(pointer: pointer + (isTransposed ? row + column * stride : row * stride + column), stride: stride, isTransposed: isTransposed)
    }
}
