/// Rows of a table.
///
/// - Parameters:
///   - weight: `[entries, channels]`
///   - indices: each in `0 ..< entries`
/// - Returns: `[indices.count, channels]`
public func embedding(weight: Tensor, indices: [Int]) -> Tensor {
    precondition(weight.shape.count == 2, "embedding: weight \(weight.shape) is not [entries, channels]")
    let (entries, channels) = (weight.shape[0], weight.shape[1])
    precondition(indices.allSatisfy { (0..<entries).contains($0) }, "embedding: an index is outside 0 ..< \(entries)")
    let result = Tensor(uninitialized: [indices.count, channels])
    for (row, index) in indices.enumerated() { (result.pointer + row * channels).update(from: weight.pointer + index * channels, count: channels) }
    return result.recorded(from: [weight]) { gradient, _ in
        let target = Tensor(zeros: [entries, channels])
        for (row, index) in indices.enumerated() {
            for channel in 0..<channels { target.pointer[index * channels + channel] += gradient.pointer[row * channels + channel] }
        }
        return [target]
    }
}
