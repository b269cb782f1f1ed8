import Groundwork
import SolarImage
import TensorCore

/// Super-resolves fields with a latent diffusion model, in overlapping tiles so that memory stays bounded beyond the image and its latents.
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
            sampler: Sampler = .ddim, steps: Int = 20, eta: Double = 0, tile: Int = 64, overlap: Int = 16, consistency: Double = 1,
            seed: UInt64 = 1
        ) {
            precondition(
                steps >= 1 && (0...1).contains(eta) && tile >= 16 && (0..<tile).contains(overlap) && (0...1).contains(consistency),
                "SuperResolver.Options: a value is out of range")
            (self.sampler, self.steps, self.eta) = (sampler, steps, eta)
            (self.tile, self.overlap, self.consistency, self.seed) = (tile, overlap, consistency, seed)
        }
    }

    private let model: Model
    private let network: any DenoisingNetwork
    private let diffusion: DiffusionDescription

    /// - Throws: `Failure` (`.badData`) if the model is no super-resolution model.
    public init(_ model: Model, at location: String? = nil) throws {
        guard let network = model.network, let diffusion = model.description.diffusion else {
            throw Failure(
                .badData, "the model cannot super-resolve", at: location, expected: "a latent diffusion model",
                found: "a model of kind \(model.kind.rawValue)",
                remedy: "give the model.safetensors of a run of `sr train --model ldm-residual`")
        }
        (self.model, self.network, self.diffusion) = (model, network, diffusion)
    }

    /// Refuses what the model's noise schedule cannot do, before any work.
    /// - Throws: `Failure` (`.usage`) for a number of steps that it does not have, or fewer than all for DDPM.
    package func check(_ options: Options) throws { _ = try samplingSteps(options) }

    private func samplingSteps(_ options: Options) throws -> [SamplingStep] {
        try diffusion.schedule.samplingSteps(options.sampler, count: options.steps, eta: options.eta)
    }

    /// One sample of the high-resolution field.
    ///
    /// - Parameters:
    ///   - low: LR in Gauss, NaN where there are no data
    ///   - sample: which sample of the ensemble; each has its own noise.
    ///   - progress: told the fraction done, 0 … 1.
    ///   - isCancelled: asked now and then.
    /// - Returns: HR in Gauss, `scale` times as large, NaN where `low` is NaN
    /// - Throws: `Failure`: `.interrupted` if cancelled, `.usage` for a number of steps that the model's noise schedule does not have, or fewer than all
    ///   for DDPM.
    public func superResolve(
        _ low: Image, options: Options, sample: Int = 0, progress: (Double) -> Void = { _ in }, isCancelled: () -> Bool = { false }
    ) throws -> Image {
        let steps = try samplingSteps(options)
        let scale = model.scale
        let factor = model.description.autoencoder.factor
        // LR pixels a latent spans, or latents an LR pixel spans, are powers of two; the network halves latents `divisor` fold.
        let unit = max(1, factor * network.divisor / scale)
        let padded = low.paddedByEdge(toMultiplesOf: unit)
        let (height, width) = (padded.height * scale / factor, padded.width * scale / factor)
        let interrupted = Failure(.interrupted, "super-resolution was interrupted")
        let side = max(network.divisor, options.tile * scale / factor / network.divisor * network.divisor)

        let field = padded.tensor
        func isEmpty(_ tile: TileRectangle) -> Bool { padded.isEmpty(tile, latentsPerPixel: Double(scale) / Double(factor)) }
        let encoded = model.encodeInTiles(height: height, width: width, side: side, isCancelled: isCancelled) { tile in
            func pixels(_ range: Range<Int>) -> Range<Int> { range.lowerBound * factor / scale..<range.upperBound * factor / scale }
            return upsampleNearest(field.window(TileRectangle(rows: pixels(tile.rows), columns: pixels(tile.columns))), scale: scale)
        }
        guard let encoded else { throw interrupted }
        progress(0.03)
        let condition = diffusion.statistics.normalizeCondition(encoded)

        // The whole field's at once, so that no noise depends on tiles.
        var random = Random(seed: options.seed, name: "sample \(sample)")
        func noise() -> Tensor { random.normal(condition.shape) }
        let tiles = LatentTiles.overlapping(height: height, width: width, size: side, overlap: options.overlap * scale / factor).filter {
            !isEmpty($0)
        }
        var done = 0
        let residual = try drawSample(from: noise(), steps: steps, target: diffusion.prediction, noise: noise) { noisy, timestep in
            let prediction = try predict(noisy, condition, timestep, tiles, overlap: options.overlap * scale / factor) {
                done += 1
                progress(0.03 + 0.87 * Double(done) / Double(steps.count * tiles.count))
                if isCancelled() { throw interrupted }
            }
            return prediction
        }
        let latents = encoded + diffusion.statistics.denormalizeTarget(residual)
        guard let decoded = model.decodeInTiles(latents, side: side, isCancelled: isCancelled, isEmpty: isEmpty) else { throw interrupted }
        progress(0.95)
        var result = Image(decoded).cropped(x: 0, y: 0, width: low.width * scale, height: low.height * scale)
        result.mask(whereEmpty: low, factor: scale)
        if options.consistency > 0 { result = result.consistent(with: low, factor: scale, weight: options.consistency) }
        progress(1)
        return result
    }

    /// The network's output for the whole field: the weighted mean of its outputs for the tiles; 0 where there is none.
    private func predict(
        _ noisy: Tensor, _ condition: Tensor, _ timestep: Int, _ tiles: [TileRectangle], overlap: Int, afterEach: () throws -> Void
    ) throws -> Tensor {
        if tiles.count == 1, let tile = tiles.first, tile.rows.count == noisy.shape[1], tile.columns.count == noisy.shape[2] {
            let output = network(noisy, condition: condition, timesteps: [timestep])
            try afterEach()
            return output
        }
        var sum = Tensor(zeros: noisy.shape)
        var total = Tensor(repeating: 1e-12, shape: Array(noisy.shape.dropLast()) + [1])
        for tile in tiles {
            let output = network(noisy.window(tile), condition: condition.window(tile), timesteps: [timestep])
            let weights = LatentTiles.weights(rows: tile.rows.count, columns: tile.columns.count, overlap: overlap)
            sum.addWindow(output * weights, row: tile.rows.lowerBound, column: tile.columns.lowerBound)
            total.addWindow(weights, row: tile.rows.lowerBound, column: tile.columns.lowerBound)
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
