import Foundation
import Groundwork
import Logging
import TensorCore

/// Trains a model on a folder of magnetograms.
public struct Trainer {
    private let configuration: TrainingConfiguration
    private let model: Model
    private let task: any TrainingTask
    /// Of a `corrdiff` model that is fine-tuned: its digest before.
    private let base: String?
    private let training: MagnetogramCollection
    private let validation: MagnetogramCollection?
    /// Whether the model at the start follows from the configuration alone. That of a diffusion model holds an autoencoder, and statistics of the data, which
    /// may have changed when a run is resumed.
    private let startsAnew: Bool

    /// Reads the data and builds the network.
    ///
    /// - Parameters:
    ///   - data: a prepared folder with `train` and `validation` in it, or a folder of FITS files, of which whole regions are kept for validation.
    ///   - autoencoder: for latent diffusion; nil for the bundled one.
    ///   - start: a model to go on from, or weights of its network alone under the names that PyTorch gives them.
    /// - Throws: `Failure`: `.missingInput`, `.badData`, `.usage`.
    public init(_ configuration: TrainingConfiguration, data: URL, autoencoder: URL? = nil, start: URL? = nil, logger: Logger) throws {
        var configuration = configuration
        if configuration.overfit > 0 { configuration.validateEvery = 0 }
        let (training, validation) = try Self.collections(data, wantsValidation: configuration.validateEvery > 0, logger: logger)
        if let simulate = configuration.simulate {
            for collection in [training, validation].compactMap({ $0 }) { try collection.simulate(simulate, at: data) }
        }
        // What stands beside a crop is no plain block mean.
        if training.entries.contains(where: { $0.pairScale != nil }) { configuration.corrdiff?.knowsMeans = false }
        model = try Self.model(configuration, autoencoder: autoencoder, start: start, training: training)
        if model.kind != .vqgan {
            model.description.input = Self.input(configuration, training)
            if model.description.ownTiling == nil { model.description.setTiling(cropSize: configuration.cropSize) }
        }
        startsAnew = start == nil && model.network == nil
        if configuration.isFinetuning {
            for collection in [training, validation].compactMap({ $0 }) { try collection.requirePairs(scale: model.scale, at: data) }
        }
        task = try Self.task(configuration, model: model, training: training, validation: validation)
        (self.configuration, self.training, self.validation) = (configuration, training, validation)
        base = configuration.isFinetuning && model.corrdiff != nil ? try model.weightsDigest() : nil
        if validation == nil, configuration.validateEvery > 0 {
            logger.warning("there is no validation data (fewer than three regions); the last weights become the model")
        }
    }

    /// Training of the rest of a `corrdiff` model after mean and spread.
    private init(after first: Trainer, regression: Model) throws {
        (configuration, training, validation, startsAnew) = (first.configuration, first.training, first.validation, false)
        base = first.base
        if let adaptation = configuration.adaptation, first.model.network != nil {
            model = first.model
            model.autoencoderStore.copyValues(of: regression.autoencoderStore)
            let store = try model.adapt(adaptation, seed: configuration.seed)
            task = try DiffusionTraining(
                configuration, model: model, store: store, base: base, training: training, validation: validation)
            return
        }
        guard let network = configuration.network, let corrdiff = regression.description.corrdiff else {
            throw Failure(.badData, "the model has no mean and spread", expected: ModelKind.corrdiff.rawValue, found: regression.kind.rawValue)
        }
        model = try DiffusionTraining.model(configuration, network: network, regression: regression, corrdiff, training: training)
        task = try DiffusionTraining(configuration, model: model, training: training, validation: validation)
    }

    private static func model(
        _ configuration: TrainingConfiguration, autoencoder: URL?, start: URL?, training: MagnetogramCollection
    ) throws -> Model {
        if let start, try Model.isModel(start) {
            let model = try Model(reading: start)
            guard model.kind == configuration.model else {
                throw Failure(
                    .usage, "the model to start from is of another kind", at: start.path, expected: configuration.model.rawValue,
                    found: model.kind.rawValue)
            }
            guard autoencoder == nil else {
                throw Failure(.usage, "the model to start from has an autoencoder of its own", at: start.path, remedy: "leave --autoencoder out")
            }
            return model
        }
        if let start, configuration.model == .vqgan { return try Model.autoencoder(reading: start, normalization: configuration.normalization) }
        let model: Model
        if let network = configuration.network, configuration.corrdiff == nil {
            model = try DiffusionTraining.model(
                configuration, network: network, autoencoder: try Self.autoencoder(configuration, autoencoder), training: training)
        } else {
            guard autoencoder == nil else {
                throw Failure(
                    .usage, "an autoencoder is given, but \(configuration.model.rawValue) has no use for one", remedy: "leave --autoencoder out")
            }
            model = Model(
                ModelDescription(
                    kind: configuration.model, normalization: configuration.normalization, autoencoder: configuration.autoencoder,
                    regression: configuration.regression, corrdiff: configuration.corrdiff, spectrum: try training.spectrum(seed: configuration.seed),
                    training: TrainingSummary(
                        steps: 0, batchSize: configuration.batchSize, seed: configuration.seed, images: training.entries.count),
                    preset: configuration.preset),
                seed: configuration.seed)
        }
        if let start { try model.loadNetwork(start) }
        return model
    }

    /// What the data make of the model.
    private static func input(_ configuration: TrainingConfiguration, _ training: MagnetogramCollection) -> ModelInput? {
        if let simulate = configuration.simulate { return ModelInput(instrument: simulate.instrument, degradation: simulate) }
        return training.entries.lazy.compactMap(\.pairInstrument).first.map { ModelInput(instrument: $0.name) }
    }

    /// The autoencoder of a latent system; nil for a system on pixels.
    private static func autoencoder(_ configuration: TrainingConfiguration, _ file: URL?) throws -> Model? {
        guard configuration.model.hasAutoencoder else {
            guard file == nil else {
                throw Failure(
                    .usage, "an autoencoder is given, but \(configuration.model.rawValue) works on pixels", remedy: "leave --autoencoder out")
            }
            return nil
        }
        if let file { return try Model.autoencoder(reading: file, normalization: configuration.normalization) }
        guard configuration.preset != .paper else {
            throw Failure(
                .usage, "the paper diffuses in latents of f = 8, which the bundled autoencoder does not have", expected: "--autoencoder FILE",
                remedy: "train one with --model vqgan --preset paper, or give one of diffusers or CompVis as safetensors")
        }
        return try BundledModels.autoencoder()
    }

    private static func task(
        _ configuration: TrainingConfiguration, model: Model, training: MagnetogramCollection, validation: MagnetogramCollection?
    ) throws -> any TrainingTask {
        if model.network != nil, model.corrdiff == nil || !configuration.isFinetuning {
            let store = try configuration.adaptation.map { try model.adapt($0, seed: configuration.seed) }
            return try DiffusionTraining(configuration, model: model, store: store, training: training, validation: validation)
        }
        if model.corrdiff != nil {
            return try CorrDiffRegressionTraining(
                configuration.regressionTraining.map { configuration.ofRegressionStage($0) } ?? configuration, model: model, training: training,
                validation: validation)
        }
        if model.regression != nil { return try RegressionTraining(configuration, model: model, training: training, validation: validation) }
        return try AutoencoderTraining(configuration, model: model, training: training, validation: validation)
    }

    private static func collections(
        _ data: URL, wantsValidation: Bool, logger: Logger
    ) throws -> (MagnetogramCollection, MagnetogramCollection?) {
        let (training, validation) = (data.appendingPathComponent("train"), data.appendingPathComponent("validation"))
        guard FileManager.default.fileExists(atPath: training.path) else {
            let all = try MagnetogramCollection(folder: data, logger: logger)
            return wantsValidation ? all.splitByRegion() : (all, nil)
        }
        let hasValidation = wantsValidation && (try? fitsFiles(in: validation).isEmpty) == false
        return (
            try MagnetogramCollection(folder: training, logger: logger),
            hasValidation ? try MagnetogramCollection(folder: validation, logger: logger) : nil
        )
    }

    /// Keeps what the run started from with it, for resuming, unless that follows from the configuration.
    /// - Throws: `Failure` (`.cannotWrite`).
    package func keepStart(in folder: RunFolder) throws {
        if !startsAnew { try model.write(to: folder.start) }
    }

    /// Of what is diffused; nil for a model that does not diffuse.
    package var statistics: LatentStatistics? { model.description.diffusion?.statistics }

    /// One line: what is trained on how much.
    public var summary: String {
        "training \(configuration.model.rawValue), preset \(configuration.preset.rawValue), \(task.store.count) parameters, on \(task.imageCount) magnetograms"
    }

    /// Trains as ``TrainingLoop`` does; `corrdiff` in two stages, mean and spread in a folder of their own.
    package func run(_ folder: RunFolder, report: (TrainingProgress) -> Void, shouldStop: () -> Bool) throws -> TrainingOutcome {
        guard model.corrdiff != nil else {
            return try TrainingLoop(configuration, task: task, folder: folder).run(report: report, shouldStop: shouldStop)
        }
        guard task is CorrDiffRegressionTraining else { return try runRest(folder, report: report, shouldStop: shouldStop) }
        var regression = model
        if let stage = configuration.regressionTraining, stage.steps > 0 {
            try folder.regression.create()
            let loop = TrainingLoop(configuration.ofRegressionStage(stage), task: task, folder: folder.regression)
            let outcome = try loop.run(report: { report($0.named("mean and spread")) }, shouldStop: shouldStop)
            guard outcome != .interrupted else { return outcome }
            regression = try Model(reading: folder.regression.model)
        }
        let next = try Trainer(after: self, regression: regression)
        // What a model was before it is fine-tuned is kept already.
        if !configuration.isFinetuning { try next.keepStart(in: folder) }
        return try next.runRest(folder, report: report, shouldStop: shouldStop)
    }

    /// Trains the rest of a `corrdiff` model, and calibrates it on what is kept for validation.
    private func runRest(_ folder: RunFolder, report: (TrainingProgress) -> Void, shouldStop: () -> Bool) throws -> TrainingOutcome {
        var configuration = configuration
        if let stage = configuration.regressionTraining { configuration.maxHours = configuration.maxHours.map { $0 * (1 - stage.share) } }
        let outcome = try TrainingLoop(configuration, task: task, folder: folder).run(report: { report($0.named("rest")) }, shouldStop: shouldStop)
        guard outcome != .interrupted, let validation else { return outcome }
        let model = try Model(reading: folder.model)
        model.description.calibration = nil
        model.description.calibration = try SpreadCalibration(of: model, on: validation, cropSize: configuration.cropSize)
        try model.write(to: folder.model)
        return outcome
    }

    /// Takes two steps without writing anything, and tells parameters, memory and an estimate of the time.
    package func dryRun() throws -> String {
        let parameters = task.store.parameters
        let optimizer = AdamW(parameters, configuration)
        var seconds = 0.0
        StoragePool.resetPeak()
        // The first step pays for memory and encodes the first crops; the second is timed.
        for batch in 0..<2 {
            let start = ContinuousClock.now
            let (_, gradients) = try valueWithGradient(at: parameters) { try task.loss(batch: batch).loss }
            optimizer.update(gradients)
            seconds = (ContinuousClock.now - start) / .seconds(1)
        }
        let steps = TrainingLoop(configuration, task: task, folder: RunFolder(URL(fileURLWithPath: "/"))).steps
        let weights = zip(task.store.names, parameters).map { "  \($0)  \($1.value.shape.map(String.init).joined(separator: " × "))" }
        return """
            \(weights.joined(separator: "\n"))
            parameters   \(task.store.count)
            magnetograms \(task.imageCount)
            memory       \(StoragePool.peakBytes >> 20) MiB of tensors at most
            a step       \(String(format: "%.3f s", seconds)) for \(configuration.batchSize) crops of \(configuration.cropSize) × \(configuration.cropSize)
            \(steps) steps   about \(String(format: "%.1f h", seconds * Double(steps * configuration.accumulate) / 3600)) without validation
            """
    }
}
