import Foundation
import Groundwork
import TensorCore

/// The two stages of `corrdiff`: mean and spread, then the rest.
extension Trainer {
    /// Training of the rest after mean and spread.
    private init(after first: Trainer, regression: Model) throws {
        (configuration, training, validation, startsAnew) = (first.configuration, first.training, first.validation, false)
        (base, cache, start) = (first.base, first.cache, first.start)
        if first.model.diffusion == nil {
            model = try DiffusionTraining.model(configuration, regression: regression, training: training)
        } else {
            model = first.model
            model.firstStageStore.copyValues(of: regression.firstStageStore)
        }
        task = try Self.diffusionTask(configuration, model: model, base: base, training: training, validation: validation, cache: cache)
    }

    /// Whether a run goes on with the rest: the model it starts from now has mean and spread as the run trained them.
    func isInRest(_ folder: RunFolder) -> Bool {
        model.diffusion != nil && !configuration.isFinetuning && FileManager.default.fileExists(atPath: folder.last.path)
    }

    /// Trains what is not trained yet.
    func run(
        _ folder: RunFolder, _ stage: RegressionStage, _ ranks: Ranks, report: (TrainingProgress) -> Void, shouldStop: () -> Bool
    ) throws -> TrainingOutcome {
        guard task is CorrDiffRegressionTraining else {
            return try runRest(folder, after: stage, ranks, report: report, shouldStop: shouldStop)
        }
        // The first rank alone need see the folder.
        if try ranks.agree(on: isInRest(folder)) {
            return try Trainer(after: self, regression: model).runRest(folder, after: stage, ranks, report: report, shouldStop: shouldStop)
        }
        var regression = model
        if stage.steps > 0 {
            if ranks.isFirst { try folder.regression.create() }
            let outcome = try loop(configuration.ofRegressionStage(stage), folder.regression, ranks).run(
                report: { report($0.named("mean and spread")) }, shouldStop: shouldStop)
            guard outcome != .interrupted else { return outcome }
            regression = try ranks.reading(folder.regression.model) { try Model(reading: $0) }
        }
        let next = try Trainer(after: self, regression: regression)
        // What a model was before it is fine-tuned is kept already.
        if !configuration.isFinetuning, ranks.isFirst { try next.keepStart(in: folder) }
        return try next.runRest(folder, after: stage, ranks, report: report, shouldStop: shouldStop)
    }

    /// Trains the rest, and calibrates the model on what is kept for validation.
    private func runRest(
        _ folder: RunFolder, after stage: RegressionStage, _ ranks: Ranks, report: (TrainingProgress) -> Void, shouldStop: () -> Bool
    ) throws -> TrainingOutcome {
        let outcome = try loop(configuration.afterRegressionStage(stage), folder, ranks).run(
            report: { report($0.named("rest")) }, shouldStop: shouldStop)
        guard outcome != .interrupted, ranks.isFirst, let validation else { return outcome }
        let model = try Model(reading: folder.model)
        guard case .corrdiff(let corrdiff, let rest, _) = model.description.system else { return outcome }
        model.description.system = .corrdiff(corrdiff, rest: rest, calibration: nil)
        let calibration = try SpreadCalibration(of: model, on: validation, cropSize: configuration.cropSize)
        model.description.system = .corrdiff(corrdiff, rest: rest, calibration: calibration)
        try model.write(to: folder.model)
        if FileManager.default.fileExists(atPath: folder.adapter.path) { try Adapter.calibrate(folder.adapter, calibration) }
        return outcome
    }
}
