import TensorCore

/// Makes of crops what a diffusion system learns: latents, or in `corrdiff` the rest of coefficients.
///
/// Sendable, since the networks it holds are not trained while it is used, and nothing else of them changes.
struct LatentEncoder: @unchecked Sendable {
    /// `[crops, height, width, channels]`; the weights `[crops, height, width, 1]` are the shares of pixels with data under each latent, nil if all are 1.
    typealias Latents = (target: Tensor, condition: Tensor, weights: Tensor?)

    private let collection: MagnetogramCollection
    private let autoencoder: (any Autoencoder)?
    private let corrdiff: CorrDiff?
    /// Of `corrdiff` before it is ready: which network has not seen an entry of the collection.
    private let folds: [Int]?
    private let normalization: FieldNormalization
    private let scale: Int, factor: Int
    private let isResidual: Bool
    /// What latents are normalised by; nil for latents as they are.
    private let statistics: LatentStatistics?
    private let cache: LatentCache?
    /// All that latents follow from beside crops; empty without a cache.
    private let identity: [String]

    /// - Parameters:
    ///   - isTraining: whether the model learns from the collection, so that `corrdiff` must not know its regions.
    ///   - statistics: nil for latents that are not normalised.
    ///   - cache: what keeps latents; not asked by systems on pixels, which encode nothing.
    /// - Throws: `Failure` if there is a cache and the running program cannot be read.
    init(
        _ model: Model, _ collection: MagnetogramCollection, isTraining: Bool, statistics: LatentStatistics?, cache: LatentCache? = nil
    ) throws {
        (self.collection, autoencoder, corrdiff) = (collection, model.autoencoder, model.corrdiff)
        folds = isTraining ? corrdiff.flatMap { collection.folds($0.configuration.folds) } : nil
        (normalization, scale, factor) = (model.description.normalization, model.scale, model.factor)
        (isResidual, self.statistics) = (model.kind.isResidual, statistics)
        self.cache = model.firstStageStore.parameters.isEmpty ? nil : cache
        identity = try self.cache == nil ? [] : model.encoderIdentity() + [collection.degradation.map { try jsonText($0) } ?? "", "\(isTraining)"]
    }

    /// - Throws: `Failure` if a file cannot be read or has changed.
    func callAsFunction(_ crop: MagnetogramCollection.Crop) throws -> Latents {
        let raw = try cache.map { try kept(crop, in: $0) } ?? made(crop)
        guard let statistics else { return raw }
        return (statistics.normalizeTarget(raw.target), statistics.normalizeCondition(raw.condition), raw.weights)
    }

    private func kept(_ crop: MagnetogramCollection.Crop, in cache: LatentCache) throws -> Latents {
        let (entry, store) = (collection.entries[crop.file], collection.store)
        let fold = folds.map { "\($0[crop.file])" } ?? ""
        let place = "\(crop.x) \(crop.y) \(crop.size) \(crop.orientation) \(crop.reversesPolarity) \(crop.draw.map { "\($0)" } ?? "")"
        let found = try cache(identity + [entry.digest, "\(entry.isMap)", fold, place], pixels: store.digest(of: entry)) {
            (try made(crop), store.digest(of: entry) ?? "")
        }
        if let pixels = found.pixels { try store.expect(pixels, of: entry) }
        return found.latents
    }

    private func made(_ crop: MagnetogramCollection.Crop) throws -> Latents { try corrdiff.map { try rest(crop, $0) } ?? latents(crop) }

    private func latents(_ crop: MagnetogramCollection.Crop) throws -> Latents {
        func encode(_ field: Tensor) -> Tensor {
            let values = normalization.normalize(field)
            return autoencoder?.encode(values) ?? values
        }
        let low = encode(upsampleNearest(try collection.lowResolution([crop], scale: scale), scale: scale))
        let (field, known) = try collection.maskedFields([crop])
        let high = encode(field)
        return (isResidual ? high - low : high, low, known.map { blockMean($0, scale: factor) })
    }

    /// The rest of coefficients, by the network of the fold that has not seen the crop's region, where there is one.
    private func rest(_ crop: MagnetogramCollection.Crop, _ corrdiff: CorrDiff) throws -> Latents {
        let sample = CorrDiffSample(
            try CropSample([crop], of: collection, scale: CorrDiff.transform.side), areMaps: [collection.entries[crop.file].isMap], corrdiff)
        var estimate = sample.estimate
        if let fold = folds?[crop.file] { estimate.mean = corrdiff.mean(estimate.features, fold: fold) }
        return ((sample.target - estimate.mean) * (-estimate.logSpread).exponential(), estimate.condition, sample.known)
    }

    /// Those of several crops, one after the other.
    static func joined(_ parts: [Latents]) -> Latents {
        (
            concatenate(parts.map(\.target), axis: 0), concatenate(parts.map(\.condition), axis: 0),
            joinedWeights(parts.map(\.weights), shapes: parts.map { $0.target.shape.dropLast() + [1] })
        )
    }
}
