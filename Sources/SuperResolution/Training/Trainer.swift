import Foundation
import Groundwork
import Logging
import TensorCore

/// Trains a model on a folder of magnetograms.
public struct Trainer {
    let configuration: TrainingConfiguration
    let model: Model
    let task: any TrainingTask
    /// Of a `corrdiff` model that is fine-tuned: its digest before.
    let base: String?
    let training: MagnetogramCollection
    let validation: MagnetogramCollection?
    /// What keeps latents for other runs.
    let cache: LatentCache?
    /// What the run is begun with, but for its data.
    let start: RunOrigin
    /// Whether the model at the start follows from the configuration alone. That of a diffusion model holds an autoencoder, and statistics of the data, which
    /// may have changed when a run is resumed.
    let startsAnew: Bool

    /// Reads the data and builds the network.
    ///
    /// - Parameters:
    ///   - data: a prepared folder with `train` and `validation` in it, or a folder of FITS files, of which whole regions are kept for validation.
    ///   - autoencoder: for latent diffusion; nil for the bundled one.
    ///   - start: a model to go on from, or weights of its network alone under the names that PyTorch gives them.
    ///   - memory: of the magnetograms that are kept in it; a quarter of what the process may have unless told otherwise.
    ///   - latents: a folder for the latents of crops, and how much of it they may take; nil to keep none.
    /// - Throws: `Failure`: `.missingInput`, `.badData`, `.usage`.
    public init(
        _ configuration: TrainingConfiguration, data: URL, autoencoder: URL? = nil, start: URL? = nil, memory: MemorySize? = nil,
        latents: (folder: URL, limit: MemorySize)? = nil, logger: Logger
    ) throws {
        var configuration = configuration
        if configuration.overfit > 0 { configuration.validateEvery = 0 }
        var (training, validation) = try Self.collections(
            data, wantsValidation: configuration.validateEvery > 0, store: MagnetogramStore(memory: memory, logger: logger), logger: logger)
        if let simulate = configuration.simulate {
            training = try training.simulating(simulate, at: data)
            validation = try validation?.simulating(simulate, at: data)
        }
        // What stands beside a crop is no plain block mean.
        if training.entries.contains(where: { $0.pairScale != nil }) { configuration.system.setMeansUnknown() }
        model = try Self.model(configuration, autoencoder: autoencoder, start: start, training: training)
        model.description.data = try training.trainingData()
        // What was measured of the model that training starts from.
        model.description.card = nil
        if model.kind != .vqgan {
            model.description.input = Self.input(configuration, training)
            if model.description.ownTiling == nil { model.description.setTiling(cropSize: configuration.cropSize) }
        }
        startsAnew = start == nil && model.diffusion == nil
        if configuration.isFinetuning, configuration.simulate == nil {
            for collection in [training, validation].compactMap({ $0 }) { try collection.requirePairs(scale: model.scale, at: data) }
        }
        cache = try latents.map { try LatentCache(folder: $0.folder, limit: $0.limit, logger: logger) }
        task = try Self.task(configuration, model: model, training: training, validation: validation, cache: cache)
        (self.configuration, self.training, self.validation) = (configuration, training, validation)
        self.start = try RunOrigin(configuration)
        base = configuration.isFinetuning && model.corrdiff != nil ? try model.weightsDigest() : nil
        if validation == nil, configuration.validateEvery > 0 {
            logger.warning("there is no validation data (fewer than three regions); the last weights become the model")
        }
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
        let model: Model
        switch configuration.system {
        case .autoencoder(let configured, _):
            if let start { return try Model.autoencoder(reading: start, normalization: configuration.normalization) }
            model = try Self.newModel(configuration, .autoencoder(configured), autoencoder: autoencoder, training: training)
        case .regression(let network):
            model = try Self.newModel(configuration, .regression(network), autoencoder: autoencoder, training: training)
        case .corrdiff(let corrdiff, _, _):
            model = try Self.newModel(
                configuration, .corrdiff(corrdiff, rest: nil, calibration: nil), autoencoder: autoencoder, training: training)
        case .latentDiffusion:
            model = try DiffusionTraining.model(
                configuration, autoencoder: try Self.autoencoder(configuration, autoencoder), training: training)
        case .pixelDiffusion:
            try Self.refuse(autoencoder, "\(configuration.model.rawValue) works on pixels")
            model = try DiffusionTraining.model(configuration, autoencoder: nil, training: training)
        }
        if let start { try model.loadNetwork(start) }
        return model
    }

    private static func newModel(
        _ configuration: TrainingConfiguration, _ system: ModelSystem, autoencoder: URL?, training: MagnetogramCollection
    ) throws -> Model {
        try refuse(autoencoder, "\(configuration.model.rawValue) has no use for one")
        return Model(
            ModelDescription(
                system, normalization: configuration.normalization, spectrum: try training.spectrum(seed: configuration.seed),
                training: TrainingSummary(
                    steps: 0, batchSize: configuration.batchSize, seed: configuration.seed, images: training.entries.count),
                preset: configuration.preset),
            seed: configuration.seed)
    }

    private static func refuse(_ autoencoder: URL?, _ reason: String) throws {
        guard autoencoder == nil else { throw Failure(.usage, "an autoencoder is given, but \(reason)", remedy: "leave --autoencoder out") }
    }

    /// What the data make of the model.
    private static func input(_ configuration: TrainingConfiguration, _ training: MagnetogramCollection) -> ModelInput? {
        if let simulate = configuration.simulate { return ModelInput(instrument: simulate.instrument, degradation: simulate) }
        return training.entries.lazy.compactMap(\.pairInstrument).first.map { ModelInput(instrument: $0.name) }
    }

    /// The autoencoder of a latent system.
    private static func autoencoder(_ configuration: TrainingConfiguration, _ file: URL?) throws -> Model {
        if let file { return try Model.autoencoder(reading: file, normalization: configuration.normalization) }
        guard configuration.preset != .paper else {
            throw Failure(
                .usage, "the paper diffuses in latents of f = 8, which the bundled autoencoder does not have", expected: "--autoencoder FILE",
                remedy: "train one with --model vqgan --preset paper, or give one of diffusers or CompVis as safetensors")
        }
        return try BundledModels.autoencoder()
    }

    static func task(
        _ configuration: TrainingConfiguration, model: Model, training: MagnetogramCollection, validation: MagnetogramCollection?,
        cache: LatentCache?
    ) throws -> any TrainingTask {
        switch configuration.system {
        case .autoencoder: return try AutoencoderTraining(configuration, model: model, training: training, validation: validation)
        case .latentDiffusion, .pixelDiffusion:
            return try diffusionTask(configuration, model: model, training: training, validation: validation, cache: cache)
        case .regression: return try RegressionTraining(configuration, model: model, training: training, validation: validation)
        case .corrdiff(_, _, let stage):
            // Of a model with both, mean and spread may be left as they are.
            if model.diffusion != nil, stage.steps == 0 {
                return try diffusionTask(configuration, model: model, training: training, validation: validation, cache: cache)
            }
            return try CorrDiffRegressionTraining(
                configuration.ofRegressionStage(stage), model: model, training: training, validation: validation)
        }
    }

    /// - Parameter base: see ``DiffusionTraining/init(_:model:store:base:training:validation:cache:)``.
    static func diffusionTask(
        _ configuration: TrainingConfiguration, model: Model, base: String? = nil, training: MagnetogramCollection,
        validation: MagnetogramCollection?, cache: LatentCache?
    ) throws -> DiffusionTraining {
        let store = try configuration.system.diffusion?.adaptation.map { try model.adapt($0, seed: configuration.seed) }
        return try DiffusionTraining(configuration, model: model, store: store, base: base, training: training, validation: validation, cache: cache)
    }

    private static func collections(
        _ data: URL, wantsValidation: Bool, store: MagnetogramStore, logger: Logger
    ) throws -> (MagnetogramCollection, MagnetogramCollection?) {
        let (training, validation) = (data.appendingPathComponent("train"), data.appendingPathComponent("validation"))
        guard FileManager.default.fileExists(atPath: training.path) else {
            let all = try MagnetogramCollection(folder: data, store: store, logger: logger)
            return wantsValidation ? all.splitByRegion() : (all, nil)
        }
        let hasValidation = wantsValidation && (try? fitsFiles(in: validation).isEmpty) == false
        return (
            try MagnetogramCollection(folder: training, store: store, logger: logger),
            hasValidation ? try MagnetogramCollection(folder: validation, store: store, logger: logger) : nil
        )
    }

    /// Keeps what the run started from with it, for resuming, unless that follows from the configuration.
    /// - Throws: `Failure` (`.cannotWrite`).
    package func keepStart(in folder: RunFolder) throws {
        if !startsAnew { try model.write(to: folder.start) }
    }

    /// What the run is begun with; of its data, what is known by now.
    var origin: RunOrigin {
        var origin = start
        origin.data = TrainingFiles(training: training, validation: validation)
        return origin
    }

    /// The same at the first rank with what any rank knows by now, once all ask.
    private func origin(of ranks: Ranks) throws -> RunOrigin {
        let own = origin
        guard ranks.count > 1, let data = own.data else { return own }
        for files in try ranks.gather(data) { try files.expectPixels(training: training, validation: validation) }
        return origin
    }

    /// Of what is diffused; nil for a model that does not diffuse.
    package var statistics: LatentStatistics? { model.diffusion?.description.statistics }

    /// One line: what is trained on how much.
    public var summary: String {
        "training \(configuration.model.rawValue), preset \(configuration.preset.rawValue), \(task.store.count) parameters, on \(task.imageCount) magnetograms"
    }

    /// Trains as ``TrainingLoop`` does; `corrdiff` in two stages, mean and spread in a folder of their own.
    /// - Parameter ranks: the processes that train together; the first of them alone writes to the folder and calls `report`.
    package func run(
        _ folder: RunFolder, ranks: Ranks = .alone, report: (TrainingProgress) -> Void, shouldStop: () -> Bool
    ) throws -> TrainingOutcome {
        try ranks.expectTheSame(origin)
        if ranks.count > 1, let data = origin.data {
            // What the first one's checkpoint tells of pixels holds for all.
            try ranks.share(data).expectPixels(training: training, validation: validation)
        }
        if case .corrdiff(_, _, let stage) = configuration.system { return try run(folder, stage, ranks, report: report, shouldStop: shouldStop) }
        return try loop(configuration, folder, ranks).run(report: report, shouldStop: shouldStop)
    }

    /// The loop that trains the task.
    func loop(_ configuration: TrainingConfiguration, _ folder: RunFolder, _ ranks: Ranks) throws -> TrainingLoop {
        let validation = ranks.isFirst ? try validation.flatMap { try FieldValidation(configuration, model: model, collection: $0) } : nil
        return TrainingLoop(configuration, task: task, folder: folder, validation: validation, origin: { try origin(of: ranks) }, ranks: ranks)
    }

    /// Takes two steps without writing anything, and tells parameters, memory and an estimate of the time.
    package func dryRun() throws -> String {
        let estimate = try memoryEstimate()
        let parameters = task.store.parameters
        let optimizers = Optimizers(task, configuration)
        var seconds = 0.0
        StoragePool.resetPeak()
        let sum = try GradientSum(task.store, MicroBatches(configuration))
        // The first step pays for memory and encodes the first crops; the second is timed.
        for step in 0..<2 {
            let start = ContinuousClock.now
            let gradients = try sum { try task.loss(batch: step * configuration.accumulate + $0.batch, members: $0.members).loss }.gradients
            optimizers.update(gradients, norms: optimizers.norms(of: gradients))
            seconds = (ContinuousClock.now - start) / .seconds(1)
        }
        let steps = TrainingLoop(configuration, task: task, folder: RunFolder(URL(fileURLWithPath: "/"))).steps
        let weights = zip(task.store.names, parameters).map { "  \($0)  \($1.value.shape.map(String.init).joined(separator: " × "))" }
        return """
            \(weights.joined(separator: "\n"))
            parameters   \(task.store.count)
            magnetograms \(task.imageCount)
            memory       \(StoragePool.peakBytes >> 20) MiB of tensors at most (estimated before: \(estimate.tensors >> 20) MiB)
            a step       \(String(format: "%.3f s", seconds)) for \(configuration.batchSize * configuration.accumulate) crops of \(configuration.cropSize) × \(configuration.cropSize)
            \(steps) steps   about \(String(format: "%.1f h", seconds * Double(steps) / 3600)) without validation
            """
    }
}
