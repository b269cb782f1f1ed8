import Foundation
import SolarImage
import SuperResolution
import TensorCore
import Testing

/// The loss that an autoencoder is trained by.
@Suite struct AutoencoderTrainingTests {
    /// - Parameter isNew: whether layers that start at zero are so
    private func withTask(
        isNew: Bool = false, _ change: (inout AutoencoderLoss) -> Void = { _ in },
        _ body: (AutoencoderTraining, TrainingConfiguration, MagnetogramCollection) throws -> Void
    ) throws {
        try withTemporaryFolder { folder in
            try TrainingExample.writeMaps(3, to: folder)
            var configuration = try TrainingExample.configuration(.vqgan)
            var loss = AutoencoderLoss.tiny
            change(&loss)
            (configuration.loss, configuration.overfit, configuration.batchSize) = (loss, 2, 2)
            let collection = try TrainingExample.collection(folder)
            let model = ModelsExample.newModel(configuration)
            if !isNew { ModelsExample.fillZeros(of: model.firstStageStore, seed: 3) }
            try body(AutoencoderTraining(configuration, model: model, training: collection, validation: collection), configuration, collection)
        }
    }

    /// The gradient that is carried over from the reconstruction is that of the whole sum.
    @Test func gradientIsThatOfTheSum() throws {
        try withTask({ ($0.latentNoise, $0.adversarial, $0.perceptual) = (0, 0, 0.3) }) { task, configuration, collection in
            var random = Random(seed: configuration.seed, name: "fixed crops")
            let field = try collection.fields((0..<2).map { _ in collection.randomCrop(size: 32, &random) })
            let (model, normalization) = (task.currentModel(), configuration.normalization)
            let autoencoder = try #require(model.autoencoder)
            let perceptualDistance = try PerceptualDistance.bundled()
            let parameters = model.firstStageStore.parameters
            let expected = valueWithGradient(at: parameters) {
                let values = normalization.normalize(field)
                let latents = autoencoder.encode(values)
                let (codes, _, codebook) = autoencoder.quantized(latents)
                let x = autoencoder.reconstruct(codes)
                let terms = [
                    meanAbsoluteError(x, values), meanAbsoluteError(normalization.denormalize(x), field) * (0.3 / 300),
                    perceptualDistance(x, values).mean() * 0.3, latents.squared().mean() * 1e-4,
                ]
                return terms.reduce(codebook ?? Tensor(0)) { $0 + $1 }
            }
            let found = try valueWithGradient(at: task.store.parameters) { try task.loss(batch: 0).loss }
            #expect(abs(found.value.item - expected.value.item) < 1e-5 * expected.value.item)
            for (name, parameter) in zip(model.firstStageStore.names, parameters) {
                guard let gradient = expected.gradients[parameter] else { continue }
                expectClose(try #require(found.gradients[parameter]), gradient, name, tolerance: 1e-4)
            }
        }
    }

    /// From its first step the discriminator learns, and its opinion weighs as much as the other terms at the decoder's last layer.
    @Test func discriminatorBegins() throws {
        try withTask({ ($0.adversarial, $0.adversarialStart) = (1, 3) }) { task, _, _ in
            let names = task.store.names
            func gradients(_ batch: Int) throws -> (GradientStore, [String: Double]) {
                var parts: [String: Double] = [:]
                let gradients = try valueWithGradient(at: task.store.parameters) {
                    let (loss, named) = try task.loss(batch: batch)
                    parts = named
                    return loss
                }.gradients
                return (gradients, parts)
            }
            let discriminator = zip(names, task.store.parameters).filter { $0.0.hasPrefix("discriminator.") && $0.0.hasSuffix(".weight") }.map(\.1)
            #expect(!discriminator.isEmpty)
            var (found, parts) = try gradients(2)
            #expect(discriminator.allSatisfy { found[$0] == nil } && parts["adversarial"] == nil && parts["discriminator"] == nil)
            (found, parts) = try gradients(3)
            #expect(discriminator.allSatisfy { found[$0]?.values.contains { $0 != 0 } == true })
            #expect(parts["adversarial"]?.isFinite == true && (parts["adversarial_weight"] ?? 0) > 0)
            // A new discriminator gives about nothing: half of each margin of 1.
            #expect(abs((parts["discriminator"] ?? 0) - 1) < 0.5)
        }
    }

    /// Weights are chosen by what a field loses: absolute error, unsigned flux and fine power, each as a share of the truth's.
    @Test(arguments: [true, false]) func validationCountsErrorFluxAndPower(isNew: Bool) throws {
        try withTask(isNew: isNew) { task, configuration, collection in
            var random = Random(seed: 0, name: "fixed crops")
            let fields = try (0..<32).map { _ in Image(try collection.fields([collection.randomCrop(size: 32, &random)])) }
            let model = task.currentModel()
            let results = try fields.map { try model.reconstruct($0) }
            func flux(_ images: [Image]) -> Double { images.reduce(0) { $1.pixels.reduce($0) { $0 + Double(abs($1)) } } }
            func finePower(_ images: [Image]) -> Double { images.reduce(0) { $0 + PowerSpectrum(of: $1).power(from: 0.125) } }
            let error = flux(zip(fields, results).map { truth, result in truth.transformed { result[$0, $1] - $2 } }) / flux(fields)
            let terms = [error, abs(flux(results) / flux(fields) - 1), abs(finePower(results) / finePower(fields) - 1)]
            #expect(terms.allSatisfy { $0 > 1e-4 })
            let found = try #require(try task.validationLoss())
            #expect(abs(found / terms.reduce(0, +) - 1) < 1e-3)
        }
    }

    @Test func codesThatAreNotUsedAreRevived() throws {
        try withTask({ $0.revival = 4 }) { task, _, _ in
            let codebook = try #require(task.currentModel().autoencoder?.codebook)
            // Far from all latents, but for one.
            let (codes, channels) = (codebook.value.shape[0], codebook.value.shape[1])
            codebook.value = Tensor(
                shape: [codes, channels], values: (0..<codes * channels).map { $0 < channels ? 0 : 1000 + Float($0) })
            for batch in 0..<3 {
                #expect(try task.loss(batch: batch).parts["codebook_perplexity"] == 1)
                try task.beforeUpdate(step: batch)
                #expect(codebook.value.values.contains { $0 > 900 })
            }
            _ = try task.loss(batch: 3)
            try task.beforeUpdate(step: 3)
            #expect(codebook.value.values.allSatisfy { abs($0) < 900 })
            #expect(codebook.value.values.prefix(channels).allSatisfy { $0 == 0 })
            let perplexity = try #require(try task.loss(batch: 4).parts["codebook_perplexity"])
            #expect(perplexity > 8 && perplexity <= Double(codes))
        }
    }
}
