/// The first stage of training of `corrdiff`, that of mean and spread.
package struct RegressionStage: Sendable, Codable, Equatable {
    /// Optimiser steps; 0 to leave mean and spread as they are.
    package var steps: Int
    package var learningRate: Double
    /// Its share of ``TrainingSettings/maxHours``.
    package var share: Double

    private enum CodingKeys: String, CodingKey {
        case steps
        case learningRate = "learning-rate"
        case share
    }

    func check(_ check: Check) throws {
        try check((0...1_000_000_000).contains(steps), "0 … 1000000000 steps", steps)
        try check(learningRate > 0 && learningRate.isFinite, "a learning rate of more than 0", learningRate)
        try check(share > 0 && share < 1, "a share between 0 and 1", share)
    }
}

extension TrainingConfiguration {
    /// That of mean and spread before the rest. Their best is that of their loss: samples are white noise so far.
    func ofRegressionStage(_ stage: RegressionStage) -> TrainingConfiguration {
        var result = self
        (result.steps, result.epochs, result.learningRate) = (stage.steps, nil, stage.learningRate)
        (result.scheduleStart, result.select) = (0, [ValidationScore.loss])
        result.maxHours = settings.maxHours.map { $0 * stage.share }
        return result
    }

    /// That of the rest after mean and spread.
    func afterRegressionStage(_ stage: RegressionStage) -> TrainingConfiguration {
        var result = self
        result.maxHours = settings.maxHours.map { $0 * (1 - stage.share) }
        return result
    }
}
