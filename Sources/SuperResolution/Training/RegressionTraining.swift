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
    private let stream: CropStream<CropSample>
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
        let fixed = training.fixedCrops(configuration.overfit, size: configuration.cropSize, seed: configuration.seed)
        stream = training.stream(configuration, "regression batch", fixed: fixed, scale: model.scale)
        self.validation = validation.map { ($0, $0.fixedCrops(32, size: configuration.cropSize, seed: 0)) }
    }

    /// The model being trained, with the weights as they are.
    package func currentModel() -> Model { model }

    package func files(batch: Int) -> [String] { collection.names(of: stream.crops(batch)) }

    package func prepare(_ parts: some Sequence<MicroBatches.Part>) { stream.prepare(parts) }

    package var secondsWaited: Double { stream.secondsWaited }

    package func loss(batch: Int, members: Range<Int>?) throws -> (loss: Tensor, parts: [String: Double]) {
        (error(CropSample(joining: try stream(batch, members)), isTraining: true), [:])
    }

    package func validationLoss() throws -> Double? {
        guard let validation else { return nil }
        let errors = try validation.crops.map {
            error(try CropSample([$0], of: validation.collection, scale: model.scale), isTraining: false).item
        }
        return Double(errors.reduce(0, +)) / Double(errors.count)
    }

    private func error(_ sample: CropSample, isTraining: Bool) -> Tensor {
        let normalization = model.description.normalization
        let low = normalization.normalize(sample.low ?? blockMean(sample.field, scale: model.scale))
        return (network(low, isTraining: isTraining) - normalization.normalize(sample.field)).squared().mean(weightedBy: sample.known)
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
