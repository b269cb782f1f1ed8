import Groundwork
import TensorCore
import Testing

/// What batch normalisation keeps between steps, and how it is kept.
@Suite struct BatchNormTests {
    /// The layer of the fixture, with its weights.
    private func makeLayer() -> (store: ParameterStore, layer: BatchNorm) {
        let store = ParameterStore()
        let layer = BatchNorm(3, in: store.root / "norm")
        store["norm.weight"]?.value = Tensor(shape: [3], values: [1, 1.1, 1.2])
        store["norm.bias"]?.value = Tensor(shape: [3], values: [0, 0.2, 0.4])
        return (store, layer)
    }

    @Test func runningStatisticsAgreeWithPyTorch() throws {
        let fixture = try Fixture("batch-norm")
        let (store, layer) = makeLayer()
        #expect(store.bufferNames == ["norm.running_mean", "norm.running_var", "norm.num_batches_tracked"])
        #expect(store.buffers.map(\.value.values) == [[0, 0, 0], [1, 1, 1], [0]])
        for step in 1...3 {
            _ = layer(try fixture["running.\(step).x"], isTraining: true)
            for (buffer, name) in zip(store.buffers, ["mean", "variance", "count"]) {
                expectClose(buffer.value, try fixture["running.\(step).\(name)"], "\(name) after step \(step)", tolerance: 1e-6)
            }
        }
        let before = store.buffers.map(\.value)
        expectClose(layer(try fixture["running.3.x"], isTraining: false), try fixture["running.inference"], "inference", tolerance: 1e-5)
        for (buffer, value) in zip(store.buffers, before) { expectSame(buffer.value, value, "buffers after inference") }
    }

    /// A gradient step changes buffers as a pass without gradient does.
    @Test func buffersFollowEachBatchOnce() throws {
        let x = try Fixture("batch-norm")["running.2.x"]
        var numbers = TestNumbers(seed: 51)
        let cotangent = numbers.normal(x.shape)
        let (plain, recorded) = (makeLayer(), makeLayer())
        _ = plain.layer(x, isTraining: true)
        let input = Parameter(x)
        _ = valueWithGradient(at: recorded.store.parameters + [input]) {
            (recorded.layer(input.tensor, isTraining: true) * cotangent).sum()
        }
        for index in 0..<3 {
            expectSame(recorded.store.buffers[index].value, plain.store.buffers[index].value, "recorded: \(plain.store.bufferNames[index])")
        }
    }

    @Test func buffersAreNoParameters() {
        let (store, _) = makeLayer()
        #expect(store.names == ["norm.weight", "norm.bias"])
        #expect(store.count == 6)
        #expect(store["norm.running_mean"] == nil)
    }

    @Test(arguments: [SafetensorsFile.ElementType.float32, .float16]) func buffersAreSavedAndLoaded(type: SafetensorsFile.ElementType) throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("model.safetensors")
            let (first, second) = (makeLayer(), makeLayer())
            first.store.buffers[0].value = Tensor(shape: [3], values: [0.5, -0.25, 8])
            first.store.buffers[1].value = Tensor(shape: [3], values: [0.125, 2, 1024])
            first.store.buffers[2].value = Tensor(329_341)
            // Averages stand in for parameters; buffers are as they are.
            let averages = first.store.parameters.map { $0.value * 2 }
            try writeSafetensors(first.store.stateDictionary(values: averages), type: type, to: url)
            try second.store.load(try SafetensorsFile(reading: url))
            for (one, other) in zip(second.store.buffers, first.store.buffers) { expectSame(one.value, other.value, "buffer") }
            expectClose(second.store.parameters[1].value, averages[1], "bias", tolerance: 1e-3)

            let incomplete = first.store.stateDictionary().filter { $0.name != "norm.running_var" }
            try writeSafetensors(incomplete, to: url)
            let failure = try #require(throws: Failure.self) { try makeLayer().store.load(try SafetensorsFile(reading: url)) }
            #expect("\(failure)".contains("norm.running_var is missing") && failure.expected?.contains("5 tensors") == true)
        }
    }
}
