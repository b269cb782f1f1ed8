import Foundation
import SolarImage
import TensorCore

/// Trains an autoencoder to give back its input.
///
/// Loss: mean |Δ| of normalised values + 0.3 · mean |ΔB| / 300 G, so that weak and strong field both count, + 10⁻⁴ · mean z² to keep latents
/// bounded + the codebook's terms. The decoder sees latents with a little noise, as diffusion will give it.
package final class AutoencoderTraining: TrainingTask {
    private let configuration: TrainingConfiguration
    private let collection: MagnetogramCollection
    private let model: Model
    private let fixedCrops: [MagnetogramCollection.Crop]
    private let validation: (collection: MagnetogramCollection, crops: [MagnetogramCollection.Crop])?
    private let latentNoise: Float = 0.02

    package var store: ParameterStore { model.autoencoderStore }
    package var imageCount: Int { collection.entries.count }

    package init(_ configuration: TrainingConfiguration, training: MagnetogramCollection, validation: MagnetogramCollection?) {
        self.configuration = configuration
        collection = training
        model = Model(
            ModelDescription(
                kind: .vqgan, normalization: configuration.normalization, autoencoder: configuration.autoencoder, diffusion: nil,
                training: TrainingSummary(steps: 0, batchSize: configuration.batchSize, seed: configuration.seed, images: training.entries.count)),
            seed: configuration.seed)
        fixedCrops = training.fixedCrops(configuration.overfit, size: configuration.cropSize, seed: configuration.seed)
        self.validation = validation.map { ($0, $0.fixedCrops(32, size: configuration.cropSize, seed: 0)) }
    }

    /// The model being trained, with the weights as they are.
    package func currentModel() -> Model { model }

    package func loss(batch: Int) throws -> (loss: Tensor, parts: [String: Double]) {
        var random = Random(seed: configuration.seed, name: "autoencoder batch \(batch)")
        let crops = collection.batch(configuration, fixed: fixedCrops, &random)
        let field = try collection.fields(crops)
        let values = configuration.normalization.normalize(field)
        let latents = model.autoencoder.encode(values)
        let (codes, codebookLoss) = model.autoencoder.quantized(latents)
        let reconstruction = model.autoencoder.reconstruct(codes + random.normal(codes.shape) * latentNoise)
        let absolute = meanAbsoluteError(reconstruction, values)
        let fieldError = meanAbsoluteError(configuration.normalization.denormalize(reconstruction), field)
        var loss = absolute + fieldError * (0.3 / 300) + latents.squared().mean() * 1e-4
        var parts = ["mean_absolute_error": Double(absolute.item), "field_error_gauss": Double(fieldError.item)]
        if let codebookLoss {
            loss = loss + codebookLoss
            parts["codebook"] = Double(codebookLoss.item)
        }
        return (loss, parts)
    }

    package func validationLoss() throws -> Double? {
        guard let validation else { return nil }
        var total = 0.0
        for crop in validation.crops {
            let values = configuration.normalization.normalize(try validation.collection.fields([crop]))
            total += Double(meanAbsoluteError(model.autoencoder.decode(model.autoencoder.encode(values)), values).item)
        }
        return total / Double(validation.crops.count)
    }

    package func sample() throws -> [(title: String, image: Image)] {
        let (collection, crops) = validation ?? (self.collection, self.collection.fixedCrops(1, size: configuration.cropSize, seed: 0))
        let field = try collection.fields([crops[0]])
        let values = configuration.normalization.normalize(field)
        let result = configuration.normalization.denormalize(model.autoencoder.decode(model.autoencoder.encode(values)))
        return [("HR", Image(field)), ("reconstruction", Image(result))]
    }

    package func writeModel(values: [Tensor], training: TrainingSummary, to url: URL) throws {
        model.description.training = training
        try model.write(to: url, autoencoderValues: values)
    }
}

extension MagnetogramCollection {
    /// The same random crops every time.
    func fixedCrops(_ count: Int, size: Int, seed: UInt64) -> [Crop] {
        var random = Random(seed: seed, name: "fixed crops")
        return (0..<count).map { _ in randomCrop(size: size, &random) }
    }

    /// The crops of a batch: drawn anew, or of the fixed ones.
    func batch(_ configuration: TrainingConfiguration, fixed: [Crop], _ random: inout Random) -> [Crop] {
        (0..<configuration.batchSize).map { index in
            fixed.isEmpty ? randomCrop(size: configuration.cropSize, &random) : fixed[index % fixed.count]
        }
    }
}

extension Image {
    /// The only image of `[1, height, width, 1]`.
    init(_ tensor: Tensor) { self.init(width: tensor.shape[2], height: tensor.shape[1], pixels: tensor.values) }
}
