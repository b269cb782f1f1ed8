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

    @Option(
        help: ArgumentHelp(
            """
            Degrade HR as an instrument would (\(SimulatedInstrument.list)) instead of by the plain mean: blur, gain and noise are drawn anew for every \
            crop, within ranges that the configuration holds and the model keeps.
            """, valueName: "instrument"))
    var simulate: SimulatedInstrument?

    @Option(
        help: ArgumentHelp(
            """
            Optimiser steps; with --resume, +N for N further ones after the end of a run, over which warm-up and schedule begin anew. A run that has not \
            come to its end goes on to it.
            """, valueName: "steps"))
    var steps: StepCount?

    @Option(help: "Of corrdiff: optimiser steps of mean and spread, before the --steps of the rest.")
    var regressionSteps: Int?

    @Option(help: .meaning(.epochs))
    var epochs: Int?

    @Option(help: .meaning(.maxHours))
    var maxHours: Double?

    @Option(help: .meaning(.batchSize))
    var batchSize: Int?

    @Option(help: .meaning(.cropSize))
    var cropSize: Int?

    @Option(help: .meaning(.learningRate))
    var learningRate: Double?

    @Option(help: .meaning(.warmup))
    var warmup: Int?

    @Option(help: .meaning(.schedule))
    var schedule: TrainingConfiguration.Schedule?

    @Option(help: .meaning(.accumulate))
    var accumulate: Int?

    @Option(help: .meaning(.microBatch))
    var microBatch: Int?

    @Option(help: .meaning(.clipNorm))
    var clipNorm: Double?

    @Option(help: .meaning(.skipNorm))
    var skipNorm: Double?

    @Option(help: .meaning(.maxSkipped))
    var maxSkipped: Int?

    @Option(help: .meaning(.emaDecay))
    var emaDecay: Double?

    @Option(help: .meaning(.validateEvery))
    var validateEvery: Int?

    @Option(
        help: ArgumentHelp(
            TrainingSettings.CodingKeys.select.meaning, discussion: "Names with commas between, as `sr evaluate` reports them.", valueName: "metrics")
    )
    var select: String?

    @Option(help: .meaning(.saveEvery))
    var saveEvery: Int?

    @Option(help: .meaning(.keepLast))
    var keepLast: Int?

    @Option(help: .meaning(.patience))
    var patience: Int?

    @Option(help: .meaning(.overfit))
    var overfit: Int?

    @Option(help: .meaning(.seed))
    var seed: UInt64?

    @Option(
        help: ArgumentHelp(
            """
            Memory for decoded magnetograms, such as 512MiB or 1.5GiB (default: a quarter of what the process may have); ranks of one computer share it. \
            Where it is full they are read again when they are needed; results do not depend on it.
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

    @Flag(help: "Go on though program or convolution are not those the run began with; then not bit for bit.")
    var acceptChanges = false

    @Flag(help: "Print the resolved configuration, with comments, as --config reads it, and stop.")
    var printConfig = false

    @Flag(help: "Print sizes and a time estimate after two steps; write nothing.")
    var dryRun = false

    @Option(help: "How convolutions are computed: fastest, or patches, which is slower, to compare runs.")
    var convolution = ConvolutionAlgorithm.fastest

    var folder: RunFolder { RunFolder(fileURL(output)) }

    func validate() throws {
        if steps != nil && epochs != nil { throw ValidationError("--steps and --epochs exclude each other") }
        if case .further = steps, !resume { throw ValidationError("--steps +N belongs to --resume") }
        if acceptChanges && !resume { throw ValidationError("--accept-changes belongs to --resume") }
    }

    /// Defaults < file < options; for a resumed run, its own configuration < options.
    /// - Parameters:
    ///   - fixed: options that cannot change when a run is resumed, and whether they are given.
    ///   - defaults: the configuration to begin with, given the file's entries.
    func configuration(
        _ common: CommonOptions, fixed: [(name: String, isGiven: Bool)], _ logger: Logger, defaults: ([String: Any]) throws -> TrainingConfiguration
    ) throws -> TrainingConfiguration {
        var configuration: TrainingConfiguration
        if resume {
            for (name, isGiven) in fixed + [("--config", common.config != nil), ("--simulate", simulate != nil)] where isGiven {
                throw Failure(.usage, "\(name) cannot change when a run is resumed", at: folder.url.path, remedy: "leave it out")
            }
            configuration = try savedConfiguration()
        } else {
            let file = try common.config.map { try ConfigurationFile.trainingEntries(at: $0) } ?? [:]
            configuration = try defaults(file).overlaid(with: file, at: common.config ?? "")
        }
        if let simulate {
            configuration.simulate = simulate.instrument.degradation
            // A model that is fine-tuned stays what it is.
            if !configuration.isFinetuning { configuration.system.setMeansUnknown() }
        }
        if let seed { configuration.seed = seed }
        switch steps {
        case .all(let count): (configuration.steps, configuration.epochs) = (count, nil)
        case .further(let count):
            if let done = try folder.stepsWhenOver(patience: configuration.patience) {
                // The schedule begins anew, as after a warm restart: the old one has come down to its end.
                (configuration.steps, configuration.epochs, configuration.scheduleStart) = (done + count, nil, done)
            } else {
                logger.warning("the run has not come to its end yet and goes on to it; --steps +\(count) adds to a run that has")
            }
        case nil: break
        }
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
        if let microBatch { configuration.microBatch = microBatch }
        if let clipNorm { configuration.clipNorm = clipNorm }
        if let skipNorm { configuration.skipNorm = skipNorm }
        if let maxSkipped { configuration.maxSkipped = maxSkipped }
        if let emaDecay { configuration.emaDecay = emaDecay }
        if let validateEvery { configuration.validateEvery = validateEvery }
        if let select { configuration.select = select.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) } }
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
        let launcher = try Launcher(ProcessInfo.processInfo.environment)
        var configuration = configuration.sharedOut(by: launcher, isNew: !resume)
        if printConfig || dryRun, launcher?.rank ?? 0 > 0 { return }
        if printConfig {
            try StandardStream.output(try configuration.commentedYAML())
            return
        }
        let ranks = dryRun ? .alone : try Ranks(launcher)
        if launcher != nil { configuration.ranks = ranks.count }
        try MicroBatches(configuration).check(ranks)
        var logger = logger
        // What all find, one tells.
        if !ranks.isFirst { logger.logLevel = .error }
        if launcher != nil {
            for remark in try ranks.chooseThreads(isSet: common.threads != nil) { logger.warning("\(remark)") }
        }
        if ranks.count > 1 { logger.info("\(ranks.summary)") }
        logger.warnOfSlowProducts()
        // A batch system may warn of the end of a job's time while data are still being read.
        if !dryRun { Interruption.watch() }
        // Early, since reading the data takes long; a new folder is made only after that.
        var lock = !dryRun && ranks.isFirst && FileManager.default.fileExists(atPath: folder.url.path) ? try FolderLock(folder.url) : nil
        defer { withExtendedLifetime(lock) {} }
        let kept = resume && FileManager.default.fileExists(atPath: folder.start.path) ? folder.start : nil
        let trainer = try Trainer(
            configuration, data: fileURL(data), autoencoder: resume ? nil : autoencoder.map(modelURL), start: kept ?? start.map(modelURL),
            memory: MemorySize(bytes: try ranks.memoryShare(of: memory?.bytes ?? Memory.limit / 4)),
            latents: latents.map { (folder: fileURL($0), limit: latentsSize) }, logger: logger)
        logger.info("\(trainer.summary)")
        if dryRun {
            try StandardStream.output("\(try trainer.dryRun())\n")
            return
        }
        try trainer.memoryEstimate().check(limit: try ranks.memoryShare(of: Memory.limit), configuration)
        if try ranks.agree(on: Interruption.isRequested) {
            throw Failure(.interrupted, "interrupted before the first step", at: folder.url.path)
        }
        guard ranks.isFirst else { return try train(trainer, configuration, ranks, verb: verb, common, logger) }
        if resume {
            try folder.create()
            folder.removeLeftovers()
            for remark in try trainer.remarks(resuming: folder, acceptsChanges: acceptChanges) { logger.warning("\(remark)") }
            // What is changed now holds for the next time too.
            if try savedConfiguration() != configuration { try writeAtomically(try configuration.yaml(), to: folder.configuration) }
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
        try train(trainer, configuration, ranks, verb: verb, common, logger)
    }

    private func train(
        _ trainer: Trainer, _ configuration: TrainingConfiguration, _ ranks: Ranks, verb: String, _ common: CommonOptions, _ logger: Logger
    ) throws {
        let display = common.progressDisplay(verb)
        var dataWait = 0.0
        let outcome = try trainer.run(folder, ranks: ranks) { progress in
            dataWait = progress.dataWait
            if let skipped = progress.skipped { logger.warning("\(skipped)") }
            let validation = progress.validationLoss.map { String(format: ", validation %.4g", $0) } ?? ""
            let detail = String(format: "step %d/%d, %.1f crops/s, loss %.4g", progress.step, progress.steps, progress.cropsPerSecond, progress.loss)
            let part = progress.part.map { "\($0), " } ?? ""
            let memory = ", \(Memory.peak >> 20) MiB"
            display.update(
                Double(progress.step) / Double(progress.steps), detail: part + detail + validation + memory, secondsLeft: progress.secondsLeft)
        } shouldStop: {
            Interruption.isRequested
        }
        display.finish()
        logger.info("\(String(format: "%.1f", 100 * dataWait)) % of the time spent waiting for data")
        let report = ranks.isFirst ? TrainingReport(of: folder, configuration).lines : []
        switch outcome {
        case .finished: logger.info("done: \(folder.model.path)")
        case .stoppedEarly(let step): logger.info("stopped early, best at step \(step): \(folder.model.path)")
        case .timeIsUp: logger.info("the time is up; saved: \(folder.model.path)")
        case .interrupted:
            throw Failure(.interrupted, "interrupted; saved", at: folder.last.path, remedy: "add --resume to go on")
        }
        for line in report { logger.info("\(line)") }
    }
}

/// A number of steps in all, or of further ones after the end of a run (`+N`).
enum StepCount: ExpressibleByArgument {
    case all(Int)
    case further(Int)

    init?(argument: String) {
        guard let count = Int(argument) else { return nil }
        guard argument.hasPrefix("+") else {
            self = .all(count)
            return
        }
        guard (1...1_000_000_000).contains(count) else { return nil }
        self = .further(count)
    }
}

extension ArgumentHelp {
    /// What a setting means, which configuration files say too.
    static func meaning(_ key: TrainingSettings.CodingKeys) -> ArgumentHelp { ArgumentHelp(stringLiteral: key.meaning) }
}
