import Foundation
import SuperResolution
import TensorCore
import Testing

/// The files that a batch is said to be cut from are those that it cannot do without.
@Suite struct BatchFilesTests {
    @Test(arguments: [ModelKind.vqgan, .enhance, .ddpmResidual, .corrdiff]) func filesOfABatch(_ kind: ModelKind) throws {
        try withTemporaryFolder { folder in
            try TrainingExample.writeMaps(3, to: folder)
            var configuration = try TrainingExample.configuration(kind)
            (configuration.latentCrops, configuration.batchSize) = (0, 2)
            let whole = try TrainingExample.collection(folder)
            let model: Model =
                kind == .ddpmResidual
                ? try DiffusionTraining.model(configuration, autoencoder: nil, training: whole) : ModelsExample.newModel(configuration)
            // Read anew for each crop, of which one can no longer be read.
            let collection = MagnetogramCollection(entries: whole.entries, store: MagnetogramStore(logger: .init(label: "test")))
            try FileManager.default.removeItem(at: folder.appendingPathComponent("map1.fits"))
            let task: any TrainingTask =
                switch kind {
                case .vqgan: try AutoencoderTraining(configuration, model: model, training: collection, validation: nil)
                case .enhance: try RegressionTraining(configuration, model: model, training: collection, validation: nil)
                case .corrdiff: try CorrDiffRegressionTraining(configuration, model: model, training: collection, validation: nil)
                default: try DiffusionTraining(configuration, model: model, training: collection, validation: nil)
                }
            var found: Set<Bool> = []
            for batch in 0..<12 {
                let isWhole = !task.files(batch: batch).contains("map1.fits")
                let canBeRead = (try? task.loss(batch: batch)) != nil
                #expect(canBeRead == isWhole, "batch \(batch): \(task.files(batch: batch))")
                found.insert(isWhole)
            }
            #expect(found.count == 2)
        }
    }

    /// Of latent diffusion batches are windows of a few crops that are encoded together.
    @Test func filesOfWindows() throws {
        try withTemporaryFolder { folder in
            try TrainingExample.writeMaps(3, to: folder)
            var configuration = try TrainingExample.configuration(.ddpmResidual)
            (configuration.latentCrops, configuration.latentRefresh, configuration.batchSize) = (1, 3, 2)
            let collection = try TrainingExample.collection(folder)
            let model = try DiffusionTraining.model(configuration, autoencoder: nil, training: collection)
            let task = try DiffusionTraining(configuration, model: model, training: collection, validation: nil)
            let names = (0..<30).map { task.files(batch: $0) }
            #expect(names.allSatisfy { $0.count == 1 } && Set(names).count > 1)
            for start in stride(from: 0, to: 30, by: 3) { #expect(Set(names[start..<start + 3]).count == 1) }
        }
    }
}
