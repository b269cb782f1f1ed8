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

    private static let key = "sr.progress"

    /// Writes one file; it appears whole or not at all.
    static func write(_ progress: Progress, store: ParameterStore, averages: ExponentialMovingAverage, optimizer: AdamW, to url: URL) throws {
        let names = store.names
        let state = optimizer.state
        func named(_ part: String, _ tensors: [Tensor]) -> [(name: String, tensor: Tensor)] { zip(names, tensors).map { ("\(part).\($0)", $1) } }
        let tensors =
            named("weight", store.parameters.map(\.value)) + named("average", averages.averages) + named("first_moment", state.first)
            + named("second_moment", state.second)
        let json = String(decoding: try JSONEncoder().encode(progress), as: UTF8.self)
        try writeSafetensors(tensors, metadata: [key: json], to: url)
    }

    /// Sets store, averages and optimiser from a file.
    /// - Throws: `Failure` (`.badData`) if it is no checkpoint of this network.
    static func read(_ url: URL, store: ParameterStore, averages: ExponentialMovingAverage, optimizer: AdamW) throws -> Progress {
        let file = try SafetensorsFile(reading: url)
        guard let json = file.metadata[key], let progress = try? JSONDecoder().decode(Progress.self, from: Data(json.utf8)), progress.step >= 0 else {
            throw Failure(.badData, "the file is no checkpoint", at: url.path, expected: "metadata under \"\(key)\"", remedy: "start the run again")
        }
        func tensors(_ part: String) throws -> [Tensor] {
            try zip(store.names, store.parameters).map { name, parameter in
                let tensor = try file.tensor(named: "\(part).\(name)")
                guard tensor.shape == parameter.value.shape else {
                    throw Failure(
                        .badData, "the checkpoint is of another network", at: "\(url.path), tensor \(part).\(name)",
                        expected: "\(parameter.value.shape)",
                        found: "\(tensor.shape)", remedy: "resume with the configuration the run began with")
                }
                return tensor
            }
        }
        let (weights, means, first, second) = (
            try tensors("weight"), try tensors("average"), try tensors("first_moment"), try tensors("second_moment")
        )
        for (parameter, value) in zip(store.parameters, weights) { parameter.value = value }
        averages.averages = means
        optimizer.state = (progress.step, first, second)
        return progress
    }
}
