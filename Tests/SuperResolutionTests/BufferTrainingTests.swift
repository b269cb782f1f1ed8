import Foundation
import SolarImage
import SuperResolution
import TensorCore
import Testing

/// Training of a network that keeps running statistics.
@Suite struct BufferTrainingTests {
    /// Fits batch-normalised noise to noise; what it gives at inference depends on the running statistics.
    private final class NormalizedTask: TrainingTask {
        let store = ParameterStore(seed: 1)
        let imageCount = 6
        private let norm: BatchNorm
        /// The batch that is not finite.
        var bad: Int?

        init() { norm = BatchNorm(2, in: store.root / "norm") }

        func loss(batch: Int, members: Range<Int>?) -> (loss: Tensor, parts: [String: Double]) {
            var random = Random(seed: 1, name: "batch \(batch)")
            let members = members ?? 0..<2
            let factor: Float = batch == bad ? .nan : 1
            let (x, y) = (random.normal([2, 4, 4, 2], rows: members) * factor, random.normal([2, 4, 4, 2], rows: members))
            return (meanSquaredError(norm(x * 3 + 1, isTraining: true), y), [:])
        }

        func validationLoss() -> Double? { nil }

        func sample() -> [(title: String, image: Image)] { [("nothing", Image(width: 8, height: 8, repeating: 0))] }

        func writeModel(values: [Tensor], training: TrainingSummary, to url: URL) throws {
            try writeSafetensors(store.stateDictionary(values: values), to: url)
        }
    }

    @Test func resumingGoesOnWithTheBuffers() throws {
        try withTemporaryFolder { folder in
            var configuration = TrainingConfiguration(model: .vqgan, preset: .tiny)
            (configuration.steps, configuration.batchSize, configuration.validateEvery) = (12, 2, 0)
            let (run, whole) = (try TrainingExample.run("run", in: folder), try TrainingExample.run("whole", in: folder))
            var step = 0
            func train(_ run: RunFolder, stop: Int?) throws {
                _ = try TrainingLoop(configuration, task: NormalizedTask(), folder: run).run(report: { step = $0.step }, shouldStop: { step == stop })
            }
            try train(run, stop: 5)
            let checkpoint = try SafetensorsFile(reading: run.last)
            #expect(try checkpoint.tensor(named: "buffer.norm.num_batches_tracked").item == 5)
            #expect(!checkpoint.contains("average.norm.running_mean") && !checkpoint.contains("first_moment.norm.running_mean"))
            try train(run, stop: nil)
            try train(whole, stop: nil)
            try TrainingExample.expectSameFiles(run.model, whole.model)
            let model = try SafetensorsFile(reading: whole.model)
            #expect(try model.tensor(named: "norm.num_batches_tracked").item == 12)
            // Means of 1 and variances of 9 are approached from 0 and 1, by a tenth of the way at each of twelve steps.
            let reached = 1 - Float(pow(0.9, 12))
            for value in try model.tensor(named: "norm.running_mean").values { #expect(abs(value - reached) < 0.5) }
            for value in try model.tensor(named: "norm.running_var").values { #expect(abs(value - (1 + 8 * reached)) < 2) }
        }
    }

    /// Running statistics follow a batch before its loss is known.
    @Test(arguments: [nil, 1]) func aSkippedBatchLeavesTheBuffers(microBatch: Int?) throws {
        try withTemporaryFolder { folder in
            var configuration = TrainingConfiguration(model: .vqgan, preset: .tiny)
            (configuration.steps, configuration.batchSize, configuration.validateEvery) = (12, 2, 0)
            configuration.microBatch = microBatch
            let (run, task) = (try TrainingExample.run("run", in: folder), NormalizedTask())
            task.bad = 5
            _ = try TrainingLoop(configuration, task: task, folder: run).run(report: { _ in }, shouldStop: { false })
            let model = try SafetensorsFile(reading: run.model)
            #expect(try model.tensor(named: "norm.num_batches_tracked").item == 11)
            for name in ["norm.running_mean", "norm.running_var", "norm.weight"] {
                #expect(try model.tensor(named: name).values.allSatisfy(\.isFinite), "\(name)")
            }
        }
    }
}
