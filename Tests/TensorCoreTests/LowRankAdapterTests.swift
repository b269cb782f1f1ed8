import TensorCore
import Testing

@Suite struct LowRankAdapterTests {
    /// Two linear layers, one of them with an adapter of rank 3 and alpha 4.5.
    private struct Network {
        let store = ParameterStore(seed: 1)
        let first, second: Linear
        let adapters: ParameterStore

        init() {
            first = Linear(5, 7, in: store.root / "first")
            second = Linear(7, 4, in: store.root / "second")
            adapters = store.addAdapters(rank: 3, alpha: 4.5, seed: 2) { $0 == "first.weight" }
        }

        /// With values in B, without which the adapter does nothing.
        static func trained() -> Network {
            let network = Network()
            var numbers = TestNumbers(seed: 61)
            network.up.value = numbers.normal([7, 3])
            return network
        }

        var weight: Parameter { first.weight }
        var down: Parameter { adapters.parameters[0] }
        var up: Parameter { adapters.parameters[1] }

        func callAsFunction(_ x: Tensor) -> Tensor { second(first(x).gelu()) }
    }

    private let x: Tensor
    private let cotangent: Tensor

    init() {
        var numbers = TestNumbers(seed: 62)
        (x, cotangent) = (numbers.normal([2, 9, 5]), numbers.normal([2, 9, 4]))
    }

    private func gradients(_ network: Network, at parameters: [Parameter]) -> GradientStore {
        valueWithGradient(at: parameters) { (network(x) * cotangent).sum() }.gradients
    }

    @Test func namesAndInitialValues() {
        let network = Network()
        #expect(network.adapters.names == ["first.lora_A.weight", "first.lora_B.weight"])
        #expect(network.down.value.shape == [3, 5] && network.up.value.shape == [7, 3])
        #expect(network.down.value.values.allSatisfy { abs($0) <= 1 / Float(5).squareRoot() } && Set(network.down.value.values).count == 15)
        #expect(network.up.value.values.allSatisfy { $0 == 0 })
        #expect(network.weight.adapter?.scale == 1.5)
        #expect(network.store.names == ["first.weight", "first.bias", "second.weight", "second.bias"])
    }

    @Test func namesOfPackedWeights() {
        let store = ParameterStore(seed: 1)
        _ = (store.root / "sa1" / "mha").parameter("in_proj_weight", [12, 4], .constant(1))
        let adapters = store.addAdapters(rank: 1, alpha: 1, seed: 1) { _ in true }
        #expect(adapters.names == ["sa1.mha.in_proj.lora_A.weight", "sa1.mha.in_proj.lora_B.weight"])
    }

    @Test func changesNothingAtFirst() {
        let network = Network()
        let adapted = network(x)
        network.store.mergeAdapters()
        #expect(network.weight.adapter == nil)
        expectSame(adapted, network(x), "output")
        expectSame(Linear(5, 7, in: ParameterStore(seed: 1).root / "first").weight.value, network.weight.value, "weight")
    }

    /// What the adapter does, written out.
    @Test func gradientsAreThoseOfTheSum() throws {
        let network = Network.trained()
        let found = gradients(network, at: network.store.parameters + network.adapters.parameters)
        let (weight, down, up) = (Parameter(network.weight.value), Parameter(network.down.value), Parameter(network.up.value))
        let (bias, second) = (network.first.bias, network.second)
        let expected = valueWithGradient(at: [weight, down, up, bias] + [second.weight, second.bias]) {
            let sum = weight.tensor + matmul(up.tensor, down.tensor) * 1.5
            return (second(linear(x, weight: sum, bias: bias.tensor).gelu()) * cotangent).sum()
        }.gradients
        let pairs = [("W", network.weight, weight), ("A", network.down, down), ("B", network.up, up), ("bias", bias, bias)]
        for (name, one, other) in pairs { expectSame(found[one], try #require(expected[other]), "gradient of \(name)") }
        #expect(found[network.down]?.values.allSatisfy { $0 == 0 } == false)
        // W alone: A and B are constants of the sum.
        let alone = gradients(network, at: [network.weight])
        expectSame(alone[network.weight], try #require(expected[weight]), "gradient of W alone")
        #expect(alone[network.down] == nil && alone[network.up] == nil)
    }

    @Test func trainingTheAdapterLeavesTheWeight() {
        let network = Network()
        let before = network.store.parameters.map { $0.value.copied() }
        let output = network(x)
        let optimizer = AdamW(network.adapters.parameters, learningRate: 0.01)
        for _ in 0..<2 {
            let gradients = gradients(network, at: network.adapters.parameters)
            #expect(network.store.parameters.allSatisfy { gradients[$0] == nil })
            optimizer.update(gradients)
        }
        for (parameter, value) in zip(network.store.parameters, before) { expectSame(parameter.value, value, "weight") }
        #expect(relativeError(network(x), output) > 1e-3)
    }

    @Test func mergedIsUnmerged() {
        let network = Network.trained()
        let (output, values) = (network(x), network.store.parameters.map(\.tensor))
        #expect(relativeError(values[0], network.weight.value) > 0.1)
        network.store.mergeAdapters()
        expectClose(network(x), output, "output", tolerance: 1e-5)
        for (parameter, value) in zip(network.store.parameters, values) { expectSame(parameter.value, value, "weight") }
        #expect(gradients(network, at: network.adapters.parameters)[network.up] == nil)
    }
}
