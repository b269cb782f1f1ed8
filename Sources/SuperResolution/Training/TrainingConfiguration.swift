import Foundation
import Groundwork
import TensorCore
import Yams

/// All that decides how a model is trained, as saved in a run's `config.yaml`. Keys are the command line's options.
public struct TrainingConfiguration: Sendable, Codable, Equatable {
    /// Sizes of networks and the training that suits them.
    public enum Preset: String, Sendable, Codable, CaseIterable {
        /// The geometry of the paper.
        case paper
        /// Trainable on a desktop; what the bundled models are.
        case small
        /// For tests and first tries.
        case tiny
    }

    /// How the learning rate goes on after the warm-up.
    public enum Schedule: String, Sendable, Codable, CaseIterable {
        case constant
        /// Down to zero along half a cosine (Loshchilov & Hutter 2017).
        case cosine
    }

    public var model: ModelKind
    public var preset: Preset
    public var seed: UInt64
    /// Optimiser steps in all.
    public var steps: Int
    /// Passes over the data, one random crop an image each, in the place of `steps`.
    public var epochs: Int?
    /// Hours after which training stops and saves.
    public var maxHours: Double?
    public var batchSize: Int
    /// Side of a crop, HR pixels.
    public var cropSize: Int
    public var learningRate: Float
    /// Steps over which the learning rate rises from zero.
    public var warmup: Int
    public var schedule: Schedule
    /// Batches whose gradients are added before a step.
    public var accumulate: Int
    /// Limit of the gradient's norm; 0 for none.
    public var clipNorm: Float
    public var weightDecay: Float
    /// Decay of the average of the weights that becomes the model.
    public var emaDecay: Float
    /// Steps between validations; 0 for none.
    public var validateEvery: Int
    /// Steps between checkpoints.
    public var saveEvery: Int
    /// Earlier checkpoints to keep beside the last.
    public var keepLast: Int
    /// Validations without improvement after which training stops; 0 for never.
    public var patience: Int
    /// Trains on this many fixed crops alone, without validation, to see whether they can be learned; 0 for all data.
    public var overfit: Int
    /// Latent diffusion: crops encoded at a time, from which batches are cut.
    public var latentCrops: Int
    /// Latent diffusion: steps after which other crops are encoded.
    public var latentRefresh: Int
    public var normalization: FieldNormalization
    package var autoencoder: Autoencoder.Configuration
    package var network: NetworkConfiguration?
    public var prediction: PredictionTarget

    package enum CodingKeys: String, CodingKey, CaseIterable {
        case model, preset, seed, steps, epochs
        case maxHours = "max-hours"
        case batchSize = "batch-size"
        case cropSize = "crop-size"
        case learningRate = "learning-rate"
        case warmup, schedule, accumulate
        case clipNorm = "clip-norm"
        case weightDecay = "weight-decay"
        case emaDecay = "ema-decay"
        case validateEvery = "validate-every"
        case saveEvery = "save-every"
        case keepLast = "keep-last"
        case patience, overfit
        case latentCrops = "latent-crops"
        case latentRefresh = "latent-refresh"
        case normalization, autoencoder, network, prediction
    }

    /// The defaults of a preset.
    /// - Throws: `Failure` (`.usage`) for a system or preset that this version cannot train.
    public init(model: ModelKind, preset: Preset) throws {
        guard model.isAvailable else {
            throw Failure(
                .usage, "the model \(model.rawValue) cannot be trained by this version",
                expected: ModelKind.allCases.filter(\.isAvailable).map(\.rawValue).joined(separator: " or "), found: model.rawValue)
        }
        guard preset != .paper else {
            throw Failure(
                .usage, "the preset paper cannot be trained by this version: its autoencoder is not built yet", expected: "small or tiny",
                found: "paper")
        }
        let isSmall = preset == .small
        let isAutoencoder = model == .vqgan
        self.model = model
        self.preset = preset
        seed = 1
        steps = isSmall ? (isAutoencoder ? 6000 : 8000) : 200
        batchSize = isAutoencoder ? 4 : (isSmall ? 16 : 4)
        cropSize = isSmall ? 128 : 64
        learningRate = isAutoencoder ? 1e-3 : 8e-4
        warmup = isSmall ? 100 : 10
        schedule = .cosine
        accumulate = 1
        clipNorm = 1
        weightDecay = 0.01
        emaDecay = isSmall ? 0.998 : 0.9
        validateEvery = isSmall ? 500 : 50
        saveEvery = isSmall ? 500 : 10
        keepLast = 0
        patience = 0
        overfit = 0
        latentCrops = isSmall ? 128 : 8
        latentRefresh = isSmall ? 200 : 20
        normalization = .weakField
        // The shipped autoencoder diffuses in, and decodes from, continuous latents; the tiny one has a codebook so that it is exercised too.
        autoencoder = Autoencoder.Configuration(
            patch: 2, width: isSmall ? 64 : 8, multipliers: [1, 2], latentChannels: 4, codebookSize: isSmall ? 0 : 64, decodesQuantized: false)
        network = isAutoencoder ? nil : .unet(UNet.Configuration(width: isSmall ? 64 : 8, multipliers: [1, 2, 2], heads: 4))
        prediction = .velocity
    }

    /// As YAML, one key a line in the order of ``CodingKeys``.
    public func yaml() throws -> String { try YAMLEncoder().encode(self) }

    /// Reads a saved configuration.
    /// - Throws: `Failure` (`.configuration`).
    public init(yaml text: String, at location: String) throws {
        do {
            self = try YAMLDecoder().decode(TrainingConfiguration.self, from: text)
        } catch let error as DecodingError {
            throw Failure(.configuration, "the configuration cannot be read", at: location, found: error.summary)
        } catch {
            throw Failure(.configuration, "the configuration is not YAML", at: location, found: "\(error)")
        }
    }

    /// The keys of a configuration file.
    public static var keys: [String] { CodingKeys.allCases.map(\.rawValue) }

    /// This configuration with a file's top-level entries in the place of its own; every key must be one of ``keys``.
    /// - Throws: `Failure` (`.configuration`) for a value of the wrong kind.
    public func overlaid(with entries: [String: Any], at location: String) throws -> TrainingConfiguration {
        guard !entries.isEmpty else { return self }
        do {
            guard var own = try Yams.load(yaml: yaml()) as? [String: Any] else { return self }
            own.merge(entries) { _, new in new }
            return try TrainingConfiguration(yaml: try Yams.dump(object: own), at: location)
        } catch let failure as Failure {
            throw failure
        } catch {
            throw Failure(.configuration, "the configuration cannot be read", at: location, found: "\(error)")
        }
    }

    /// Refuses values that cannot be trained with.
    /// - Throws: `Failure` (`.configuration`) naming the key, what is expected and what was found.
    public func validate() throws {
        func check(_ isSound: Bool, _ key: CodingKeys, _ expected: String, _ found: Any) throws {
            guard isSound else { throw Failure(.configuration, "\(key.rawValue) is not valid", expected: expected, found: "\(found)") }
        }
        // Upper limits keep products of these from overflowing, and memory bounded.
        try check((1...1_000_000_000).contains(steps), .steps, "1 … 1000000000", steps)
        try check(epochs.map { (1...1_000_000).contains($0) } ?? true, .epochs, "1 … 1000000", epochs ?? 0)
        try check(maxHours.map { $0 > 0 && $0.isFinite } ?? true, .maxHours, "more than 0", maxHours ?? 0)
        try check((1...4096).contains(batchSize), .batchSize, "1 … 4096", batchSize)
        try autoencoder.check { try check($0, .autoencoder, $1, $2) }
        try network?.check { try check($0, .network, $1, $2) }
        try check((network == nil) == (model == .vqgan), .network, "a network for diffusion models alone", network == nil ? "none" : "one")
        let unit = cropUnit
        try check(cropSize >= 8 && cropSize <= 4096 && cropSize % unit == 0, .cropSize, "8 … 4096 in steps of \(unit) HR pixels", cropSize)
        try check(learningRate > 0 && learningRate.isFinite, .learningRate, "more than 0", learningRate)
        try check(warmup >= 0, .warmup, "at least 0", warmup)
        try check((1...4096).contains(accumulate), .accumulate, "1 … 4096", accumulate)
        try check(clipNorm >= 0, .clipNorm, "at least 0", clipNorm)
        try check(weightDecay >= 0 && weightDecay < 1, .weightDecay, "0 … 1", weightDecay)
        try check((0..<1).contains(emaDecay), .emaDecay, "at least 0 and below 1", emaDecay)
        try check(validateEvery >= 0, .validateEvery, "at least 0", validateEvery)
        try check(saveEvery > 0, .saveEvery, "at least 1", saveEvery)
        try check(keepLast >= 0, .keepLast, "at least 0", keepLast)
        try check(patience >= 0, .patience, "at least 0", patience)
        try check((0...65536).contains(overfit), .overfit, "0 … 65536", overfit)
        try check((1...65536).contains(latentCrops), .latentCrops, "1 … 65536", latentCrops)
        try check((1...1_000_000_000).contains(latentRefresh), .latentRefresh, "1 … 1000000000", latentRefresh)
    }

    /// Crops come in multiples of this many HR pixels, so that latents halve evenly down to the lowest level.
    private var cropUnit: Int {
        let levels =
            switch network {
            case .unet(let unet): unet.multipliers.count - 1
            case .paper: 3
            case nil: 0
            }
        return max(4, autoencoder.factor << levels)
    }
}
