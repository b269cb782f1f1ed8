import Foundation
import Groundwork
import SuperResolution
import Testing
import Yams

@Suite struct TrainingConfigurationTests {
    @Test(arguments: ModelKind.allCases, TrainingConfiguration.Preset.allCases)
    func yamlThereAndBack(model: ModelKind, preset: TrainingConfiguration.Preset) throws {
        var configuration = TrainingConfiguration(model: model, preset: preset)
        try configuration.validate()
        #expect(try TrainingConfiguration(yaml: try configuration.yaml(), at: "config.yaml") == configuration)
        configuration.seed = .max
        configuration.epochs = 7
        configuration.maxHours = 1.5
        configuration.learningRate = 3.3e-5
        configuration.schedule = .constant
        configuration.normalization = .paper
        if model.isDiffusion { configuration.diffusion.prediction = .noise }
        if model == .ldmResidual { configuration.diffusion.network = .paper(try ModelsExample.paperUNet(width: 12)) }
        let text = try configuration.yaml()
        #expect(try TrainingConfiguration(yaml: text, at: "config.yaml") == configuration)
        // With a comment above every key.
        let commented = try configuration.commentedYAML()
        #expect(try TrainingConfiguration(yaml: commented, at: "config.yaml") == configuration)
        let lines = commented.split(separator: "\n", omittingEmptySubsequences: false)
        for (above, line) in zip(lines, lines.dropFirst()) where line.first?.isLetter == true { #expect(above.hasPrefix("# "), "\(line)") }
        #expect(text.contains("learning-rate: ") && text.contains("schedule: constant"))
        // No key but those that a file may have.
        let keys = text.split(separator: "\n").filter { !$0.hasPrefix(" ") && !$0.hasPrefix("-") }.compactMap {
            $0.split(separator: ":").first.map(String.init)
        }
        #expect(Set(keys).isSubset(of: TrainingConfiguration.keys))
    }

    // MARK: - Reading

    @Test(arguments: [
        ("schedule: cosine", "schedule: linear", "schedule"), ("preset: tiny", "preset: huge", "preset"), ("model: vqgan", "model: gan", "model"),
        ("steps: 200", "steps: many", "steps"), ("steps: 200", "steps: 2.5", "steps"), ("seed: 1", "seed: -1", "seed"),
        ("batch-size: 4", "batch-size: [4]", "batch-size"), ("kind: asinh", "kind: cube", "normalization.kind"),
        ("limit: 3", "limit: -3", "normalization.limit"),
        ("batch-size: 4", "batch: 4", "batch-size"),
    ]) func valuesThatCannotBeRead(original: String, replacement: String, key: String) throws {
        let text = try TrainingConfiguration(model: .vqgan, preset: .tiny).yaml()
        try #require(text.contains(original))
        let failure = try #require(throws: Failure.self) {
            try TrainingConfiguration(yaml: text.replacingOccurrences(of: original, with: replacement), at: "some/config.yaml")
        }
        #expect(failure.category == .configuration && failure.location == "some/config.yaml")
        #expect(failure.found?.contains(key) == true, "\(failure)")
    }

    @Test(arguments: ["", "steps: [", "- 1\n- 2", "steps", "\u{0}"]) func textThatIsNoConfiguration(_ text: String) throws {
        let failure = try #require(throws: Failure.self) { try TrainingConfiguration(yaml: text, at: "some/config.yaml") }
        #expect(failure.category == .configuration && failure.location == "some/config.yaml")
    }

    private static let adaptation = "adaptation:\n  rank: 4\n  alpha: 4\n  unfreeze: none\n"

    /// Each system has keys of its own, all of them and no others; adapters may be left out.
    @Test(arguments: [
        (ModelKind.ldmResidual, "network", "network:\n  unet:\n    width: 8\n    multipliers:\n    - 1\n    - 2\n    - 2\n    heads: 4\n", ""),
        (.ldmResidual, "prediction", "prediction: velocity\n", ""), (.ddpm, "prediction", "prediction: velocity\n", "prediction: null\n"),
        (.vqgan, "autoencoder", "autoencoder:", "codec:"), (.vqgan, "loss", "loss:", "judge:"), (.enhance, "regression", "regression:", "net:"),
        (.enhance, "regression", "enhance:\n", "progressive:\n    bicubic_kernel: antialiased\n"),
        (.ddpm, "autoencoder", "model: ddpm", "model: vqgan"), (.vqgan, "autoencoder", "model: vqgan", "model: ldm"),
        (.progressive, "network", "model: progressive", "model: ldm-residual"), (.enhance, "adaptation", "fine-tuning:", adaptation + "fine-tuning:"),
        (.vqgan, "adaptation", "fine-tuning:", adaptation + "fine-tuning:"),
        (.corrdiff, "corrdiff", "corrdiff:\n", "mean:\n"), (.corrdiff, "network", "network:", "net:"),
        (.corrdiff, "regression-training", "regression-training:", "training:"), (.ldm, "corrdiff", "model: ldm", "model: corrdiff"),
        (.corrdiff, "corrdiff", "model: corrdiff", "model: ldm"),
        (.ldm, "regression", "fine-tuning:", "regression:\n  enhance:\n    width: 2\n    aligns_corners: true\nfine-tuning:"),
    ]) func keysOfAnotherSystem(_ model: ModelKind, key: String, original: String, replacement: String) throws {
        let text = try TrainingConfiguration(model: model, preset: .tiny).yaml()
        try #require(text.contains(original), "\(text)")
        let failure = try #require(throws: Failure.self) {
            try TrainingConfiguration(yaml: text.replacing(original, with: replacement), at: "some/config.yaml")
        }
        #expect(failure.category == .configuration && failure.location == "some/config.yaml")
        #expect(failure.found?.hasPrefix("\(key): expected ") == true && failure.found?.contains(", found ") == true, "\(failure)")
        let diffusing = try TrainingConfiguration(model: .ldm, preset: .tiny).yaml().replacing("fine-tuning:", with: Self.adaptation + "fine-tuning:")
        #expect(try TrainingConfiguration(yaml: diffusing, at: "some/config.yaml").diffusion.adaptation == Adaptation(unfreeze: .none))
    }

    /// Files are written as they always were, and such files are read.
    @Test func keysInTheirOrder() throws {
        let text = """
            model: ddpm
            preset: tiny
            seed: 1
            steps: 200
            batch-size: 4
            crop-size: 64
            learning-rate: 8e-4
            warmup: 10
            schedule: cosine
            schedule-start: 0
            accumulate: 1
            clip-norm: 1e+0
            skip-norm: 1e+4
            max-skipped: 10
            max-skipped-total: 100
            weight-decay: 1e-2
            betas:
            - 9e-1
            - 9.99e-1
            ema-decay: 9e-1
            validate-every: 50
            validation:
              crops: 2
              samples: 2
              steps: 2
            select:
            - crps
            - lpips
            - power_ratio_nyquist
            save-every: 10
            keep-last: 0
            patience: 0
            overfit: 0
            latent-crops: 0
            latent-refresh: 20
            normalization:
              kind: asinh
              scale: 1e+2
              limit: 3e+3
            network:
              unet:
                width: 4
                multipliers:
                - 1
                - 2
                - 2
                heads: 4
            prediction: velocity
            fine-tuning: true
            adaptation:
              rank: 4
              alpha: 4e+0
              unfreeze: bottleneck

            """
        let configuration = try TrainingConfiguration(yaml: text, at: "config.yaml")
        #expect(try configuration.yaml() == text)
        var expected = TrainingConfiguration(model: .ddpm, preset: .tiny)
        (expected.isFinetuning, expected.diffusion.adaptation) = (true, Adaptation())
        #expect(configuration == expected)
    }

    /// They are taken as they were meant: the loss alone judges, and the first step that is not finite ends the run.
    @Test func filesOfEarlierVersionsAreRead() throws {
        let expected = TrainingConfiguration(model: .ddpm, preset: .tiny)
        var lines = try expected.yaml().split(separator: "\n", omittingEmptySubsequences: false)
        let start = try #require(lines.firstIndex { $0.hasPrefix("validation:") }),
            end = try #require(lines.firstIndex { $0.hasPrefix("save-every:") })
        lines.removeSubrange(start..<end)
        lines.removeAll { line in ["schedule-start:", "skip-norm:", "max-skipped:", "max-skipped-total:"].contains { line.hasPrefix($0) } }
        let configuration = try TrainingConfiguration(yaml: lines.joined(separator: "\n"), at: "config.yaml")
        #expect(
            configuration.select == ["loss"] && configuration.skipNorm == 0 && configuration.maxSkipped == 1 && configuration.steps == expected.steps)
    }

    /// The end of such a file as a run of `corrdiff` has it.
    @Test func keysOfCorrdiff() throws {
        let text = """
            prediction: velocity
            corrdiff:
              knows-means: true
              knows-grid: true
              width: 8
              blocks: 1
              unit:
                floor: 6e+0
                variance: 1.50000005960464e-1
                square: 1.5999999595806e-3
              folds: 2
            regression-training:
              steps: 100
              learning-rate: 2e-3
              share: 4e-1
            fine-tuning: false

            """
        #expect(try TrainingConfiguration(model: .corrdiff, preset: .tiny).yaml().hasSuffix(text))
    }

    // MARK: - Overlay

    /// A file may name the system that it overlays, single values of its network, and none of another system.
    @Test func overlaidSystem() throws {
        let configuration = TrainingConfiguration(model: .ldm, preset: .tiny)
        func overlaid(_ text: String) throws -> TrainingConfiguration {
            try configuration.overlaid(with: try #require(try Yams.load(yaml: text) as? [String: Any]), at: "some/file.yaml")
        }
        var expected = configuration
        #expect(try overlaid("{model: ldm, loss: null}") == expected)
        expected.diffusion.network = .unet(try ModelsExample.unet(width: 16))
        #expect(try overlaid("{model: ldm, network: {unet: {width: 16}}}") == expected)
        expected.system = .latentDiffusion(expected.diffusion, isResidual: true)
        #expect(try overlaid("{model: ldm-residual, network: {unet: {width: 16}}}") == expected)
        for (text, found) in [
            ("{loss: {field: 1}}", "loss: expected none for ldm, found one"), ("{model: vqgan}", "autoencoder: expected one of its own for vqgan"),
            ("{network: null}", "network: expected one of its own for ldm, found none"),
        ] {
            let failure = try #require(throws: Failure.self) { try overlaid(text) }
            #expect(failure.category == .configuration && failure.location == "some/file.yaml")
            #expect(failure.found?.hasPrefix(found) == true, "\(failure)")
        }
    }

    @Test func overlayTakesTheFilesEntriesAndKeepsTheRest() throws {
        let configuration = TrainingConfiguration(model: .ldmResidual, preset: .tiny)
        #expect(try configuration.overlaid(with: [:], at: "file") == configuration)
        let overlaid = try configuration.overlaid(
            with: [
                "learning-rate": 1e-4, "epochs": 3, "schedule": "constant", "seed": 18_446_744_073_709_551_615 as UInt64,
                "normalization": ["kind": "linear", "limit": 2000], "network": ["unet": ["width": 16, "multipliers": [1, 3], "heads": 2]],
            ], at: "file")
        var expected = configuration
        expected.learningRate = 1e-4
        (expected.steps, expected.epochs) = (nil, 3)
        expected.schedule = .constant
        expected.seed = .max
        expected.normalization = .linear(limit: 2000)
        expected.diffusion.network = .unet(try ModelsExample.unet(width: 16, multipliers: [1, 3], heads: 2))
        #expect(overlaid == expected)
    }

    @Test func everyKeyCanBeOverlaidByItsOwnValue() throws {
        let configuration = TrainingConfiguration(model: .ldmResidual, preset: .small)
        var entries: [String: Any] = ["model": "ldm-residual", "preset": "small", "max-hours": 2.5]
        for (key, value) in [
            ("seed", 1), ("steps", 8000), ("batch-size", 16), ("crop-size", 128), ("warmup", 100), ("accumulate", 1), ("clip-norm", 1),
            ("validate-every", 500),
            ("save-every", 500), ("keep-last", 0), ("patience", 0), ("overfit", 0), ("latent-crops", 128), ("latent-refresh", 200),
        ] { entries[key] = value }
        for (key, value) in [("learning-rate", 8e-4), ("weight-decay", 0.01), ("ema-decay", 0.998)] { entries[key] = value }
        entries["schedule"] = "cosine"
        entries["prediction"] = "velocity"
        var expected = configuration
        expected.maxHours = 2.5
        #expect(try configuration.overlaid(with: entries, at: "file") == expected)
        entries["betas"] = [0.9, 0.999]
        entries["fine-tuning"] = false
        #expect(
            Set(entries.keys).union([
                "schedule-start", "skip-norm", "max-skipped", "max-skipped-total", "validation", "select", "epochs", "micro-batch", "ranks",
                "normalization", "autoencoder", "loss", "network", "regression", "adaptation", "simulate", "corrdiff", "regression-training",
            ])
                == Set(TrainingConfiguration.keys))
    }

    @Test(arguments: [("steps", "many"), ("learning-rate", "fast"), ("schedule", "linear"), ("model", "gan"), ("normalization", "asinh")])
    func overlaidValuesOfTheWrongKind(key: String, value: String) throws {
        let configuration = TrainingConfiguration(model: .vqgan, preset: .tiny)
        let failure = try #require(throws: Failure.self) { try configuration.overlaid(with: [key: value], at: "some/file.yaml") }
        #expect(failure.category == .configuration && failure.location == "some/file.yaml")
        #expect(failure.found?.contains(key) == true, "\(failure)")
    }

    @Test func stepsAndEpochsExcludeEachOther() throws {
        let configuration = TrainingConfiguration(model: .ldmResidual, preset: .paper)
        #expect(configuration.epochs == 30 && configuration.steps == nil)
        let overlaid = try configuration.overlaid(with: ["steps": 5], at: "file")
        #expect(overlaid.epochs == nil && overlaid.steps == 5)
        let failure = try #require(throws: Failure.self) { try configuration.overlaid(with: ["steps": 5, "epochs": 1], at: "some/file.yaml") }
        #expect(failure.category == .configuration && failure.location == "some/file.yaml" && failure.problem.contains("steps and epochs"))
        // The saved configuration of a run is one that `--config` takes.
        #expect(try configuration.overlaid(with: ["epochs": 30, "steps": NSNull()], at: "file") == configuration)
        var neither = configuration
        neither.epochs = nil
        #expect(throws: Failure.self) { try neither.validate() }
    }

    @Test(arguments: [
        ("{network: {unet: {widht: 12}}}", "network.unet.widht", "did you mean network.unet.width?"),
        ("{network: {unnet: {width: 12}}}", "network.unnet", "did you mean network.unet?"),
        ("{normalization: {kind: linear, limit: 2000, unit: kG}}", "normalization.unit", "known keys are kind, limit"),
    ]) func unknownKeysAtEveryLevel(_ text: String, _ key: String, _ remedy: String) throws {
        let entries = try #require(try Yams.load(yaml: text) as? [String: Any])
        let failure = try #require(throws: Failure.self) {
            try TrainingConfiguration(model: .ldmResidual, preset: .tiny).overlaid(with: entries, at: "some/file.yaml")
        }
        #expect(failure.category == .configuration && failure.location == "some/file.yaml")
        #expect(failure.problem == "unknown key \(key)" && failure.remedy == remedy, "\(failure)")
    }

    @Test func unknownKeysOfASavedConfiguration() throws {
        let text = try TrainingConfiguration(model: .ldmResidual, preset: .tiny).yaml()
        let failure = try #require(throws: Failure.self) {
            try TrainingConfiguration(yaml: text.replacing("    heads: 4", with: "    heads: 4\n    hedas: 4"), at: "config.yaml")
        }
        #expect(failure.problem == "unknown key network.unet.hedas", "\(failure)")
    }

    @Test func finetuningKnowsThePresetOfItsModel() throws {
        for preset in TrainingConfiguration.Preset.allCases {
            var description = try ModelsExample.description()
            description.preset = preset
            #expect(try TrainingConfiguration(finetuning: ModelsExample.model(description), adaptation: Adaptation()).preset == preset)
        }
        // As files have it that do not tell, whatever their network.
        let progressive = ModelsExample.newModel(TrainingConfiguration(model: .progressive, preset: .paper))
        #expect(try TrainingConfiguration(finetuning: progressive, adaptation: Adaptation()).preset == .small)
    }

    // MARK: - Validation

    /// A value that cannot be trained with, and its key.
    struct Flaw: Sendable, CustomTestStringConvertible {
        let key: String
        let testDescription: String
        let make: @Sendable (inout TrainingConfiguration) -> Void

        static func all<Value: Sendable>(
            _ key: String, _ path: WritableKeyPath<TrainingConfiguration, Value> & Sendable, _ values: Value...
        ) -> [Flaw] {
            values.map { value in Flaw(key: key, testDescription: "\(key) \(value)", make: { $0[keyPath: path] = value }) }
        }
    }

    static let flaws: [Flaw] = [
        Flaw.all("steps", \.steps, 0, -1, .max), Flaw.all("epochs", \.epochs, 0, -3, .max), Flaw.all("max-hours", \.maxHours, 0, -1, .nan, .infinity),
        Flaw.all("batch-size", \.batchSize, 0, -1, 4097), Flaw.all("crop-size", \.cropSize, 0, -16, 4, 60, 8192, 24),
        Flaw.all("learning-rate", \.learningRate, 0, -1, .nan, .infinity), Flaw.all("warmup", \.warmup, -1),
        Flaw.all("accumulate", \.accumulate, 0, -1, .max), Flaw.all("micro-batch", \.microBatch, 0, -1, 4097), Flaw.all("ranks", \.ranks, 0),
        Flaw.all("clip-norm", \.clipNorm, -1, .nan), Flaw.all("skip-norm", \.skipNorm, -1, .nan), Flaw.all("max-skipped", \.maxSkipped, 0),
        Flaw.all("max-skipped-total", \.maxSkippedTotal, 0), Flaw.all("schedule-start", \.scheduleStart, -1),
        Flaw.all("select", \.select, [], ["psnr", "loss"], ["std_fine"], ["beauty"]),
        Flaw.all("validation", \.validation.crops, -1), Flaw.all("validation", \.validation.samples, 0),
        Flaw.all("weight-decay", \.weightDecay, -0.1, 1, .nan),
        Flaw.all("ema-decay", \.emaDecay, 1, -0.1, .nan), Flaw.all("validate-every", \.validateEvery, -1), Flaw.all("save-every", \.saveEvery, 0, -1),
        Flaw.all("keep-last", \.keepLast, -1), Flaw.all("patience", \.patience, -1), Flaw.all("overfit", \.overfit, -1, .max),
        Flaw.all("latent-crops", \.latentCrops, -1, 65537), Flaw.all("betas", \.betas, [], [0.9], [0.9, 1], [-0.1, 0.9], [.nan, 0.9]),
        Flaw.all("latent-refresh", \.latentRefresh, 0, -1, .max),
        Flaw.all("adaptation", \.diffusion.adaptation, Adaptation(rank: -1), Adaptation(rank: 0, unfreeze: .none), Adaptation(alpha: 0)),
    ].flatMap(\.self)

    static let autoencoderFlaws: [Flaw] = [
        Flaw.all("autoencoder", \.autoencoder.compact.patch, 0, 3, -1),
        Flaw.all("autoencoder", \.autoencoder.compact.width, 0, -8, .max),
        Flaw.all("autoencoder", \.autoencoder.compact.multipliers, [], [0], [1, 17], [1, 1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1]),
        Flaw.all("autoencoder", \.autoencoder.compact.latentChannels, 0, -4, 17, .max),
        Flaw.all("autoencoder", \.autoencoder.compact.codebookSize, -1, .max),
    ].flatMap(\.self)

    static let corrdiffFlaws: [Flaw] = [
        Flaw.all("corrdiff", \.corrdiff.width, 0, .max), Flaw.all("corrdiff", \.corrdiff.folds, 1, -1, 17),
        Flaw.all("regression-training", \.regressionTraining.steps, -1, .max),
        Flaw.all("regression-training", \.regressionTraining.learningRate, 0, .infinity),
        Flaw.all("regression-training", \.regressionTraining.share, 0, 1),
        Flaw.all("network", \.diffusion.network, .paper(PaperUNet.Configuration(width: 8, hasAttention: true))),
        Flaw.all("crop-size", \.cropSize, 24),
    ].flatMap(\.self)

    @Test(
        arguments: flaws.map { (ModelKind.ldmResidual, $0) } + autoencoderFlaws.map { (.vqgan, $0) } + corrdiffFlaws.map { (.corrdiff, $0) })
    func unsoundValues(_ model: ModelKind, _ flaw: Flaw) throws {
        var configuration = TrainingConfiguration(model: model, preset: .tiny)
        flaw.make(&configuration)
        let failure = try #require(throws: Failure.self) { try configuration.validate() }
        #expect(failure.category == .configuration)
        #expect(failure.problem == "\(flaw.key) is not valid")
        #expect(failure.expected?.isEmpty == false && failure.found?.isEmpty == false)
    }

    @Test(arguments: [(0, [1, 2], 4), (-8, [1, 2], 4), (8, [], 4), (8, [1, 0], 4), (8, [1, 2], 0), (8, [1, 2], 3)])
    func unsoundNetworks(width: Int, multipliers: [Int], heads: Int) throws {
        var configuration = TrainingConfiguration(model: .ldmResidual, preset: .tiny)
        configuration.diffusion.network = .unet(try ModelsExample.unet(width: width, multipliers: multipliers, heads: heads))
        let failure = try #require(throws: Failure.self) { try configuration.validate() }
        #expect(failure.category == .configuration && failure.problem == "network is not valid")
    }

    @Test func cropsMustSuitTheNetwork() throws {
        // Latents of a quarter of the size, halved twice more by the network.
        var configuration = TrainingConfiguration(model: .ldmResidual, preset: .tiny)
        configuration.cropSize = 48
        try configuration.validate()
        configuration.cropSize = 40
        #expect(throws: Failure.self) { try configuration.validate() }
        configuration = TrainingConfiguration(model: .vqgan, preset: .tiny)
        configuration.cropSize = 40
        try configuration.validate()
        configuration.cropSize = 42
        #expect(throws: Failure.self) { try configuration.validate() }
    }
}
