import TensorCore

/// Crops as `corrdiff` learns from them.
struct CorrDiffSample {
    let estimate: CorrDiff.Estimate
    /// The coefficients beyond low resolution in the local unit, `[crops, size / 4, size / 4, coefficients]`.
    let target: Tensor
    /// 1 for blocks all of whose pixels hold data, 0 for others, `[crops, size / 4, size / 4, 1]`; nil if all do.
    let known: Tensor?

    /// - Throws: `Failure` if a file can no longer be read.
    init(_ crops: [MagnetogramCollection.Crop], of collection: MagnetogramCollection, _ corrdiff: CorrDiff) throws {
        let side = CorrDiff.transform.side
        let low = try collection.lowResolution(crops, scale: side)
        let (high, known) = try collection.maskedFields(crops)
        estimate = corrdiff.estimate(low, areMaps: crops.map { collection.entries[$0.file].isMap })
        target = corrdiff.coefficients(of: high, beyond: low) / estimate.unit
        let pixels = Float(side * side)
        self.known = known.map { ((blockMean($0, scale: side) - 1) * pixels + 1).clamped(to: 0...1) }
    }
}
