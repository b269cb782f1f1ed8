import Groundwork
import VectorKernels

extension Tensor {
    /// The sum over `axes` (all by default; negative ones count from the end). Summed dimensions become 1 if kept and vanish if not.
    public func sum(axes: [Int]? = nil, keepingDimensions: Bool = false) -> Tensor {
        let axes = Set((axes ?? Array(shape.indices)).map { $0 < 0 ? $0 + shape.count : $0 })
        precondition(axes.allSatisfy(shape.indices.contains), "sum: axes \(axes.sorted()) are not dimensions of shape \(shape)")
        let kept = shape.indices.map { axes.contains($0) ? 1 : shape[$0] }
        let result = keepingDimensions ? kept : shape.indices.filter { !axes.contains($0) }.map { shape[$0] }
        let full = shape
        return summed(self, over: axes.sorted()).viewed(as: result).recorded(from: [self]) { gradient, _ in
            [Broadcasting.expand(gradient.viewed(as: kept), to: full)]
        }
    }

    /// The mean over `axes`, as ``sum(axes:keepingDimensions:)``.
    public func mean(axes: [Int]? = nil, keepingDimensions: Bool = false) -> Tensor {
        let total = sum(axes: axes, keepingDimensions: keepingDimensions)
        return total * (Float(total.count) / Float(count))
    }
}

/// The sum over `axes` (ascending), each becoming 1. Nothing is recorded.
func summed(_ x: Tensor, over axes: [Int]) -> Tensor {
    var result = x.detached
    // Runs of neighbouring axes are summed at once, the last run first.
    var remaining = axes
    while let last = remaining.popLast() {
        var first = last
        while remaining.last == first - 1 {
            first -= 1
            remaining.removeLast()
        }
        result = sumRun(result, first...last)
    }
    return result
}

private func sumRun(_ x: Tensor, _ axes: ClosedRange<Int>) -> Tensor {
    let outer = x.shape[..<axes.lowerBound].reduce(1, *)
    let middle = x.shape[axes].reduce(1, *)
    let inner = x.shape[(axes.upperBound + 1)...].reduce(1, *)
    var shape = x.shape
    for axis in axes { shape[axis] = 1 }
    let result = Tensor(zeros: shape)
    guard middle > 0, inner > 0 else { return result }
    // Pieces of the summed dimension, whatever the number of threads; their sums are added in order.
    let piece = max(1, elementwiseBlock / inner)
    let pieces = (middle + piece - 1) / piece
    if inner == 1 {
        let partial = UnsafeMutableBufferPointer<Double>.allocate(capacity: outer * pieces)
        defer { partial.deallocate() }
        Parallel.forEach(outer * pieces) { task in
            let start = task % pieces * piece
            partial[task] = vector_sum(min(piece, middle - start), x.pointer + task / pieces * middle + start)
        }
        for row in 0..<outer { result.pointer[row] = Float(partial[row * pieces..<(row + 1) * pieces].reduce(0, +)) }
        return result
    }
    let partial = Tensor(zeros: [outer, pieces, inner])
    Parallel.forEach(outer * pieces) { task in
        let start = task % pieces * piece
        vector_sum_rows(min(piece, middle - start), inner, x.pointer + (task / pieces * middle + start) * inner, partial.pointer + task * inner)
    }
    for row in 0..<outer { vector_sum_rows(pieces, inner, partial.pointer + row * pieces * inner, result.pointer + row * inner) }
    return result
}
