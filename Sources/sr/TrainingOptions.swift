import ArgumentParser
import Foundation
import Groundwork
import Logging
import SuperResolution
import TensorCore

extension TrainingConfiguration.Schedule: ExpressibleByArgument {}
extension MemorySize: ExpressibleByArgument {
    public init?(argument: String) { self.init(argument) }
}
extension ConvolutionAlgorithm: ExpressibleByArgument {}

/// What training and fine-tuning have in common: options, and how they run.
struct TrainingOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Folder for the run.", valueName: "run"))
    var output: String

    @Option(help: "Optimiser steps.")
    var steps: Int?

    @Option(help: "Of corrdiff: optimiser steps of mean and spread, before the --steps of the rest.")
    var regressionSteps: Int?

    @Option(help: "Passes over the data, one random crop an image each; instead of --steps.")
    var epochs: Int?

    @Option(help: "Stop and save after this many hours.")
    var maxHours: Double?

    @Option(help: "Crops a batch.")
    var batchSize: Int?

    @Option(help: "Side of a crop in HR pixels.")
    var cropSize: Int?

    @Option(help: "Learning rate after the warm-up.")
    var learningRate: Double?

    @Option(help: "Steps over which the learning rate rises.")
    var warmup: Int?

    @Option(help: "constant or cosine.")
    var schedule: TrainingConfiguration.Schedule?

    @Option(help: "Batches whose gradients are added before a step.")
    var accumulate: Int?

    @Option(help: "Limit of the gradient's norm; 0 for none.")
    var clipNorm: Double?

    @Option(help: "Decay of the weights' running average, which becomes the model.")
    var emaDecay: Double?

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

    @Option(
        help: ArgumentHelp(
            """
            Memory for decoded magnetograms, such as 512MiB or 1.5GiB (default: a quarter of what the process may use). Where it is full they are read \
            again when they are needed; results do not depend on it.
            """, valueName: "size"))
    var memory: MemorySize?

    @Option(
        help: ArgumentHelp(
            """
            Of ldm-residual, ldm and corrdiff: folder that keeps encoded crops, for runs of the same seed on the same data and autoencoder to share, such as \
            those of several learning rates.
            """, valueName: "folder"))
    var latents: String?

    @Option(help: ArgumentHelp("Most that --latents may hold; what was not used for longest goes.", valueName: "size"))
    var latentsSize = MemorySize(bytes: 16 << 30)

    @Flag(help: "Go on from the run's last checkpoint.")
    var resume = false

    @Flag(help: "Print the resolved configuration and stop.")
    var printConfig = false

    @Flag(help: "Print sizes and a time estimate after two steps; write nothing.")
    var dryRun = false

    @Option(help: "How convolutions are computed: fastest, or patches, which is slower, to compare runs.")
    var convolution = ConvolutionAlgorithm.fastest

    var folder: RunFolder { RunFolder(fileURL(output)) }

    func validate() throws {
        if steps != nil && epochs != nil { throw ValidationError("--steps and --epochs exclude each other") }
    }

    /// Defaults < file < options; for a resumed run, its own configuration < options.
    /// - Parameters:
    ///   - fixed: options that cannot change when a run is resumed, and whether they are given.
    ///   - defaults: the configuration to begin with, given the file's entries.
    func configuration(
        _ common: CommonOptions, fixed: [(name: String, isGiven: Bool)], defaults: ([String: Any]) throws -> TrainingConfiguration
    ) throws -> TrainingConfiguration {
        var configuration: TrainingConfiguration
        if resume {
            for (name, isGiven) in fixed + [("--config", common.config != nil)] where isGiven {
                throw Failure(.usage, "\(name) cannot change when a run is resumed", at: folder.url.path, remedy: "leave it out")
            }
            configuration = try savedConfiguration()
        } else {
            let file = try common.config.map { try ConfigurationFile.trainingEntries(at: $0) } ?? [:]
            configuration = try defaults(file).overlaid(with: file, at: common.config ?? "")
        }
        if let seed { configuration.seed = seed }
        if let steps { (configuration.steps, configuration.epochs) = (steps, nil) }
        if let epochs { (configuration.steps, configuration.epochs) = (nil, epochs) }
        if let regressionSteps {
            guard case .corrdiff(let corrdiff, let rest, var stage) = configuration.system else {
                throw Failure(.usage, "--regression-steps belongs to corrdiff", found: configuration.model.rawValue, remedy: "leave it out")
            }
            stage.steps = regressionSteps
            configuration.system = .corrdiff(corrdiff, rest, stage)
        }
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

    /// The configuration of the run to resume.
    func savedConfiguration() throws -> TrainingConfiguration {
        guard folder.exists else { throw Failure(.missingInput, "there is no run to resume", at: folder.url.path) }
        guard let text = try? String(contentsOf: folder.configuration, encoding: .utf8) else {
            throw Failure(.missingInput, "the run has no configuration", at: folder.configuration.path)
        }
        let configuration = try TrainingConfiguration(yaml: text, at: folder.configuration.path)
        try folder.requireStart(of: configuration)
        return configuration
    }

    /// Trains, or prints what was asked for in its place.
    /// - Parameters:
    ///   - start: what training starts from; a resumed run goes on with what it began with.
    ///   - verb: for the progress line.
    func run(
        _ configuration: TrainingConfiguration, data: String, autoencoder: String? = nil, start: String? = nil, verb: String, _ common: CommonOptions,
        _ logger: Logger
    ) throws {
        ConvolutionAlgorithm.current = convolution
        if printConfig {
            try StandardStream.output(try configuration.yaml())
            return
        }
        logger.warnOfSlowProducts()
        // Early, since reading the data takes long; a new folder is made only after that.
        var lock = !dryRun && FileManager.default.fileExists(atPath: folder.url.path) ? try FolderLock(folder.url) : nil
        defer { withExtendedLifetime(lock) {} }
        let kept = resume && FileManager.default.fileExists(atPath: folder.start.path) ? folder.start : nil
        let trainer = try Trainer(
            configuration, data: fileURL(data), autoencoder: resume ? nil : autoencoder.map(fileURL), start: kept ?? start.map(fileURL),
            memory: memory, latents: latents.map { (folder: fileURL($0), limit: latentsSize) }, logger: logger)
        logger.info("\(trainer.summary)")
        if dryRun {
            try StandardStream.output("\(try trainer.dryRun())\n")
            return
        }
        if resume {
            try folder.create()
            folder.removeLeftovers()
            for remark in try trainer.remarks(resuming: folder) { logger.warning("\(remark)") }
        } else {
            if folder.exists {
                guard common.overwrite else {
                    throw Failure(
                        .cannotWrite, "a run is there already", at: folder.url.path,
                        remedy: "add --resume to go on with it or --overwrite to start anew")
                }
                try folder.clear()
            }
            try folder.create()
            if lock == nil { lock = try FolderLock(folder.url) }
            folder.removeLeftovers()
            try trainer.keepStart(in: folder)
            try writeAtomically(try configuration.yaml(), to: folder.configuration)
        }
        try train(trainer, verb: verb, common, logger)
    }

    private func train(_ trainer: Trainer, verb: String, _ common: CommonOptions, _ logger: Logger) throws {
        Interruption.watch()
        let display = common.progressDisplay(verb)
        var dataWait = 0.0
        let outcome = try trainer.run(folder) { progress in
            dataWait = progress.dataWait
            let validation = progress.validationLoss.map { String(format: ", validation %.4g", $0) } ?? ""
            let detail = String(format: "step %d/%d, %.1f crops/s, loss %.4g", progress.step, progress.steps, progress.cropsPerSecond, progress.loss)
            let part = progress.part.map { "\($0), " } ?? ""
            display.update(Double(progress.step) / Double(progress.steps), detail: part + detail + validation, secondsLeft: progress.secondsLeft)
        } shouldStop: {
            Interruption.isRequested
        }
        display.finish()
        logger.info("\(String(format: "%.1f", 100 * dataWait)) % of the time spent waiting for data")
        switch outcome {
        case .finished: logger.info("done: \(folder.model.path)")
        case .stoppedEarly(let step): logger.info("stopped early, best at step \(step): \(folder.model.path)")
        case .timeIsUp: logger.info("the time is up; saved: \(folder.model.path)")
        case .interrupted:
            throw Failure(.interrupted, "interrupted; saved", at: folder.last.path, remedy: "add --resume to go on")
        }
    }
}
