import Foundation
import Groundwork
import TensorCore

/// What resuming needs beside the configuration: weights, their averages, the optimiser's moments, and how far training went.
struct Checkpoint {
    struct Progress: Codable {
        var step = 0
        /// Steps in all, as planned.
        var steps: Int?
        /// The best weights so far: their step, ``ValidationScore`` and loss.
        var bestStep: Int?
        var bestScore: Double?
        var bestLoss: Double?
        /// Validations since the best.
        var stale = 0
        /// Seconds of training before this checkpoint.
        var seconds = 0.0
        /// What is to be logged since the last line of the log.
        var sums: TrainingSums?
        /// Steps that were skipped so far.
        var skipped: Int?
        /// The steps that each optimiser took; nil of earlier versions, which had one that took all.
        var optimizerSteps: [Int]?

        /// Whether training came to its end, or stopped before it for want of improvement.
        func isOver(patience: Int) -> Bool { steps.map { step >= $0 } ?? false || patience > 0 && stale >= patience }
    }

    private static let key = "sr.progress"

    /// Writes one file; it appears whole or not at all.
    /// - Parameter origin: what the run was begun with.
    static func write(
        _ progress: Progress, store: ParameterStore, averages: ExponentialMovingAverage, optimizers: Optimizers, origin: RunOrigin?, to url: URL
    ) throws {
        let state = optimizers.state
        var progress = progress
        progress.optimizerSteps = state.steps
        func named(_ part: String, _ names: [String], _ tensors: [Tensor]) -> [NamedTensor] {
            zip(names, tensors).map { NamedTensor("\(part).\($0)", $1) }
        }
        let names = store.names
        let tensors =
            named("weight", names, store.parameters.map(\.value)) + named("buffer", store.bufferNames, store.buffers.map(\.value))
            + named("average", names, averages.averages) + named("first_moment", names, state.first) + named("second_moment", names, state.second)
        let metadata = [key: try jsonText(progress)].merging(try origin?.metadata() ?? [:]) { $1 }
        try writeWithDigest(tensors, metadata: metadata, to: url)
    }

    /// Whether a checkpoint tells when it is damaged, which those of earlier versions do not, and what the run was begun with.
    /// - Throws: `Failure` (`.badData`) if it is no safetensors file.
    static func origin(of url: URL) throws -> (hasDigest: Bool, origin: RunOrigin) {
        let file = try SafetensorsFile(reading: url)
        return (file.hasDigest, RunOrigin(metadata: file.metadata))
    }

    /// How far training went.
    /// - Throws: `Failure` (`.badData`) if it is no checkpoint.
    static func progress(of url: URL) throws -> Progress { try progress(in: try SafetensorsFile(reading: url), at: url) }

    private static func progress(in file: SafetensorsFile, at url: URL) throws -> Progress {
        guard let json = file.metadata[key], let progress = try? JSONDecoder().decode(Progress.self, from: Data(json.utf8)), progress.step >= 0 else {
            throw Failure(.badData, "the file is no checkpoint", at: url.path, expected: "metadata under \"\(key)\"", remedy: "start the run again")
        }
        return progress
    }

    /// Sets store, averages and optimisers from a file.
    /// - Parameter remedy: what can be done where it is damaged.
    /// - Throws: `Failure` (`.badData`) if it is no checkpoint of this network, is damaged or holds what is not finite.
    static func read(
        _ url: URL, store: ParameterStore, averages: ExponentialMovingAverage, optimizers: Optimizers, remedy: String
    ) throws -> Progress {
        let file = try SafetensorsFile(reading: url)
        try file.verifyDigest(of: "checkpoint", remedy: remedy)
        let progress = try progress(in: file, at: url)
        let steps = progress.optimizerSteps ?? Array(repeating: progress.step, count: optimizers.count)
        guard steps.count == optimizers.count, steps.allSatisfy({ $0 >= 0 }) else {
            throw Failure(
                .badData, "the checkpoint is of another training", at: url.path, expected: "steps of \(optimizers.count) optimisers",
                found: "\(steps)", remedy: "resume with the configuration the run began with")
        }
        func tensors(_ part: String, _ names: [String], like values: [Tensor]) throws -> [Tensor] {
            try zip(names, values).map { name, value in
                let tensor = try file.weights(named: "\(part).\(name)", remedy: remedy)
                guard tensor.shape == value.shape else {
                    throw Failure(
                        .badData, "the checkpoint is of another network", at: "\(url.path), tensor \(part).\(name)", expected: "\(value.shape)",
                        found: "\(tensor.shape)", remedy: "resume with the configuration the run began with")
                }
                return tensor
            }
        }
        func ofParameters(_ part: String) throws -> [Tensor] { try tensors(part, store.names, like: store.parameters.map(\.value)) }
        let (weights, means, first, second) = (
            try ofParameters("weight"), try ofParameters("average"), try ofParameters("first_moment"), try ofParameters("second_moment")
        )
        let buffers = try tensors("buffer", store.bufferNames, like: store.buffers.map(\.value))
        for (parameter, value) in zip(store.parameters, weights) { parameter.value = value }
        for (buffer, value) in zip(store.buffers, buffers) { buffer.value = value }
        averages.averages = means
        optimizers.state = (steps, first, second)
        return progress
    }
}
