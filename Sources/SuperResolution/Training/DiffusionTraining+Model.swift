import Groundwork
import TensorCore

extension DiffusionTraining {
    /// A model with initial weights and the statistics of the data.
    /// - Parameter autoencoder: for latent systems, a trained `vqgan` model; its architecture and normalisation take the place of the configuration's.
    /// - Throws: `Failure`: `.usage` for a latent system without an autoencoder, one on pixels with one and any other; `.badData`.
    package static func model(_ configuration: TrainingConfiguration, autoencoder: Model?, training: MagnetogramCollection) throws -> Model {
        func system(_ statistics: LatentStatistics) throws -> ModelSystem {
            let given = autoencoder?.description.system.autoencoder
            switch (configuration.system, given) {
            case (.latentDiffusion(let settings, let isResidual), let given?):
                return .latentDiffusion(settings.description(statistics), in: given, isResidual: isResidual)
            case (.pixelDiffusion(let settings, let isResidual), nil):
                return .pixelDiffusion(settings.description(statistics), isResidual: isResidual)
            case (.latentDiffusion, nil), (.pixelDiffusion, _), (.autoencoder, _), (.regression, _), (.corrdiff, _):
                throw Failure(
                    .usage, "the model cannot be made", expected: "a latent diffusion model and an autoencoder, or a diffusion model of pixels",
                    found: "\(configuration.model.rawValue) with \(given == nil ? "no" : "an") autoencoder")
            }
        }
        let model = Model(
            ModelDescription(
                try system(LatentStatistics(channels: autoencoder?.latentChannels ?? 1)),
                normalization: autoencoder?.description.normalization ?? configuration.normalization,
                spectrum: try training.spectrum(seed: configuration.seed),
                training: TrainingSummary(
                    steps: 0, batchSize: configuration.batchSize, seed: configuration.seed, images: training.entries.count),
                preset: configuration.preset),
            seed: configuration.seed)
        if let autoencoder { model.firstStageStore.copyValues(of: autoencoder.firstStageStore) }
        model.description.system = try system(model.statistics(of: training, seed: configuration.seed))
        return model
    }

    /// A `corrdiff` model whose mean and spread are trained, with a denoising network for the rest and the statistics of the data.
    /// - Throws: `Failure` (`.badData`) if there is no mean and spread, or a file can no longer be read.
    package static func model(_ configuration: TrainingConfiguration, regression: Model, training: MagnetogramCollection) throws -> Model {
        guard case .corrdiff(_, let settings, _) = configuration.system, case .corrdiff(let corrdiff, _, _) = regression.description.system else {
            throw Failure(.badData, "the model has no mean and spread", expected: ModelKind.corrdiff.rawValue, found: regression.kind.rawValue)
        }
        func system(_ statistics: LatentStatistics) -> ModelSystem {
            .corrdiff(corrdiff, rest: settings.description(statistics), calibration: nil)
        }
        var description = regression.description
        description.system = system(LatentStatistics(channels: corrdiff.coefficients, conditionChannels: corrdiff.conditionChannels))
        let model = Model(description, seed: configuration.seed)
        model.firstStageStore.copyValues(of: regression.firstStageStore)
        model.description.system = system(try model.statistics(of: training, seed: configuration.seed))
        return model
    }
}

extension DiffusionSettings {
    fileprivate func description(_ statistics: LatentStatistics) -> DiffusionDescription {
        DiffusionDescription(network: network, schedule: .paper, prediction: prediction, statistics: statistics)
    }
}

extension Model {
    /// Measures what is diffused.
    fileprivate func statistics(of training: MagnetogramCollection, seed: UInt64) throws -> LatentStatistics {
        var random = Random(seed: seed, name: "latent statistics")
        // Many small windows rather than few large crops: whether a spot is among them decides the deviation.
        let crops = (0..<256).map { _ in training.randomCrop(size: 128, &random) }
        let stream = CropStream(
            count: crops.count, crops: { _ in crops },
            make: try LatentEncoder(self, training, isTraining: true, statistics: nil).callAsFunction)
        stream.prepare([(group: 0, members: nil)])
        let raw = LatentEncoder.joined(try stream(0))
        return LatentStatistics(target: raw.target, condition: raw.condition)
    }

    /// A `corrdiff` model without the networks that training alone needs, its denoising network without values; nil if it has none of them.
    func withoutFolds() -> Model? {
        guard case .corrdiff(var corrdiff, let rest, let calibration) = description.system, corrdiff.folds > 0 else { return nil }
        corrdiff.folds = 0
        var description = description
        description.system = .corrdiff(corrdiff, rest: rest, calibration: calibration)
        let result = Model(description, seed: 0)
        for (name, parameter) in zip(result.firstStageStore.names, result.firstStageStore.parameters) {
            if let own = firstStageStore[name] { parameter.value = own.value }
        }
        return result
    }
}
