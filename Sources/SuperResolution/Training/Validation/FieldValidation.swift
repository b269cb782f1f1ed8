import Groundwork
import SolarImage
import TensorCore

/// Validation by what matters of a field: the metrics of `sr evaluate`, computed by the same code, on fixed crops with fixed noise.
package struct FieldValidation {
    private struct Crop {
        let truth: Truth
        let low: Image
        let isMap: Bool
        /// How results are held to LR.
        let observation: LinearObservation?
    }

    private let model: Model
    private let settings: ValidationSettings
    private let groups: [MetricGroup]
    private let crops: [Crop]
    /// What the selected metrics make of a validation; nil where the loss tells.
    package let score: ValidationScore?

    /// - Returns: nil without crops to judge by.
    /// - Throws: `Failure` if a file can no longer be read.
    package init?(_ configuration: TrainingConfiguration, model: Model, collection: MagnetogramCollection) throws {
        guard configuration.validation.crops > 0 else { return nil }
        (self.model, settings) = (model, configuration.validation)
        groups = ValidationScore.groups.filter {
            $0.name != MetricGroup.perceptualDistance.name || configuration.cropSize >= AlexNetFeatures.minimumSide
        }
        crops = try collection.fixedCrops(settings.crops, size: configuration.cropSize, seed: 2).map { crop in
            let low = Image(try collection.lowResolution([crop], scale: model.scale))
            let (field, known) = try collection.maskedFields([crop])
            var truth = Image(field)
            if let known { for (index, value) in known.values.enumerated() where value == 0 { truth.pixels[index] = .nan } }
            let isObserved = collection.degradation != nil || collection.entries[crop.file].pairScale != nil
            return Crop(
                truth: try Truth(truth, lowResolution: low, factor: model.scale, trimmedToMultiplesOf: model.scale), low: low,
                isMap: collection.entries[crop.file].isMap, observation: Consistency.auto.observation(.exact, isKnownToModel: isObserved))
        }
        guard configuration.select != [ValidationScore.loss] else {
            score = nil
            return
        }
        // As an ensemble of two that are alike, of which the CRPS is the absolute error.
        let bicubic = try Self.values(crops, groups) { crop in
            let enlarged = crop.low.bicubic(by: crop.truth.factor)
            return [enlarged, enlarged]
        }
        score = ValidationScore(configuration.select, bicubic: bicubic)
    }

    /// The means over the crops of all metrics that are defined, by their keys, for the weights as they are; none for weights that give no finite field.
    /// - Throws: `Failure` (`.usage`) for more denoising steps than the model's noise schedule has.
    package func values() throws -> [String: Double] {
        do {
            return try metrics()
        } catch let failure as Failure where failure.category == .badData {
            return [:]
        }
    }

    private func metrics() throws -> [String: Double] {
        guard model.autoencoder == nil || model.diffusion != nil else {
            return try Self.values(crops, groups) { [try model.reconstruct($0.truth.field)] }
        }
        let resolver = try SuperResolver(model)
        var options = SuperResolver.Options(steps: settings.steps)
        return try Self.values(crops, groups) { crop in
            (options.isMap, options.observation) = (crop.isMap, crop.observation)
            var samples: [Image] = []
            try resolver.superResolve(crop.low, options: options, samples: 0..<settings.samples) { samples.append($1) }
            return samples
        }
    }

    private static func values(_ crops: [Crop], _ groups: [MetricGroup], _ samples: (Crop) throws -> [Image]) throws -> [String: Double] {
        let scores = try crops.enumerated().flatMap { index, crop in
            try Score.rows(
                model: "", file: "\(index)", samples: try samples(crop), truth: crop.truth, groups: groups, options: EvaluationOptions())
        }
        let keys = Set(groups.flatMap(\.metrics).map(\.key))
        return Summary.byKey(of: scores, groups: groups).filter { keys.contains($0.key) && $0.value.mean.isFinite }.mapValues(\.mean)
    }
}
