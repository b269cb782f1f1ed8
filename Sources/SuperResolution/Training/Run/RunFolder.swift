import Foundation
import Groundwork

/// The files of a training run.
package struct RunFolder: Sendable {
    package let url: URL

    package init(_ url: URL) { self.url = url }

    package var configuration: URL { url.appendingPathComponent("config.yaml") }
    package var metrics: URL { url.appendingPathComponent("metrics.jsonl") }
    package var curve: URL { url.appendingPathComponent("curve.png") }
    package var samples: URL { url.appendingPathComponent("samples") }
    package var checkpoints: URL { url.appendingPathComponent("checkpoints") }
    package var last: URL { checkpoints.appendingPathComponent("last.safetensors") }
    package var best: URL { checkpoints.appendingPathComponent("best.safetensors") }
    /// The model as training found it, where that does not follow from the configuration.
    package var start: URL { url.appendingPathComponent("start.safetensors") }
    /// What fine-tuning changed, as of the best validation and in the end.
    package var bestAdapter: URL { checkpoints.appendingPathComponent("best-adapter.safetensors") }
    package var adapter: URL { url.appendingPathComponent("adapter.safetensors") }
    /// The run of mean and spread before that of the rest.
    package var regression: RunFolder { RunFolder(url.appendingPathComponent("regression")) }
    package var model: URL { url.appendingPathComponent("model.safetensors") }

    package func checkpoint(step: Int) -> URL { checkpoints.appendingPathComponent(String(format: "step-%08d.safetensors", step)) }

    package var exists: Bool { FileManager.default.fileExists(atPath: configuration.path) || FileManager.default.fileExists(atPath: last.path) }

    package func create() throws {
        try createFolder(checkpoints)
        try createFolder(samples)
    }

    /// Takes away a former run's files, so that none of them is taken for this one's.
    package func clear() throws {
        for file in [configuration, metrics, curve, samples, checkpoints, start, adapter, model, regression.url] + EventFile.files(in: url)
        where FileManager.default.fileExists(atPath: file.path) {
            do {
                try FileManager.default.removeItem(at: file)
            } catch {
                throw Failure(.cannotWrite, "the former run cannot be removed", at: file.path, found: error.localizedDescription)
            }
        }
    }
}
