import Foundation
import Groundwork
import SolarImage
import SuperResolution
import TensorCore
import Testing

/// Mean, spread and rest of block coefficients.
@Suite struct CorrDiffTests {
    private static let training = TrainingSummary(steps: 1, batchSize: 1, seed: 1, images: 1)

    private func configuration(knowsMeans: Bool = true, knowsGrid: Bool = false, folds: Int = 0) -> CorrDiff.Configuration {
        CorrDiff.Configuration(knowsMeans: knowsMeans, knowsGrid: knowsGrid, width: 8, blocks: 1, folds: folds)
    }

    /// A model with random weights that all count.
    private func model(knowsMeans: Bool = true, hasRest: Bool = true) throws -> Model {
        let corrdiff = configuration(knowsMeans: knowsMeans)
        let rest = DiffusionDescription(
            network: .unet(try ModelsExample.unet()), schedule: .paper, prediction: .velocity,
            statistics: LatentStatistics(channels: corrdiff.coefficients, conditionChannels: corrdiff.conditionChannels))
        return ModelsExample.model(
            ModelDescription(
                .corrdiff(corrdiff, rest: hasRest ? rest : nil, calibration: nil), normalization: .weakField, training: Self.training))
    }

    private func low(width: Int = 24, height: Int = 20) -> Image { TrainingExample.field(width: width, height: height, seed: 21) }

    // MARK: - Coefficients

    @Test(arguments: [true, false]) func fieldsAreTheirCoefficients(knowsMeans: Bool) throws {
        let corrdiff = CorrDiff(configuration(knowsMeans: knowsMeans), in: ParameterStore(seed: 1).root)
        let high = TrainingExample.field(width: 32, height: 24, seed: 4).tensor
        let means = blockMean(high, scale: 4)
        // Where block means are not known, low resolution may be anything.
        let low = knowsMeans ? means : means * 0.8 + 5
        let coefficients = corrdiff.coefficients(of: high, beyond: low)
        #expect(coefficients.shape == [1, 6, 8, knowsMeans ? 15 : 16])
        #expect(relativeError(corrdiff.field(coefficients, beyond: low), high) < 1e-6)
    }

    /// numpy: v and m over 3 × 3 pixels of `np.pad(y, 1, mode="edge")`, √(36 + 0.15 v + 0.0016 m).
    @Test func unitFollowsTheSurroundings() {
        let low = Tensor(shape: [1, 3, 4, 1], values: [0, 10, -20, 400, 5, 0, 60, -300, 0, 0, 100, 1000])
        let (unit, strength) = LocalUnit.activeRegions(low)
        let expected: [(Float, Float)] = [
            (6.20842, 5.27046), (10.4955, 22.6691), (80.4966, 214.631), (109.526, 302.655), (6.14703, 4.08248), (15.1472, 39.6162),
            (135.778, 374.774), (179.563, 528.52), (6.05451, 2.35702), (17.4328, 51.2348), (168.892, 484.608), (214.562, 683.423),
        ]
        for (index, (unitValue, strengthValue)) in expected.enumerated() {
            #expect(abs(unit.values[index] / unitValue - 1) < 1e-5 && abs(strength.values[index] - strengthValue) < 1e-3 * max(1, strengthValue))
        }
        let quiet = LocalUnit.activeRegions(Tensor(zeros: [1, 2, 2, 1])).unit
        #expect(quiet.values.allSatisfy { abs($0 - 6) < 1e-5 })
    }

    @Test func tilesAgreeWithTheWhole() throws {
        let model = try model(hasRest: false)
        let corrdiff = try #require(model.corrdiff)
        let field = low(width: 300, height: 20).tensor
        let whole = corrdiff.estimate(field, areMaps: [false])
        let tiles = try #require(corrdiff.estimateInTiles(field, isMap: false, isCancelled: { false }))
        #expect(relativeError(tiles.condition, whole.condition) < 1e-5)
        #expect(tiles.unit.values == whole.unit.values && tiles.strength.values == whole.strength.values)
        #expect(corrdiff.estimateInTiles(field, isMap: false, isCancelled: { true }) == nil)
    }

    /// Networks that are told the grid see it in a channel of its own; those of before are not told.
    @Test func theGridIsAChannel() throws {
        let field = low(width: 8, height: 6).tensor, both = concatenate([field, field], axis: 0)
        let corrdiff = CorrDiff(configuration(knowsGrid: true), in: ParameterStore(seed: 1).root)
        let features = corrdiff.estimate(both, areMaps: [true, false]).features
        #expect(features.shape == [2, 6, 8, 4])
        #expect(features.sliced(axis: -1, range: 3..<4).values == [Float](repeating: 1, count: 48) + [Float](repeating: -1, count: 48))
        let tiled = try #require(corrdiff.estimateInTiles(field, isMap: true, isCancelled: { false }))
        #expect(tiled.features.values == corrdiff.estimate(field, areMaps: [true]).features.values)
        var json = try #require(try JSONSerialization.jsonObject(with: JSONEncoder().encode(configuration(knowsGrid: true))) as? [String: Any])
        #expect(json["knows-grid"] as? Bool == true)
        json["knows-grid"] = nil
        let before = try JSONDecoder().decode(CorrDiff.Configuration.self, from: JSONSerialization.data(withJSONObject: json))
        #expect(before == configuration())
    }

    // MARK: - Samples

    @Test func blockMeansHoldByConstruction() throws {
        let resolver = try SuperResolver(try model())
        var options = SuperResolver.Options(steps: 3)
        options.observation = nil
        let low = low()
        let (first, second) = (
            try resolver.superResolve(low, options: options), try resolver.superResolve(low, options: options, sample: 1)
        )
        let mean = try #require(try resolver.mean(of: low, options: options))
        let null = try resolver.withNoise().superResolve(low, options: options)
        for image in [first, second, mean, null] {
            #expect(image.width == 96 && image.height == 80)
            #expect(image.blockMean(by: 4).greatestDifference(from: low) < 2e-3)
        }
        #expect(first.greatestDifference(from: second) > 1 && first.greatestDifference(from: mean) > 1)
        #expect(null.greatestDifference(from: first) > 1 && null.greatestDifference(from: mean) > 1)
    }

    @Test(arguments: [true, false]) func samplesDoNotDependOnThoseBesideThem(knowsMeans: Bool) throws {
        for hasRest in [true, false] {
            let resolver = try SuperResolver(try model(knowsMeans: knowsMeans, hasRest: hasRest))
            let options = SuperResolver.Options(steps: 2)
            let low = low()
            var together: [Image] = []
            try resolver.superResolve(low, options: options, samples: 0..<3) { together.append($1) }
            try #require(together.count == 3)
            for (index, image) in together.enumerated() {
                #expect(image.pixels == (try resolver.superResolve(low, options: options, sample: index)).pixels)
            }
        }
    }

    @Test func missingPixelsStayMissing() throws {
        var low = low(width: 21, height: 18)
        low[3, 4] = .nan
        for resolver in [try SuperResolver(try model(knowsMeans: false)), try SuperResolver(try model(hasRest: false))] {
            let result = try resolver.superResolve(low, options: SuperResolver.Options(steps: 2))
            #expect(result.width == 84 && result.height == 72)
            #expect(result.pixels.count(where: \.isNaN) == 16 && result[12, 16].isNaN)
        }
    }

    @Test func otherSystemsHaveNoMean() throws {
        let resolver = try SuperResolver(try ModelsExample.model())
        #expect(try resolver.mean(of: low(), options: .init()) == nil && !resolver.hasMean)
    }

    // MARK: - Calibration

    @Test func calibrationChangesDeviationsAlone() throws {
        let model = try model()
        var options = SuperResolver.Options(steps: 2)
        options.observation = nil
        let low = low()
        let (sample, mean) = (
            try SuperResolver(model).superResolve(low, options: options), try #require(try SuperResolver(model).mean(of: low, options: options))
        )
        model.description.calibration = SpreadCalibration(strengths: [10, 100], factors: [1.5, 1.5])
        let (wide, same) = (
            try SuperResolver(model).superResolve(low, options: options), try #require(try SuperResolver(model).mean(of: low, options: options))
        )
        #expect(same.pixels == mean.pixels)
        for index in stride(from: 0, to: wide.pixels.count, by: 97) {
            let expected = mean.pixels[index] + 1.5 * (sample.pixels[index] - mean.pixels[index])
            #expect(abs(wide.pixels[index] - expected) < 1e-3 * max(1, abs(expected)))
        }
    }

    @Test func factorsBetweenStrengths() {
        let calibration = SpreadCalibration(strengths: [10, 1000], factors: [1, 2])
        let values = calibration(Tensor(shape: [1, 1, 5, 1], values: [0, 10, 100, 1000, 5000])).values
        for (value, expected) in zip(values, [1, 1, 1.5, 2, 2] as [Float]) { #expect(abs(value - expected) < 1e-6) }
    }

    // MARK: - Folds

    @Test func noRegionIsInTwoFolds() throws {
        func entry(_ name: String, harp: Int?, width: Int) -> MagnetogramCollection.Entry {
            MagnetogramCollection.Entry(
                url: URL(fileURLWithPath: "/\(name)"), width: width, height: 10, regions: harp.map { [.harp($0)] } ?? [], digest: name)
        }
        let collection = MagnetogramCollection(
            entries: [
                entry("a", harp: 1, width: 40), entry("b", harp: 2, width: 30), entry("c", harp: 1, width: 40), entry("d", harp: nil, width: 30),
                entry("e", harp: nil, width: 30),
            ], store: MagnetogramStore(logger: .init(label: "test")))
        let folds = try #require(collection.folds(2))
        #expect(folds[0] == folds[2] && Set(folds) == [0, 1])
        // 80 columns of the first region against 90 of the others.
        #expect(folds[1] != folds[0] && folds[3] != folds[0] && folds[4] != folds[0])
        #expect(collection.folds(0) == nil)
    }

    // MARK: - Training

    private func tiny() throws -> TrainingConfiguration {
        var configuration = try TrainingExample.configuration(.corrdiff)
        (configuration.steps, configuration.validateEvery, configuration.saveEvery) = (20, 10, 10)
        configuration.regressionTraining.steps = 20
        configuration.batchSize = 3
        return configuration
    }

    private func train(_ configuration: TrainingConfiguration, _ data: URL, _ run: RunFolder, stop: (String, Int)? = nil) throws -> TrainingOutcome {
        var (part, step) = ("", 0)
        let start = FileManager.default.fileExists(atPath: run.start.path) ? run.start : nil
        let trainer = try Trainer(configuration, data: data, start: start, logger: .init(label: "test"))
        return try trainer.run(
            run, report: { (part, step) = ($0.part ?? "", $0.step) }, shouldStop: { stop.map { part == $0 && step == $1 } ?? false })
    }

    private func writeData(to folder: URL) throws -> URL {
        let data = folder.appending(path: "data")
        for (part, count) in [("train", 4), ("validation", 1)] {
            try createFolder(data.appending(path: part))
            try TrainingExample.writeMaps(count, to: data.appending(path: part))
        }
        return data
    }

    @Test func trainsInTwoStagesAndGoesOn() throws {
        try withTemporaryFolder { folder in
            let data = try writeData(to: folder)
            let configuration = try tiny()
            let (whole, parts) = (try TrainingExample.run("whole", in: folder), try TrainingExample.run("parts", in: folder))
            #expect(try train(configuration, data, whole) == .finished)
            #expect(try train(configuration, data, parts, stop: ("mean and spread", 10)) == .interrupted)
            #expect(try train(configuration, data, parts, stop: ("rest", 10)) == .interrupted)
            #expect(try train(configuration, data, parts) == .finished)
            for file in [\RunFolder.model, \RunFolder.regression.model] {
                try TrainingExample.expectSameFiles(parts[keyPath: file], whole[keyPath: file])
            }
            // Each stage is a model: one without a network for the rest, with those of the folds, and one that is ready.
            let (first, model) = (try Model(reading: whole.regression.model), try Model(reading: whole.model))
            #expect(first.diffusion == nil && first.corrdiff?.configuration.folds == 2 && first.description.calibration == nil)
            #expect(model.diffusion != nil && model.corrdiff?.configuration.folds == 0 && model.description.calibration != nil)
            for (name, parameter) in zip(model.firstStageStore.names, model.firstStageStore.parameters) {
                expectSame(parameter.value, try #require(first.firstStageStore[name]).value, name)
            }
            let low = low()
            for model in [first, model] {
                let result = try SuperResolver(model).superResolve(low, options: SuperResolver.Options(steps: 2))
                #expect(result.pixels.allSatisfy { $0.isFinite } && result.blockMean(by: 4).greatestDifference(from: low) < 2e-3)
            }
        }
    }

    /// From a model with both, mean and spread go on before the rest, unless they get no steps.
    @Test(arguments: [0, 10]) func goesOnFromAModelWithBoth(regressionSteps: Int) throws {
        try withTemporaryFolder { folder in
            let data = try writeData(to: folder)
            var configuration = try tiny()
            (configuration.steps, configuration.saveEvery) = (10, 5)
            configuration.regressionTraining.steps = 10
            let first = try TrainingExample.run("first", in: folder)
            #expect(try train(configuration, data, first) == .finished)
            configuration.regressionTraining.steps = regressionSteps
            let (whole, parts) = (try TrainingExample.run("whole", in: folder), try TrainingExample.run("parts", in: folder))
            for run in [whole, parts] { try FileManager.default.copyItem(at: first.model, to: run.start) }
            #expect(try train(configuration, data, whole) == .finished)
            if regressionSteps > 0 { #expect(try train(configuration, data, parts, stop: ("mean and spread", 5)) == .interrupted) }
            #expect(try train(configuration, data, parts, stop: ("rest", 5)) == .interrupted)
            #expect(try train(configuration, data, parts) == .finished)
            try TrainingExample.expectSameFiles(parts.model, whole.model)
            #expect(FileManager.default.fileExists(atPath: whole.regression.model.path) == (regressionSteps > 0))
            let (before, after) = (try Model(reading: first.model), try Model(reading: whole.model))
            func moved(_ store: KeyPath<Model, ParameterStore>) -> Bool {
                zip(before[keyPath: store].parameters, after[keyPath: store].parameters).contains { $0.value.values != $1.value.values }
            }
            #expect(moved(\.firstStageStore) == (regressionSteps > 0) && moved(\.networkStore))
        }
    }

    /// The mean is learned: it is nearer to the truth than low resolution repeated.
    @Test func meanIsLearned() throws {
        try withTemporaryFolder { folder in
            try TrainingExample.writeMaps(3, to: folder)
            var configuration = try tiny()
            configuration.validateEvery = 0
            configuration.regressionTraining.steps = 600
            configuration.corrdiff.folds = 0
            configuration.steps = 1
            let run = try TrainingExample.run("run", in: folder)
            #expect(try train(configuration, folder, run) == .finished)
            let model = try Model(reading: run.model)
            let truth = TrainingExample.field(width: 96, height: 80, seed: 1)
            let low = truth.blockMean(by: 4)
            let mean = try #require(try SuperResolver(model).mean(of: low, options: .init()))
            func error(_ image: Image) -> Float { (image.tensor - truth.tensor).squared().mean().item }
            #expect(error(mean) < 0.5 * error(low.replicated(by: 4)), "\(error(mean)), \(error(low.replicated(by: 4)))")
        }
    }

    /// Fine-tuning changes mean and spread as a whole and the rest by adapters; the adapter's file holds both.
    @Test func finetunes() throws {
        try withTemporaryFolder { folder in
            let data = folder.appending(path: "pairs"), start = folder.appending(path: "base.safetensors")
            for (part, indices) in [("train", 1...3), ("validation", 4...4)] {
                try createFolder(data.appending(path: part))
                for index in indices {
                    let high = TrainingExample.field(width: 96, height: 80, seed: UInt64(index))
                    var header = FITSHeader(), lowHeader = FITSHeader()
                    header.set("BUNIT", .string("Gauss"))
                    header.set("HARPNUM", .integer(100 + index))
                    lowHeader.set("MDIFACT", .real(1.4))
                    let low = high.blockMean(by: 4).transformed { x, y, value in 1.4 * value + Float((3 * x + 5 * y) % 7) }
                    try FITSWriter.write(
                        high, header: header, extensions: [("LR", low, lowHeader)], to: data.appending(path: "\(part)/pair\(index).fits"))
                }
            }
            let base = try model(knowsMeans: false)
            try base.write(to: start)
            var configuration = try TrainingConfiguration(finetuning: base, adaptation: Adaptation(rank: 2))
            (configuration.steps, configuration.validateEvery, configuration.saveEvery) = (10, 5, 5)
            (configuration.batchSize, configuration.cropSize, configuration.latentCrops) = (2, 32, 0)
            configuration.regressionTraining.steps = 10
            try configuration.validate()
            let run = try TrainingExample.run("run", in: folder)
            let trainer = try Trainer(configuration, data: data, start: start, logger: .init(label: "test"))
            try trainer.keepStart(in: run)
            #expect(try trainer.run(run, report: { _ in }, shouldStop: { false }) == .finished)
            let (tuned, adapted) = (try Model(reading: run.model), try Model(reading: start))
            try adapted.apply(adapter: run.adapter)
            #expect(adapted.description.system == tuned.description.system && adapted.description.system.calibration != nil)
            #expect(adapted.description.input == tuned.description.input && adapted.description.input != nil)
            var moved: Set<String> = []
            for ((prefix, store), (_, other)) in zip(tuned.stores, adapted.stores) {
                for (name, pair) in zip(store.names, zip(store.parameters, other.parameters)) {
                    expectClose(pair.0.value, pair.1.value, name, tolerance: 1e-6)
                }
                let own = try #require(base.stores.first { $0.prefix == prefix }).store
                for (name, pair) in zip(own.names, zip(own.parameters, store.parameters)) where pair.0.value.values != pair.1.value.values {
                    moved.insert(prefix + name)
                }
            }
            #expect(moved.contains { $0.hasPrefix("corrdiff.regression.") } && moved.contains { $0.hasPrefix("unet.mid_block.") })
            #expect(!moved.contains { $0.hasPrefix("unet.down_blocks.") })
        }
    }

    // MARK: - Files

    @Test func filesThatCannotBe() throws {
        try withTemporaryFolder { folder in
            try createFolder(folder)
            let url = folder.appending(path: "model.safetensors")
            func failure(_ change: (inout ModelDescription) -> Void) throws -> Failure {
                let model = try model()
                change(&model.description)
                try model.write(to: url)
                return try #require(throws: Failure.self) { try Model(reading: url) }
            }
            for change: (inout ModelDescription) -> Void in [
                { $0.corrdiff.width = 0 }, { $0.corrdiff.width = 1024 }, { $0.corrdiff.blocks = -1 }, { $0.corrdiff.folds = 1 },
                { $0.corrdiff.unit.floor = 0 }, { $0.corrdiff.knowsMeans = false },
                { $0.calibration = SpreadCalibration(strengths: [10, 5], factors: [1, 1]) },
                { $0.calibration = SpreadCalibration(strengths: [5], factors: [0]) },
                { $0.diffusion.statistics.conditionMean = [1] },
            ] {
                let failure = try failure(change)
                #expect(failure.category == .badData && failure.location?.contains(url.path) == true, "\(failure)")
            }
        }
    }

    @Test func simulationKnowsNoMeans() throws {
        var configuration = try TrainingExample.configuration(.corrdiff)
        configuration.simulate = Instrument.mdi.degradation
        let failure = try #require(throws: Failure.self) { try configuration.validate() }
        #expect(failure.category == .configuration && failure.expected?.contains("knows-means") == true)
        configuration.corrdiff.knowsMeans = false
        try configuration.validate()
    }
}
