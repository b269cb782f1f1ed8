import SuperResolution
import TensorCore
import Testing

@Suite struct PatchDiscriminatorTests {
    private func load(_ fixture: ModelsFixture) throws -> (store: ParameterStore, network: PatchDiscriminator) {
        let store = ParameterStore(seed: 1)
        let network = PatchDiscriminator(PatchDiscriminator.Configuration(width: 3, layers: 3), in: store.root)
        try store.load(fixture.file, prefix: ModelsFixture.weights)
        return (store, network)
    }

    @Test func agreesWithPyTorch() throws {
        let fixture = try ModelsFixture("patch-discriminator")
        let (store, network) = try load(fixture)
        let (image, cotangent) = (Parameter(try fixture["input"]), try fixture["cotangent"])
        var output = Tensor(0)
        let gradients = valueWithGradient(at: store.parameters + [image]) {
            output = network(image.tensor, isTraining: true)
            return (output * cotangent).sum()
        }.gradients
        expectClose(output.detached, try fixture["output"], "output")
        try fixture.expectGradients(gradients, of: store)
        try fixture.expectGradient(gradients[image], ofInput: "input")
        _ = network(try fixture["real"], isTraining: true)
        for (name, buffer) in zip(store.bufferNames, store.buffers) { expectClose(buffer.value, try fixture["after.\(name)"], name) }
        expectClose(network(image.value, isTraining: false), try fixture["inference"], "output at inference")
    }

    /// A step of each side: the discriminator's loss has gradients in its weights, the other one's in the image.
    @Test func lossesAgreeWithPyTorch() throws {
        let fixture = try ModelsFixture("patch-discriminator", pass: "hinge.")
        let (store, network) = try load(fixture)
        let (image, real) = (Parameter(try fixture["input"]), try fixture["real"])
        let (loss, gradients) = valueWithGradient(at: store.parameters) {
            PatchDiscriminator.hingeLoss(real: network(real, isTraining: true), fake: network(image.tensor, isTraining: true))
        }
        expectClose(loss, try fixture["hinge"], "hinge loss")
        try fixture.expectGradients(gradients, of: store)
        let adversarial = valueWithGradient(at: [image]) { PatchDiscriminator.generatorLoss(fake: network(image.tensor, isTraining: true)) }
        expectClose(adversarial.value, try fixture["generator"], "generator's loss")
        expectClose(adversarial.gradients[image], try fixture["generator.gradient.input"], "gradient of the image")
        #expect(store.parameters.allSatisfy { adversarial.gradients[$0] == nil })
    }

    @Test func hingeLossSpares() {
        // Judgements beyond ±1 on the right side cost nothing.
        #expect(PatchDiscriminator.hingeLoss(real: Tensor(shape: [2], values: [1.5, 9]), fake: Tensor(shape: [2], values: [-1.25, -3])).item == 0)
        #expect(PatchDiscriminator.hingeLoss(real: Tensor(shape: [2], values: [0.5, 2]), fake: Tensor(shape: [1], values: [3])).item == 2.125)
        #expect(PatchDiscriminator.generatorLoss(fake: Tensor(shape: [2], values: [1, 2])).item == -1.5)
    }

    @Test func initialWeights() throws {
        let store = ParameterStore(seed: 5)
        _ = PatchDiscriminator(PatchDiscriminator.Configuration(width: 16, layers: 3), in: store.root)
        func moments(_ name: String) throws -> (mean: Float, deviation: Float) {
            let values = try #require(store[name]).value.values
            let mean = values.reduce(0, +) / Float(values.count)
            return (mean, (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Float(values.count)).squareRoot())
        }
        for name in ["main.0.weight", "main.5.weight", "main.8.weight", "main.11.weight"] {
            let (mean, deviation) = try moments(name)
            #expect(abs(mean) < 0.005 && abs(deviation - 0.02) < 0.004, "\(name): \(mean) ± \(deviation)")
        }
        let (mean, deviation) = try moments("main.9.weight")
        #expect(abs(mean - 1) < 0.01 && abs(deviation - 0.02) < 0.005, "main.9.weight: \(mean) ± \(deviation)")
        #expect(try moments("main.9.bias") == (0, 0))
        #expect(try #require(store["main.0.bias"]).value.values.allSatisfy { abs($0) <= 0.25 })
        #expect(store["main.2.bias"] == nil)
    }

    @Test(arguments: [1, 2, 3]) func smallestImages(layers: Int) {
        let configuration = PatchDiscriminator.Configuration(width: 2, layers: layers)
        let network = PatchDiscriminator(configuration, in: ParameterStore(seed: 1).root)
        let image = Tensor(zeros: [2, configuration.smallestImage, 3 * configuration.smallestImage - 1, 1])
        #expect(network(image, isTraining: true).shape == [2, 1, (3 * configuration.smallestImage - 1) / (1 << layers) - 2, 1])
    }
}
