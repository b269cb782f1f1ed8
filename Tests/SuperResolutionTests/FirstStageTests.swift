import Foundation
import Groundwork
import SuperResolution
import TensorCore
import Testing

/// First stages against diffusers' VQModel and AutoencoderKL.
@Suite struct FirstStageTests {
    /// A published network with few channels.
    struct Reduced: Sendable, CustomTestStringConvertible {
        let name: String
        let configuration: FirstStage.Configuration
        var testDescription: String { name }

        init(_ name: String, _ configuration: FirstStage.Configuration, width: Int, groups: Int, codes: Int, imageChannels: Int) {
            var configuration = configuration
            (configuration.width, configuration.normGroups, configuration.codebookSize) = (width, groups, codes)
            configuration.imageChannels = imageChannels
            (self.name, self.configuration) = (name, configuration)
        }

        var fixture: ModelsFixture { get throws { try ModelsFixture("first-stage-\(name)") } }

        /// With the fixture's weights.
        func network(decodesQuantized: Bool? = nil) throws -> (network: FirstStage, store: ParameterStore, fixture: ModelsFixture) {
            var configuration = configuration
            if let decodesQuantized { configuration.decodesQuantized = decodesQuantized }
            let (fixture, store) = (try fixture, ParameterStore(seed: 1))
            let network = FirstStage(configuration, in: store.root)
            try store.load(fixture.file, prefix: ModelsFixture.weights)
            return (network, store, fixture)
        }
    }

    static let vqF4 = Reduced("vq-f4", .vqF4, width: 8, groups: 4, codes: 32, imageChannels: 3)
    static let vqF8 = Reduced("vq-f8", .vqF8, width: 4, groups: 2, codes: 24, imageChannels: 3)
    static let klF8 = Reduced("kl-f8", .klF8, width: 4, groups: 2, codes: 0, imageChannels: 1)

    // MARK: - Values

    @Test(arguments: [vqF4, vqF8, klF8]) func valuesAgreeWithDiffusers(_ reduced: Reduced) throws {
        let (network, store, fixture) = try reduced.network()
        let (input, latents) = (try fixture["input"], try fixture["latents"])
        #expect(input.shape[0] == 2 && input.shape[1] != input.shape[2])
        #expect(network.latentChannels == latents.shape[3] && network.factor == input.shape[1] / latents.shape[1])
        #expect(network.lastLayer === store["decoder.conv_out.weight"])
        expectClose(network.encode(input), latents, "latents")
        expectClose(network.decode(latents), try fixture["output"], "output")
        let features = network.features(of: latents)
        expectSame(network.image(from: features, of: latents), network.reconstruct(latents), "by way of features")
        #expect(features.shape == Array(input.shape.dropLast()) + [reduced.configuration.width])
        let quantized = network.quantized(latents)
        if reduced.configuration.isVariational {
            expectSame(quantized.latents, latents, "latents")
            #expect(quantized.indices == nil && quantized.loss == nil)
        } else {
            expectClose(quantized.latents, try fixture["quantized"], "codes", tolerance: 1e-6)
            #expect(quantized.indices?.map(Float.init) == (try fixture["indices"].values))
            expectClose(quantized.loss, try fixture["codebook_loss"], "loss of the codebook")
            expectClose(network.reconstruct(latents), try fixture["unquantized"], "unquantised output")
        }
    }

    /// With a codebook that decoding does not use, the latents stay as they are.
    @Test func codebookBesideContinuousLatents() throws {
        let (network, _, fixture) = try Self.vqF4.network(decodesQuantized: false)
        let latents = try fixture["latents"]
        let quantized = network.quantized(latents)
        expectSame(quantized.latents, latents, "latents")
        #expect(quantized.indices?.map(Float.init) == (try fixture["indices"].values))
        expectClose(quantized.loss, try fixture["codebook_loss"], "loss of the codebook")
        expectClose(network.decode(latents), try fixture["unquantized"], "output")
    }

    @Test func gradientsAgreeWithPyTorch() throws {
        let (network, store, fixture) = try Self.vqF8.network()
        let image = Parameter(try fixture["input"])
        let gradients = try valueWithGradient(at: store.parameters + [image]) {
            let quantized = network.quantized(network.encode(image.tensor))
            return meanSquaredError(network.reconstruct(quantized.latents), image.tensor) + (try #require(quantized.loss))
        }.gradients
        try fixture.expectGradients(gradients, of: store)
        try fixture.expectGradient(gradients[image], ofInput: "input")
    }

    // MARK: - Configuration

    @Test func configurationAsJSON() throws {
        let json = """
            {"image_channels": 3, "width": 128, "multipliers": [1, 2, 2, 4], "blocks_per_level": 2, "latent_channels": 4, "codebook_size": 256,
            "is_variational": false, "decodes_quantized": true, "has_attention_at_deepest": true, "norm_groups": 32}
            """
        let configuration: FirstStage.Configuration = try ModelsExample.decoded(json)
        #expect(configuration == .vqF8n256)
        #expect(try JSONDecoder().decode(FirstStage.Configuration.self, from: JSONEncoder().encode(configuration)) == configuration)
    }

    @Test func factorsOfThePublishedNetworks() {
        let published: [FirstStage.Configuration] = [.vqF4, .vqF8, .vqF8n256, .vqF16, .klF4, .klF8]
        #expect(published.map(\.factor) == [4, 8, 8, 16, 4, 8])
        #expect(published.map(\.latentChannels) == [3, 4, 4, 8, 3, 4])
        // As published: 83.65 million.
        let store = ParameterStore.unfilled()
        _ = FirstStage(.klF8, in: store.root)
        #expect(store.count == 83_653_863)
    }
}
