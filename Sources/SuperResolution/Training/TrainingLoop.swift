import Foundation
import Groundwork
import SolarImage
import TensorCore

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
    private let validation: FieldValidation?
    private let origin: () throws -> RunOrigin?
    private let ranks: Ranks
    /// Steps between lines of the log.
    private let logEvery = 20

    package init(_ configuration: TrainingConfiguration, task: any TrainingTask, folder: RunFolder) {
        self.init(configuration, task: task, folder: folder, validation: nil, origin: { nil }, ranks: .alone)
    }

    /// - Parameters:
    ///   - validation: what judges the task's model beside the validation loss.
    ///   - origin: what the run was begun with as far as it is known, to be noted in checkpoints; asked by all ranks at once.
    ///   - ranks: the processes that train together; the first of them alone reads and writes the folder, and validates.
    init(
        _ configuration: TrainingConfiguration, task: any TrainingTask, folder: RunFolder, validation: FieldValidation?,
        origin: @escaping () throws -> RunOrigin?, ranks: Ranks
    ) {
        (self.configuration, self.task, self.folder) = (configuration, task, folder)
        (self.validation, self.origin, self.ranks) = (validation, origin, ranks)
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
    /// - Throws: `Failure`: `.diverged` if too many steps had to be skipped; what reading crops and writing files throw.
    package func run(report: (TrainingProgress) -> Void, shouldStop: () -> Bool) throws -> TrainingOutcome {
        let store = task.store
        let optimizers = Optimizers(task, configuration)
        let averages = ExponentialMovingAverage(store.parameters, decay: Float(configuration.emaDecay))
        let gradientSum = try GradientSum(store, MicroBatches(configuration), ranks)
        task.work(with: ranks)
        var progress = Checkpoint.Progress()
        if ranks.isFirst, FileManager.default.fileExists(atPath: folder.last.path) {
            progress = try Checkpoint.read(
                folder.last, store: store, averages: averages, optimizers: optimizers, remedy: folder.remedyWithoutCheckpoint)
            // A run that stopped for want of improvement gets its patience back where it is taken up again.
            if configuration.scheduleStart > 0, progress.step == configuration.scheduleStart { progress.stale = 0 }
        }
        try ranks.share(&progress, store: store, averages: averages, optimizers: optimizers)
        var log = ranks.isFirst ? try MetricsLog(folder.metrics, keepingUpTo: progress.step) : nil
        let steps = steps
        progress.steps = steps
        let start = ContinuousClock.now
        let (firstStep, secondsBefore) = (progress.step, progress.seconds)
        var sums = progress.sums ?? TrainingSums()
        var validationLoss = log?.lines.last { $0["validation_loss"] != nil }?["validation_loss"]
        var (skippedInARow, isSaveDue) = (0, false)
        func elapsed() -> Double { (ContinuousClock.now - start) / .seconds(1) }
        let waitedBefore = task.secondsWaited
        func isTimeUp() -> Bool { configuration.maxHours.map { secondsBefore + elapsed() >= $0 * 3600 } ?? false }
        func save() throws {
            try ranks.collect(&sums)
            let origin = try origin()
            guard ranks.isFirst else { return }
            progress.seconds = secondsBefore + elapsed()
            progress.sums = sums
            try Checkpoint.write(progress, store: store, averages: averages, optimizers: optimizers, origin: origin, to: folder.last)
        }

        func validate() throws {
            if ranks.isFirst { try validateHere() }
            progress = try ranks.share(progress)
        }
        func validateHere() throws {
            let (loss, values) = try averages.withAverages { (try task.validationLoss(), try validation?.values() ?? [:]) }
            guard let loss else { return }
            validationLoss = loss
            // Without metrics to select by the loss tells.
            var score: Double? = loss
            if let selected = validation?.score { score = selected(values) }
            var line = MetricsLog.Line(Dictionary(uniqueKeysWithValues: values.map { (MetricsLog.validationPrefix + $0, $1) }))
            (line["step"], line["validation_loss"], line["validation_score"]) = (Double(progress.step), loss, score)
            try log?.append(line)
            if let score, score < progress.bestScore ?? .infinity {
                (progress.bestStep, progress.bestScore, progress.bestLoss, progress.stale) = (progress.step, score, loss, 0)
                try writeModel(progress, averages, to: folder.best, adapter: folder.bestAdapter)
            } else {
                progress.stale += 1
            }
        }

        // What a model was before it is fine-tuned is to be improved on.
        if configuration.isFinetuning, configuration.validateEvery > 0, progress.step == 0 { try validate() }
        var outcome = TrainingOutcome.finished
        while progress.step < steps {
            optimizers.setRates(share: rateShare(step: progress.step, of: steps))
            // Ranks stop after the same step: what they say of it travels with their gradients.
            let notes: [Float] = ranks.count == 1 ? [] : [shouldStop() ? 1 : 0, ranks.isFirst && isTimeUp() ? 1 : 0]
            let (skipped, agreed) = try step(progress.step, of: steps, gradientSum, notes, optimizers, averages, &sums)
            progress.step += 1
            skippedInARow = skipped == nil ? 0 : skippedInARow + 1
            if let skipped {
                progress.skipped = (progress.skipped ?? 0) + 1
                try log?.append(skipped.line)
                try checkConvergence(skipped, inARow: skippedInARow, inAll: progress.skipped ?? 0)
            }

            let rate = Double((progress.step - firstStep) * configuration.batchSize * configuration.accumulate) / max(1e-9, elapsed())
            let isLast = progress.step == steps
            if progress.step % logEvery == 0 || isLast {
                try ranks.collect(&sums)
                var line = MetricsLog.Line(sums.means)
                line["step"] = Double(progress.step)
                line["learning_rate"] = optimizers.learningRate
                line["skipped_steps"] = progress.skipped.map(Double.init)
                line["crops_per_second"] = rate
                line["seconds"] = secondsBefore + elapsed()
                if let count = configuration.ranks { line["ranks"] = Double(count) }
                try log?.append(line)
            }
            if configuration.validateEvery > 0, progress.step % configuration.validateEvery == 0 || isLast {
                try validate()
                try writePictures(&log, averages, step: progress.step)
            }
            if ranks.isFirst {
                report(
                    TrainingProgress(
                        step: progress.step, steps: steps, loss: sums.mean, cropsPerSecond: rate,
                        secondsLeft: Double((steps - progress.step) * configuration.batchSize * configuration.accumulate) / rate,
                        validationLoss: validationLoss, dataWait: (task.secondsWaited - waitedBefore) / max(1e-9, elapsed()), skipped: skipped))
            }
            if progress.step % logEvery == 0 { sums = TrainingSums() }
            if progress.step % configuration.saveEvery == 0 || isLast { isSaveDue = true }
            // After a step that was skipped weights may be of no use: the last checkpoint stays until one succeeds, and there is no end before.
            guard skippedInARow == 0 else { continue }
            if isSaveDue {
                try save()
                try keepCopy(of: progress.step)
                isSaveDue = false
            }
            if configuration.patience > 0, progress.stale >= configuration.patience, let best = progress.bestStep {
                outcome = .stoppedEarly(bestStep: best)
            } else if isLast {
                outcome = .finished
            } else if agreed.isEmpty ? shouldStop() : agreed[0] > 0 {
                outcome = .interrupted
            } else if agreed.isEmpty ? isTimeUp() : agreed[1] > 0 {
                outcome = .timeIsUp
            }
            if outcome != .finished {
                try save()
                break
            }
        }
        guard ranks.isFirst else { return outcome }
        if progress.bestStep == nil {
            try writeModel(progress, averages, to: folder.model, adapter: folder.adapter)
        } else {
            for (best, final) in [(folder.best, folder.model), (folder.bestAdapter, folder.adapter)]
            where FileManager.default.fileExists(atPath: best.path) {
                try copy(best, to: final)
            }
        }
        try writePictures(&log, averages, step: progress.step)
        return outcome
    }

    /// One optimiser step over the micro-batches of the accumulated batches.
    /// - Returns: what the step was skipped for, the same on all ranks: then all is as before it; nil if it was taken. And the sums of what the ranks noted.
    private func step(
        _ step: Int, of steps: Int, _ gradientSum: GradientSum, _ notes: [Float], _ optimizers: Optimizers,
        _ averages: ExponentialMovingAverage, _ sums: inout TrainingSums
    ) throws -> (skipped: SkippedStep?, notes: [Float]) {
        let store = task.store
        var stepSums = sums
        // Running statistics follow before a loss is known, and unused codes are revived before the gradients are judged.
        var before = (parameters: store.parameters.map(\.value), buffers: store.buffers.map(\.value))
        let batches = step * configuration.accumulate..<(step + 1) * configuration.accumulate
        let waitedBefore = task.secondsWaited
        var upcoming = upcoming(from: step, of: steps)
        let result = try gradientSum(notes: notes) { part in
            task.prepare(upcoming)
            upcoming = upcoming.dropFirst()
            let (loss, named) = try task.loss(batch: batches.lowerBound + part.batch, members: part.members)
            stepSums.add(parts: named)
            return loss
        }
        try task.beforeUpdate(step: step)
        let norms = optimizers.norms(of: result.gradients)
        let limit = configuration.skipNorm > 0 ? configuration.skipNorm : .infinity
        guard result.loss.isFinite, norms.values.allSatisfy({ $0.isFinite && $0 <= limit }) else {
            for (parameter, value) in zip(store.parameters, before.parameters) { parameter.value = value }
            for (buffer, value) in zip(store.buffers, before.buffers) { buffer.value = value }
            var files: [String] = []
            for file in batches.flatMap({ task.files(batch: $0) }) where !files.contains(file) { files.append(file) }
            let skipped = SkippedStep(
                step: step + 1, loss: result.loss, gradientNorm: norms.values.first { !$0.isFinite } ?? norms.values.max() ?? 0, files: files)
            return (skipped, result.notes)
        }
        // The optimiser changes values in place where nothing else holds them.
        before = ([], [])
        // The average follows closely at first: early weights are not worth remembering.
        optimizers.update(
            result.gradients, norms: norms, average: averages, decay: min(Float(configuration.emaDecay), Float(2 + step) / Float(11 + step)))
        sums = stepSums
        sums.add(parts: ["data_wait_seconds": task.secondsWaited - waitedBefore])
        // All ranks have the same of these.
        if ranks.isFirst { sums.add(parts: norms.merging(["loss": result.loss]) { $1 }) }
        if ranks.count > 1 { sums.add(parts: ["exchange_seconds": result.exchangeSeconds, "exchange_wait_seconds": result.waitSeconds]) }
        return (nil, result.notes)
    }

    /// The micro-batches of this rank from a step to the last, their batches counted from 0.
    private func upcoming(from step: Int, of steps: Int) -> LazyMapSequence<Range<Int>, MicroBatches.Part> {
        let microBatches = MicroBatches(configuration), accumulate = configuration.accumulate
        let own = Array(microBatches.parts[microBatches.share(of: ranks.rank, count: ranks.count)])
        return (step * own.count..<steps * own.count).lazy.map { index in
            let part = own[index % own.count]
            return MicroBatches.Part(batch: index / own.count * accumulate + part.batch, members: part.members)
        }
    }

    /// - Throws: `Failure` (`.diverged`) if too many steps were skipped.
    private func checkConvergence(_ skipped: SkippedStep, inARow: Int, inAll: Int) throws {
        guard inARow >= configuration.maxSkipped || inAll >= configuration.maxSkippedTotal else { return }
        throw Failure(
            .diverged, "training diverged at step \(skipped.step): \(inARow) steps were skipped one after the other, \(inAll) in all",
            expected: "a finite loss and gradient"
                + (configuration.skipNorm > 0 ? String(format: ", its norm at most %g", configuration.skipNorm) : ""),
            found: skipped.finding,
            remedy: "the last good checkpoint is kept: resume from it with a lower learning rate")
    }

    /// The share of the full learning rate: warm-up and decay over the steps from the schedule's start to the last.
    private func rateShare(step: Int, of steps: Int) -> Double {
        let start = min(configuration.scheduleStart, steps)
        let (step, steps) = (step - start, steps - start)
        let warmup = configuration.warmup > 0 ? min(1, Double(step + 1) / Double(configuration.warmup)) : 1
        let decay =
            switch configuration.schedule {
            case .constant: 1.0
            case .cosine: 0.5 * (1 + cos(.pi * Double(step) / Double(steps)))
            }
        return warmup * decay
    }

    private func writeModel(_ progress: Checkpoint.Progress, _ averages: ExponentialMovingAverage, to url: URL, adapter: URL) throws {
        let summary = TrainingSummary(
            steps: progress.step, batchSize: configuration.batchSize * configuration.accumulate, seed: configuration.seed, images: task.imageCount,
            validationLoss: progress.bestLoss)
        try task.writeModel(values: averages.averages, training: summary, to: url)
        try task.writeAdapter(values: averages.averages, training: summary, to: adapter)
    }

    /// The learning curve and a picture of what the averaged weights give now.
    private func writePictures(_ log: inout MetricsLog?, _ averages: ExponentialMovingAverage, step: Int) throws {
        guard let lines = log?.lines else { return }
        func series(_ name: String, _ key: String) -> LinePlot.Series {
            LinePlot.Series(name: name, points: lines.compactMap { line in line[key].map { (line["step"] ?? 0, $0) } })
        }
        try LinePlot(
            title: "\(configuration.model.rawValue), preset \(configuration.preset.rawValue)", xLabel: "step", yLabel: "loss",
            series: [series("training", "loss"), series("validation", "validation_loss")]
        ).write(to: folder.curve, overwrite: true)
        let panels = try averages.withAverages { try task.sample() }.map { MagnetogramFigure.Panel($0.image, title: $0.title) }
        let picture = folder.samples.appendingPathComponent(String(format: "step-%08d.png", step))
        try MagnetogramFigure(panels).write(to: picture, overwrite: true)
        try log?.append(picture: picture, step: step)
    }

    private func keepCopy(of step: Int) throws {
        guard ranks.isFirst, configuration.keepLast > 0 else { return }
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
