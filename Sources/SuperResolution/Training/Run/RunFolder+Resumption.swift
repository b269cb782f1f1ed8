import Foundation
import Groundwork

/// What a run must find in its folder to go on.
extension RunFolder {
    private func isThere(_ file: URL) -> Bool { FileManager.default.fileExists(atPath: file.path) }

    /// Earlier checkpoints that were kept, the oldest first.
    var copies: [URL] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: checkpoints.path)) ?? []
        return names.filter { $0.hasPrefix("step-") && $0.hasSuffix(".safetensors") }.sorted().map { checkpoints.appendingPathComponent($0) }
    }

    /// What can be done where the last checkpoint is of no use.
    var remedyWithoutCheckpoint: String {
        var ways: [String] = []
        if let copy = copies.last { ways.append("copy \(copy.path) to \(last.path) and resume from there") }
        if let model = [best, model].first(where: isThere) { ways.append("start another run from the model so far, with --from \(model.path)") }
        return (ways + ["start anew with --overwrite"]).joined(separator: "; or ")
    }

    /// Makes sure that a run which is to go on has the checkpoint that it should have by now.
    /// - Parameters:
    ///   - saveEvery: steps between checkpoints.
    ///   - isNeeded: whether it should have one, whatever the folder tells.
    /// - Returns: whether it has one.
    /// - Throws: `Failure` (`.missingInput`) if it is gone.
    func hasCheckpoint(saveEvery: Int, isNeeded: Bool = false) throws -> Bool {
        guard !isThere(last) else { return true }
        let steps = Int(exactly: MetricsLog.lines(of: metrics).compactMap { $0["step"] }.max()?.rounded() ?? 0) ?? 0
        // The model is written after the last checkpoint, copies of checkpoints after these.
        guard isNeeded || steps >= saveEvery || isThere(model) || !copies.isEmpty else { return false }
        throw Failure(
            .missingInput, "the run's last checkpoint is gone", at: last.path, expected: steps > 0 ? "that of \(steps) steps or more" : nil,
            remedy: remedyWithoutCheckpoint)
    }

    /// Makes sure that a run which is to go on has the model that it began with, where it cannot be made again from the configuration.
    /// - Throws: `Failure` (`.missingInput`) if it is gone.
    package func requireStart(of configuration: TrainingConfiguration) throws {
        let isKept: Bool =
            switch configuration.system {
            case .latentDiffusion, .pixelDiffusion: true
            // Made again of mean and spread, unless there was a model before.
            case .corrdiff, .autoencoder, .regression: configuration.isFinetuning
            }
        guard isKept, !isThere(start) else { return }
        throw Failure(.missingInput, "the model that the run began with is gone", at: start.path, remedy: remedyWithoutCheckpoint)
    }

    /// How many steps a run has done in all if it came to its end; nil if it did not.
    /// - Throws: `Failure` (`.badData`) if the last checkpoint cannot be read.
    package func stepsWhenOver(patience: Int) throws -> Int? {
        guard isThere(last) else { return nil }
        let progress = try Checkpoint.progress(of: last)
        return progress.isOver(patience: patience) ? progress.step : nil
    }

    /// Removes what processes that no longer live left of files they were writing, on whatever computer: the folder belongs to this run alone.
    package func removeLeftovers() {
        for run in [self, regression] {
            for folder in [run.url, run.checkpoints, run.samples] { Groundwork.removeLeftovers(in: folder, ofOtherComputers: true) }
        }
    }
}

extension Trainer {
    /// Makes sure that a run can go on where it stopped, with all that it began with.
    /// - Parameter acceptsChanges: whether another program or convolution is told rather than refused.
    /// - Returns: what the user should know of it.
    /// - Throws: `Failure`: `.missingInput` if a checkpoint is gone, `.badData` for one that cannot be read, and for other data, `.configuration` for another
    ///   configuration, program or convolution.
    package func remarks(resuming folder: RunFolder, acceptsChanges: Bool = false) throws -> [String] {
        var found: [RunFolder] = []
        let saveEvery = configuration.saveEvery
        if case .corrdiff(_, _, let stage) = configuration.system, stage.steps > 0, task is CorrDiffRegressionTraining, !isInRest(folder) {
            let isOver = FileManager.default.fileExists(atPath: folder.last.path)
            if try folder.regression.hasCheckpoint(saveEvery: saveEvery, isNeeded: isOver) { found.append(folder.regression) }
        } else if FileManager.default.fileExists(atPath: folder.regression.last.path) {
            found.append(folder.regression)
        }
        if try folder.hasCheckpoint(saveEvery: saveEvery) { found.append(folder) }
        guard !found.isEmpty else { return ["\(folder.last.path): the run ended before its first checkpoint; training starts from step 0"] }
        return try found.flatMap { folder -> [String] in
            let (hasDigest, began) = try Checkpoint.origin(of: folder.last)
            try began.data?.check(training: training, validation: validation, at: folder.last.path)
            let remarks = try began.remarks(goingOnWith: origin, at: folder.last.path, acceptsChanges: acceptsChanges)
            return (hasDigest ? [] : ["\(folder.last.path): the checkpoint tells no digest, so that damage to it cannot be noticed"]) + remarks
        }
    }
}
