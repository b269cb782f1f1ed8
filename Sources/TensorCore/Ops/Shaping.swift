import Groundwork
import VectorKernels

extension Tensor {
    /// The same values in the same order under another shape; one extent may be −1 and is then found.
    public func reshaped(to shape: [Int]) -> Tensor {
        var target = shape
        if let free = target.firstIndex(of: -1) {
            let rest = target.reduce(1) { $1 == -1 ? $0 : $0 * $1 }
            target[free] = rest == 0 ? 0 : count / rest
        }
        precondition(target.reduce(1, *) == count, "reshaped: shape \(self.shape) cannot become \(shape)")
        let original = self.shape
        return viewed(as: target).recorded(from: [self]) { gradient, _ in [gradient.viewed(as: original)] }
    }

    /// The part of a tensor where `axis` (negative counts from the end) lies in `range`.
    public func sliced(axis: Int, range: Range<Int>) -> Tensor {
        let axis = axis < 0 ? axis + shape.count : axis
        precondition(
            shape.indices.contains(axis) && range.lowerBound >= 0 && range.upperBound <= shape[axis],
            "sliced: \(range) of axis \(axis) is not in \(shape)")
        let full = shape
        return copying(axis: axis, range: range).recorded(from: [self]) { gradient, _ in
            let target = Tensor(zeros: full)
            copyRuns(from: gradient, to: target, axis: axis, offset: range.lowerBound, intoTarget: true)
            return [target]
        }
    }

    /// Dimensions in another order, as NumPy's `transpose`; for layouts on disk. Nothing is recorded.
    package func permuted(_ order: [Int]) -> Tensor {
        precondition(order.sorted() == Array(shape.indices), "permuted: \(order) does not order the dimensions of \(shape)")
        // Dimensions that stay side by side are moved as one.
        let runs = order.reduce(into: [[Int]]()) { runs, axis in
            if let last = runs.last?.last, axis == last + 1 { runs[runs.count - 1].append(axis) } else { runs.append([axis]) }
        }
        if runs.count < order.count {
            let sorted = runs.sorted { $0[0] < $1[0] }
            let joined = viewed(as: sorted.map { $0.reduce(1) { $0 * shape[$1] } })
            return joined.permuted(runs.map { run in sorted.firstIndex { $0[0] == run[0] } ?? 0 }).viewed(as: order.map { shape[$0] })
        }
        let result = Tensor(uninitialized: order.map { shape[$0] })
        guard result.count > 0, let last = order.last else { return self.viewed(as: result.shape) }
        func strides(_ shape: [Int]) -> [Int] {
            var strides = Array(repeating: 1, count: shape.count)
            for axis in shape.indices.dropLast().reversed() { strides[axis] = strides[axis + 1] * shape[axis + 1] }
            return strides
        }
        let own = strides(shape)
        let target = zip(order, strides(result.shape)).sorted { $0.0 < $1.0 }.map(\.1)
        // Rows along axes that are dense in the result and columns along axes that are dense here change places. The shorter side takes one more axis while
        // there is one.
        func extent(_ axes: [Int]) -> Int { axes.reduce(1) { $0 * shape[$1] } }
        var (rows, columns) = ([last], last == shape.count - 1 ? [] : [shape.count - 1])
        while true {
            let row = order.dropLast(rows.count).last.flatMap { columns.contains($0) ? nil : $0 }
            let column = shape.indices.dropLast(columns.count).last.flatMap { rows.contains($0) ? nil : $0 }
            if let row, column == nil || extent(rows) < extent(columns) {
                rows.insert(row, at: 0)
            } else if let column {
                columns.insert(column, at: 0)
            } else {
                break
            }
        }
        /// Where the positions along axes lie, those along the last one fastest.
        func places(_ axes: [Int], _ strides: [Int]) -> [Int] {
            axes.reduce([0]) { places, axis in places.flatMap { place in (0..<shape[axis]).map { place + $0 * strides[axis] } } }
        }
        let (sources, targets) = (places(rows, own), places(columns, target))
        let others = order.filter { !rows.contains($0) && !columns.contains($0) }
        let (otherSources, otherTargets) = (places(others, own), places(others, target))
        let (width, height) = (64, elementwiseBlock / 64)
        let (across, down) = ((targets.count + width - 1) / width, (sources.count + height - 1) / height)
        Parallel.forEach(otherSources.count * down * across) { task in
            let (other, i, j) = (task / (down * across), task / across % down * height, task % across * width)
            sources.withUnsafeBufferPointer { sources in
                targets.withUnsafeBufferPointer { targets in
                    guard let rows = sources.baseAddress, let columns = targets.baseAddress else { return }
                    image_transpose(
                        min(height, sources.count - i), rows + i, pointer + otherSources[other] + j, min(width, targets.count - j), columns + j,
                        result.pointer + otherTargets[other] + i)
                }
            }
        }
        return result
    }

    private func copying(axis: Int, range: Range<Int>) -> Tensor {
        var target = shape
        target[axis] = range.count
        let result = Tensor(uninitialized: target)
        copyRuns(from: self, to: result, axis: axis, offset: range.lowerBound, intoTarget: false)
        return result
    }
}

/// Tensors joined along `axis` (negative counts from the end); the other extents are equal.
public func concatenate(_ tensors: [Tensor], axis: Int) -> Tensor {
    precondition(!tensors.isEmpty, "concatenate: no tensors")
    let axis = axis < 0 ? axis + tensors[0].shape.count : axis
    var shape = tensors[0].shape
    precondition(shape.indices.contains(axis), "concatenate: axis \(axis) is not one of shape \(shape)")
    for tensor in tensors.dropFirst() {
        precondition(
            tensor.shape.count == shape.count && shape.indices.allSatisfy { $0 == axis || tensor.shape[$0] == shape[$0] },
            "concatenate: shapes \(shape) and \(tensor.shape) differ beside axis \(axis)")
        shape[axis] += tensor.shape[axis]
    }
    let result = Tensor(uninitialized: shape)
    var offsets: [Int] = []
    var offset = 0
    for tensor in tensors {
        copyRuns(from: tensor, to: result, axis: axis, offset: offset, intoTarget: true)
        offsets.append(offset)
        offset += tensor.shape[axis]
    }
    let extents = tensors.map { $0.shape[axis] }
    return result.recorded(from: tensors) { gradient, wanted in
        zip(offsets, extents).enumerated().map { index, run in
            wanted[index] ? gradient.sliced(axis: axis, range: run.0..<run.0 + run.1) : nil
        }
    }
}

/// Copies a narrower tensor into a wider one (`intoTarget`) or out of it, at `offset` along `axis`.
private func copyRuns(from source: Tensor, to target: Tensor, axis: Int, offset: Int, intoTarget: Bool) {
    let (narrow, wide) = intoTarget ? (source, target) : (target, source)
    let inner = narrow.shape[(axis + 1)...].reduce(1, *)
    let run = narrow.shape[axis] * inner
    let step = wide.shape[axis] * inner
    let outer = narrow.shape[..<axis].reduce(1, *)
    Parallel.forEachBlock(of: outer, size: max(1, elementwiseBlock / max(1, run))) { block in
        for row in block {
            if intoTarget {
                (target.pointer + row * step + offset * inner).update(from: source.pointer + row * run, count: run)
            } else {
                (target.pointer + row * run).update(from: source.pointer + row * step + offset * inner, count: run)
            }
        }
    }
}

extension Tensor {
    /// Overwrites the part of `[batch, height, width, channels]` from `row` and `column` on with `[batch, rows, columns, channels]`. Nothing is recorded.
    package mutating func setWindow(_ part: Tensor, row: Int, column: Int) {
        forEachRow(of: part, row: row, column: column) { source, target, count in target.update(from: source, count: count) }
    }

    /// Adds to that part instead.
    package mutating func addWindow(_ part: Tensor, row: Int, column: Int) {
        forEachRow(of: part, row: row, column: column) { source, target, count in vector_accumulate(count, source, 1, target) }
    }

    private mutating func forEachRow(
        of part: Tensor, row: Int, column: Int, _ body: (UnsafeMutablePointer<Float>, UnsafeMutablePointer<Float>, Int) -> Void
    ) {
        precondition(
            shape.count == 4 && part.shape.count == 4 && shape[0] == part.shape[0] && shape[3] == part.shape[3] && row >= 0 && column >= 0
                && row + part.shape[1] <= shape[1] && column + part.shape[2] <= shape[2],
            "window: \(part.shape) at row \(row), column \(column) is not within \(shape)")
        makeUnique()
        let (rows, run) = (part.shape[1], part.shape[2] * part.shape[3])
        for line in 0..<part.shape[0] * rows {
            body(part.pointer + line * run, pointer + ((line / rows * shape[1] + row + line % rows) * shape[2] + column) * shape[3], run)
        }
    }
}
