import Foundation
import Groundwork
import SolarImage
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

    /// The first stage of training of `corrdiff`.
    public struct RegressionStage: Sendable, Codable, Equatable {
        public var steps: Int
        public var learningRate: Double
        /// Its share of ``maxHours``.
        public var share: Double

        private enum CodingKeys: String, CodingKey {
            case steps
            case learningRate = "learning-rate"
            case share
        }
    }

    public var model: ModelKind
    public var preset: Preset
    public var seed: UInt64
    /// Optimiser steps in all; nil where `epochs` tells how long.
    public var steps: Int?
    /// Passes over the data, one random crop an image each, in the place of `steps`.
    public var epochs: Int?
    /// Hours after which training stops and saves.
    public var maxHours: Double?
    public var batchSize: Int
    /// Side of a crop, HR pixels.
    public var cropSize: Int
    public var learningRate: Double
    /// Steps over which the learning rate rises from zero.
    public var warmup: Int
    public var schedule: Schedule
    /// Batches whose gradients are added before a step.
    public var accumulate: Int
    /// Limit of the gradient's norm; 0 for none.
    public var clipNorm: Double
    public var weightDecay: Double
    /// Adam's decays of the gradient's first and second moment.
    public var betas: [Double]
    /// Decay of the average of the weights that becomes the model.
    public var emaDecay: Double
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
    /// Latent diffusion: crops of twice the side encoded at a time, from which batches are cut; 0 to draw and encode each batch's own.
    public var latentCrops: Int
    /// Latent diffusion: steps after which other crops are encoded.
    public var latentRefresh: Int
    /// What LR is simulated by, its conditions drawn anew for every crop; nil for the mean over every block.
    package var simulate: Degradation?
    public var normalization: FieldNormalization
    /// Of a `vqgan`.
    package var autoencoder: AutoencoderConfiguration?
    /// Of a `vqgan`: what it is trained by.
    package var loss: AutoencoderLoss?
    /// Of a diffusion model.
    package var network: NetworkConfiguration?
    /// Of a diffusion model: what its network gives.
    public var prediction: PredictionTarget?
    /// Of Enhance or Progressive.
    package var regression: RegressionNetworkConfiguration?
    /// Of `corrdiff`: mean and spread.
    package var corrdiff: CorrDiff.Configuration?
    /// Of `corrdiff`: how mean and spread are trained before the rest is diffused; all else as for the rest.
    public var regressionTraining: RegressionStage?
    /// Whether a model is fine-tuned on pairs.
    public var isFinetuning = false
    /// Of fine-tuning a diffusion model: what is adapted.
    package var adaptation: Adaptation?

    package enum CodingKeys: String, CodingKey, CaseIterable {
        case model, preset, seed, steps, epochs
        case maxHours = "max-hours"
        case batchSize = "batch-size"
        case cropSize = "crop-size"
        case learningRate = "learning-rate"
        case warmup, schedule, accumulate
        case clipNorm = "clip-norm"
        case weightDecay = "weight-decay"
        case betas
        case emaDecay = "ema-decay"
        case validateEvery = "validate-every"
        case saveEvery = "save-every"
        case keepLast = "keep-last"
        case patience, overfit
        case latentCrops = "latent-crops"
        case latentRefresh = "latent-refresh"
        case simulate, normalization, autoencoder, loss, network, prediction, regression, corrdiff
        case regressionTraining = "regression-training"
        case isFinetuning = "fine-tuning"
        case adaptation
    }

    /// The defaults of a preset.
    public init(model: ModelKind, preset: Preset) {
        let (isPaper, isSmall) = (preset == .paper, preset == .small)
        let isAutoencoder = model == .vqgan
        self.model = model
        self.preset = preset
        seed = 1
        steps = isPaper ? nil : isSmall ? (isAutoencoder ? 1000 : 8000) : 200
        epochs = isPaper ? 30 : nil
        batchSize = isPaper || isAutoencoder ? 4 : (isSmall ? (model.hasAutoencoder || model == .corrdiff ? 16 : 8) : 4)
        cropSize = isPaper ? (isAutoencoder ? 256 : 1024) : isSmall ? 128 : 64
        // The paper gives 3e-4 for the diffusion models; that its autoencoder learned so too is assumed.
        learningRate = isPaper ? 3e-4 : model.isDiffusion ? 8e-4 : 1e-3
        warmup = isPaper ? 0 : isSmall ? 100 : 10
        schedule = isPaper ? .constant : .cosine
        accumulate = 1
        clipNorm = 1
        weightDecay = 0.01
        betas = isPaper && isAutoencoder ? [0.5, 0.9] : [0.9, 0.999]
        emaDecay = isPaper ? 0.995 : isSmall ? 0.998 : 0.9
        validateEvery = preset == .tiny ? 50 : 500
        saveEvery = preset == .tiny ? 10 : 500
        keepLast = 0
        patience = 0
        overfit = 0
        // On pixels nothing is encoded, so that each batch can have crops of its own; at the paper's size the encoder sees one crop at a time in any case.
        latentCrops = isPaper || !(model.hasAutoencoder || model == .corrdiff) ? 0 : isSmall ? 128 : 8
        latentRefresh = isSmall ? 200 : 20
        normalization = isPaper ? .paper : .weakField

        switch model {
        case .vqgan:
            // The shipped autoencoder diffuses in, and decodes from, continuous latents; the tiny one has a codebook so that it is exercised too.
            autoencoder =
                isPaper
                ? .paper
                : .compact(
                    CompactAutoencoder.Configuration(
                        patch: 2, width: isSmall ? 64 : 8, multipliers: [1, 2], latentChannels: isSmall ? 10 : 4, codebookSize: isSmall ? 0 : 64,
                        decodesQuantized: false, hasTransform: true))
            loss = isPaper ? .paper : isSmall ? .small : .tiny
        case .ldmResidual, .ldm:
            network =
                isPaper
                ? .paper(PaperUNet.Configuration(width: 128, hasAttention: true))
                : .unet(UNet.Configuration(width: isSmall ? 64 : 8, multipliers: [1, 2, 2], heads: 4))
        case .ddpmResidual, .ddpm:
            network =
                isPaper
                ? .paper(PaperUNet.Configuration(width: 8, hasAttention: false))
                : .unet(UNet.Configuration(width: isSmall ? 16 : 4, multipliers: isSmall ? [1, 2, 4, 4] : [1, 2, 2], heads: 4))
        case .corrdiff:
            // The paper has no such system; at its preset it is as large as a U-Net of its width.
            network = .unet(UNet.Configuration(width: isPaper ? 128 : isSmall ? 64 : 8, multipliers: [1, 2, 2], heads: 4))
            corrdiff = CorrDiff.Configuration(
                knowsMeans: true, width: isPaper ? 128 : isSmall ? 64 : 8, blocks: isPaper ? 8 : isSmall ? 5 : 1, folds: isPaper || isSmall ? 3 : 2)
            regressionTraining = RegressionStage(steps: isPaper ? 20_000 : isSmall ? 3000 : 100, learningRate: 2e-3, share: 0.4)
        case .enhance: regression = .enhance(Enhance.Configuration(width: isPaper ? 8 : isSmall ? 4 : 2, alignsCorners: isPaper))
        case .progressive:
            regression = .progressive(
                Progressive.Configuration(width: isPaper ? 8 : isSmall ? 4 : 2, alignsCorners: isPaper, bicubicKernel: .antialiased))
        }
        prediction = model.isDiffusion ? (isPaper ? .noise : .velocity) : nil
    }

    /// The defaults of fine-tuning a model on pairs: few steps of a lower rate.
    /// - Parameter adaptation: of diffusion models.
    /// - Throws: `Failure` (`.usage`) for an autoencoder, which is not fine-tuned.
    package init(finetuning model: Model, adaptation: Adaptation) throws {
        guard model.kind != .vqgan else {
            throw Failure(
                .usage, "an autoencoder is not fine-tuned on pairs", expected: "a model that super-resolves", found: model.kind.rawValue,
                remedy: "train it further with `sr train --model vqgan --from`")
        }
        self.init(model: model.kind, preset: model.description.preset ?? .small)
        (steps, epochs, warmup, schedule) = (1000, nil, 50, .cosine)
        learningRate = 3e-4
        weightDecay = 0
        emaDecay = 0.99
        (validateEvery, saveEvery) = (100, 100)
        normalization = model.description.normalization
        network = model.description.diffusion?.network
        prediction = model.description.diffusion?.prediction
        regression = model.description.regression
        corrdiff = model.description.corrdiff
        regressionTraining = model.corrdiff.map { _ in RegressionStage(steps: 500, learningRate: 3e-4, share: 0.4) }
        self.adaptation = model.kind.isDiffusion ? adaptation : nil
        isFinetuning = true
    }

    /// As YAML, one key a line in the order of ``CodingKeys``.
    public func yaml() throws -> String { try YAMLEncoder().encode(self) }

    /// Reads a saved configuration.
    /// - Throws: `Failure` (`.configuration`).
    public init(yaml text: String, at location: String) throws {
        try self.init(decoding: text, at: location)
        try checkKeys(of: try Yams.load(yaml: text) as? [String: Any] ?? [:], at: location)
    }

    private init(decoding text: String, at location: String) throws {
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

    /// This configuration with a file's entries in the place of its own.
    /// - Throws: `Failure` (`.configuration`) for a value of the wrong kind, a key that does not exist, at whatever level, or `steps` beside `epochs`.
    public func overlaid(with entries: [String: Any], at location: String) throws -> TrainingConfiguration {
        guard !entries.isEmpty else { return self }
        let lengths = ["steps", "epochs"].filter { entries[$0].map { !($0 is NSNull) } ?? false }
        guard lengths.count < 2 else {
            throw Failure(.configuration, "steps and epochs exclude each other", at: location, remedy: "leave one of them out")
        }
        do {
            guard var own = try Yams.load(yaml: yaml()) as? [String: Any] else { return self }
            if !lengths.isEmpty { for key in ["steps", "epochs"] { own[key] = nil } }
            let result = try TrainingConfiguration(decoding: try Yams.dump(object: Self.merged(own, entries)), at: location)
            try result.checkKeys(of: entries, at: location)
            return result
        } catch let failure as Failure {
            throw failure
        } catch {
            throw Failure(.configuration, "the configuration cannot be read", at: location, found: "\(error)")
        }
    }

    /// Refuses keys of a file that this configuration, which was read from it, has not taken.
    /// - Throws: `Failure` (`.configuration`)
    private func checkKeys(of entries: [String: Any], at location: String) throws {
        func check(_ entries: [String: Any], _ known: [String: Any], below parents: String) throws {
            for (key, value) in entries.sorted(by: { $0.key < $1.key }) where !(value is NSNull) {
                guard let own = known[key] else { throw Failure.unknownKey(parents + key, known: Array(known.keys), at: location) }
                if let value = value as? [String: Any], let own = own as? [String: Any] { try check(value, own, below: "\(parents)\(key).") }
            }
        }
        guard let own = try Yams.load(yaml: yaml()) as? [String: Any] else { return }
        try check(entries, own.merging(Self.keys.map { ($0, "") }) { own, _ in own }, below: "")
    }

    /// The entries of the second over those of the first, level by level.
    private static func merged(_ own: [String: Any], _ other: [String: Any]) -> [String: Any] {
        own.merging(other) { own, other in
            guard let own = own as? [String: Any], let other = other as? [String: Any] else { return other }
            return merged(own, other)
        }
    }

    /// Refuses values that cannot be trained with.
    /// - Throws: `Failure` (`.configuration`) naming the key, what is expected and what was found.
    public func validate() throws {
        func check(_ isSound: Bool, _ key: CodingKeys, _ expected: String, _ found: Any) throws {
            guard isSound else { throw Failure(.configuration, "\(key.rawValue) is not valid", expected: expected, found: "\(found)") }
        }
        // Upper limits keep products of these from overflowing, and memory bounded.
        try check(steps.map { (1...1_000_000_000).contains($0) } ?? (epochs != nil), .steps, "1 … 1000000000", steps ?? 0)
        try check(epochs == nil || steps == nil, .epochs, "none beside steps", epochs ?? 0)
        try check(epochs.map { (1...1_000_000).contains($0) } ?? true, .epochs, "1 … 1000000", epochs ?? 0)
        try check(maxHours.map { $0 > 0 && $0.isFinite } ?? true, .maxHours, "more than 0", maxHours ?? 0)
        try check((1...4096).contains(batchSize), .batchSize, "1 … 4096", batchSize)
        try autoencoder?.check { try check($0, .autoencoder, $1, $2) }
        try loss?.check { try check($0, .loss, $1, $2) }
        if let loss, loss.adversarial > 0 {
            try check(
                cropSize >= loss.discriminator.smallestImage, .cropSize, "at least \(loss.discriminator.smallestImage) for the discriminator",
                cropSize)
        }
        if let loss, loss.perceptual > 0 {
            try check(cropSize >= AlexNetFeatures.minimumSide, .cropSize, "at least \(AlexNetFeatures.minimumSide) for LPIPS", cropSize)
        }
        try network?.check { try check($0, .network, $1, $2) }
        try regression?.check { try check($0, .regression, $1, $2) }
        try adaptation?.check { try check($0, .adaptation, $1, $2) }
        try simulate?.check { try check($0, .simulate, $1, $2) }
        try check(simulate == nil || model != .vqgan, .simulate, "none for \(model.rawValue), which sees HR alone", simulate?.instrument ?? "")
        try corrdiff?.check { try check($0, .corrdiff, $1, $2) }
        if let corrdiff, corrdiff.knowsMeans {
            try check(simulate == nil, .corrdiff, "knows-means false where low resolution is simulated: it is no plain block mean", "true")
        }
        if let stage = regressionTraining {
            try check((0...1_000_000_000).contains(stage.steps), .regressionTraining, "0 … 1000000000 steps", stage.steps)
            try check(stage.learningRate > 0 && stage.learningRate.isFinite, .regressionTraining, "a learning rate of more than 0", stage.learningRate)
            try check(stage.share > 0 && stage.share < 1, .regressionTraining, "a share between 0 and 1", stage.share)
        }
        if model == .corrdiff, case .paper = network {
            try check(false, .network, "a unet for corrdiff", "the paper's, whose condition has as many channels as its field")
        }
        let isRegression = !(model == .vqgan || model.isDiffusion)
        for (key, isThere, belongs) in [
            (CodingKeys.autoencoder, autoencoder != nil, model == .vqgan), (.loss, loss != nil, model == .vqgan),
            (.network, network != nil, model.isDiffusion), (.prediction, prediction != nil, model.isDiffusion),
            (.regression, regression != nil, isRegression), (.corrdiff, corrdiff != nil, model == .corrdiff),
            (.regressionTraining, regressionTraining != nil, model == .corrdiff),
        ] {
            try check(
                isThere == belongs, key, belongs ? "one of its own for \(model.rawValue)" : "none for \(model.rawValue)", isThere ? "one" : "none")
        }
        if let regression { try check(regression.kind == model, .regression, "one of its own for \(model.rawValue)", regression.kind.rawValue) }
        let unit = cropUnit
        try check(cropSize >= 8 && cropSize <= 4096 && cropSize % unit == 0, .cropSize, "8 … 4096 in steps of \(unit) HR pixels", cropSize)
        try check(learningRate > 0 && learningRate.isFinite, .learningRate, "more than 0", learningRate)
        try check(warmup >= 0, .warmup, "at least 0", warmup)
        try check((1...4096).contains(accumulate), .accumulate, "1 … 4096", accumulate)
        try check(clipNorm >= 0, .clipNorm, "at least 0", clipNorm)
        try check(weightDecay >= 0 && weightDecay < 1, .weightDecay, "0 … 1", weightDecay)
        try check(betas.count == 2 && betas.allSatisfy { (0..<1).contains($0) }, .betas, "two numbers from 0 to below 1", betas)
        try check((0..<1).contains(emaDecay), .emaDecay, "at least 0 and below 1", emaDecay)
        try check(validateEvery >= 0, .validateEvery, "at least 0", validateEvery)
        try check(saveEvery > 0, .saveEvery, "at least 1", saveEvery)
        try check(keepLast >= 0, .keepLast, "at least 0", keepLast)
        try check(patience >= 0, .patience, "at least 0", patience)
        try check((0...65536).contains(overfit), .overfit, "0 … 65536", overfit)
        try check((0...65536).contains(latentCrops), .latentCrops, "0 … 65536", latentCrops)
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
        // Of latent systems, the bundled autoencoder's; training makes sure of another's.
        let factor = autoencoder?.factor ?? (model.hasAutoencoder || model == .corrdiff ? 4 : 1)
        return max(4, factor << levels)
    }

    /// That of mean and spread before the rest.
    func ofRegressionStage(_ stage: RegressionStage) -> TrainingConfiguration {
        var result = self
        (result.steps, result.epochs, result.learningRate) = (stage.steps, nil, stage.learningRate)
        result.maxHours = maxHours.map { $0 * stage.share }
        return result
    }
}
