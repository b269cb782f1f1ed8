import Foundation
import Groundwork
import SolarImage
import SuperResolution
import TensorCore
import Testing

@Suite struct ModelsFileTests {
    private func expectEqual(_ model: Model, _ other: Model) {
        #expect(model.description == other.description)
        for (store, expected) in [(model.firstStageStore, other.firstStageStore), (model.networkStore, other.networkStore)] {
            #expect(store.names == expected.names)
            for (name, pair) in zip(store.names, zip(store.parameters, expected.parameters)) { expectSame(pair.0.value, pair.1.value, name) }
        }
    }

    private func writeDescription(_ json: String, of model: Model, to url: URL) throws {
        let tensors =
            model.firstStageStore.stateDictionary().map { (name: "autoencoder." + $0.name, tensor: $0.tensor) }
            + model.networkStore.stateDictionary().map { (name: "unet." + $0.name, tensor: $0.tensor) }
        try writeSafetensors(tensors, metadata: ["sr.model": json], to: url)
    }

    private func json(_ description: ModelDescription) throws -> String { String(decoding: try JSONEncoder().encode(description), as: UTF8.self) }

    /// The failure of reading a file, which must name the file.
    private func failure(reading url: URL, sourceLocation: SourceLocation = #_sourceLocation) throws -> Failure {
        let failure = try #require(throws: Failure.self, sourceLocation: sourceLocation) { try Model(reading: url) }
        #expect(failure.category == .badData, sourceLocation: sourceLocation)
        #expect(failure.location?.contains(url.path) == true, "\(failure)", sourceLocation: sourceLocation)
        #expect(failure.remedy?.isEmpty == false, "no remedy: \(failure)", sourceLocation: sourceLocation)
        return failure
    }

    // MARK: - There and back

    @Test(arguments: [
        #"{"unet": {"width": 8, "multipliers": [1, 2, 2], "heads": 4}}"#, #"{"paper_unet": {"width": 4, "has_attention": true}}"#,
        #"{"paper_unet": {"width": 8, "has_attention": false}}"#,
    ]) func diffusionModel(network: String) throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("model.safetensors")
            var description = try ModelsExample.description()
            description.diffusion.network = try ModelsExample.decoded(network)
            let model = ModelsExample.model(description)
            try model.write(to: url)
            let read = try Model(reading: url)
            expectEqual(read, model)
            #expect(read.kind == .ldmResidual && read.scale == 4 && read.parameterCount == model.parameterCount)
            #expect(read.training == model.training)
            let again = folder.appendingPathComponent("again.safetensors")
            try read.write(to: again)
            #expect(try Data(contentsOf: again) == Data(contentsOf: url))
        }
    }

    @Test(arguments: [FieldNormalization.paper, .weakField]) func autoencoder(_ normalization: FieldNormalization) throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("model.safetensors")
            var description = try ModelsExample.description(kind: .vqgan)
            description.autoencoder.compact.codebookSize = 16
            description.normalization = normalization
            description.training.validationLoss = nil
            let model = ModelsExample.model(description)
            try model.write(to: url)
            let read = try Model(reading: url)
            expectEqual(read, model)
            #expect(read.diffusion == nil && read.networkStore.parameters.isEmpty)
        }
    }

    @Test func averagesInThePlaceOfWeights() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("model.safetensors")
            let model = try ModelsExample.model()
            try model.write(to: url, networkValues: model.networkStore.parameters.map { $0.value * 2 })
            let read = try Model(reading: url)
            for (own, other) in zip(read.networkStore.parameters, model.networkStore.parameters) { expectSame(own.value, other.value * 2, "network") }
            for (own, other) in zip(read.firstStageStore.parameters, model.firstStageStore.parameters) {
                expectSame(own.value, other.value, "autoencoder")
            }
        }
    }

    @Test func halfPrecision() throws {
        try withTemporaryFolder { folder in
            let (whole, half) = (folder.appendingPathComponent("whole.safetensors"), folder.appendingPathComponent("half.safetensors"))
            let model = try ModelsExample.model()
            try model.write(to: whole)
            try model.write(to: half, type: .float16)
            #expect(try Double(Data(contentsOf: half).count) < 0.75 * Double(Data(contentsOf: whole).count))
            let read = try Model(reading: half)
            #expect(read.description == model.description)
            for (own, other) in zip(
                read.firstStageStore.parameters + read.networkStore.parameters, model.firstStageStore.parameters + model.networkStore.parameters)
            {
                // Half a unit in the eleventh bit; below 2⁻¹⁴, of the smallest number there is.
                let isNear = zip(own.value.values, other.value.values).allSatisfy { abs($0 - $1) <= max(abs($1) * 0x1p-11, 0x1p-25) }
                #expect(isNear)
            }
        }
    }

    // MARK: - What is no model

    @Test func noSuchFile() throws {
        let failure = try #require(throws: Failure.self) { try Model(reading: URL(fileURLWithPath: "/nowhere/model.safetensors")) }
        #expect(failure.category == .missingInput && failure.location == "/nowhere/model.safetensors")
    }

    @Test func tensorsOfAnotherProgram() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("foreign.safetensors")
            try writeSafetensors([("conv.weight", Tensor(zeros: [3, 3]))], to: url)
            #expect(try failure(reading: url).found == "no metadata")
            try writeSafetensors([("conv.weight", Tensor(zeros: [3, 3]))], metadata: ["format": "pt"], to: url)
            #expect(try failure(reading: url).found?.contains("format") == true)
        }
    }

    @Test func laterFormat() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("later.safetensors")
            var description = try ModelsExample.description()
            description.format = ModelDescription.currentFormat + 1
            try writeDescription(try json(description), of: ModelsExample.model(), to: url)
            let failure = try failure(reading: url)
            #expect(failure.problem.contains("later format") && failure.found == "format 2")
            // Whatever else has changed in it.
            try writeDescription(#"{"format": 3, "architecture": "of tomorrow"}"#, of: ModelsExample.model(), to: url)
            #expect(try self.failure(reading: url).problem.contains("later format"))
        }
    }

    @Test(arguments: [
        ("{", ""), ("{}", "format"), (#"{"format": 1}"#, "kind"), (#"{"format": "one"}"#, "format"), (#"[]"#, ""),
    ]) func descriptionThatCannotBeRead(json: String, key: String) throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("model.safetensors")
            try writeDescription(json, of: ModelsExample.model(), to: url)
            #expect(try failure(reading: url).found?.contains(key) == true || key.isEmpty)
        }
    }

    @Test(arguments: [
        (#""kind": "ldm-residual""#, #""kind": "alchemy""#, "kind"), (#""width": 8"#, #""width": "8""#, "width"),
        (#""width": 8"#, #""width": null"#, "width"),
        // The decoder names no key for a number that is no integer of its size.
        (#""width": 8"#, #""width": 8.5"#, ""), (#""width": 8"#, #""width": 1e300"#, ""),
        (#""limit": 3000"#, #""limit": 0"#, "limit"), (#""limit": 3000"#, #""limit": -3000"#, "limit"), (#""scale": 100"#, #""scale": 0"#, "scale"),
        (#""kind": "asinh""#, #""kind": "cube""#, "kind"), (#""prediction": "velocity""#, #""prediction": "future""#, "prediction"),
    ]) func valuesThatCannotBeRead(original: String, replacement: String, key: String) throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("model.safetensors")
            let text = ModelsExample.json
            try #require(text.contains(original))
            try writeDescription(text.replacingOccurrences(of: original, with: replacement), of: ModelsExample.model(), to: url)
            let failure = try failure(reading: url)
            #expect(failure.found?.contains(key) == true || key.isEmpty)
        }
    }

    /// Each system has parts of its own, all of them and no others.
    @Test(arguments: [
        (#""kind": "ldm-residual""#, #""kind": "vqgan""#, "diffusion: expected none for vqgan, found one"),
        (#""kind": "ldm-residual""#, #""kind": "ddpm""#, "autoencoder: expected none for ddpm, found one"),
        (#""kind": "ldm-residual""#, #""kind": "enhance""#, "autoencoder: expected none for enhance, found one"),
        (#""kind": "ldm-residual""#, #""kind": "corrdiff""#, "autoencoder: expected none for corrdiff, found one"),
        (#""scale": 4"#, #""scale": 4, "calibration": {}"#, "calibration: expected none for ldm-residual, found one"),
        (#""autoencoder": {"#, #""codec": {"#, "autoencoder: expected one of its own for ldm-residual, found none"),
        (#""diffusion": {"#, #""diffuser": {"#, "diffusion: expected one of its own for ldm-residual, found none"),
        (#""scale": 4"#, #""scale": 4, "regression": {"enhance": {}}"#, "regression: expected none for ldm-residual, found one"),
    ]) func partsOfAnotherSystem(original: String, replacement: String, found: String) throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("model.safetensors")
            try #require(ModelsExample.json.contains(original))
            try writeDescription(ModelsExample.json.replacingOccurrences(of: original, with: replacement), of: ModelsExample.model(), to: url)
            #expect(try failure(reading: url).found == found)
        }
    }

    @Test func networkOfTheOtherRegression() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("model.safetensors")
            let model = ModelsExample.newModel(TrainingConfiguration(model: .enhance, preset: .tiny))
            let text = try json(model.description).replacing(#""kind":"enhance""#, with: #""kind":"progressive""#)
            try writeDescription(text, of: model, to: url)
            #expect(try failure(reading: url).found == "regression: expected one of its own for progressive, found enhance")
        }
    }

    /// A null is no part, as if its key were not there.
    @Test func nullIsNoPart() throws {
        let text = ModelsExample.json.replacing(#""scale": 4"#, with: #""scale": 4, "regression": null"#)
        #expect(try ModelsExample.decoded(text, as: ModelDescription.self) == ModelsExample.description())
    }

    /// Descriptions of every system as files have them, key for key.
    @Test(arguments: ModelKind.allCases) func descriptionThereAndBack(_ kind: ModelKind) throws {
        func system(_ latents: Int) throws -> String {
            let channels = Array(repeating: 0.5, count: latents)
            let statistics = ["condition_deviation", "condition_mean", "target_deviation", "target_mean"].map { #""\#($0)":\#(channels)"# }
            return #""diffusion":{"network":{"unet":{"heads":4,"multipliers":[1,2],"width":8}},"prediction":"velocity","schedule":"#
                + #"{"first_beta":0.0001,"last_beta":0.02,"steps":1000},"statistics":{\#(statistics.joined(separator: ","))}},"#
        }
        let autoencoder =
            #""autoencoder":{"codebook_size":0,"decodes_quantized":false,"latent_channels":2,"multipliers":[1,2],"patch":2,"width":8},"#
        let (before, after) =
            switch kind {
            case .vqgan: (autoencoder, "")
            case .ldmResidual, .ldm: (autoencoder + (try system(2)), "")
            case .ddpmResidual, .ddpm: (try system(1), "")
            case .enhance: ("", #""regression":{"enhance":{"aligns_corners":true,"width":2}},"#)
            case .progressive: ("", #""regression":{"progressive":{"aligns_corners":true,"bicubic_kernel":"antialiased","width":2}},"#)
            case .corrdiff:
                (
                    #""calibration":{"factors":[1,1.5],"strengths":[10,100]},"corrdiff":{"blocks":1,"folds":0,"knows-grid":true,"knows-means":true,"#
                        + #""unit":{"floor":6,"square":0.5,"variance":0.25},"width":8},"# + (try system(15)), ""
                )
            }
        let text =
            "{" + before + #""format":1,"kind":"\#(kind.rawValue)","normalization":{"kind":"linear","limit":3000},"program":"0.1","# + after
            + #""scale":4,"training":{"batch_size":4,"images":3,"seed":7,"steps":12}}"#
        let description = try ModelsExample.decoded(text.replacing(" ", with: ""), as: ModelDescription.self)
        #expect(description.kind == kind)
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        #expect(try String(decoding: encoder.encode(description), as: UTF8.self) == text.replacing(" ", with: ""))
    }

    /// A model of before tells nothing of its data, and what is written of it is what was read, byte for byte.
    @Test func bundledModel() throws {
        let url = try #require(BundledModels.files().first { $0.name == "ldm-residual-small" }).url
        let text = try #require(SafetensorsFile(reading: url).metadata["sr.model"])
        let description = try Model(reading: url).description
        #expect(description.kind == .ldmResidual && description.data == nil)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        #expect(try String(decoding: encoder.encode(description), as: UTF8.self) == text)
    }

    /// A card is of the very file that was evaluated, and goes with the model.
    @Test func cardsTellWhatWasMeasured() throws {
        try withTemporaryFolder { folder in
            try createFolder(folder)
            let (file, half, report) = (
                folder.appending(path: "model.safetensors"), folder.appending(path: "half.safetensors"), folder.appending(path: "report.json")
            )
            try ModelsExample.model().write(to: file)
            let digest = try sha256(of: file)
            func write(_ digest: String) throws {
                let text = """
                    {"models": [{"name": "bicubic", "file_sha256": null, "metrics": {}},
                    {"name": "a", "file_sha256": "\(digest)", "metrics": {"psnr": {"mean": 44.25, "std": 1, "n": 2}, "own": {"mean": 1, "std": 0, "n": 1}}}],
                    "data": {"path": "some/where/test", "maps": 2, "samples": 10, "masked_fraction": 0}, "options": \(options), "statements": [], "warnings": []}
                    """
                try Data(text.utf8).write(to: report)
            }
            let options = String(decoding: try JSONEncoder().encode(EvaluationOptions()), as: UTF8.self)
            try write(digest)
            let card = try ModelCard(report: report, digest: digest, limits: "Nothing below 2″.")
            #expect(card == ModelCard(data: "where/test", maps: 2, samples: 10, figures: ["psnr": 44.25], limits: "Nothing below 2″."))
            try Model(reading: file).writeHalfPrecision(to: half, card: card)
            #expect(try Model(reading: half).card == card && Model(reading: file).card == nil)
            #expect("\(card)" == "where/test, 2 maps, 10 samples\nPSNR (dB): 44.2\nNothing below 2″.")
            try write(digest.replacing("a", with: "b"))
            let failure = try #require(throws: Failure.self) { try ModelCard(report: report, digest: digest) }
            #expect(failure.category == .badData && failure.expected?.contains(digest) == true)
        }
    }

    // MARK: - What cannot be built

    /// A change of a sound description that makes it unsound.
    struct Flaw: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let make: @Sendable (inout ModelDescription) throws -> Void

        init(_ name: String, _ make: @escaping @Sendable (inout ModelDescription) throws -> Void) { (testDescription, self.make) = (name, make) }

        init(_ name: String, diffusion make: @escaping @Sendable (inout DiffusionDescription) throws -> Void) {
            self.init(name) { try make(&$0.diffusion) }
        }

        static func unet(_ width: Int, _ multipliers: [Int], heads: Int) -> Flaw {
            Flaw(
                "U-Net of width \(width), \(multipliers), \(heads) heads",
                diffusion: {
                    $0.network = .unet(try ModelsExample.unet(width: width, multipliers: multipliers, heads: heads))
                })
        }

        static func paper(_ width: Int) -> Flaw {
            Flaw("the paper's U-Net of width \(width)", diffusion: { $0.network = .paper(try ModelsExample.paperUNet(width: width)) })
        }
    }

    static let flaws =
        [Int.min, -4, 0, 1, 2, 8, Int.max].map { scale in Flaw("scale \(scale)") { $0.scale = scale } }
        + [Int.min, -1, 0, 3, 12, 17, Int.max].map { patch in Flaw("patch \(patch)") { $0.autoencoder.compact.patch = patch } }
        + [Int.min, -8, 0, 1025, Int.max].map { width in Flaw("width \(width)") { $0.autoencoder.compact.width = width } }
        + [[], [0], [1, -1], [17], [1, 1, 1, 1, 1, 1, 1], [Int.max]].map { list in
            Flaw("multipliers \(list)") { $0.autoencoder.compact.multipliers = list }
        }
        + [-1, 0, 65, Int.max].map { channels in Flaw("\(channels) latent channels") { $0.autoencoder.compact.latentChannels = channels } }
        + [Int.min, -1, 1 << 20 + 1, Int.max].map { codes in Flaw("\(codes) codes") { $0.autoencoder.compact.codebookSize = codes } }
        + [.unet(0, [1, 2], heads: 4), .unet(-8, [1, 2], heads: 4), .unet(1025, [1, 2], heads: 5), .unet(8, [], heads: 4)]
        + [.unet(8, [0], heads: 4), .unet(8, [1, 17], heads: 4), .unet(8, [1, 1, 1, 1, 1, 1, 1], heads: 4)]
        + [.unet(8, [1, 2], heads: 0), .unet(8, [1, 2], heads: -2), .unet(8, [1, 2], heads: 3), .unet(1024, [1], heads: 128)]
        + [.paper(0), .paper(-4), .paper(6), .paper(1028)]
        + [Int.min, -1, 0, 100_001, Int.max].map { steps in Flaw("\(steps) noise steps", diffusion: { $0.schedule.steps = steps }) }
        + [(0, 0.02), (-1e-4, 0.02), (0.03, 0.02), (1e-4, 1), (1e-4, 2)].map { first, last in
            Flaw("β from \(first) to \(last)", diffusion: { ($0.schedule.firstBeta, $0.schedule.lastBeta) = (first, last) })
        }
        + [
            Flaw("target means of three channels", diffusion: { $0.statistics.targetMean.removeLast() }),
            Flaw("target deviations of five channels", diffusion: { $0.statistics.targetDeviation.append(1) }),
            Flaw("condition means of no channel", diffusion: { $0.statistics.conditionMean = [] }),
            Flaw("condition deviations of three channels", diffusion: { $0.statistics.conditionDeviation.removeLast() }),
        ]
        + [0...0.5, -1...0.5].map { (range: ClosedRange<Double>) in
            Flaw("pixels of \(range) arcsec") { $0.data = TrainingData(sha256: "", arcsecPerPixel: range) }
        }

    @Test(arguments: flaws) func unsoundDescription(_ flaw: Flaw) throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("model.safetensors")
            var description = try ModelsExample.description()
            try flaw.make(&description)
            try writeDescription(try json(description), of: ModelsExample.model(), to: url)
            let failure = try failure(reading: url)
            #expect(failure.problem.contains("not sound"))
            #expect(failure.expected?.isEmpty == false && failure.found?.isEmpty == false)
        }
    }

    /// A small file must not make the program allocate what only a large one could fill.
    @Test func extentsBeyondWhatTheFileHolds() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("model.safetensors")
            let model = try ModelsExample.model()
            for flaw in [
                Flaw("autoencoder") { ($0.autoencoder.compact.width, $0.autoencoder.compact.multipliers) = (1024, [1]) },
                Flaw("codebook") { $0.autoencoder.compact.codebookSize = 1 << 20 },
                Flaw.unet(1024, [1], heads: 4), Flaw.paper(128),
            ] {
                var description = try ModelsExample.description()
                try flaw.make(&description)
                try writeDescription(try json(description), of: model, to: url)
                #expect(try failure(reading: url).problem.contains("not sound"), "\(flaw.testDescription)")
            }
        }
    }

    @Test func weightsOfAnotherArchitecture() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("model.safetensors")
            var description = try ModelsExample.description()
            description.autoencoder.compact.width = 16
            try writeDescription(try json(description), of: ModelsExample.model(), to: url)
            #expect(try failure(reading: url).found?.contains("encoder.conv_in.weight has shape [8, 4, 3, 3], not [16, 4, 3, 3]") == true)
            description = try ModelsExample.description()
            description.diffusion.network = .unet(try ModelsExample.unet(multipliers: [1, 2]))
            try writeDescription(try json(description), of: ModelsExample.model(), to: url)
            #expect(try failure(reading: url).found?.contains("down_blocks.2.resnets.0.conv1.weight is unexpected") == true)
        }
    }

    @Test func truncatedAndCorruptFiles() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("model.safetensors")
            try ModelsExample.model().write(to: url)
            let whole = try Data(contentsOf: url)
            for count in [0, 4, 8, 100, 5000, whole.count / 2, whole.count - 1] {
                try whole.prefix(count).write(to: url)
                _ = try failure(reading: url)
            }
            try Data("SIMPLE  =                    T".utf8).write(to: url)
            _ = try failure(reading: url)
        }
    }

    // MARK: - What a model is for

    @Test func autoencoderCannotSuperResolve() throws {
        let failure = try #require(throws: Failure.self) {
            try SuperResolver(ModelsExample.model(kind: .vqgan), at: "some/model.safetensors")
        }
        #expect(failure.category == .badData && failure.location == "some/model.safetensors")
        #expect(failure.found?.contains("vqgan") == true && failure.remedy?.contains("ldm-residual") == true)
    }
}
