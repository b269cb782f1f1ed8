import SuperResolution
import TensorCore
import Testing

/// Low-rank adapters in the networks, which do not know of them.
@Suite struct ModelsAdapterTests {
    @Test func selfAttentionAgreesWithPyTorch() throws {
        let fixture = try ModelsFixture("adapted-self-attention")
        let store = ParameterStore(seed: 1)
        let block = PaperUNet.SelfAttention(8, in: store.root)
        try store.load(fixture.file, prefix: ModelsFixture.weights)
        let adapters = store.addAdapters(rank: 3, alpha: 6, seed: 1) { $0 == "mha.in_proj_weight" || $0 == "mha.out_proj.weight" }
        let prefix = "adapters."
        try adapters.load(fixture.file, prefix: prefix)
        let (x, cotangent) = (Parameter(try fixture["input"]), try fixture["cotangent"])
        var output = Tensor(0)
        let gradients = valueWithGradient(at: store.parameters + adapters.parameters + [x]) {
            output = block(x.tensor)
            return (output * cotangent).sum()
        }.gradients
        expectClose(output.detached, try fixture["output"], "output")
        try fixture.expectGradients(gradients, of: store)
        try fixture.expectGradients(gradients, of: ParameterStore(joining: [(prefix, adapters)]))
        try fixture.expectGradient(gradients[x], ofInput: "input")
        store.mergeAdapters()
        expectClose(block(x.value), try fixture["output"], "output once merged")
    }

    /// Fine-tuning's division of a network: adapters in the attention, the bottleneck trained, the rest as it is.
    @Test func paperUNetWithAdaptersAndFreeBottleneck() throws {
        let store = ParameterStore(seed: 4)
        let network = try PaperUNet(ModelsExample.paperUNet(width: 4), channels: 2, in: store.root)
        var random = Random(seed: 5)
        let (noisy, condition, noise) = (random.normal([1, 8, 16, 2]), random.normal([1, 8, 16, 2]), random.normal([1, 8, 16, 2]))
        func output() -> Tensor { network(noisy, condition: condition, timesteps: [400]) }
        let before = output()
        let adapters = store.addAdapters(rank: 2, alpha: 4, seed: 6) { $0.contains(".mha.") && $0.hasSuffix("weight") }
        #expect(adapters.names.count == 5 * 2 * 2)
        expectSame(output(), before, "output with new adapters")

        let trained = ParameterStore(joining: [("", adapters), ("", store.subset { $0.hasPrefix("bot") })])
        #expect(trained.names.count == 20 + 3 * 6)
        let values = store.parameters.map { $0.value.copied() }
        let optimizer = AdamW(trained.parameters, learningRate: 0.01)
        for _ in 0..<2 { optimizer.update(valueWithGradient(at: trained.parameters) { meanSquaredError(output(), noise) }.gradients) }
        for (name, pair) in zip(store.names, zip(store.parameters, values)) {
            if name.hasPrefix("bot") {
                #expect(pair.0.value.values != pair.1.values, "\(name)")
            } else {
                expectSame(pair.0.value, pair.1, name)
            }
        }
        let after = output()
        #expect(relativeError(after, before) > 1e-3)
        store.mergeAdapters()
        expectClose(output(), after, "output once merged", tolerance: 1e-5)
    }
}
