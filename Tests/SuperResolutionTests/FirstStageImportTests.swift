import Foundation
import Groundwork
import SuperResolution
import TensorCore
import Testing

/// Checkpoints of first stages under the names of diffusers and CompVis.
@Suite struct FirstStageImportTests {
    /// Names and shapes of a published network as each program has them, in one order.
    struct Names: Decodable {
        let shapes, compvisShapes: [[Int]]
        let diffusers, olderDiffusers, compvis: [String]

        private enum CodingKeys: String, CodingKey {
            case shapes, diffusers, compvis
            case olderDiffusers = "older_diffusers"
            case compvisShapes = "compvis_shapes"
        }

        init(_ kind: String) throws {
            let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().appending(path: "Fixtures/Models")
            self = try JSONDecoder().decode(Names.self, from: Data(contentsOf: folder.appending(path: "first-stage-\(kind).json")))
        }

        /// The shapes by name.
        func callAsFunction(_ convention: Convention, prefix: String = "") -> [String: [Int]] {
            let names = names(convention).map { prefix + $0 }
            return Dictionary(uniqueKeysWithValues: zip(names, convention == .compvis ? compvisShapes : shapes))
        }

        func names(_ convention: Convention) -> [String] {
            switch convention {
            case .diffusers: diffusers
            case .olderDiffusers: olderDiffusers
            case .compvis: compvis
            }
        }
    }

    enum Convention: CaseIterable { case diffusers, olderDiffusers, compvis }

    static let published: [(String, FirstStage.Configuration)] = [
        ("vq-f4", .vqF4), ("vq-f8", .vqF8), ("vq-f16", .vqF16), ("kl-f4", .klF4), ("kl-f8", .klF8),
    ]
    private let location = "/models/checkpoint.safetensors"

    private func recognized(_ shapes: [String: [Int]], normGroups: Int = 32) throws -> FirstStage.Configuration {
        try FirstStageImport(shapes: shapes, at: location, normGroups: normGroups).configuration
    }

    // MARK: - Recognition

    @Test(arguments: published, Convention.allCases)
    func publishedNetworksAreRecognized(_ published: (kind: String, configuration: FirstStage.Configuration), _ convention: Convention) throws {
        let names = try Names(published.kind)
        #expect(try recognized(names(convention)) == published.configuration)
        // Within a whole latent diffusion model, whose other tensors may even have names that begin alike.
        var whole = names(convention, prefix: "first_stage_model.")
        whole.merge(
            [
                "model.diffusion_model.input_blocks.0.0.weight": [320, 4, 3, 3], "encoder.layers.0.weight": [7], "betas": [1000],
                "model_ema.decay": [], "first_stage_model.loss.logvar": [], "first_stage_model.loss.discriminator.main.0.weight": [64, 3, 4, 4],
            ]
        ) { own, _ in own }
        #expect(try recognized(whole) == published.configuration)
        // Alone, with what was beside it in training.
        var trained = names(convention)
        trained.merge(["loss.perceptual_loss.lin0.model.1.weight": [1, 64, 1, 1], "model_ema.num_updates": []]) { own, _ in own }
        #expect(try recognized(trained) == published.configuration)
    }

    @Test func otherCodebookAndOneImageChannel() throws {
        var shapes = try Names("vq-f8")(.compvis)
        shapes["quantize.embedding.weight"] = [256, 4]
        #expect(try recognized(shapes) == .vqF8n256)
        shapes["encoder.conv_in.weight"] = [128, 1, 3, 3]
        shapes["decoder.conv_out.weight"] = [1, 128, 3, 3]
        shapes["decoder.conv_out.bias"] = [1]
        var expected = FirstStage.Configuration.vqF8n256
        expected.imageChannels = 1
        expected.normGroups = 16
        #expect(try recognized(shapes, normGroups: 16) == expected)
    }

    @Test(arguments: published) func ourNamesAreThoseOfDiffusers(_ published: (kind: String, configuration: FirstStage.Configuration)) throws {
        let store = ParameterStore.unfilled()
        _ = FirstStage(published.configuration, in: store.root)
        #expect(Set(store.names) == Set(try Names(published.kind).diffusers))
    }

    // MARK: - Files

    /// One network in every convention, with 16 bits, is the same to the bit.
    @Test(arguments: [FirstStageTests.vqF4, FirstStageTests.vqF8, FirstStageTests.klF8], Convention.allCases)
    func filesOfAllConventionsGiveTheSameNetwork(_ reduced: FirstStageTests.Reduced, _ convention: Convention) throws {
        let (original, store, fixture) = try reduced.network()
        let names = try Names(reduced.name)
        let foreign = Dictionary(uniqueKeysWithValues: zip(names.diffusers, names.names(convention)))
        let prefix = convention == .compvis ? "first_stage_model." : ""
        let tensors = try store.stateDictionary().map { name, tensor in
            let name = try #require(foreign[name])
            let isConvolution = convention == .compvis && tensor.shape.count == 2 && name != "quantize.embedding.weight"
            return (name: prefix + name, tensor: isConvolution ? tensor.reshaped(to: tensor.shape + [1, 1]) : tensor)
        }
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("checkpoint.safetensors")
            try writeSafetensors(tensors, type: .float16, to: url)
            let file = try SafetensorsFile(reading: url)
            let found = try FirstStageImport(file, normGroups: reduced.configuration.normGroups)
            #expect(found.configuration == reduced.configuration)
            let other = ParameterStore(seed: 2)
            let network = FirstStage(found.configuration, in: other.root)
            try found.load(file, into: other)
            for (name, pair) in zip(store.names, zip(other.parameters, store.parameters)) { expectSame(pair.0.value, pair.1.value, name) }
            let latents = try fixture["latents"]
            expectSame(network.decode(latents), original.decode(latents), "output")
        }
    }

    @Test(arguments: [FirstStageTests.vqF8, FirstStageTests.klF8]) func writtenFilesHaveTheNamesAndLayoutsOfDiffusers(
        _ reduced: FirstStageTests.Reduced
    )
        throws
    {
        let (_, store, fixture) = try reduced.network()
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("model.safetensors")
            try writeSafetensors(store.stateDictionary(), to: url)
            let file = try SafetensorsFile(reading: url)
            #expect(Set(file.names) == Set(try Names(reduced.name).diffusers))
            for name in file.names { expectSame(try file.tensor(named: name), try fixture[ModelsFixture.weights + name], name) }
        }
    }

    // MARK: - Misfits

    @Test(arguments: Convention.allCases) func everyMisfitIsListedAtOnce(_ convention: Convention) throws {
        let names = try Names("vq-f8")
        let foreign = Dictionary(uniqueKeysWithValues: zip(names.diffusers, names.names(convention)))
        func name(_ own: String) throws -> String { try #require(foreign[own]) }
        var shapes = names(convention)
        shapes[try name("decoder.up_blocks.1.resnets.2.conv2.bias")] = nil
        shapes[try name("encoder.mid_block.attentions.0.to_q.weight")] = [512, 256]
        shapes["decoder.surplus.weight"] = [3]
        let failure = try #require(throws: Failure.self) { try recognized(shapes) }
        #expect(failure.category == .badData && failure.location == location)
        let expected = [
            "\(try name("decoder.up_blocks.1.resnets.2.conv2.bias")) is missing",
            "\(try name("encoder.mid_block.attentions.0.to_q.weight")) has shape [512, 256], not [512, 512]", "decoder.surplus.weight is unexpected",
        ]
        #expect(Set(failure.found?.components(separatedBy: "; ") ?? []) == Set(expected))
    }

    /// Whichever tensor is missing or has a wrong shape, the rest tells what the network is, and the message names that one.
    @Test(arguments: ["vq-f8", "kl-f8"]) func anySingleMisfitIsNamed(_ kind: String) throws {
        let shapes = try Names(kind)(.diffusers)
        for (name, shape) in shapes {
            var changed = shapes
            changed[name] = nil
            #expect(try #require(throws: Failure.self) { try recognized(changed) }.found == "\(name) is missing")
            // The number of codes is free.
            changed[name] = name == "quantize.embedding.weight" ? [16384, 5] : [shape[0] + 1] + shape.dropFirst()
            #expect(
                try #require(throws: Failure.self) { try recognized(changed) }.found == "\(name) has shape \(changed[name] ?? []), not \(shape)")
        }
    }

    /// What cannot be trusted is refused before anything is built.
    @Test func absurdFilesAreFailures() throws {
        let shapes = try Names("vq-f4")(.diffusers)
        func expectFailure(_ expected: String, normGroups: Int = 32, _ change: (inout [String: [Int]]) -> Void) throws {
            var changed = shapes
            change(&changed)
            let failure = try #require(throws: Failure.self) { try recognized(changed, normGroups: normGroups) }
            #expect(failure.category == .badData && failure.location == location && failure.remedy != nil)
            #expect(failure.expected?.contains(expected) == true, "\(failure)")
        }
        func scale(_ factor: Int) -> (inout [String: [Int]]) -> Void {
            { shapes in shapes = shapes.mapValues { $0.map { $0 >= 128 ? $0 &* factor : $0 } } }
        }
        try expectFailure("width of 1 … 1024", scale(1 << 40))
        try expectFailure("multiples of the first 0", scale(0))
        try expectFailure("multiples of the first -128", scale(-1))
        try expectFailure("1 or 3 image channels") {
            $0["encoder.conv_in.weight"] = [128, 4, 3, 3]
            $0["decoder.conv_out.bias"] = [4]
        }
        try expectFailure("norm groups that divide the width of 128", normGroups: 24) { _ in }
        try expectFailure("norm groups that divide the width of 128", normGroups: 0) { _ in }
        try expectFailure("0 … 2^20 codes") { $0["quantize.embedding.weight"] = [.max, 3] }
        try expectFailure("1 … 1024 latent channels") {
            $0["decoder.conv_in.weight"] = [512, .max, 3, 3]
            $0["post_quant_conv.bias"] = [.max]
        }
        try expectFailure("1 … 16") { shapes in
            for part in ["conv1.weight", "conv1.bias"] { shapes["encoder.down_blocks.2.resnets.0.\(part)"] = [128 * 17] }
        }
        try expectFailure("1 … 6 multipliers") { shapes in
            for level in 3..<40 { shapes["encoder.down_blocks.\(level).resnets.0.conv1.bias"] = [512] }
        }
        try expectFailure("1 … 8 blocks") { shapes in
            for block in 2..<40 { shapes["encoder.down_blocks.0.resnets.\(block).conv1.bias"] = [128] }
        }
        try expectFailure("encoder.conv_in.weight") { $0 = [:] }
        try expectFailure("encoder.conv_in.weight") { $0 = ["encoder.down.15.": [], "encoder.conv_in.weight": []] }
        try expectFailure("encoder.conv_in.weight") { shapes in shapes = shapes.mapValues { _ in [] } }
    }

    @Test func otherFilesAreNoFirstStages() throws {
        let fixture = try ModelsFixture("small-unet")
        let failure = try #require(throws: Failure.self) { try FirstStageImport(fixture.file) }
        #expect(failure.category == .badData && failure.location == fixture.file.url.path)
        #expect(failure.problem.contains("no first stage") && failure.remedy?.contains("convert-checkpoint") == true)
    }
}
