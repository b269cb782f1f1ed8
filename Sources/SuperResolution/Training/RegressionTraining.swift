import Foundation
import Groundwork
import SolarImage
import TensorCore

/// Trains Enhance or Progressive: mean squared error between HR and what the network makes of LR, both normalised, on the disk (Ramunno et al. 2025, section 4).
package final class RegressionTraining: TrainingTask {
    private let configuration: TrainingConfiguration
    private let collection: MagnetogramCollection
    private let model: Model
    private let network: any RegressionNetwork
    private let fixedCrops: [MagnetogramCollection.Crop]
    private let validation: (collection: MagnetogramCollection, crops: [MagnetogramCollection.Crop])?

    package var store: ParameterStore { model.networkStore }
    package var imageCount: Int { collection.entries.count }

    /// Training of a model as it is.
    package init(
        _ configuration: TrainingConfiguration, model: Model, training: MagnetogramCollection, validation: MagnetogramCollection?
    ) throws {
        guard case .regression(let network) = model.networks else {
            throw Failure(.badData, "the model does not give its result at once", expected: "Enhance or Progressive", found: model.kind.rawValue)
        }
        (self.configuration, self.model, self.network) = (configuration, model, network)
        collection = training
        fixedCrops = training.fixedCrops(configuration.overfit, size: configuration.cropSize, seed: configuration.seed)
        self.validation = validation.map { ($0, $0.fixedCrops(32, size: configuration.cropSize, seed: 0)) }
    }

    /// The model being trained, with the weights as they are.
    package func currentModel() -> Model { model }

    package func files(batch: Int) -> [String] { collection.names(of: crops(batch: batch)) }

    private func crops(batch: Int) -> [MagnetogramCollection.Crop] {
        var random = Random(seed: configuration.seed, name: "regression batch \(batch)")
        return collection.batch(configuration, fixed: fixedCrops, &random)
    }

    package func loss(batch: Int, members: Range<Int>?) throws -> (loss: Tensor, parts: [String: Double]) {
        let crops = crops(batch: batch)
        return (try error(Array(crops[members ?? crops.indices]), of: collection, isTraining: true), [:])
    }

    package func validationLoss() throws -> Double? {
        guard let validation else { return nil }
        let errors = try validation.crops.map { try error([$0], of: validation.collection, isTraining: false).item }
        return Double(errors.reduce(0, +)) / Double(errors.count)
    }

    private func error(_ crops: [MagnetogramCollection.Crop], of collection: MagnetogramCollection, isTraining: Bool) throws -> Tensor {
        let normalization = model.description.normalization
        let low = normalization.normalize(try collection.lowResolution(crops, scale: model.scale))
        let (high, known) = try collection.maskedFields(crops)
        return (network(low, isTraining: isTraining) - normalization.normalize(high)).squared().mean(weightedBy: known)
    }

    package func sample() throws -> [(title: String, image: Image)] {
        let collection = validation?.collection ?? self.collection
        return try collection.example(of: model, cropSize: configuration.cropSize)
    }

    package func writeModel(values: [Tensor], training: TrainingSummary, to url: URL) throws {
        model.description.training = training
        try model.write(to: url, networkValues: values)
    }
}

extension MagnetogramCollection {
    /// A crop's LR, what a model makes of it, and HR.
    func example(of model: Model, cropSize: Int) throws -> [(title: String, image: Image)] {
        let crop = fixedCrops(1, size: cropSize, seed: 0)
        let low = Image(try lowResolution(crop, scale: model.scale))
        let result = try SuperResolver(model).superResolve(low, options: SuperResolver.Options(isMap: entries[crop[0].file].isMap))
        return [("LR", low.replicated(by: model.scale)), ("super-resolved", result), ("HR", Image(try fields(crop)))]
    }
}
