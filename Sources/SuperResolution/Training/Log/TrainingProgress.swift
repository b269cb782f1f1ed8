import Foundation

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
    /// What the last step was skipped for, if it was.
    public let skipped: SkippedStep?

    /// The same of a part of a model.
    func named(_ part: String) -> TrainingProgress {
        var result = self
        result.part = part
        return result
    }
}

/// A step that changed nothing, since its loss or its gradient was not finite, or the gradient's norm beyond the limit.
public struct SkippedStep: Sendable, Equatable, CustomStringConvertible {
    /// From 1.
    public let step: Int
    public let loss, gradientNorm: Double
    /// The files that its crops are cut from.
    public let files: [String]

    public var description: String { "step \(step) was skipped: \(finding)" }

    /// What was found of it, for people.
    var finding: String {
        func text(_ value: Double) -> String { value.isNaN ? "nan" : String(format: "%.4g", value) }
        return "a loss of \(text(loss)) and a gradient's norm of \(text(gradientNorm))"
            + (files.isEmpty ? "" : ", of crops of \(files.joined(separator: ", "))")
    }

    /// As it is logged.
    var line: MetricsLog.Line {
        MetricsLog.Line(["step": Double(step), "skipped_loss": loss, "skipped_gradient_norm": gradientNorm], skippedFiles: files)
    }
}
