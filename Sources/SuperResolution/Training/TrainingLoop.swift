import Foundation
import Groundwork
import SolarImage
import TensorCore

/// What a training loop tells while it runs.
public struct TrainingProgress: Sendable {
    /// What of a model is trained, where that is one part after another.
    public var part: String?
    /// Steps done, and steps in all.
    public let step, steps: Int
    /// The mean loss since the last log line.
    public let loss: Double
    public let cropsPerSecond: Double
    /// Seconds until the end, at the rate so far.
    public let secondsLeft: Double
    /// The last validation's loss.
    public let validationLoss: Double?
    /// The share of the time since the start that was spent waiting for crops.
    public let dataWait: Double

    /// The same of a part of a model.
    func named(_ part: String) -> TrainingProgress {
        var result = self
        result.part = part
        return result
    }
}

/// How a training loop ended.
public enum TrainingOutcome: Sendable, Equatable {
    case finished
    /// No validation was better for `patience` times.
    case stoppedEarly(bestStep: Int)
    /// `max-hours` passed.
    case timeIsUp
    /// The user asked to stop.
    case interrupted
}

/// Runs a task's steps: learning rate, gradients, optimiser, averages, log, validation, checkpoints.
package struct TrainingLoop {
    private let configuration: TrainingConfiguration
    private let task: any TrainingTask
    private let folder: RunFolder
    private let data: () -> TrainingFiles?
    /// Steps between lines of the log.
    private let logEvery = 20

    package init(_ configuration: TrainingConfiguration, task: any TrainingTask, folder: RunFolder) {
        self.init(configuration, task: task, folder: folder) { nil }
    }

    /// - Parameter data: what the task trains on as far as it is known, to be noted in checkpoints.
    init(_ configuration: TrainingConfiguration, task: any TrainingTask, folder: RunFolder, data: @escaping () -> TrainingFiles?) {
        (self.configuration, self.task, self.folder, self.data) = (configuration, task, folder, data)
    }

    /// Steps in all: as configured, or as many as the epochs take.
    package var steps: Int {
        guard let epochs = configuration.epochs else { return configuration.steps ?? 0 }
        return max(1, epochs * task.imageCount / (configuration.batchSize * configuration.accumulate))
    }

    /// Trains from the last checkpoint, if there is one, or from the start.
    /// - Parameters:
    ///   - report: called after each step.
    ///   - shouldStop: asked after each step.
    /// - Throws: `Failure`: `.diverged` if a loss is not finite; what reading crops and writing files throw.
    package func run(report: (TrainingProgress) -> Void, shouldStop: () -> Bool) throws -> TrainingOutcome {
        let store = task.store
        let parameters = store.parameters
        let optimizer = AdamW(parameters, configuration)
        let averages = ExponentialMovingAverage(parameters, decay: Float(configuration.emaDecay))
        var progress = Checkpoint.Progress()
        if FileManager.default.fileExists(atPath: folder.last.path) {
            progress = try Checkpoint.read(
                folder.last, store: store, averages: averages, optimizer: optimizer, remedy: folder.remedyWithoutCheckpoint)
        }
        var log = try MetricsLog(folder.metrics, keepingUpTo: progress.step)
        let steps = steps
        let start = ContinuousClock.now
        let (firstStep, secondsBefore) = (progress.step, progress.seconds)
        var sums = progress.sums ?? TrainingSums()
        var validationLoss = log.lines.last { $0["validation_loss"] != nil }?["validation_loss"]
        func elapsed() -> Double { (ContinuousClock.now - start) / .seconds(1) }
        let waitedBefore = task.secondsWaited
        /// Since the last line of the log.
        var (lineStart, lineWaited) = (0.0, 0.0)
        func waited() -> Double { task.secondsWaited - waitedBefore }
        func save() throws {
            progress.seconds = secondsBefore + elapsed()
            progress.sums = sums
            try Checkpoint.write(progress, store: store, averages: averages, optimizer: optimizer, data: data(), to: folder.last)
        }

        func validate() throws {
            guard let value = try averages.withAverages({ try task.validationLoss() }) else { return }
            validationLoss = value
            try log.append(["step": Double(progress.step), "validation_loss": value])
            if value < progress.bestLoss ?? .infinity {
                (progress.bestLoss, progress.bestStep, progress.stale) = (value, progress.step, 0)
                try writeModel(progress, averages, to: folder.best, adapter: folder.bestAdapter)
            } else {
                progress.stale += 1
            }
        }

        // What a model was before it is fine-tuned is to be improved on.
        if configuration.isFinetuning, configuration.validateEvery > 0, progress.step == 0 { try validate() }
        var outcome = TrainingOutcome.finished
        while progress.step < steps {
            optimizer.learningRate = learningRate(step: progress.step, of: steps)
            let (loss, gradientNorm) = try step(progress.step, of: steps, parameters, optimizer, averages, &sums)
            progress.step += 1
            sums.add(loss: loss, gradientNorm: gradientNorm)

            let rate = Double((progress.step - firstStep) * configuration.batchSize * configuration.accumulate) / max(1e-9, elapsed())
            let isLast = progress.step == steps
            if progress.step % logEvery == 0 || isLast {
                var line = sums.means
                line["step"] = Double(progress.step)
                line["learning_rate"] = Double(optimizer.learningRate)
                line["crops_per_second"] = rate
                line["seconds"] = secondsBefore + elapsed()
                line["data_wait"] = (waited() - lineWaited) / max(1e-9, elapsed() - lineStart)
                (lineStart, lineWaited) = (elapsed(), waited())
                try log.append(line)
            }
            if configuration.validateEvery > 0, progress.step % configuration.validateEvery == 0 || isLast {
                try validate()
                try writePictures(log, averages, step: progress.step)
            }
            report(
                TrainingProgress(
                    step: progress.step, steps: steps, loss: sums.mean, cropsPerSecond: rate,
                    secondsLeft: Double((steps - progress.step) * configuration.batchSize * configuration.accumulate) / rate,
                    validationLoss: validationLoss, dataWait: waited() / max(1e-9, elapsed())))
            if progress.step % logEvery == 0 { sums = TrainingSums() }
            if progress.step % configuration.saveEvery == 0 || isLast {
                try save()
                try keepCopy(of: progress.step)
            }
            if configuration.patience > 0, progress.stale >= configuration.patience, let best = progress.bestStep {
                outcome = .stoppedEarly(bestStep: best)
            } else if isLast {
                outcome = .finished
            } else if shouldStop() {
                outcome = .interrupted
            } else if let hours = configuration.maxHours, secondsBefore + elapsed() >= hours * 3600 {
                outcome = .timeIsUp
            }
            if outcome != .finished {
                try save()
                break
            }
        }
        if progress.bestStep == nil {
            try writeModel(progress, averages, to: folder.model, adapter: folder.adapter)
        } else {
            for (best, final) in [(folder.best, folder.model), (folder.bestAdapter, folder.adapter)]
            where FileManager.default.fileExists(atPath: best.path) {
                try copy(best, to: final)
            }
        }
        try writePictures(log, averages, step: progress.step)
        return outcome
    }

    /// One optimiser step over the accumulated batches.
    private func step(
        _ step: Int, of steps: Int, _ parameters: [Parameter], _ optimizer: AdamW, _ averages: ExponentialMovingAverage, _ sums: inout TrainingSums
    ) throws -> (loss: Double, gradientNorm: Double) {
        var gradients = GradientStore()
        var total = 0.0
        for part in 0..<configuration.accumulate {
            let batch = step * configuration.accumulate + part
            task.prepare(batch..<steps * configuration.accumulate)
            var parts: [String: Double] = [:]
            let (value, gradient) = try valueWithGradient(at: parameters) {
                let (loss, named) = try task.loss(batch: batch)
                parts = named
                return configuration.accumulate == 1 ? loss : loss / Float(configuration.accumulate)
            }
            total += Double(value.item)
            sums.add(parts: parts)
            gradients.accumulate(gradient)
        }
        let norm = gradients.norm(of: parameters)
        guard total.isFinite, norm.isFinite else {
            throw Failure(
                .diverged, "training diverged at step \(step + 1): the loss is \(total), the gradient's norm \(norm)",
                remedy: "resume from the last checkpoint with a lower learning rate")
        }
        let limit = configuration.clipNorm > 0 ? Float(configuration.clipNorm) : .infinity
        // The average follows closely at first: early weights are not worth remembering.
        optimizer.update(
            gradients, scale: GradientStore.clippingFactor(norm: norm, limit: limit), average: averages,
            decay: min(Float(configuration.emaDecay), Float(2 + step) / Float(11 + step)))
        return (total, Double(norm))
    }

    private func learningRate(step: Int, of steps: Int) -> Float {
        let warmup = configuration.warmup > 0 ? min(1, Double(step + 1) / Double(configuration.warmup)) : 1
        let decay =
            switch configuration.schedule {
            case .constant: 1.0
            case .cosine: 0.5 * (1 + cos(.pi * Double(step) / Double(steps)))
            }
        return Float(configuration.learningRate * warmup * decay)
    }

    private func writeModel(_ progress: Checkpoint.Progress, _ averages: ExponentialMovingAverage, to url: URL, adapter: URL) throws {
        let summary = TrainingSummary(
            steps: progress.step, batchSize: configuration.batchSize * configuration.accumulate, seed: configuration.seed, images: task.imageCount,
            validationLoss: progress.bestLoss)
        try task.writeModel(values: averages.averages, training: summary, to: url)
        try task.writeAdapter(values: averages.averages, training: summary, to: adapter)
    }

    /// The learning curve and a picture of what the averaged weights give now.
    private func writePictures(_ log: MetricsLog, _ averages: ExponentialMovingAverage, step: Int) throws {
        func series(_ name: String, _ key: String) -> LinePlot.Series {
            LinePlot.Series(name: name, points: log.lines.compactMap { line in line[key].map { (line["step"] ?? 0, $0) } })
        }
        try LinePlot(
            title: "\(configuration.model.rawValue), preset \(configuration.preset.rawValue)", xLabel: "step", yLabel: "loss",
            series: [series("training", "loss"), series("validation", "validation_loss")]
        ).write(to: folder.curve, overwrite: true)
        let panels = try averages.withAverages { try task.sample() }.map { MagnetogramFigure.Panel($0.image, title: $0.title) }
        try MagnetogramFigure(panels).write(to: folder.samples.appendingPathComponent(String(format: "step-%08d.png", step)), overwrite: true)
    }

    private func keepCopy(of step: Int) throws {
        guard configuration.keepLast > 0 else { return }
        try copy(folder.last, to: folder.checkpoint(step: step))
        for copy in folder.copies.dropLast(configuration.keepLast) { try? FileManager.default.removeItem(at: copy) }
    }

    private func copy(_ source: URL, to target: URL) throws {
        try writeAtomically(to: target) { temporary in
            do {
                try FileManager.default.copyItem(at: source, to: temporary)
            } catch {
                throw Failure(.cannotWrite, "cannot be written", at: target.path, found: error.localizedDescription)
            }
        }
    }
}

extension AdamW {
    /// The optimiser as configured.
    convenience init(_ parameters: [Parameter], _ configuration: TrainingConfiguration) {
        self.init(
            parameters, learningRate: Float(configuration.learningRate), beta1: Float(configuration.betas[0]), beta2: Float(configuration.betas[1]),
            weightDecay: Float(configuration.weightDecay))
    }
}

/// Means of what is logged, since the last line.
struct TrainingSums: Codable {
    private struct Value: Codable {
        var sum = 0.0
        var count = 0
    }

    private var values: [String: Value] = [:]

    mutating func add(loss: Double, gradientNorm: Double) { add(parts: ["loss": loss, "gradient_norm": gradientNorm]) }

    mutating func add(parts: [String: Double]) {
        for (key, value) in parts {
            values[key, default: Value()].sum += value
            values[key, default: Value()].count += 1
        }
    }

    var means: [String: Double] { values.mapValues { $0.sum / Double($0.count) } }
    var mean: Double { means["loss"] ?? .nan }
}
