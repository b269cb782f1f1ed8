import Foundation
import Groundwork
import Logging
import TensorCore

/// Trains a model on a folder of magnetograms.
public struct Trainer {
    private let configuration: TrainingConfiguration
    private let task: any TrainingTask
    private let autoencoder: Model?

    /// Reads the data and builds the network.
    ///
    /// - Parameters:
    ///   - data: a prepared folder with `train` and `validation` in it, or a folder of FITS files, of which whole regions are kept for validation.
    ///   - autoencoder: for latent diffusion; nil for the bundled one.
    /// - Throws: `Failure`: `.missingInput`, `.badData`, `.usage`.
    public init(_ configuration: TrainingConfiguration, data: URL, autoencoder: URL?, logger: Logger) throws {
        var configuration = configuration
        if configuration.overfit > 0 { configuration.validateEvery = 0 }
        let (training, validation) = try Self.collections(data, wantsValidation: configuration.validateEvery > 0, logger: logger)
        if let network = configuration.network {
            let model = try autoencoder.map { try Model(reading: $0) } ?? BundledModels.autoencoder()
            guard model.kind == .vqgan || model.network != nil else {
                throw Failure(.badData, "the model holds no autoencoder", at: autoencoder?.path)
            }
            self.autoencoder = model
            task = try LatentDiffusionTraining(configuration, network: network, autoencoder: model, training: training, validation: validation)
        } else {
            guard autoencoder == nil else {
                throw Failure(
                    .usage, "an autoencoder is given, but \(configuration.model.rawValue) is trained from the start",
                    remedy: "leave --autoencoder out")
            }
            self.autoencoder = nil
            task = AutoencoderTraining(configuration, training: training, validation: validation)
        }
        self.configuration = configuration
        if validation == nil, configuration.validateEvery > 0 {
            logger.warning("there is no validation data (fewer than three regions); the last weights become the model")
        }
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

    /// Keeps the autoencoder of a diffusion model with its run, for resuming.
    /// - Throws: `Failure` (`.cannotWrite`).
    package func keepAutoencoder(in folder: RunFolder) throws { try autoencoder?.write(to: folder.autoencoder) }

    /// One line: what is trained on how much.
    public var summary: String {
        "training \(configuration.model.rawValue), preset \(configuration.preset.rawValue), \(task.store.count) parameters, on \(task.imageCount) magnetograms"
    }

    /// Trains as ``TrainingLoop`` does.
    package func run(_ folder: RunFolder, report: (TrainingProgress) -> Void, shouldStop: () -> Bool) throws -> TrainingOutcome {
        try TrainingLoop(configuration, task: task, folder: folder).run(report: report, shouldStop: shouldStop)
    }

    /// Takes two steps without writing anything, and tells parameters, memory and an estimate of the time.
    package func dryRun() throws -> String {
        let parameters = task.store.parameters
        let optimizer = AdamW(parameters, learningRate: configuration.learningRate, weightDecay: configuration.weightDecay)
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
