import Groundwork
import VectorKernels

/// NumPy's broadcasting, and its reverse for gradients.
enum Broadcasting {
    typealias Kernel = (Int, Int, UnsafePointer<Float>?, Int, Int, UnsafePointer<Float>?, Int, Int, UnsafeMutablePointer<Float>?) -> Void

    /// The shape that both operands broadcast to.
    static func shape(_ a: [Int], _ b: [Int], operation: String) -> [Int] {
        let rank = max(a.count, b.count)
        let left = Array(repeating: 1, count: rank - a.count) + a
        let right = Array(repeating: 1, count: rank - b.count) + b
        return zip(left, right).map { l, r in
            precondition(l == r || l == 1 || r == 1, "\(operation): shapes \(a) and \(b) do not broadcast")
            return l == 1 ? r : l
        }
    }

    /// Runs a kernel over two operands. Neighbouring dimensions that both operands walk alike are merged, so that the inner loop is as long as can be.
    static func apply(_ a: Tensor, _ b: Tensor, operation: String, kernel: Kernel) -> Tensor {
        apply(a, b, shape: shape(a.shape, b.shape, operation: operation), kernel: kernel)
    }

    /// The values repeated to fill a shape that they can be broadcast to. Nothing is recorded.
    static func expand(_ x: Tensor, to shape: [Int]) -> Tensor { apply(x, Tensor(0), shape: shape, kernel: vector_add) }

    private static func apply(_ a: Tensor, _ b: Tensor, shape: [Int], kernel: Kernel) -> Tensor {
        let result = Tensor(uninitialized: shape)
        var extents: [Int] = []
        var strides: [(a: Int, b: Int)] = []
        let left = Self.strides(of: a.shape, in: result.shape)
        let right = Self.strides(of: b.shape, in: result.shape)
        for (axis, extent) in result.shape.enumerated() where extent != 1 {
            if let last = extents.indices.last, strides[last].a == left[axis] * extent, strides[last].b == right[axis] * extent {
                extents[last] *= extent
                strides[last] = (left[axis], right[axis])
            } else {
                extents.append(extent)
                strides.append((left[axis], right[axis]))
            }
        }
        let inner = extents.popLast() ?? 1
        let innerStride = strides.popLast() ?? (0, 0)
        let rows = extents.popLast() ?? 1
        let rowStride = strides.popLast() ?? (0, 0)
        let outer = extents.reduce(1, *)
        guard result.count > 0 else { return result }
        // A piece is a run of rows, or, where there is one long row, a run of that row.
        let alongRow = rows == 1
        let size = alongRow ? elementwiseBlock : max(1, elementwiseBlock / inner)
        let pieces = ((alongRow ? inner : rows) + size - 1) / size
        Parallel.forEach(outer * pieces) { task in
            var offset = (a: 0, b: 0)
            var remainder = task / pieces
            for (extent, stride) in zip(extents, strides).reversed() {
                offset.a += remainder % extent * stride.a
                offset.b += remainder % extent * stride.b
                remainder /= extent
            }
            let start = task % pieces * size
            let target = result.pointer + task / pieces * rows * inner
            if alongRow {
                kernel(
                    1, min(size, inner - start), a.pointer + offset.a + start * innerStride.a, 0, innerStride.a,
                    b.pointer + offset.b + start * innerStride.b, 0, innerStride.b, target + start)
            } else {
                kernel(
                    min(size, rows - start), inner, a.pointer + offset.a + start * rowStride.a, rowStride.a, innerStride.a,
                    b.pointer + offset.b + start * rowStride.b, rowStride.b, innerStride.b, target + start * inner)
            }
        }
        return result
    }

    /// Whether a tensor of `shape` can be repeated to fill the other.
    static func isBroadcast(_ shape: [Int], to other: [Int]) -> Bool {
        shape.count <= other.count && zip(shape, other.suffix(shape.count)).allSatisfy { $0 == $1 || $0 == 1 }
    }

    /// Sums `gradient` over the dimensions along which `shape` was repeated.
    static func reduce(_ gradient: Tensor, to shape: [Int]) -> Tensor {
        if gradient.shape == shape { return gradient }
        let padded = Array(repeating: 1, count: gradient.shape.count - shape.count) + shape
        let axes = padded.indices.filter { padded[$0] == 1 && gradient.shape[$0] != 1 }
        return summed(gradient, over: axes).viewed(as: shape)
    }

    /// Steps through an operand of `shape` for each dimension of `result`; 0 where it is repeated.
    private static func strides(of shape: [Int], in result: [Int]) -> [Int] {
        let padded = Array(repeating: 1, count: result.count - shape.count) + shape
        var step = 1
        return padded.reversed().map { extent in
            defer { step *= extent }
            return extent == 1 ? 0 : step
        }.reversed()
    }
}
