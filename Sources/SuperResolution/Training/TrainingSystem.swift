import Groundwork

/// What is trained, with the settings that are its own: a case each of ``ModelSystem``.
package enum TrainingSystem: Sendable, Equatable {
    /// `vqgan`, and what it is trained by.
    case autoencoder(AutoencoderConfiguration, AutoencoderLoss)
    /// `ldm` and `ldm-residual`; the autoencoder, trained before, is given as a file.
    case latentDiffusion(DiffusionSettings, isResidual: Bool)
    /// `ddpm` and `ddpm-residual`.
    case pixelDiffusion(DiffusionSettings, isResidual: Bool)
    /// `enhance` and `progressive`.
    case regression(RegressionNetworkConfiguration)
    /// `corrdiff`: mean and spread, the diffusion of the rest, and how the former are trained before the latter.
    case corrdiff(CorrDiff.Configuration, DiffusionSettings, RegressionStage)

    package var model: ModelKind {
        switch self {
        case .autoencoder: .vqgan
        case .latentDiffusion(_, let isResidual): isResidual ? .ldmResidual : .ldm
        case .pixelDiffusion(_, let isResidual): isResidual ? .ddpmResidual : .ddpm
        case .regression(let network): network.kind
        case .corrdiff: .corrdiff
        }
    }

    /// Nil for a system that does not diffuse.
    package var diffusion: DiffusionSettings? {
        switch self {
        case .latentDiffusion(let diffusion, _), .pixelDiffusion(let diffusion, _), .corrdiff(_, let diffusion, _): diffusion
        case .autoencoder, .regression: nil
        }
    }

    /// Takes down that low resolution is no plain block mean, which `corrdiff` alone must know.
    package mutating func setMeansUnknown() {
        guard case .corrdiff(var corrdiff, let rest, let stage) = self else { return }
        corrdiff.knowsMeans = false
        self = .corrdiff(corrdiff, rest, stage)
    }
}

/// The settings of a diffusion system.
package struct DiffusionSettings: Sendable, Equatable {
    package var network: NetworkConfiguration
    /// What the network gives.
    package var prediction: PredictionTarget
    /// Of fine-tuning: what is adapted.
    package var adaptation: Adaptation?

    package init(network: NetworkConfiguration, prediction: PredictionTarget, adaptation: Adaptation? = nil) {
        (self.network, self.prediction, self.adaptation) = (network, prediction, adaptation)
    }
}

extension TrainingSystem {
    /// The defaults of a preset.
    init(model: ModelKind, preset: TrainingConfiguration.Preset) {
        let (isPaper, isSmall) = (preset == .paper, preset == .small)
        let prediction: PredictionTarget = isPaper ? .noise : .velocity
        switch model {
        case .vqgan:
            // The shipped autoencoder diffuses in, and decodes from, continuous latents; the tiny one has a codebook so that it is exercised too.
            self = .autoencoder(
                isPaper
                    ? .paper
                    : .compact(
                        CompactAutoencoder.Configuration(
                            patch: 2, width: isSmall ? 64 : 8, multipliers: [1, 2], latentChannels: isSmall ? 10 : 4, codebookSize: isSmall ? 0 : 64,
                            decodesQuantized: false, hasTransform: true)),
                isPaper ? .paper : isSmall ? .small : .tiny)
        case .ldmResidual, .ldm:
            let network: NetworkConfiguration =
                isPaper
                ? .paper(PaperUNet.Configuration(width: 128, hasAttention: true))
                : .unet(UNet.Configuration(width: isSmall ? 64 : 8, multipliers: [1, 2, 2], heads: 4))
            self = .latentDiffusion(DiffusionSettings(network: network, prediction: prediction), isResidual: model.isResidual)
        case .ddpmResidual, .ddpm:
            let network: NetworkConfiguration =
                isPaper
                ? .paper(PaperUNet.Configuration(width: 8, hasAttention: false))
                : .unet(UNet.Configuration(width: isSmall ? 16 : 4, multipliers: isSmall ? [1, 2, 4, 4] : [1, 2, 2], heads: 4))
            self = .pixelDiffusion(DiffusionSettings(network: network, prediction: prediction), isResidual: model.isResidual)
        case .enhance: self = .regression(.enhance(Enhance.Configuration(width: isPaper ? 8 : isSmall ? 4 : 2, alignsCorners: isPaper)))
        case .progressive:
            self = .regression(
                .progressive(
                    Progressive.Configuration(width: isPaper ? 8 : isSmall ? 4 : 2, alignsCorners: isPaper, bicubicKernel: .antialiased)))
        case .corrdiff:
            // The paper has no such system; at its preset it is as large as a U-Net of its width.
            let width = isPaper ? 128 : isSmall ? 64 : 8
            self = .corrdiff(
                CorrDiff.Configuration(
                    knowsMeans: true, knowsGrid: true, width: width, blocks: isPaper ? 8 : isSmall ? 5 : 1, folds: isPaper || isSmall ? 3 : 2),
                DiffusionSettings(network: .unet(UNet.Configuration(width: width, multipliers: [1, 2, 2], heads: 4)), prediction: prediction),
                RegressionStage(steps: isPaper ? 20_000 : isSmall ? 3000 : 100, learningRate: 2e-3, share: 0.4))
        }
    }

    /// That of a model, to train it further.
    /// - Parameter adaptation: of diffusion models.
    /// - Throws: `Failure` (`.usage`) for an autoencoder, of which no file says what it is trained by, and for `corrdiff` without a network for the rest.
    init(finetuning system: ModelSystem, adaptation: Adaptation) throws {
        func settings(_ diffusion: DiffusionDescription) -> DiffusionSettings {
            DiffusionSettings(network: diffusion.network, prediction: diffusion.prediction, adaptation: adaptation)
        }
        switch system {
        case .autoencoder:
            throw Failure(
                .usage, "an autoencoder is not fine-tuned on pairs", expected: "a model that super-resolves", found: system.kind.rawValue,
                remedy: "train it further with `sr train --model vqgan --from`")
        case .latentDiffusion(let diffusion, _, let isResidual): self = .latentDiffusion(settings(diffusion), isResidual: isResidual)
        case .pixelDiffusion(let diffusion, let isResidual): self = .pixelDiffusion(settings(diffusion), isResidual: isResidual)
        case .regression(let network): self = .regression(network)
        case .corrdiff(let corrdiff, let rest?, _):
            self = .corrdiff(corrdiff, settings(rest), RegressionStage(steps: 500, learningRate: 3e-4, share: 0.4))
        case .corrdiff(_, nil, _):
            throw Failure(
                .usage, "the model has no network for the rest to be fine-tuned", expected: "a corrdiff model after both stages of training",
                found: "mean and spread alone", remedy: "give model.safetensors in the folder of the run, not in its folder regression")
        }
    }
}

extension TrainingSystem {
    private typealias Keys = TrainingConfiguration.CodingKeys

    /// Reads it among the keys of its configuration.
    /// - Throws: `DecodingError`, also for a key of another system and for one that is missing.
    init(from container: KeyedDecodingContainer<TrainingConfiguration.CodingKeys>) throws {
        let model = try container.decode(ModelKind.self, forKey: .model)
        func check(_ parts: [Keys], optional: Keys...) throws {
            try container.check(parts, optional: [.model, .isFinetuning] + optional, of: model)
        }
        func diffusion(beside parts: Keys...) throws -> DiffusionSettings {
            try check([.network, .prediction] + parts, optional: .adaptation)
            return DiffusionSettings(
                network: try container.decode(NetworkConfiguration.self, forKey: .network),
                prediction: try container.decode(PredictionTarget.self, forKey: .prediction),
                adaptation: try container.decodeIfPresent(Adaptation.self, forKey: .adaptation))
        }
        switch model {
        case .vqgan:
            try check([.autoencoder, .loss])
            self = .autoencoder(
                try container.decode(AutoencoderConfiguration.self, forKey: .autoencoder), try container.decode(AutoencoderLoss.self, forKey: .loss))
        case .ldmResidual, .ldm: self = .latentDiffusion(try diffusion(), isResidual: model.isResidual)
        case .ddpmResidual, .ddpm: self = .pixelDiffusion(try diffusion(), isResidual: model.isResidual)
        case .enhance, .progressive:
            try check([.regression])
            self = .regression(try container.regression(forKey: .regression, of: model))
        case .corrdiff:
            let rest = try diffusion(beside: .corrdiff, .regressionTraining)
            self = .corrdiff(
                try container.decode(CorrDiff.Configuration.self, forKey: .corrdiff), rest,
                try container.decode(RegressionStage.self, forKey: .regressionTraining))
        }
    }

    /// Refuses what cannot be trained.
    /// - Parameters:
    ///   - cropSize: side of a crop in HR pixels.
    ///   - check: is told the key, whether its value is sound, what is expected and what was found.
    func validate(cropSize: Int, _ check: (_ key: any CodingKey, _ isSound: Bool, _ expected: String, _ found: Any) throws -> Void) throws {
        func checkNetwork(_ diffusion: DiffusionSettings) throws {
            try diffusion.network.check { try check(Keys.network, $0, $1, $2) }
            try diffusion.adaptation?.check { try check(Keys.adaptation, $0, $1, $2) }
        }
        func checkCrops(_ unit: Int) throws {
            try check(
                TrainingSettings.CodingKeys.cropSize, cropSize >= 8 && cropSize <= 4096 && cropSize % max(4, unit) == 0,
                "8 … 4096 in steps of \(max(4, unit)) HR pixels", cropSize)
        }
        func checkCrops(atLeast side: Int, for judge: String) throws {
            try check(TrainingSettings.CodingKeys.cropSize, cropSize >= side, "at least \(side) for \(judge)", cropSize)
        }
        // Crops come in multiples of so many pixels that they, or their latents, halve evenly down to the lowest level.
        switch self {
        case .autoencoder(let autoencoder, let loss):
            try autoencoder.check { try check(Keys.autoencoder, $0, $1, $2) }
            try loss.check { try check(Keys.loss, $0, $1, $2) }
            if loss.adversarial > 0 { try checkCrops(atLeast: loss.discriminator.smallestImage, for: "the discriminator") }
            if loss.perceptual > 0 { try checkCrops(atLeast: AlexNetFeatures.minimumSide, for: "LPIPS") }
            try checkCrops(autoencoder.factor)
        case .latentDiffusion(let diffusion, _):
            try checkNetwork(diffusion)
            // The bundled autoencoder's factor; training makes sure of another's.
            try checkCrops(4 * diffusion.network.divisor)
        case .pixelDiffusion(let diffusion, _):
            try checkNetwork(diffusion)
            try checkCrops(diffusion.network.divisor)
        case .regression(let network):
            try network.check { try check(Keys.regression, $0, $1, $2) }
            try checkCrops(1)
        case .corrdiff(let corrdiff, let rest, let stage):
            try corrdiff.check { try check(Keys.corrdiff, $0, $1, $2) }
            try stage.check { try check(Keys.regressionTraining, $0, $1, $2) }
            try checkNetwork(rest)
            if case .paper = rest.network {
                try check(Keys.network, false, "a unet for corrdiff", "the paper's, whose condition has as many channels as its field")
            }
            try checkCrops(CorrDiff.transform.side * rest.network.divisor)
        }
    }
}
