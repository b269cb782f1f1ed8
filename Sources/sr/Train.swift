import ArgumentParser
import Foundation
import Groundwork
import Logging
import SuperResolution
import TensorCore

extension ModelKind: ExpressibleByArgument {}
extension TrainingConfiguration.Preset: ExpressibleByArgument {}
extension TrainingConfiguration.Schedule: ExpressibleByArgument {}
extension ConvolutionAlgorithm: ExpressibleByArgument {}

/// `sr train`
struct Train: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Train a model on HMI magnetograms.",
        discussion: """
            DATA is a folder that `sr prepare` wrote, or any folder of FITS crops or maps; of such a folder about a tenth, whole regions, is kept for \
            validation. First train an autoencoder (vqgan), then the diffusion model on its latents (ldm-residual). Ctrl-C saves; --resume goes on.
            """)

    @Argument(help: ArgumentHelp("Folder of FITS files to learn from.", valueName: "data"))
    var data: String

    @Option(help: ArgumentHelp("What to train: \(ModelKind.allCases.map(\.rawValue).joined(separator: ", ")).", valueName: "model"))
    var model: ModelKind?

    @Option(help: ArgumentHelp("Folder for the run.", valueName: "run"))
    var output: String

    @Option(help: "paper, small or tiny (default: small).")
    var preset: TrainingConfiguration.Preset?

    @Option(help: ArgumentHelp("Autoencoder to diffuse in the latents of (default: the bundled one).", valueName: "file"))
    var autoencoder: String?

    @Option(help: "Optimiser steps.")
    var steps: Int?

    @Option(help: "Passes over the data, one random crop an image each; instead of --steps.")
    var epochs: Int?

    @Option(help: "Stop and save after this many hours.")
    var maxHours: Double?

    @Option(help: "Crops a batch.")
    var batchSize: Int?

    @Option(help: "Side of a crop in HR pixels.")
    var cropSize: Int?

    @Option(help: "Learning rate after the warm-up.")
    var learningRate: Float?

    @Option(help: "Steps over which the learning rate rises.")
    var warmup: Int?

    @Option(help: "constant or cosine.")
    var schedule: TrainingConfiguration.Schedule?

    @Option(help: "Batches whose gradients are added before a step.")
    var accumulate: Int?

    @Option(help: "Limit of the gradient's norm; 0 for none.")
    var clipNorm: Float?

    @Option(help: "Decay of the weights' running average, which becomes the model.")
    var emaDecay: Float?

    @Option(help: "Steps between validations; 0 for none.")
    var validateEvery: Int?

    @Option(help: "Steps between checkpoints.")
    var saveEvery: Int?

    @Option(help: "Earlier checkpoints to keep.")
    var keepLast: Int?

    @Option(help: "Validations without improvement before stopping; 0 for never.")
    var patience: Int?

    @Option(help: "Train on this many fixed crops alone.")
    var overfit: Int?

    @Option(help: "Seed of everything random.")
    var seed: UInt64?

    @Flag(help: "Go on from the run's last checkpoint.")
    var resume = false

    @Flag(help: "Print the resolved configuration and stop.")
    var printConfig = false

    @Flag(help: "Print sizes and a time estimate after one step; write nothing.")
    var dryRun = false

    @Option(help: "How convolutions are computed: fastest, or patches, which is slower, to compare runs.")
    var convolution = ConvolutionAlgorithm.fastest

    @Option(help: .hidden)
    var from: String?

    @OptionGroup(title: "Common options")
    var common: CommonOptions

    func run() throws {
        if from != nil { throw Failure(.usage, "--from is not built yet in `sr train`", remedy: "leave it out; --resume goes on with a run") }
        let logger = common.start()
        ConvolutionAlgorithm.current = convolution
        let folder = RunFolder(fileURL(output))
        let configuration = try resolvedConfiguration(folder)
        if printConfig {
            print(try configuration.yaml(), terminator: "")
            return
        }
        // A resumed run goes on with the autoencoder it began with.
        let isResumedDiffusion = resume && configuration.model != .vqgan
        var trainer = try Trainer(
            configuration, data: fileURL(data), autoencoder: isResumedDiffusion ? folder.autoencoder : autoencoder.map(fileURL), logger: logger)
        logger.info("\(trainer.summary)")
        if dryRun {
            print(try trainer.dryRun())
            return
        }
        if !resume {
            if folder.exists {
                guard common.overwrite else {
                    throw Failure(
                        .cannotWrite, "a run is there already", at: folder.url.path,
                        remedy: "add --resume to go on with it or --overwrite to start anew")
                }
                try folder.clear()
            }
            try folder.create()
            try trainer.keepAutoencoder(in: folder)
            try writeAtomically(try configuration.yaml(), to: folder.configuration)
        }
        try train(&trainer, folder, logger)
    }

    private func train(_ trainer: inout Trainer, _ folder: RunFolder, _ logger: Logger) throws {
        Interruption.watch()
        let display = common.progressDisplay("train")
        let outcome = try trainer.run(folder) { progress in
            let validation = progress.validationLoss.map { String(format: ", validation %.4g", $0) } ?? ""
            let detail = String(format: "step %d/%d, %.1f crops/s, loss %.4g", progress.step, progress.steps, progress.cropsPerSecond, progress.loss)
            display.update(Double(progress.step) / Double(progress.steps), detail: detail + validation, secondsLeft: progress.secondsLeft)
        } shouldStop: {
            Interruption.isRequested
        }
        display.finish()
        switch outcome {
        case .finished: logger.info("done: \(folder.model.path)")
        case .stoppedEarly(let step): logger.info("stopped early, best at step \(step): \(folder.model.path)")
        case .timeIsUp: logger.info("the time is up; saved: \(folder.model.path)")
        case .interrupted:
            throw Failure(.interrupted, "interrupted; saved", at: folder.last.path, remedy: "add --resume to go on")
        }
    }

    /// Defaults of the preset < file < options; for a resumed run, its own configuration < options.
    private func resolvedConfiguration(_ folder: RunFolder) throws -> TrainingConfiguration {
        var configuration: TrainingConfiguration
        if resume {
            for (name, isGiven) in [("--config", common.config != nil), ("--autoencoder", autoencoder != nil)] where isGiven {
                throw Failure(.usage, "\(name) cannot change when a run is resumed", at: folder.url.path, remedy: "leave it out")
            }
            guard folder.exists else { throw Failure(.missingInput, "there is no run to resume", at: folder.url.path) }
            let text = try? String(contentsOf: folder.configuration, encoding: .utf8)
            guard let text else { throw Failure(.missingInput, "the run has no configuration", at: folder.configuration.path) }
            configuration = try TrainingConfiguration(yaml: text, at: folder.configuration.path)
            for (name, isGiven) in [("--model", model.map { $0 != configuration.model }), ("--preset", preset.map { $0 != configuration.preset })]
            where isGiven == true {
                throw Failure(.usage, "\(name) cannot change when a run is resumed", at: folder.url.path)
            }
        } else {
            let file = try common.config.map { try ConfigurationFile.mapping(at: $0) } ?? [:]
            guard let kind = try model ?? (file["model"].map { try named($0, "model") }) else {
                throw Failure(.usage, "no model is named", expected: "--model vqgan or --model ldm-residual")
            }
            let preset = try preset ?? (file["preset"].map { try named($0, "preset") }) ?? .small
            configuration = try TrainingConfiguration(model: kind, preset: preset)
            let known = TrainingConfiguration.keys
            for key in file.keys where !known.contains(key) { throw ConfigurationFile.unknown(key, known: known, at: common.config ?? "") }
            configuration = try configuration.overlaid(with: file, at: common.config ?? "")
        }
        if let seed { configuration.seed = seed }
        if let steps { configuration.steps = steps }
        if let epochs { configuration.epochs = epochs }
        if let maxHours { configuration.maxHours = maxHours }
        if let batchSize { configuration.batchSize = batchSize }
        if let cropSize { configuration.cropSize = cropSize }
        if let learningRate { configuration.learningRate = learningRate }
        if let warmup { configuration.warmup = warmup }
        if let schedule { configuration.schedule = schedule }
        if let accumulate { configuration.accumulate = accumulate }
        if let clipNorm { configuration.clipNorm = clipNorm }
        if let emaDecay { configuration.emaDecay = emaDecay }
        if let validateEvery { configuration.validateEvery = validateEvery }
        if let saveEvery { configuration.saveEvery = saveEvery }
        if let keepLast { configuration.keepLast = keepLast }
        if let patience { configuration.patience = patience }
        if let overfit { configuration.overfit = overfit }
        try configuration.validate()
        return configuration
    }

    private func named<Value: RawRepresentable & CaseIterable>(_ value: Any, _ key: String) throws -> Value where Value.RawValue == String {
        guard let result = Value(rawValue: "\(value)") else {
            throw Failure(
                .configuration, "\(key) is not valid", at: common.config, expected: Value.allCases.map(\.rawValue).joined(separator: ", "),
                found: "\(value)")
        }
        return result
    }

    func validate() throws {
        if steps != nil && epochs != nil { throw ValidationError("--steps and --epochs exclude each other") }
    }
}
