import Foundation
import Groundwork
import TensorCore

extension Model {
    /// The model of an autoencoder: one of this program's, alone or in a latent diffusion model, or a first stage of diffusers or CompVis.
    /// - Parameter normalization: for weights of other programs, which do not say how fields are scaled.
    /// - Throws: `Failure`: `.missingInput`, or `.badData` if the file holds no autoencoder.
    package static func autoencoder(reading file: URL, normalization: FieldNormalization) throws -> Model {
        guard try isModel(file) else {
            let weights = try SafetensorsFile(reading: file)
            let firstStage = try FirstStageImport(weights)
            let model = Model(
                ModelDescription(
                    .autoencoder(.firstStage(firstStage.configuration)), normalization: normalization,
                    training: TrainingSummary(steps: 0, batchSize: 0, seed: 0, images: 0)),
                seed: 0)
            try firstStage.load(weights, into: model.firstStageStore)
            return model
        }
        let model = try Model(reading: file)
        guard model.autoencoder != nil else {
            throw Failure(
                .badData, "the model holds no autoencoder", at: file.path, expected: "a vqgan or a latent diffusion model",
                found: model.kind.rawValue)
        }
        return model
    }

    /// Sets the network's weights from a file of weights alone, under the names that PyTorch gives them, whatever stands before all of them.
    /// - Throws: `Failure`: `.missingInput`, or `.badData` that lists every missing, unexpected and mis-shaped name.
    package func loadNetwork(_ file: URL) throws {
        let weights = try SafetensorsFile(reading: file)
        let prefix = networkStore.names.first.flatMap { first in
            weights.names.filter { $0.hasSuffix(first) }.map { String($0.dropLast(first.count)) }.min { ($0.count, $0) < ($1.count, $1) }
        }
        try networkStore.load(weights, prefix: prefix ?? "", unused: PaperUNet.isUnused)
    }
}
