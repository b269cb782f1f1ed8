import Foundation
import Groundwork
import SolarImage
import TensorCore

/// Trains mean and spread of `corrdiff`: the mean by the Huber loss of coefficients in the local unit, the spread by the likelihood of a normal distribution about
/// the mean, which is held fixed there.
///
/// With folds, a network of each learns the mean from the crops of all other folds meanwhile, and the spread is that about the means of networks which have not
/// seen the crop's region.
package final class CorrDiffRegressionTraining: TrainingTask {
    private let configuration: TrainingConfiguration
    private let collection: MagnetogramCollection
    private let model: Model
    private let corrdiff: CorrDiff
    private let folds: [Int]?
    private let stream: CropStream<CropSample>
    private let validation: (collection: MagnetogramCollection, crops: [MagnetogramCollection.Crop])?

    package var store: ParameterStore { model.firstStageStore }
    package var imageCount: Int { collection.entries.count }

    /// Training of a model as it is.
    package init(
        _ configuration: TrainingConfiguration, model: Model, training: MagnetogramCollection, validation: MagnetogramCollection?
    ) throws {
        guard let corrdiff = model.corrdiff else {
            throw Failure(.badData, "the model has no mean and spread", expected: ModelKind.corrdiff.rawValue, found: model.kind.rawValue)
        }
        (self.configuration, self.model, self.corrdiff) = (configuration, model, corrdiff)
        collection = training
        folds = training.folds(corrdiff.configuration.folds)
        let fixed = training.fixedCrops(configuration.overfit, size: configuration.cropSize, seed: configuration.seed)
        stream = training.stream(configuration, "mean and spread batch", fixed: fixed, scale: CorrDiff.transform.side)
        self.validation = validation.map { ($0, $0.fixedCrops(64, size: configuration.cropSize, seed: 0)) }
    }

    package func files(batch: Int) -> [String] { collection.names(of: stream.crops(batch)) }

    package func prepare(_ parts: some Sequence<MicroBatches.Part>) { stream.prepare(parts) }

    package var secondsWaited: Double { stream.secondsWaited }

    package func loss(batch: Int, members: Range<Int>?) throws -> (loss: Tensor, parts: [String: Double]) {
        let drawn = stream.crops(batch)
        let crops = Array(drawn[members ?? drawn.indices])
        let sample = CorrDiffSample(
            CropSample(joining: try stream(batch, members)), areMaps: crops.map { collection.entries[$0.file].isMap }, corrdiff)
        var (means, about) = (Self.huber(sample.estimate.mean - sample.target).mean(weightedBy: sample.known), sample.estimate.mean.detached)
        let parts = ["mean": Double(means.item)]
        if let folds {
            var unseen = [Tensor?](repeating: nil, count: crops.count)
            for fold in 0..<corrdiff.configuration.folds {
                let (inside, outside) = (
                    crops.indices.filter { folds[crops[$0].file] == fold }, crops.indices.filter { folds[crops[$0].file] != fold }
                )
                if !outside.isEmpty {
                    let mean = corrdiff.mean(sample.estimate.features.samples(outside), fold: fold)
                    means = means + Self.huber(mean - sample.target.samples(outside)).mean(weightedBy: sample.known?.samples(outside))
                }
                guard !inside.isEmpty else { continue }
                let mean = Tape.withoutRecording { corrdiff.mean(sample.estimate.features.samples(inside), fold: fold) }
                for (place, crop) in inside.enumerated() { unseen[crop] = mean.samples([place]) }
            }
            about = concatenate(unseen.compactMap { $0 }, axis: 0)
        }
        let spread = Self.likelihood(of: sample.target - about, logSpread: sample.estimate.logSpread).mean(weightedBy: sample.known)
        return (means + spread, parts.merging(["spread": Double(spread.item)]) { $1 })
    }

    package func validationLoss() throws -> Double? {
        guard let validation else { return nil }
        let losses = try validation.crops.map { crop -> Double in
            let sample = try CorrDiffSample([crop], of: validation.collection, corrdiff)
            let rest = sample.target - sample.estimate.mean
            let spread = Self.likelihood(of: rest, logSpread: sample.estimate.logSpread)
            return Double((Self.huber(rest) + spread).mean(weightedBy: sample.known).item)
        }
        return losses.reduce(0, +) / Double(losses.count)
    }

    /// x²/2 up to 1, |x| − 1/2 beyond (Huber 1964, *Ann. Math. Statist.* 35, 73).
    private static func huber(_ x: Tensor) -> Tensor {
        let near = x.clamped(to: -1...1)
        return near * (x - near / 2)
    }

    /// −log of the density of a normal distribution, up to a constant.
    private static func likelihood(of rest: Tensor, logSpread: Tensor) -> Tensor {
        (rest * (-logSpread).exponential()).squared() / 2 + logSpread
    }

    package func sample() throws -> [(title: String, image: Image)] {
        try (validation?.collection ?? collection).example(of: model, cropSize: configuration.cropSize)
    }

    package func writeModel(values: [Tensor], training: TrainingSummary, to url: URL) throws {
        model.description.training = training
        try model.write(to: url, firstStageValues: values)
    }
}

extension Tensor {
    /// Some of a batch.
    fileprivate func samples(_ indices: [Int]) -> Tensor { concatenate(indices.map { sliced(axis: 0, range: $0..<$0 + 1) }, axis: 0) }
}
