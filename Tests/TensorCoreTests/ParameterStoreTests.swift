import Foundation
import Groundwork
import TensorCore
import Testing

@Suite struct ParameterStoreTests {
    /// A small network of every layer.
    private struct Network {
        let store: ParameterStore
        let convolution: Convolution
        let linear: Linear
        let groupNorm: GroupNorm
        let layerNorm: LayerNorm
        let rootMeanSquare: RMSNorm

        init(seed: UInt64 = 1) {
            store = ParameterStore(seed: seed)
            convolution = Convolution(3, 5, kernel: 3, stride: 2, in: store.root / "encoder" / "conv_in")
            linear = Linear(5, 4, in: store.root / "linear")
            groupNorm = GroupNorm(4, groups: 2, in: store.root / "norm" / "0")
            layerNorm = LayerNorm(4, in: store.root / "norm" / "1")
            rootMeanSquare = RMSNorm(4, in: store.root / "norm" / "2")
        }

        func callAsFunction(_ x: Tensor) -> Tensor { rootMeanSquare(layerNorm(groupNorm(linear(convolution(x))))) }
    }

    private let names = [
        "encoder.conv_in.weight", "encoder.conv_in.bias", "linear.weight", "linear.bias", "norm.0.weight", "norm.0.bias", "norm.1.weight",
        "norm.1.bias",
        "norm.2.weight",
    ]

    @Test func namesShapesAndLayouts() {
        let store = Network().store
        #expect(store.names == names)
        #expect(store.count == 3 * 3 * 3 * 5 + 5 + 20 + 4 + 4 * 5)
        #expect(store["encoder.conv_in.weight"]?.value.shape == [3, 3, 3, 5])
        #expect(store["encoder.conv_in"] == nil)
        let dictionary = store.stateDictionary()
        #expect(dictionary.map(\.name) == names)
        #expect(dictionary[0].tensor.shape == [5, 3, 3, 3])
        let (disk, memory) = (dictionary[0].tensor.values, store.parameters[0].value.values)
        // [output 4, input 2, row 1, column 0] on disk is [row 1, column 0, input 2, output 4] in memory.
        let (onDisk, inMemory) = (((4 * 3 + 2) * 3 + 1) * 3 + 0, ((1 * 3 + 0) * 3 + 2) * 5 + 4)
        #expect(disk[onDisk] == memory[inMemory])
        expectSame(store.fromDisk(dictionary[0].tensor, named: names[0]), store.parameters[0].value, "there and back")
    }

    @Test func initialValuesDependOnSeedAndNameAlone() {
        let other = ParameterStore(seed: 1)
        let linear = Linear(5, 4, in: other.root / "linear")
        let network = Network(seed: 1)
        expectSame(linear.weight.value, network.linear.weight.value, "weight")
        #expect(linear.weight.value.values != Network(seed: 2).linear.weight.value.values)
        let bound = 1 / Float(5).squareRoot()
        #expect(linear.weight.value.values.allSatisfy { abs($0) <= bound })
        #expect(Set(linear.weight.value.values).count == 20)
    }

    @Test func everyParameterHasAGradient() {
        var numbers = TestNumbers(seed: 22)
        let network = Network()
        let x = numbers.normal([2, 7, 6, 3])
        let cotangent = numbers.normal(network(x).shape)
        #expect(cotangent.shape == [2, 4, 3, 4])
        let gradients = valueWithGradient(at: network.store.parameters) { (network(x) * cotangent).sum() }.gradients
        for (name, parameter) in zip(names, network.store.parameters) {
            #expect(gradients[parameter]?.shape == parameter.value.shape, "\(name)")
            #expect(gradients[parameter]?.values.contains { $0 != 0 } == true, "\(name)")
        }
    }

    @Test func savedAndLoaded() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("model.safetensors")
            let first = Network(seed: 1)
            try writeSafetensors(first.store.stateDictionary().map { ("model.\($0.name)", $0.tensor) } + [("step", Tensor(3))], to: url)
            let second = Network(seed: 2)
            try second.store.load(try SafetensorsFile(reading: url), prefix: "model.")
            for (name, pair) in zip(names, zip(second.store.parameters, first.store.parameters)) { expectSame(pair.0.value, pair.1.value, name) }
        }
    }

    @Test func everyMisfitIsNamedAndNothingChanges() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("model.safetensors")
            var tensors = Network(seed: 1).store.stateDictionary()
            tensors.removeAll { $0.name == "linear.bias" }
            tensors[0].tensor = tensors[0].tensor.permuted([2, 3, 1, 0])
            tensors.append(("extra.weight", Tensor(1)))
            tensors.append(("known.weight", Tensor(1)))
            try writeSafetensors(tensors, to: url)
            let file = try SafetensorsFile(reading: url)
            let network = Network(seed: 2)
            let before = network.store.parameters.map { $0.value.copied() }
            let failure = try #require(throws: Failure.self) { try network.store.load(file) { $0.hasPrefix("known.") } }
            #expect(failure.category == .badData)
            let text = "\(failure)"
            #expect(text.contains("linear.bias is missing"))
            #expect(text.contains("encoder.conv_in.weight has shape [3, 3, 3, 5], not [5, 3, 3, 3]"))
            #expect(text.contains("extra.weight is unexpected"))
            #expect(!text.contains("known.weight"))
            #expect(text.contains(url.path))
            for (name, pair) in zip(names, zip(network.store.parameters, before)) { expectSame(pair.0.value, pair.1, name) }
        }
    }

    @Test func weightsThatAreNotFiniteAreRefused() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("model.safetensors")
            var tensors = Network(seed: 1).store.stateDictionary()
            let index = try #require(tensors.firstIndex { $0.name == "linear.bias" })
            var values = tensors[index].tensor.values
            values[1] = .nan
            tensors[index].tensor = Tensor(shape: [values.count], values: values)
            try writeSafetensors(tensors, to: url)
            let failure = try #require(throws: Failure.self) { try Network(seed: 2).store.load(SafetensorsFile(reading: url)) }
            #expect(failure.category == .badData && failure.location == "\(url.path), tensor linear.bias", "\(failure)")
        }
    }

    /// Under other names, and with further extents of 1.
    @Test func loadedFromAForeignFile() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("model.safetensors")
            let first = Network(seed: 1)
            let tensors = first.store.stateDictionary().map { name, tensor in
                let name = name.replacing("linear", with: "proj")
                return (name: "model." + name, tensor: name == "proj.weight" ? tensor.reshaped(to: [4, 5, 1, 1]) : tensor)
            }
            try writeSafetensors(tensors, to: url)
            let file = try SafetensorsFile(reading: url)
            let second = Network(seed: 2)
            try second.store.load(file, prefix: "model.", named: { $0.replacing("linear", with: "proj") })
            for (name, pair) in zip(names, zip(second.store.parameters, first.store.parameters)) { expectSame(pair.0.value, pair.1.value, name) }
            let failure = try #require(throws: Failure.self) {
                try second.store.load(file, prefix: "model.", named: { $0.replacing("linear", with: "map") })
            }
            #expect(
                failure.found == "map.weight is missing; map.bias is missing; proj.bias is unexpected; proj.weight is unexpected")
        }
    }

    @Test func unfilledUntilLoaded() throws {
        let (filled, store) = (Network(seed: 1).store, ParameterStore.unfilled())
        let convolution = Convolution(3, 5, kernel: 3, stride: 2, in: store.root / "encoder" / "conv_in")
        let shapes = ["encoder.conv_in.weight": [5, 3, 3, 3], "encoder.conv_in.bias": [5]]
        #expect(store.count == 5 * 27 + 5 && store.parameters.allSatisfy { $0.value.count == 0 })
        try store.check(shapes, at: "file")
        #expect(throws: Failure.self) { try store.check(shapes.mapValues { $0 + [2] }, at: "file") }
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("model.safetensors")
            try writeSafetensors(filled.stateDictionary(), to: url)
            try store.load(SafetensorsFile(reading: url), unused: { !$0.hasPrefix("encoder.") })
        }
        expectSame(convolution.weight.value, try #require(filled["encoder.conv_in.weight"]).value, "weight")
    }

    // MARK: - Views

    /// A network with buffers.
    private func makeNormalized(seed: UInt64) -> (store: ParameterStore, layer: Linear, norm: BatchNorm) {
        let store = ParameterStore(seed: seed)
        return (store, Linear(3, 2, in: store.root / "layer"), BatchNorm(2, in: store.root / "norm"))
    }

    @Test func subsetSharesWhatItHolds() {
        let (store, layer, norm) = makeNormalized(seed: 1)
        let subset = store.subset { $0.hasPrefix("norm.") || $0 == "layer.bias" }
        #expect(subset.names == ["layer.bias", "norm.weight", "norm.bias"])
        #expect(subset.bufferNames == ["norm.running_mean", "norm.running_var", "norm.num_batches_tracked"])
        #expect(subset.count == 6 && subset["layer.weight"] == nil)
        #expect(subset["layer.bias"] === layer.bias && zip(subset.buffers, store.buffers).allSatisfy { $0 === $1 })

        var numbers = TestNumbers(seed: 23)
        let (x, cotangent, before) = (numbers.normal([4, 3]), numbers.normal([4, 2]), layer.weight.value.copied())
        let optimizer = AdamW(subset.parameters, learningRate: 0.1)
        optimizer.update(valueWithGradient(at: subset.parameters) { (norm(layer(x), isTraining: true) * cotangent).sum() }.gradients)
        expectSame(layer.weight.value, before, "what is left out")
        #expect(store["norm.bias"]?.value.values != [0, 0])
        #expect(subset.buffers[2].value.item == 1)
        #expect(store.subset { _ in false }.parameters.isEmpty)
    }

    @Test func joinedStoresAreSavedAndLoadedAsOne() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("joined.safetensors")
            func make(_ seed: UInt64) -> (parts: [ParameterStore], joined: ParameterStore) {
                let (one, other) = (Network(seed: seed).store, makeNormalized(seed: seed).store)
                let part = other.subset { $0 != "layer.bias" }
                return ([one, other], ParameterStore(joining: [("unet.", one), ("", part)]))
            }
            let (first, second) = (make(1), make(2))
            #expect(first.joined.names == names.map { "unet.\($0)" } + ["layer.weight", "norm.weight", "norm.bias"])
            #expect(first.joined.count == first.parts[0].count + first.parts[1].count - 2)
            first.parts[1].buffers[0].value = Tensor(shape: [2], values: [3, -4])
            try writeSafetensors(first.joined.stateDictionary(), to: url)
            let file = try SafetensorsFile(reading: url)
            #expect(file.shape(of: "unet.encoder.conv_in.weight") == [5, 3, 3, 3])
            let bias = try #require(second.parts[1]["layer.bias"]).value.copied()
            try second.joined.load(file)
            for (store, expected) in zip(second.parts, first.parts) {
                for (name, pair) in zip(store.names, zip(store.parameters, expected.parameters)) where name != "layer.bias" {
                    expectSame(pair.0.value, pair.1.value, name)
                }
            }
            expectSame(second.parts[1]["layer.bias"]?.value, bias, "what is left out")
            expectSame(second.parts[1].buffers[0].value, Tensor(shape: [2], values: [3, -4]), "buffer")
        }
    }
}
