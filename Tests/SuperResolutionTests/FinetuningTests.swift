import Foundation
import Groundwork
import SolarImage
import SuperResolution
import TensorCore
import Testing

/// Fine-tuning of tiny models on pairs whose LR is no plain mean of HR.
@Suite struct FinetuningTests {
    /// A prepared folder: HR with LR blurred by a further mean, 1.4 times as strong, as the header says.
    private func writePairs(to folder: URL) throws {
        for (part, indices) in [("train", 1...3), ("validation", 4...4)] {
            let place = folder.appendingPathComponent(part)
            try createFolder(place)
            for index in indices {
                let high = TrainingExample.field(width: 96, height: 80, seed: UInt64(index))
                let blurred = high.blockMean(by: 8).replicated(by: 2)
                var low = Image(width: 24, height: 20, repeating: 0)
                for y in 0..<20 { for x in 0..<24 { low[x, y] = 1.4 * (0.5 * high.blockMean(by: 4)[x, y] + 0.5 * blurred[x, y]) } }
                var header = FITSHeader()
                header.set("BUNIT", .string("Gauss"))
                header.set("HARPNUM", .integer(100 + index))
                var lowHeader = FITSHeader()
                lowHeader.set("MDIFACT", .real(1.4))
                try FITSWriter.write(
                    high, header: header, extensions: [("LR", low, lowHeader)], to: place.appendingPathComponent("pair\(index).fits"))
            }
        }
    }

    private func configuration(_ model: Model, _ adaptation: Adaptation = Adaptation()) throws -> TrainingConfiguration {
        var configuration = try TrainingConfiguration(finetuning: model, adaptation: adaptation)
        (configuration.steps, configuration.validateEvery, configuration.saveEvery) = (30, 15, 10)
        (configuration.batchSize, configuration.cropSize, configuration.latentCrops, configuration.latentRefresh) = (2, 32, 4, 5)
        (configuration.learningRate, configuration.warmup) = (2e-3, 5)
        // By which a model of weights that mean nothing does improve.
        configuration.select = ["loss"]
        return configuration
    }

    private func finetune(_ configuration: TrainingConfiguration, _ folder: URL, from start: URL, _ run: RunFolder, stop: Int? = nil) throws {
        var step = 0
        let trainer = try Trainer(configuration, data: folder, start: start, logger: .init(label: "test"))
        _ = try trainer.run(run, report: { step = $0.step }, shouldStop: { step == stop })
    }

    private func validations(_ run: RunFolder) throws -> [Double] {
        try String(contentsOf: run.metrics, encoding: .utf8).split(separator: "\n").compactMap {
            try JSONDecoder().decode([String: Double].self, from: Data($0.utf8))["validation_loss"]
        }
    }

    @Test(arguments: [Adaptation.Unfrozen.bottleneck, .none])
    func onlyAdaptersAndUnfrozenWeightsMove(_ unfreeze: Adaptation.Unfrozen) throws {
        try withTemporaryFolder { folder in
            let (data, start) = (folder.appendingPathComponent("pairs"), folder.appendingPathComponent("base.safetensors"))
            try writePairs(to: data)
            let base = try ModelsExample.model()
            try base.write(to: start)
            let run = try TrainingExample.run("run", in: folder)
            try finetune(try configuration(base, Adaptation(rank: 2, alpha: 4, unfreeze: unfreeze)), data, from: start, run)

            let merged = try Model(reading: run.model)
            var moved: Set<String> = []
            for (name, pair) in zip(base.networkStore.names, zip(base.networkStore.parameters, merged.networkStore.parameters))
            where pair.0.value.values != pair.1.value.values {
                moved.insert(name)
            }
            let allowed = base.networkStore.names.filter {
                $0.hasSuffix("to_qkv.weight") || $0.hasSuffix("to_out.weight") || (unfreeze == .bottleneck && $0.hasPrefix("mid_block."))
            }
            #expect(!moved.isEmpty && moved == Set(allowed), "\(moved.symmetricDifference(allowed))")
            for (own, other) in zip(base.firstStageStore.parameters, merged.firstStageStore.parameters) {
                expectSame(own.value, other.value, "autoencoder")
            }

            // The base model with the adapter is the merged one.
            let adapted = try Model(reading: start)
            try adapted.apply(adapter: run.adapter)
            for (name, pair) in zip(adapted.networkStore.names, zip(adapted.networkStore.parameters, merged.networkStore.parameters)) {
                expectClose(pair.0.value, pair.1.value, name, tolerance: 1e-6)
            }
            let low = TrainingExample.field(width: 16, height: 16, seed: 9)
            let options = SuperResolver.Options(steps: 2)
            let (one, other) = (
                try SuperResolver(adapted).superResolve(low, options: options), try SuperResolver(merged).superResolve(low, options: options)
            )
            #expect(zip(one.pixels, other.pixels).allSatisfy { abs($0 - $1) <= 1e-5 * max(1, abs($1)) })

            let losses = try validations(run)
            #expect(losses.count == 3 && losses[2] < losses[0], "validation went from \(losses)")
        }
    }

    /// Weights that low-rank matrices adapt are not trained themselves.
    @Test func nothingIsAdaptedTwice() throws {
        for unfreeze in Adaptation.Unfrozen.allCases {
            let model = try ModelsExample.model(), whole = try ModelsExample.model()
            let names = try model.adapt(Adaptation(rank: 2, unfreeze: unfreeze), seed: 1).names
            #expect(names.contains { $0.hasSuffix("to_qkv.lora_A.weight") })
            #expect(!names.contains { $0.hasSuffix("to_qkv.weight") || $0.hasSuffix("to_out.weight") }, "\(unfreeze): \(names)")
            #expect(names.contains { $0.hasPrefix("mid_block.") && !$0.contains("lora") } == (unfreeze != .none))
            // Without such matrices, what is unfrozen is so whole.
            guard unfreeze != .none else { continue }
            #expect(try whole.adapt(Adaptation(rank: 0, unfreeze: unfreeze), seed: 1).names.contains { $0.hasSuffix("to_qkv.weight") })
        }
    }

    /// An adapter fits the model that was fine-tuned, also with 16-bit weights, and no other of its shape.
    @Test func adaptersBelongToTheirBase() throws {
        try withTemporaryFolder { folder in
            try createFolder(folder)
            let file = folder.appendingPathComponent("adapter.safetensors"), half = folder.appendingPathComponent("half.safetensors")
            let base = try ModelsExample.model(seed: 8)
            let digest = try base.weightsDigest()
            let store = try base.adapt(Adaptation(rank: 2), seed: 1)
            #expect(try base.weightsDigest() == digest, "adapters that change nothing yet")
            try Adapter(Adaptation(rank: 2), store: store, training: base.training, base: digest).write(to: file)
            try ModelsExample.model(seed: 8).apply(adapter: file)
            try ModelsExample.model(seed: 8).writeHalfPrecision(to: half)
            try Model(reading: half).apply(adapter: file)
            let failure = try #require(throws: Failure.self) { try ModelsExample.model(seed: 9).apply(adapter: file) }
            #expect(failure.category == .badData && failure.problem == "the adapter belongs to another model" && failure.location == file.path)
        }
    }

    @Test func goesOnBitForBit() throws {
        try withTemporaryFolder { folder in
            let (data, start) = (folder.appendingPathComponent("pairs"), folder.appendingPathComponent("base.safetensors"))
            try writePairs(to: data)
            let base = try ModelsExample.model()
            try base.write(to: start)
            let (whole, parts) = (try TrainingExample.run("whole", in: folder), try TrainingExample.run("parts", in: folder))
            let configuration = try configuration(base)
            try finetune(configuration, data, from: start, whole)
            for stop in [10, 20] { try finetune(configuration, data, from: start, parts, stop: stop) }
            try finetune(configuration, data, from: start, parts)
            try TrainingExample.expectSameFiles(parts.model, whole.model)
            try TrainingExample.expectSameFiles(parts.adapter, whole.adapter)
        }
    }

    @Test func allWeightsOfARegressionNetwork() throws {
        try withTemporaryFolder { folder in
            let (data, start) = (folder.appendingPathComponent("pairs"), folder.appendingPathComponent("base.safetensors"))
            try writePairs(to: data)
            let base = ModelsExample.newModel(TrainingConfiguration(model: .enhance, preset: .tiny))
            try base.write(to: start)
            let run = try TrainingExample.run("run", in: folder)
            try finetune(try configuration(base), data, from: start, run)
            let tuned = try Model(reading: run.model)
            for (name, pair) in zip(base.networkStore.names, zip(base.networkStore.parameters, tuned.networkStore.parameters)) {
                #expect(pair.0.value.values != pair.1.value.values, "\(name) did not move")
            }
            #expect(!FileManager.default.fileExists(atPath: run.adapter.path))
            let losses = try validations(run)
            #expect(losses[2] < losses[0], "validation went from \(losses)")
        }
    }

    /// LR comes from the extension, divided by its factor, turned and cut as HR is.
    @Test func lowResolutionOfPairs() throws {
        try withTemporaryFolder { folder in
            try createFolder(folder)
            let high = TrainingExample.field(width: 48, height: 40, seed: 3)
            var header = FITSHeader()
            header.set("MDIFACT", .real(2))
            var low = high.blockMean(by: 4)
            low.pixels = low.pixels.map { $0 * 2 }
            try FITSWriter.write(high, header: FITSHeader(), extensions: [("LR", low, header)], to: folder.appendingPathComponent("pair.fits"))
            let collection = try TrainingExample.collection(folder)
            var random = Random(seed: 4, name: "crops")
            for _ in 0..<40 {
                let crop = collection.randomCrop(size: 16, &random)
                let means = blockMean(try collection.fields([crop]), scale: 4)
                expectClose(try collection.lowResolution([crop], scale: 4), means, "\(crop)", tolerance: 1e-5)
            }
        }
    }

    @Test func whatCannotBeFinetuned() throws {
        try withTemporaryFolder { folder in
            let (data, start) = (folder.appendingPathComponent("maps"), folder.appendingPathComponent("base.safetensors"))
            try createFolder(data)
            try TrainingExample.writeMaps(2, to: data)
            let base = try ModelsExample.model()
            try base.write(to: start)
            let failure = try #require(throws: Failure.self) {
                try Trainer(try configuration(base), data: data, start: start, logger: .init(label: "test"))
            }
            #expect(failure.category == .badData && failure.problem.contains("pairs") && failure.remedy?.contains("--simulate") == true)
            #expect(throws: Failure.self) { try TrainingConfiguration(finetuning: ModelsExample.model(kind: .vqgan), adaptation: Adaptation()) }
            let noAdapter = try #require(throws: Failure.self) { try base.apply(adapter: start) }
            #expect(noAdapter.problem.contains("no adapter"))
        }
    }
}
