import Groundwork
import SolarImage
import TensorCore

/// Super-resolves fields with any of the systems, in overlapping tiles so that memory stays bounded beyond the image and its latents.
public struct SuperResolver {
    public struct Options: Sendable, Codable, Equatable {
        public var sampler: Sampler
        /// Denoising steps, 1 … T of the model's noise schedule; T for DDPM.
        public var steps: Int
        /// η of DDIM, 0 … 1.
        public var eta: Double
        /// Side of a tile in LR pixels, at least 16.
        public var tile: Int
        /// LR pixels that neighbouring tiles share; their predictions are averaged at every step (Bar-Tal et al. 2023). 0 up to less than `tile`.
        public var overlap: Int
        /// How much of the difference between the result's block means and the input is corrected, 0 … 1.
        public var consistency: Double
        public var seed: UInt64

        public init(
            sampler: Sampler = .dpmSolver, steps: Int = 20, eta: Double = 0, tile: Int = 64, overlap: Int = 16, consistency: Double = 1,
            seed: UInt64 = 1
        ) {
            precondition(
                steps >= 1 && (0...1).contains(eta) && tile >= 16 && (0..<tile).contains(overlap) && (0...1).contains(consistency),
                "SuperResolver.Options: a value is out of range")
            (self.sampler, self.steps, self.eta) = (sampler, steps, eta)
            (self.tile, self.overlap, self.consistency, self.seed) = (tile, overlap, consistency, seed)
        }
    }

    private enum Method {
        case diffusion(any DenoisingNetwork, DiffusionDescription)
        case regression(any RegressionNetwork)
    }

    private let model: Model
    private let method: Method

    /// - Throws: `Failure` (`.badData`) if the model is no super-resolution model.
    public init(_ model: Model, at location: String? = nil) throws {
        self.model = model
        if let network = model.network, let diffusion = model.description.diffusion {
            method = .diffusion(network, diffusion)
        } else if let network = model.regression {
            method = .regression(network)
        } else {
            throw Failure(
                .badData, "the model cannot super-resolve", at: location, expected: "a diffusion model, Enhance or Progressive",
                found: "a model of kind \(model.kind.rawValue)",
                remedy: "give the model.safetensors of a run of `sr train --model ldm-residual`")
        }
    }

    /// Whether samples differ: those of diffusion models do.
    public var isProbabilistic: Bool { model.network != nil }

    /// The side of the tiles that a field is worked on in, and what neighbours share, both in LR pixels: as asked for, but in whole steps of the network, and no
    /// less than the network needs.
    package func tiling(_ options: Options) -> (side: Int, overlap: Int) {
        switch method {
        case .diffusion(let network, _):
            let overlap = options.overlap * model.scale / model.factor
            return (latentSide(of: network, options) * model.factor / model.scale, overlap * model.factor / model.scale)
        case .regression: return (max(options.tile, 256), max(options.overlap, 32))
        }
    }

    /// Of a tile in latents.
    private func latentSide(of network: any DenoisingNetwork, _ options: Options) -> Int {
        max(network.divisor, options.tile * model.scale / model.factor / network.divisor * network.divisor)
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
        try draw(sample, from: prepare(low, options, progress, isCancelled), options, progress, isCancelled)
    }

    /// Samples of the high-resolution field one after the other, each bit for bit that of ``superResolve(_:options:sample:progress:isCancelled:)``, but with
    /// what they share computed once: the encoded input.
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
        let samples = isProbabilistic ? samples : samples.prefix(1)
        func report(_ fraction: Double, done: Int = 0) { progress((Double(done) + fraction) / Double(max(1, samples.count))) }
        let source = try prepare(low, options, { report($0) }, isCancelled)
        for (done, sample) in samples.enumerated() {
            try each(sample, draw(sample, from: source, options, { report($0, done: done) }, isCancelled))
        }
    }

    /// What all samples of one input share.
    private enum Source {
        case diffusion(Encoding, any DenoisingNetwork, DiffusionDescription)
        case regression(Image, any RegressionNetwork)
    }

    private func prepare(_ low: Image, _ options: Options, _ progress: (Double) -> Void, _ isCancelled: () -> Bool) throws -> Source {
        switch method {
        case .diffusion(let network, let diffusion):
            let encoding = try encode(low, network, diffusion, options, isCancelled)
            progress(0.03)
            return .diffusion(encoding, network, diffusion)
        case .regression(let network): return .regression(low, network)
        }
    }

    private func draw(
        _ sample: Int, from source: Source, _ options: Options, _ progress: (Double) -> Void, _ isCancelled: () -> Bool
    ) throws -> Image {
        let scale = model.scale
        let (low, field) =
            switch source {
            case .diffusion(let encoding, let network, let diffusion):
                (encoding.low, try drawField(sample, network, diffusion, encoding, options, progress, isCancelled))
            case .regression(let low, let network): (low, try regress(network, low, options, progress: { progress(0.95 * $0) }, isCancelled))
            }
        var result = Image(field).cropped(x: 0, y: 0, width: low.width * scale, height: low.height * scale)
        result.mask(whereEmpty: low, factor: scale)
        if options.consistency > 0 { result = result.consistent(with: low, factor: scale, weight: options.consistency) }
        progress(1)
        return result
    }

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
        let values = try Self.blend(
            tiles, height: low.height, width: low.width, channels: 1, scale: scale, overlap: overlap * scale,
            of: { network(field.window($0)) },
            afterEach: {
                done += 1
                progress(Double(done) / Double(tiles.count))
                if isCancelled() { throw Self.interrupted }
            })
        return normalization.denormalize(values)
    }

    /// An input as a diffusion model sees it.
    private struct Encoding {
        let low: Image
        let steps: [SamplingStep]
        /// E(LR↑), `[1, height, width, channels]`, of the input continued until the network can halve it.
        let latents: Tensor
        /// The same as the network takes it.
        let condition: Tensor
        /// Of a tile in latents.
        let side: Int
        /// The input so continued.
        let padded: Image
        let latentsPerPixel: Double

        var height: Int { latents.shape[1] }
        var width: Int { latents.shape[2] }

        func isEmpty(_ tile: TileRectangle) -> Bool { padded.isEmpty(tile, latentsPerPixel: latentsPerPixel) }
    }

    private func encode(
        _ low: Image, _ network: any DenoisingNetwork, _ diffusion: DiffusionDescription, _ options: Options, _ isCancelled: () -> Bool
    ) throws -> Encoding {
        let steps = try samplingSteps(options, diffusion)
        let (scale, factor) = (model.scale, model.factor)
        // LR pixels a latent spans, or latents an LR pixel spans, are powers of two; the network halves latents `divisor` fold.
        let unit = max(1, factor * network.divisor / scale)
        let padded = low.paddedByEdge(toMultiplesOf: unit)
        let (height, width) = (padded.height * scale / factor, padded.width * scale / factor)
        let side = latentSide(of: network, options)
        let field = padded.tensor
        let encoded = model.encodeInTiles(height: height, width: width, side: side, isCancelled: isCancelled) { tile in
            func pixels(_ range: Range<Int>) -> Range<Int> { range.lowerBound * factor / scale..<range.upperBound * factor / scale }
            return upsampleNearest(field.window(TileRectangle(rows: pixels(tile.rows), columns: pixels(tile.columns))), scale: scale)
        }
        guard let encoded else { throw Self.interrupted }
        return Encoding(
            low: low, steps: steps, latents: encoded, condition: diffusion.statistics.normalizeCondition(encoded), side: side, padded: padded,
            latentsPerPixel: Double(scale) / Double(factor))
    }

    /// A sample of a diffusion model, `[1, height·scale, width·scale, 1]` or larger in Gauss.
    private func drawField(
        _ number: Int, _ network: any DenoisingNetwork, _ diffusion: DiffusionDescription, _ encoding: Encoding, _ options: Options,
        _ progress: (Double) -> Void, _ isCancelled: () -> Bool
    ) throws -> Tensor {
        let condition = encoding.condition
        // The whole field's at once, so that no noise depends on tiles.
        var random = Random(seed: options.seed, name: "sample \(number)")
        func noise() -> Tensor { random.normal(condition.shape) }
        let overlap = options.overlap * model.scale / model.factor
        let tiles = LatentTiles.overlapping(
            height: encoding.height, width: encoding.width, size: encoding.side, overlap: overlap, unit: network.divisor
        ).filter { !encoding.isEmpty($0) }
        var done = 0
        let target = try drawSample(from: noise(), steps: encoding.steps, target: diffusion.prediction, noise: noise) { noisy, timestep in
            try Self.blend(
                tiles, height: encoding.height, width: encoding.width, channels: model.latentChannels, scale: 1, overlap: overlap,
                of: { network(noisy.window($0), condition: condition.window($0), timesteps: [timestep]) },
                afterEach: {
                    done += 1
                    progress(0.03 + 0.87 * Double(done) / Double(encoding.steps.count * tiles.count))
                    if isCancelled() { throw Self.interrupted }
                })
        }
        let latents = diffusion.statistics.denormalizeTarget(target)
        guard
            let decoded = model.decodeInTiles(
                model.kind.isResidual ? encoding.latents + latents : latents, side: encoding.side, isCancelled: isCancelled,
                isEmpty: encoding.isEmpty)
        else { throw Self.interrupted }
        progress(0.95)
        return decoded
    }

    /// The weighted mean of a network's outputs for tiles, `scale` times as large as the field; 0 where there is no tile.
    private static func blend(
        _ tiles: [TileRectangle], height: Int, width: Int, channels: Int, scale: Int, overlap: Int, of network: (TileRectangle) -> Tensor,
        afterEach: () throws -> Void
    ) throws -> Tensor {
        if tiles.count == 1, let tile = tiles.first, tile.rows.count == height, tile.columns.count == width {
            let output = network(tile)
            try afterEach()
            return output
        }
        var sum = Tensor(zeros: [1, height * scale, width * scale, channels])
        var total = Tensor(repeating: 1e-12, shape: [1, height * scale, width * scale, 1])
        for tile in tiles {
            let weights = LatentTiles.weights(rows: tile.rows.count * scale, columns: tile.columns.count * scale, overlap: overlap)
            sum.addWindow(network(tile) * weights, row: tile.rows.lowerBound * scale, column: tile.columns.lowerBound * scale)
            total.addWindow(weights, row: tile.rows.lowerBound * scale, column: tile.columns.lowerBound * scale)
            try afterEach()
        }
        return sum / total
    }
}

extension Image {
    /// The image continued by its edge pixels until both sides are multiples of `multiple`.
    fileprivate func paddedByEdge(toMultiplesOf multiple: Int) -> Image {
        let columns = (width + multiple - 1) / multiple * multiple
        let rows = (height + multiple - 1) / multiple * multiple
        guard columns != width || rows != height else { return self }
        var result = Image(width: columns, height: rows, repeating: 0)
        for y in 0..<rows {
            for x in 0..<columns { result[x, y] = self[min(x, width - 1), min(y, height - 1)] }
        }
        return result
    }

    /// Whether no pixel under a tile of latents has data.
    fileprivate func isEmpty(_ tile: TileRectangle, latentsPerPixel: Double) -> Bool {
        func pixels(_ range: Range<Int>) -> Range<Int> {
            Int(Double(range.lowerBound) / latentsPerPixel)..<Int((Double(range.upperBound) / latentsPerPixel).rounded(.up))
        }
        return pixels(tile.rows).allSatisfy { y in pixels(tile.columns).allSatisfy { x in self[x, y].isNaN } }
    }

    /// Sets the pixels under NaN of a coarser image to NaN.
    package mutating func mask(whereEmpty low: Image, factor: Int) {
        for y in 0..<low.height {
            for x in 0..<low.width where low[x, y].isNaN {
                for j in 0..<factor {
                    for i in 0..<factor { self[x * factor + i, y * factor + j] = .nan }
                }
            }
        }
    }
}
