import Groundwork
import SolarImage
import TensorCore

/// Super-resolves fields with any of the systems, in overlapping tiles so that memory stays bounded beyond the image and its latents.
public struct SuperResolver {
    /// What the noise of a sample belongs to.
    public enum NoiseKey: String, Sendable, Codable, CaseIterable {
        /// The map: noise is keyed by seed, sample and the SHA-256 of the input's pixels, so that what is drawn for one map is independent of what is drawn for
        /// any other.
        case own
        /// All maps of one size: noise is keyed by seed and sample alone, so that pictures of one region in motion do not flicker. Averages over such maps keep
        /// the noise.
        case shared
    }

    public struct Options: Sendable, Codable, Equatable {
        public var sampler: Sampler
        /// Denoising steps, 1 … T of the model's noise schedule; T for DDPM.
        public var steps: Int
        /// η of DDIM, 0 … 1.
        public var eta: Double
        /// Side of a tile in LR pixels, at least 16; nil for the model's own.
        public var tile: Int?
        /// LR pixels that neighbouring tiles share; their predictions are averaged at every step (Bar-Tal et al. 2023). 0 up to less than the tile's side; nil for
        /// the model's own, a quarter of smaller tiles.
        public var overlap: Int?
        /// How the input came about, by which the result is held to it; nil to leave it as it is.
        public var observation: LinearObservation?
        /// Whether the input was resampled to a map (SHARP and SMARP CEA) rather than as observed; heeded by models that were trained on both.
        public var isMap: Bool
        public var seed: UInt64
        public var noise: NoiseKey

        public init(
            sampler: Sampler = .dpmSolver, steps: Int = 20, eta: Double = 0, tile: Int? = nil, overlap: Int? = nil,
            observation: LinearObservation? = .exact, isMap: Bool = false, seed: UInt64 = 1, noise: NoiseKey = .own
        ) {
            precondition(
                steps >= 1 && (0...1).contains(eta) && tile ?? 16 >= 16 && overlap ?? 0 >= 0 && overlap ?? 0 < tile ?? .max,
                "SuperResolver.Options: a value is out of range")
            (self.sampler, self.steps, self.eta) = (sampler, steps, eta)
            (self.tile, self.overlap, self.observation, self.isMap, self.seed, self.noise) = (tile, overlap, observation, isMap, seed, noise)
        }
    }

    private enum Method {
        case regression(any RegressionNetwork)
        /// Of `corrdiff` the rest is diffused.
        case diffusion(any DenoisingNetwork, DiffusionDescription)
        /// Mean and spread of `corrdiff` alone: the rest is white noise.
        case whiteNoise
    }

    private let model: Model
    private let method: Method
    /// The model's file, for messages.
    private let location: String?

    /// - Parameters:
    ///   - location: the model's file, for messages.
    ///   - restIsNoise: of `corrdiff`, whether the rest is white noise even if the model can do better: the null model of its ensembles.
    /// - Throws: `Failure` (`.badData`) if the model is no super-resolution model.
    public init(_ model: Model, at location: String? = nil, restIsNoise: Bool = false) throws {
        (self.model, self.location) = (model, location)
        switch (model.networks, model.diffusion) {
        case (.regression(let network), _): method = .regression(network)
        case (.corrdiff, _) where restIsNoise, (.corrdiff, nil): method = .whiteNoise
        case (_, let (network, diffusion)?): method = .diffusion(network, diffusion)
        case (.autoencoder, nil), (.latentDiffusion, nil), (.pixelDiffusion, nil):
            throw Failure(
                .badData, "the model cannot super-resolve", at: location, expected: "a diffusion model, Enhance or Progressive",
                found: "a model of kind \(model.kind.rawValue)",
                remedy: "give the model.safetensors of a run of `sr train --model ldm-residual`")
        }
    }

    /// Whether samples differ: those of diffusion models do.
    public var isProbabilistic: Bool {
        switch method {
        case .diffusion, .whiteNoise: true
        case .regression: false
        }
    }

    /// Whether there is a mean that takes no samples: see ``mean(of:options:isCancelled:)``.
    public var hasMean: Bool { model.corrdiff != nil }

    /// Whether the model was trained on what that instrument makes of the Sun.
    package func knowsObservations(of instrument: Instrument) -> Bool { (model.description.input ?? .blockMeans).isObserved(by: instrument) }

    /// Whether the rest of `corrdiff` is white noise.
    package var restIsNoise: Bool { if case .whiteNoise = method { true } else { false } }

    /// The same with white noise for the rest of `corrdiff`: the null model of its ensembles.
    package func withNoise() throws -> SuperResolver { try SuperResolver(model, at: location, restIsNoise: true) }

    /// The side of the tiles that a field is worked on in, and what neighbours share, both in LR pixels: as asked for, but in whole steps of the network, and no
    /// less than the network needs.
    package func tiling(_ options: Options) -> (side: Int, overlap: Int) {
        let own = model.description.tiling
        var side = options.tile ?? own.side
        var overlap = options.overlap ?? (side == own.side ? own.overlap : min(own.overlap, side / 4))
        switch method {
        case .diffusion(let network, _):
            // In whole latents, of which a tile holds whole steps of the network.
            let latents = max(network.divisor, side * model.scale / model.factor / network.divisor * network.divisor)
            (side, overlap) = (latents * model.factor / model.scale, overlap * model.scale / model.factor * model.factor / model.scale)
        case .regression:
            // Both systems were made for fields of 256² pixels.
            (side, overlap) = (max(side, 256), max(overlap, 32))
        case .whiteNoise: break
        }
        return (side, min(overlap, side - 1))
    }

    /// Refuses what the model's noise schedule cannot do, before any work.
    /// - Throws: `Failure` (`.usage`) for a number of steps that it does not have, or fewer than all for DDPM.
    package func check(_ options: Options) throws {
        if case .diffusion(_, let diffusion) = method { _ = try samplingSteps(options, diffusion) }
    }

    private func samplingSteps(_ options: Options, _ diffusion: DiffusionDescription) throws -> [SamplingStep] {
        try diffusion.schedule.samplingSteps(options.sampler, count: options.steps, eta: options.eta)
    }

    /// One sample of the high-resolution field.
    ///
    /// - Parameters:
    ///   - low: LR in Gauss, NaN where there are no data
    ///   - sample: which sample of the ensemble; each has its own noise. Without effect where the model is not probabilistic.
    ///   - progress: told the fraction done, 0 … 1.
    ///   - isCancelled: asked now and then.
    /// - Returns: HR in Gauss, `scale` times as large, NaN where `low` is NaN
    /// - Throws: `Failure`: `.interrupted` if cancelled, `.usage` for a number of steps that the model's noise schedule does not have, or fewer than all
    ///   for DDPM.
    public func superResolve(
        _ low: Image, options: Options, sample: Int = 0, progress: (Double) -> Void = { _ in }, isCancelled: () -> Bool = { false }
    ) throws -> Image {
        var result = low
        try superResolve(low, options: options, samples: sample..<sample + 1, progress: progress, isCancelled: isCancelled) { result = $1 }
        return result
    }

    /// Samples of the high-resolution field in their order, each bit for bit that of ``superResolve(_:options:sample:progress:isCancelled:)``, but with what they
    /// share computed once: the encoded input; and several at a time where fields are small.
    ///
    /// - Parameters:
    ///   - samples: which samples of the ensemble. Of a model that is not probabilistic the first alone is made: the others would be the same.
    ///   - progress: told the fraction done of all, 0 … 1.
    ///   - each: gets each sample in turn. What it throws ends the work and is thrown on.
    /// - Throws: `Failure` as for one sample; whatever `each` throws.
    public func superResolve(
        _ low: Image, options: Options, samples: Range<Int>, progress: (Double) -> Void = { _ in }, isCancelled: () -> Bool = { false },
        each: (_ sample: Int, _ image: Image) throws -> Void
    ) throws {
        guard let first = samples.first else { return }
        func finish(_ sample: Int, _ field: Image) throws { try each(sample, try finished(field, low, options)) }
        switch method {
        case .regression(let network):
            try finish(first, Image(regress(network, low, options, progress: { progress(0.95 * $0) }, isCancelled)))
        case .whiteNoise:
            let encoding = try encode(low, divisor: 1, options, isCancelled)
            for (index, sample) in samples.enumerated() {
                var random = try random(options, sample: sample, of: low)
                try finish(sample, Image(try encoding.field(random.normal([1, encoding.height, encoding.width, model.latentChannels]), isCancelled)))
                progress(Double(index + 1) / Double(samples.count))
                if isCancelled() { throw Self.interrupted }
            }
        case .diffusion(let network, let diffusion):
            // Before any work, for steps that the model does not have.
            let steps = try samplingSteps(options, diffusion)
            let encoding = try encode(low, divisor: network.divisor, options, isCancelled)
            progress(0.03)
            // As many fields at a time as a batch holds of their tiles.
            let group = max(1, Self.batchPixels / (encoding.height * encoding.width))
            for start in stride(from: samples.lowerBound, to: samples.upperBound, by: group) {
                let members = start..<min(samples.upperBound, start + group)
                let fields = try drawFields(
                    members, network, diffusion, steps, encoding, options,
                    { progress(0.03 + 0.97 * (Double(start - samples.lowerBound) + $0 * Double(members.count)) / Double(samples.count)) }, isCancelled
                )
                for (index, sample) in members.enumerated() { try finish(sample, Image(fields.sliced(axis: 0, range: index..<index + 1))) }
            }
        }
        progress(1)
    }

    /// The mean of the high-resolution field as the regression network of `corrdiff` has it: smooth where low resolution does not tell.
    ///
    /// - Returns: HR in Gauss, NaN where `low` is NaN; nil for a model without such a network.
    /// - Throws: `Failure` (`.interrupted`) if cancelled.
    public func mean(of low: Image, options: Options, isCancelled: () -> Bool = { false }) throws -> Image? {
        guard hasMean else { return nil }
        let encoding = try encode(low, divisor: 1, options, isCancelled)
        let rest = Tensor(zeros: [1, encoding.height, encoding.width, model.latentChannels])
        return try finished(Image(try encoding.field(rest, isCancelled)), low, options)
    }

    /// What a network made of the input, without what the input was continued by, held to the input.
    /// - Throws: `Failure` (`.badData`) if it is not finite where the input is: NaN stands for pixels without data.
    private func finished(_ field: Image, _ low: Image, _ options: Options) throws -> Image {
        var result = field.cropped(x: 0, y: 0, width: low.width * model.scale, height: low.height * model.scale)
        result.mask(whereEmpty: low, factor: model.scale)
        if let observation = options.observation {
            result = result.consistent(with: low, by: observation, spectrum: model.spectrum, factor: model.scale)
        }
        try result.requireFinite(whereFinite: low, factor: model.scale, by: location)
        return result
    }

    /// Pixels of latents that a network works on at a time: in batches it reads its weights less often. Tiles, and samples where one holds few tiles, go
    /// together; their bits are those of one at a time.
    static let batchPixels = 1 << 15

    private static let interrupted = Failure(.interrupted, "super-resolution was interrupted")

    /// What Enhance or Progressive make of a field, `[1, height·scale, width·scale, 1]` in Gauss. Both were made for 256² pixels of LR; larger fields are the
    /// weighted mean of overlapping tiles of that size.
    private func regress(
        _ network: any RegressionNetwork, _ low: Image, _ options: Options, progress: (Double) -> Void, _ isCancelled: () -> Bool
    ) throws -> Tensor {
        let (scale, normalization) = (model.scale, model.description.normalization)
        let field = normalization.normalize(low.tensor)
        let (side, overlap) = tiling(options)
        let tiles = LatentTiles.overlapping(height: low.height, width: low.width, size: side, overlap: overlap).filter {
            !low.isEmpty($0, latentsPerPixel: 1)
        }
        var done = 0
        let values = try LatentTiles.blend(
            tiles, height: low.height, width: low.width, channels: 1, scale: scale, overlap: overlap * scale,
            batch: 1, of: { network(field.windows($0)) },
            afterEach: {
                done += $0
                progress(Double(done) / Double(tiles.count))
                if isCancelled() { throw Self.interrupted }
            })
        return normalization.denormalize(values)
    }

    /// An input as a model sees it that draws samples.
    private struct Encoding {
        let low: Image
        /// What the network is given of the input, continued until the network can halve it: `[1, height, width, channels]`, not normalised.
        let condition: Tensor
        /// The HR fields in Gauss, `[samples, height·scale, width·scale, 1]`, of what was drawn, `[samples, height, width, channels]`, no longer normalised.
        let field: (Tensor, _ isCancelled: () -> Bool) throws -> Tensor
        /// Of a tile in latents.
        let side: Int
        /// The input so continued.
        let padded: Image
        let latentsPerPixel: Double

        var height: Int { condition.shape[1] }
        var width: Int { condition.shape[2] }

        func isEmpty(_ tile: TileRectangle) -> Bool { padded.isEmpty(tile, latentsPerPixel: latentsPerPixel) }
    }

    /// - Parameter divisor: of the sides that the denoising network takes.
    private func encode(_ low: Image, divisor: Int, _ options: Options, _ isCancelled: () -> Bool) throws -> Encoding {
        let (scale, factor) = (model.scale, model.factor)
        // LR pixels a latent spans, or latents an LR pixel spans, are powers of two; the network halves latents `divisor` fold.
        let unit = max(1, factor * divisor / scale)
        let padded = low.paddedByEdge(toMultiplesOf: unit)
        let side = tiling(options).side * scale / factor
        func encoding(_ condition: Tensor, _ field: @escaping (Tensor, () -> Bool) throws -> Tensor) -> Encoding {
            Encoding(
                low: low, condition: condition, field: field, side: side, padded: padded, latentsPerPixel: Double(scale) / Double(factor))
        }
        let values = padded.tensor
        if let corrdiff = model.corrdiff {
            guard let estimate = corrdiff.estimateInTiles(values, isMap: options.isMap, isCancelled: isCancelled) else { throw Self.interrupted }
            let factors = model.description.system.calibration?(estimate.strength)
            return encoding(estimate.condition) { rest, _ in
                let deviation = rest * estimate.logSpread.exponential()
                let coefficients = (estimate.mean + (factors.map { deviation * $0 } ?? deviation)) * estimate.unit
                return corrdiff.field(coefficients, beyond: values)
            }
        }
        let (height, width) = (padded.height * scale / factor, padded.width * scale / factor)
        let latents = model.encodeInTiles(height: height, width: width, side: side, isCancelled: isCancelled) { tile in
            func pixels(_ range: Range<Int>) -> Range<Int> { range.lowerBound * factor / scale..<range.upperBound * factor / scale }
            return upsampleNearest(values.window(TileRectangle(rows: pixels(tile.rows), columns: pixels(tile.columns))), scale: scale)
        }
        guard let latents else { throw Self.interrupted }
        let (model, isResidual, latentsPerPixel) = (model, model.kind.isResidual, Double(scale) / Double(factor))
        return encoding(latents) { drawn, isCancelled in
            let decoded = model.decodeInTiles(isResidual ? latents + drawn : drawn, side: side, isCancelled: isCancelled) {
                padded.isEmpty($0, latentsPerPixel: latentsPerPixel)
            }
            guard let decoded else { throw Self.interrupted }
            return decoded
        }
    }

    /// The random numbers of a sample.
    private func random(_ options: Options, sample: Int, of low: Image) throws -> Random {
        switch options.noise {
        case .own: Random(seed: options.seed, name: "sample \(sample) of \(try low.pixelDigest())")
        case .shared: Random(seed: options.seed, name: "sample \(sample)")
        }
    }

    /// Samples of a diffusion model, `[samples, height·scale, width·scale, 1]` or larger in Gauss.
    private func drawFields(
        _ samples: Range<Int>, _ network: any DenoisingNetwork, _ diffusion: DiffusionDescription, _ steps: [SamplingStep], _ encoding: Encoding,
        _ options: Options, _ progress: (Double) -> Void, _ isCancelled: () -> Bool
    ) throws -> Tensor {
        let condition = diffusion.statistics.normalizeCondition(encoding.condition)
        let shape = [1, encoding.height, encoding.width, model.latentChannels]
        // The whole field's at once, so that no noise depends on tiles; each sample's from its own stream, so that none depends on the others.
        var streams = try samples.map { try random(options, sample: $0, of: encoding.low) }
        func noise() -> Tensor { concatenate(streams.indices.map { streams[$0].normal(shape) }, axis: 0) }
        let overlap = tiling(options).overlap * model.scale / model.factor
        let tiles = LatentTiles.overlapping(
            height: encoding.height, width: encoding.width, size: encoding.side, overlap: overlap, unit: network.divisor
        ).filter { !encoding.isEmpty($0) }
        var done = 0
        let target = try drawSample(from: noise(), steps: steps, target: diffusion.prediction, noise: noise) { noisy, timestep in
            try LatentTiles.blend(
                tiles, height: encoding.height, width: encoding.width, channels: model.latentChannels, scale: 1, overlap: overlap,
                batch: samples.count,
                of: { tiles in
                    let field = noisy.windows(tiles)
                    // A condition for each tile of each sample.
                    let conditions = concatenate(tiles.flatMap { Array(repeating: condition.window($0), count: samples.count) }, axis: 0)
                    return network(field, condition: conditions, timesteps: Array(repeating: timestep, count: field.shape[0]))
                },
                afterEach: {
                    done += $0
                    progress(0.9 * Double(done) / Double(steps.count * tiles.count))
                    if isCancelled() { throw Self.interrupted }
                })
        }
        let decoded = try encoding.field(diffusion.statistics.denormalizeTarget(target), isCancelled)
        progress(0.98)
        return decoded
    }
}
