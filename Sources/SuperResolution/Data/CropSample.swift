import TensorCore

/// Crops of one size as training takes them.
struct CropSample: Sendable {
    /// `[crops, size, size, 1]` in Gauss, pixels without data as 0.
    let field: Tensor
    /// Of that shape: 1 where a pixel has data, 0 elsewhere; nil if all have data.
    let known: Tensor?
    /// `[crops, size / scale, size / scale, 1]` in Gauss (``MagnetogramCollection/lowResolution(_:scale:)``); nil where none is wanted.
    let low: Tensor?

    /// - Parameter scale: of the low resolution; nil for none.
    /// - Throws: `Failure` if a file cannot be read, has changed, or is a pair of another scale.
    init(_ crops: [MagnetogramCollection.Crop], of collection: MagnetogramCollection, scale: Int?) throws {
        low = try scale.map { try collection.lowResolution(crops, scale: $0) }
        (field, known) = try collection.maskedFields(crops)
    }

    /// Several, one after the other, all with low resolution or none.
    init(joining parts: [CropSample]) {
        field = concatenate(parts.map(\.field), axis: 0)
        known = joinedWeights(parts.map(\.known), shapes: parts.map(\.field.shape))
        low = parts.allSatisfy { $0.low != nil } ? concatenate(parts.compactMap(\.low), axis: 0) : nil
    }
}

/// Weights one after the other, those that are nil all 1 in these shapes; nil if all are.
func joinedWeights(_ weights: [Tensor?], shapes: [[Int]]) -> Tensor? {
    guard weights.contains(where: { $0 != nil }) else { return nil }
    return concatenate(zip(weights, shapes).map { $0 ?? Tensor(repeating: 1, shape: $1) }, axis: 0)
}
