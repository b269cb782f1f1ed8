import TensorCore

/// Crops as `corrdiff` learns from them.
struct CorrDiffSample {
    let estimate: CorrDiff.Estimate
    /// The coefficients beyond low resolution in the local unit, `[crops, size / 4, size / 4, coefficients]`.
    let target: Tensor
    /// 1 for blocks all of whose pixels hold data, 0 for others, `[crops, size / 4, size / 4, 1]`; nil if all do.
    let known: Tensor?

    /// - Parameters:
    ///   - sample: with low resolution.
    ///   - areMaps: of each crop, whether its field was resampled to a map.
    init(_ sample: CropSample, areMaps: [Bool], _ corrdiff: CorrDiff) {
        let side = CorrDiff.transform.side, low = sample.low ?? blockMean(sample.field, scale: side)
        estimate = corrdiff.estimate(low, areMaps: areMaps)
        target = corrdiff.coefficients(of: sample.field, beyond: low) / estimate.unit
        let pixels = Float(side * side)
        known = sample.known.map { ((blockMean($0, scale: side) - 1) * pixels + 1).clamped(to: 0...1) }
    }

    /// - Throws: `Failure` if a file cannot be read or has changed.
    init(_ crops: [MagnetogramCollection.Crop], of collection: MagnetogramCollection, _ corrdiff: CorrDiff) throws {
        self.init(
            try CropSample(crops, of: collection, scale: CorrDiff.transform.side), areMaps: crops.map { collection.entries[$0.file].isMap }, corrdiff)
    }
}
