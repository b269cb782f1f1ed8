import Foundation
import Groundwork
import TensorCore

/// What resuming needs beside the configuration: weights, their averages, the optimiser's moments, and how far training went.
struct Checkpoint {
    struct Progress: Codable {
        var step = 0
        /// The best validation loss so far and its step.
        var bestLoss: Double?
        var bestStep: Int?
        /// Validations since the best.
        var stale = 0
        /// Seconds of training before this checkpoint.
        var seconds = 0.0
        /// What is to be logged since the last line of the log.
        var sums: TrainingSums?
    }

    private static let key = "sr.progress", dataKey = "sr.data"

    /// Writes one file; it appears whole or not at all.
    /// - Parameter data: what is trained on; nil where it is not files.
    static func write(
        _ progress: Progress, store: ParameterStore, averages: ExponentialMovingAverage, optimizer: AdamW, data: TrainingFiles?, to url: URL
    ) throws {
        let state = optimizer.state
        func named(_ part: String, _ names: [String], _ tensors: [Tensor]) -> [NamedTensor] {
            zip(names, tensors).map { NamedTensor("\(part).\($0)", $1) }
        }
        let names = store.names
        let tensors =
            named("weight", names, store.parameters.map(\.value)) + named("buffer", store.bufferNames, store.buffers.map(\.value))
            + named("average", names, averages.averages) + named("first_moment", names, state.first) + named("second_moment", names, state.second)
        var metadata = [key: try jsonText(progress)]
        if let data { metadata[dataKey] = try jsonText(data) }
        try writeWithDigest(tensors, metadata: metadata, to: url)
    }

    /// Whether a checkpoint tells when it is damaged, and what it was trained on; nil of earlier versions, which tell neither.
    /// - Throws: `Failure` (`.badData`) if it is no safetensors file.
    static func origin(of url: URL) throws -> (hasDigest: Bool, data: TrainingFiles?) {
        let file = try SafetensorsFile(reading: url)
        return (file.hasDigest, file.metadata[dataKey].flatMap { try? JSONDecoder().decode(TrainingFiles.self, from: Data($0.utf8)) })
    }

    /// Sets store, averages and optimiser from a file.
    /// - Parameter remedy: what can be done where it is damaged.
    /// - Throws: `Failure` (`.badData`) if it is no checkpoint of this network, is damaged or holds what is not finite.
    static func read(
        _ url: URL, store: ParameterStore, averages: ExponentialMovingAverage, optimizer: AdamW, remedy: String
    ) throws -> Progress {
        let file = try SafetensorsFile(reading: url)
        try file.verifyDigest(of: "checkpoint", remedy: remedy)
        guard let json = file.metadata[key], let progress = try? JSONDecoder().decode(Progress.self, from: Data(json.utf8)), progress.step >= 0 else {
            throw Failure(.badData, "the file is no checkpoint", at: url.path, expected: "metadata under \"\(key)\"", remedy: "start the run again")
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
        optimizer.state = (progress.step, first, second)
        return progress
    }
}
