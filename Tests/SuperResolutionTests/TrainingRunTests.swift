import Foundation
import Groundwork
import SolarImage
import SuperResolution
import TensorCore
import Testing

/// Training of the preset `tiny` on made-up magnetograms.
@Suite struct TrainingRunTests {
    private func train(_ configuration: TrainingConfiguration, data: URL, autoencoder: URL? = nil, _ run: RunFolder, stop: Int? = nil) throws
        -> TrainingOutcome
    {
        var step = 0
        return try Trainer(configuration, data: data, autoencoder: autoencoder, logger: .init(label: "test"))
            .run(run, report: { step = $0.step }, shouldStop: { step == stop })
    }

    /// The lines of the log, without what depends on the clock.
    private func lines(_ run: RunFolder) throws -> [[String: Double]] {
        try TrainingExample.log(run).map { $0.filter { !["seconds", "crops_per_second", "data_wait_seconds"].contains($0.key) } }
    }

    // MARK: - Learning

    @Test func autoencoderLearnsABatchByHeart() throws {
        try withTemporaryFolder { folder in
            try TrainingExample.writeMaps(3, to: folder)
            var configuration = TrainingConfiguration(model: .vqgan, preset: .tiny)
            (configuration.overfit, configuration.batchSize, configuration.cropSize) = (2, 2, 32)
            let collection = try TrainingExample.collection(folder)
            let task = try AutoencoderTraining(
                configuration, model: ModelsExample.newModel(configuration), training: collection, validation: nil)
            let optimizer = AdamW(task.store.parameters, learningRate: 0, weightDecay: 0)
            let steps = 600
            for step in 0..<steps {
                optimizer.learningRate = 5e-3 * min(1, Float(step + 1) / 20) * Float(0.5 * (1 + cos(.pi * Double(step) / Double(steps))))
                let (_, gradients) = try valueWithGradient(at: task.store.parameters) { try task.loss(batch: step).loss }
                let norm = gradients.norm(of: task.store.parameters)
                optimizer.update(gradients, scale: GradientStore.clippingFactor(norm: norm, limit: 1))
            }
            // The crops it was trained on, drawn as it draws them.
            var random = Random(seed: configuration.seed, name: "fixed crops")
            let crops = (0..<2).map { _ in collection.randomCrop(size: 32, &random) }
            let values = configuration.normalization.normalize(try collection.fields(crops))
            let model = task.currentModel()
            let error = (model.decode(model.encode(values)) - values).squared().mean().item
            let variance = (values - values.mean()).squared().mean().item
            #expect(error < 0.05 * variance, "\(error / variance) of the variance \(variance)")
        }
    }

    /// One batch, with its noise and timesteps: batch 0 again and again.
    @Test(arguments: [
        (ModelKind.ldmResidual, PredictionTarget.velocity), (.ldmResidual, .noise), (.ldm, .velocity), (.ddpmResidual, .velocity), (.ddpm, .velocity),
    ]) func diffusionLearnsABatchByHeart(_ model: ModelKind, _ prediction: PredictionTarget) throws {
        try withTemporaryFolder { folder in
            try TrainingExample.writeMaps(3, to: folder)
            var configuration = try TrainingExample.configuration(model)
            configuration.diffusion.prediction = prediction
            let collection = try TrainingExample.collection(folder)
            let task = try DiffusionTraining(
                configuration,
                model: try DiffusionTraining.model(
                    configuration, autoencoder: model.hasAutoencoder ? try ModelsExample.model(kind: .vqgan) : nil, training: collection),
                training: collection, validation: nil)
            let parameters = task.store.parameters
            let optimizer = AdamW(parameters, learningRate: 0, weightDecay: 0)
            var losses: [Float] = []
            let steps = 400
            for step in 0..<steps {
                optimizer.learningRate = 5e-3 * min(1, Float(step + 1) / 20) * Float(0.5 * (1 + cos(.pi * Double(step) / Double(steps))))
                let (loss, gradients) = try valueWithGradient(at: parameters) { try task.loss(batch: 0).loss }
                losses.append(loss.item)
                optimizer.update(gradients)
            }
            // At first the network gives zero.
            let target = losses[0]
            let last = try task.loss(batch: 0).loss.item
            #expect(target > 0.3 && target < 3, "targets have a variance near 1, not \(target)")
            #expect(last < 0.02 * target, "\(last / target) of the loss of predicting zero")
        }
    }

    @Test(arguments: [ModelKind.enhance, .progressive]) func regressionBeatsBicubicOnABatch(_ model: ModelKind) throws {
        try withTemporaryFolder { folder in
            try TrainingExample.writeMaps(3, to: folder)
            var configuration = try TrainingExample.configuration(model)
            (configuration.overfit, configuration.cropSize) = (2, 64)
            let collection = try TrainingExample.collection(folder)
            let task = try RegressionTraining(configuration, model: ModelsExample.newModel(configuration), training: collection, validation: nil)
            let optimizer = AdamW(task.store.parameters, learningRate: 0, weightDecay: 0)
            let steps = 1500
            for step in 0..<steps {
                optimizer.learningRate = 5e-3 * min(1, Float(step + 1) / 20) * Float(0.5 * (1 + cos(.pi * Double(step) / Double(steps))))
                let (_, gradients) = try valueWithGradient(at: task.store.parameters) { try task.loss(batch: step).loss }
                optimizer.update(gradients, scale: GradientStore.clippingFactor(norm: gradients.norm(of: task.store.parameters), limit: 1))
            }
            var random = Random(seed: configuration.seed, name: "fixed crops")
            let crops = (0..<2).map { _ in collection.randomCrop(size: configuration.cropSize, &random) }
            let low = configuration.normalization.normalize(try collection.lowResolution(crops, scale: 4))
            let high = configuration.normalization.normalize(try collection.fields(crops))
            guard case .regression(let network) = task.currentModel().networks else {
                Issue.record("\(model) gives its result at once")
                return
            }
            let bicubic = resizeBicubic(low, height: configuration.cropSize, width: configuration.cropSize, kernel: .plain)
            let (error, reference) = (meanSquaredError(network(low), high).item, meanSquaredError(bicubic, high).item)
            #expect(error < reference, "\(error) is not below bicubic's \(reference)")
        }
    }

    // MARK: - Going on

    @Test func autoencoderGoesOnBitForBit() throws {
        try withTemporaryFolder { folder in
            try TrainingExample.writeMaps(5, to: folder)
            var configuration = try TrainingExample.configuration(.vqgan)
            (configuration.steps, configuration.validateEvery, configuration.saveEvery) = (40, 20, 10)
            let (whole, parts) = (try TrainingExample.run("whole", in: folder), try TrainingExample.run("parts", in: folder))
            #expect(try train(configuration, data: folder, whole) == .finished)
            for stop in [10, 20, 33] { #expect(try train(configuration, data: folder, parts, stop: stop) == .interrupted) }
            #expect(try train(configuration, data: folder, parts) == .finished)
            try TrainingExample.expectSameFiles(parts.model, whole.model)
            let (line, expected) = (try lines(parts), try lines(whole))
            #expect(line.map { $0["step"] } == [20, 20, 40, 40])
            // Means over twenty steps, as far as they were not interrupted, and validations.
            #expect(line.map { $0["validation_loss"] } == expected.map { $0["validation_loss"] })
            #expect(line.map { $0["learning_rate"] } == expected.map { $0["learning_rate"] })
            let model = try Model(reading: parts.model)
            #expect(model.kind == .vqgan && model.training.images < 5 && model.training.validationLoss != nil)
        }
    }

    @Test func diffusionGoesOnBitForBit() throws {
        try withTemporaryFolder { folder in
            let data = folder.appendingPathComponent("data")
            // As `sr prepare` leaves it.
            for (part, count) in [("train", 3), ("validation", 1)] {
                try createFolder(data.appendingPathComponent(part))
                try TrainingExample.writeMaps(count, to: data.appendingPathComponent(part))
            }
            let autoencoder = folder.appendingPathComponent("autoencoder.safetensors")
            try ModelsExample.model(kind: .vqgan).write(to: autoencoder)
            var configuration = try TrainingExample.configuration(.ldmResidual)
            (configuration.steps, configuration.validateEvery, configuration.saveEvery) = (40, 20, 10)
            let (whole, parts) = (try TrainingExample.run("whole", in: folder), try TrainingExample.run("parts", in: folder))
            #expect(try train(configuration, data: data, autoencoder: autoencoder, whole) == .finished)
            #expect(try train(configuration, data: data, autoencoder: autoencoder, parts, stop: 20) == .interrupted)
            #expect(try train(configuration, data: data, autoencoder: autoencoder, parts) == .finished)
            try TrainingExample.expectSameFiles(parts.model, whole.model)
            let (line, expected) = (try lines(parts), try lines(whole))
            #expect(line == expected, "\(zip(line, expected).map { $0.merging($1) { $0 - $1 } })")
            // The autoencoder is in the model as it was given.
            let (model, given) = (try Model(reading: parts.model), try Model(reading: autoencoder))
            #expect(model.kind == .ldmResidual && model.description.system.autoencoder == given.description.system.autoencoder)
            for (own, other) in zip(model.firstStageStore.parameters, given.firstStageStore.parameters) {
                expectSame(own.value, other.value, "autoencoder")
            }
            let low = TrainingExample.field(width: 16, height: 12, seed: 9)
            let result = try SuperResolver(model).superResolve(low, options: SuperResolver.Options(steps: 2))
            #expect(result.width == 64 && result.height == 48 && result.pixels.allSatisfy { $0.isFinite })
        }
    }

    /// The scale of what is diffused comes from the data at the start, from as much of them whatever the crops; other data change nothing of it.
    @Test func statisticsStayWhenTheDataChange() throws {
        try withTemporaryFolder { folder in
            try TrainingExample.writeMaps(2, to: folder)
            func statistics(_ configuration: TrainingConfiguration, from start: URL? = nil) throws -> (LatentStatistics?, Trainer) {
                let trainer = try Trainer(configuration, data: folder, start: start, logger: .init(label: "test"))
                return (trainer.statistics, trainer)
            }
            var configuration = try TrainingExample.configuration(.ddpmResidual)
            configuration.validateEvery = 0
            let (first, trainer) = try statistics(configuration)
            configuration.cropSize = 64
            #expect(try statistics(configuration).0 == first)
            let run = try TrainingExample.run("run", in: folder)
            try trainer.keepStart(in: run)
            try FileManager.default.removeItem(at: folder.appendingPathComponent("map0.fits"))
            try TrainingExample.write(
                TrainingExample.field(width: 96, height: 80, seed: 9).transformed { _, _, value in 3 * value }, harp: 200,
                to: folder.appendingPathComponent("map0.fits"))
            #expect(try statistics(configuration).0 != first)
            #expect(try statistics(configuration, from: run.start).0 == first)
            #expect(try Model(reading: run.start).description.preset == .tiny)
        }
    }

    /// A loss that a restart cuts out of its twenty steps would be the mean of fewer.
    @Test func meansInTheLogOutlastAnInterruption() throws {
        try withTemporaryFolder { folder in
            try TrainingExample.writeMaps(2, to: folder)
            var configuration = try TrainingExample.configuration(.vqgan)
            (configuration.steps, configuration.validateEvery, configuration.saveEvery) = (20, 0, 10)
            let (whole, parts) = (try TrainingExample.run("whole", in: folder), try TrainingExample.run("parts", in: folder))
            _ = try train(configuration, data: folder, whole)
            _ = try train(configuration, data: folder, parts, stop: 10)
            _ = try train(configuration, data: folder, parts)
            try TrainingExample.expectSameFiles(parts.model, whole.model)
            #expect(try lines(parts) == lines(whole))
        }
    }

    @Test func checkpointOfAnotherNetwork() throws {
        try withTemporaryFolder { folder in
            try TrainingExample.writeMaps(2, to: folder)
            var configuration = try TrainingExample.configuration(.vqgan)
            (configuration.steps, configuration.validateEvery) = (2, 0)
            let run = try TrainingExample.run("run", in: folder)
            #expect(try train(configuration, data: folder, run) == .finished)
            configuration.steps = 4
            configuration.autoencoder.compact.width = 16
            var failure = try #require(throws: Failure.self) { try train(configuration, data: folder, run) }
            #expect(failure.category == .badData && failure.location?.contains(run.last.path) == true)
            #expect(failure.remedy?.contains("configuration") == true)
            let autoencoder = folder.appendingPathComponent("autoencoder.safetensors")
            try ModelsExample.model(kind: .vqgan).write(to: autoencoder)
            var diffusion = try TrainingExample.configuration(.ldmResidual)
            diffusion.validateEvery = 0
            failure = try #require(throws: Failure.self) { try train(diffusion, data: folder, autoencoder: autoencoder, run) }
            #expect(failure.category == .badData && failure.location?.contains(run.last.path) == true)
        }
    }

    // MARK: - Divergence

    @Test func absurdLearningRate() throws {
        try withTemporaryFolder { folder in
            try TrainingExample.writeMaps(2, to: folder)
            var configuration = try TrainingExample.configuration(.vqgan)
            (configuration.learningRate, configuration.saveEvery, configuration.validateEvery) = (1e6, 1, 0)
            let run = try TrainingExample.run("run", in: folder)
            var last = 0
            let failure = try #require(throws: Failure.self) {
                try Trainer(configuration, data: folder, autoencoder: nil, logger: .init(label: "test"))
                    .run(run, report: { last = $0.step }, shouldStop: { false })
            }
            #expect(failure.category == .diverged && failure.problem.contains("step \(last + 1)"), "\(failure)")
            #expect(last > 0 && failure.remedy?.contains("learning rate") == true)
            let checkpoint = try SafetensorsFile(reading: run.last)
            for name in checkpoint.names { #expect(try checkpoint.tensor(named: name).values.allSatisfy { $0.isFinite }, "\(name)") }
            #expect(!FileManager.default.fileExists(atPath: run.model.path))
        }
    }

    // MARK: - What a trainer refuses

    @Test func autoencoderTrainingTakesNoAutoencoder() throws {
        try withTemporaryFolder { folder in
            try TrainingExample.writeMaps(2, to: folder)
            let failure = try #require(throws: Failure.self) {
                try Trainer(
                    try TrainingExample.configuration(.vqgan), data: folder, autoencoder: folder.appendingPathComponent("any"),
                    logger: .init(label: "test"))
            }
            #expect(failure.category == .usage)
        }
    }

    @Test func dryRunWritesNothing() throws {
        try withTemporaryFolder { folder in
            try TrainingExample.writeMaps(2, to: folder)
            let before = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
            let text = try Trainer(try TrainingExample.configuration(.vqgan), data: folder, autoencoder: nil, logger: .init(label: "test")).dryRun()
            #expect(text.contains("encoder.conv_in.weight") && text.contains("parameters") && text.contains("200 steps"))
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == before)
        }
    }
}
