import Foundation
import Groundwork
import SuperResolution
import TensorCore
import Testing

/// Whole networks against PyTorch: outputs, and the gradients of every parameter and input.
@Suite struct ModelsNetworkTests {
    @Test func unet() throws {
        let fixture = try ModelsFixture("small-unet")
        let store = ParameterStore(seed: 1)
        let network = try UNet(ModelsExample.unet(), channels: 4, in: store.root)
        #expect(network.divisor == 4)
        try store.load(fixture.file, prefix: ModelsFixture.weights)
        let (noisy, condition) = (Parameter(try fixture["input.x_t"]), Parameter(try fixture["input.condition"]))
        let timesteps = try fixture["input.t"].values.map { Int($0) }
        let cotangent = try fixture["cotangent"]
        var output = Tensor(0)
        let gradients = valueWithGradient(at: store.parameters + [noisy, condition]) {
            output = network(noisy.tensor, condition: condition.tensor, timesteps: timesteps)
            return (output * cotangent).sum()
        }.gradients
        expectClose(output.detached, try fixture["output"], "output")
        expectSame(network(noisy.value, condition: condition.value, timesteps: timesteps), output.detached, "output without recording")
        try fixture.expectGradients(gradients, of: store)
        let inputs = try [noisy, condition].map { try #require(gradients[$0]) }
        try fixture.expectGradient(concatenate(inputs, axis: -1), ofInput: "input")
    }

    /// Samples of a batch do not see each other, and each has its own timestep.
    @Test func samplesOfABatchAreApart() throws {
        let fixture = try ModelsFixture("small-unet")
        let store = ParameterStore(seed: 1)
        let network = try UNet(ModelsExample.unet(), channels: 4, in: store.root)
        try store.load(fixture.file, prefix: ModelsFixture.weights)
        let (noisy, condition, output) = (try fixture["input.x_t"], try fixture["input.condition"], try fixture["output"])
        for (index, timestep) in try fixture["input.t"].values.enumerated() {
            func one(_ x: Tensor) -> Tensor { x.sliced(axis: 0, range: index..<index + 1) }
            expectClose(network(one(noisy), condition: one(condition), timesteps: [Int(timestep)]), one(output), "sample \(index)")
        }
    }

    /// The code published with Ramunno et al. 2025; its images are `[batch, channels, height, width]`.
    @Test func paperUNet() throws {
        let fixture = try ModelsFixture("paper-unet")
        let store = ParameterStore(seed: 1)
        let network = try PaperUNet(ModelsExample.paperUNet(width: 12), channels: 4, in: store.root)
        try store.load(fixture.file, prefix: ModelsFixture.weights, unused: PaperUNet.isUnused)
        func channelsLast(_ name: String) throws -> Tensor { try fixture[name].permuted([0, 2, 3, 1]) }
        let (noisy, condition) = (try channelsLast("input.x_t"), try channelsLast("input.condition"))
        let timesteps = try fixture["input.t"].values.map { Int($0) }
        // Its loss: the mean of output · sin(index of the value).
        let shape = try fixture["output"].shape
        let wave = Tensor(shape: shape, values: (0..<shape.reduce(1, *)).map { Float(sin(Double($0))) }).permuted([0, 2, 3, 1])
        var output = Tensor(0)
        let (loss, gradients) = valueWithGradient(at: store.parameters) {
            output = network(noisy, condition: condition, timesteps: timesteps)
            return (output * wave).mean()
        }
        expectClose(output.detached, try channelsLast("output"), "output")
        expectClose(loss.reshaped(to: [1]), try fixture["loss"], "loss")
        try fixture.expectGradients(gradients, of: store)
    }

    private static func autoencoder(decodesQuantized: Bool, in scope: Scope) throws -> CompactAutoencoder {
        var configuration = try ModelsExample.description().autoencoder.compact
        configuration.codebookSize = 16
        configuration.decodesQuantized = decodesQuantized
        return CompactAutoencoder(configuration, in: scope)
    }

    @Test func autoencoder() throws {
        let fixture = try ModelsFixture("autoencoder")
        let store = ParameterStore(seed: 1)
        let network = try Self.autoencoder(decodesQuantized: false, in: store.root)
        #expect(network.configuration.factor == 4)
        try store.load(fixture.file, prefix: ModelsFixture.weights)
        let (image, cotangent) = (Parameter(try fixture["input"]), try fixture["cotangent"])
        expectClose(network.encode(image.value), try fixture["latents"], "latents")
        expectClose(network.decode(try fixture["latents"]), try fixture["output"], "decoded latents")
        var output = Tensor(0)
        let gradients = valueWithGradient(at: store.parameters + [image]) {
            output = network.decode(network.encode(image.tensor))
            return (output * cotangent).sum()
        }.gradients
        expectClose(output.detached, try fixture["output"], "output")
        try fixture.expectGradients(gradients, of: store, except: ["quantize.embedding.weight"])
        try fixture.expectGradient(gradients[image], ofInput: "input")
    }

    @Test func autoencoderThroughItsCodebook() throws {
        let fixture = try ModelsFixture("autoencoder", pass: "quantized.")
        let store = ParameterStore(seed: 1)
        let network = try Self.autoencoder(decodesQuantized: true, in: store.root)
        try store.load(fixture.file, prefix: ModelsFixture.weights)
        let (image, cotangent) = (Parameter(try fixture["input"]), try fixture["cotangent"])
        expectClose(network.decode(try fixture["latents"]), try fixture["quantized.output"], "decoded latents")
        var (codes, output, codebookLoss) = (Tensor(0), Tensor(0), Tensor(0))
        let gradients = try valueWithGradient(at: store.parameters + [image]) {
            let quantized = network.quantized(network.encode(image.tensor))
            (codes, codebookLoss) = (quantized.latents, try #require(quantized.loss))
            output = network.reconstruct(codes)
            return (output * cotangent).sum() + codebookLoss
        }.gradients
        expectClose(codes.detached, try fixture["quantized.latents"], "codes", tolerance: 1e-6)
        expectClose(output.detached, try fixture["quantized.output"], "output")
        expectClose(codebookLoss.detached, try fixture["quantized.codebook_loss"], "loss of the codebook")
        try fixture.expectGradients(gradients, of: store)
        try fixture.expectGradient(gradients[image], ofInput: "input")
    }

    /// With a codebook that decoding does not use, the loss is the same and the latents stay as they are.
    @Test func codebookBesideContinuousLatents() throws {
        let fixture = try ModelsFixture("autoencoder")
        let store = ParameterStore(seed: 1)
        let network = try Self.autoencoder(decodesQuantized: false, in: store.root)
        try store.load(fixture.file, prefix: ModelsFixture.weights)
        let latents = try fixture["latents"]
        let (same, _, loss) = network.quantized(latents)
        expectSame(same, latents, "latents")
        expectClose(loss, try fixture["quantized.codebook_loss"], "loss of the codebook")
    }

    // MARK: - Loading

    @Test func everyMisfitOfAStateDictionaryIsListed() throws {
        let fixture = try ModelsFixture("small-unet")
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("weights.safetensors")
            var tensors = try fixture.file.names.filter { $0.hasPrefix(ModelsFixture.weights) }.map { (name: $0, tensor: try fixture[$0]) }
            tensors.removeAll { ["weights.mid_block.attentions.0.to_qkv.bias", "weights.norm_out.weight"].contains($0.name) }
            for (index, item) in tensors.enumerated() where item.name == "weights.conv_in.weight" {
                // As it lies in memory, and so as no state dictionary has it.
                tensors[index].tensor = item.tensor.permuted([2, 3, 1, 0])
            }
            tensors += [("weights.mid_block.attentions.1.to_qkv.bias", Tensor(zeros: [3])), ("optimizer.step", Tensor(1))]
            try writeSafetensors(tensors, to: url)
            let file = try SafetensorsFile(reading: url)
            let store = ParameterStore(seed: 1)
            _ = try UNet(ModelsExample.unet(), channels: 4, in: store.root)
            let before = store.parameters.map { $0.value.copied() }
            let failure = try #require(throws: Failure.self) { try store.load(file, prefix: ModelsFixture.weights) }
            #expect(failure.category == .badData)
            #expect(failure.location?.contains(url.path) == true)
            for line in [
                "mid_block.attentions.0.to_qkv.bias is missing", "norm_out.weight is missing",
                "conv_in.weight has shape [3, 3, 8, 8], not [8, 8, 3, 3]",
                "mid_block.attentions.1.to_qkv.bias is unexpected",
            ] { #expect(failure.found?.contains(line) == true, "\(line)") }
            #expect(failure.found?.contains("optimizer.step") == false)
            for (name, pair) in zip(store.names, zip(store.parameters, before)) { expectSame(pair.0.value, pair.1, name) }
        }
    }

    @Test func weightsThatAPublishedNetworkNeverUsesMustBeAllowedFor() throws {
        let fixture = try ModelsFixture("paper-unet")
        let store = ParameterStore(seed: 1)
        _ = try PaperUNet(ModelsExample.paperUNet(width: 12), channels: 4, in: store.root)
        let failure = try #require(throws: Failure.self) { try store.load(fixture.file, prefix: ModelsFixture.weights) }
        let unused = fixture.file.names.filter { $0.hasPrefix("weights.sa6.") || $0 == "weights.label_emb.weight" }
        #expect(unused.count == 13)
        for name in unused { #expect(failure.found?.contains("\(name.dropFirst(ModelsFixture.weights.count)) is unexpected") == true, "\(name)") }
    }
}
