import Foundation
import SuperResolution
import TensorCore
import Testing

/// The paper's deterministic networks against its published code, and their other geometry and training against PyTorch.
@Suite struct ModelsRegressionTests {
    private func output(_ configuration: RegressionNetworkConfiguration, of fixture: ModelsFixture) throws -> Tensor {
        let store = ParameterStore(seed: 1)
        let network = configuration.makeNetwork(in: store.root)
        try store.load(fixture.file, prefix: ModelsFixture.weights)
        return network(try fixture["input.lr"].permuted([0, 2, 3, 1]))
    }

    /// The code published with Ramunno et al. 2025; its images are `[batch, channels, height, width]`.
    @Test func publishedEnhance() throws {
        let fixture = try ModelsFixture("enhance")
        let output = try output(.enhance(Enhance.Configuration(width: 2, alignsCorners: true)), of: fixture)
        expectClose(output, try fixture["output"].permuted([0, 2, 3, 1]), "output")
    }

    @Test func publishedProgressive() throws {
        let fixture = try ModelsFixture("progressive")
        func configuration(_ kernel: BicubicKernel) -> RegressionNetworkConfiguration {
            .progressive(Progressive.Configuration(width: 2, alignsCorners: true, bicubicKernel: kernel))
        }
        let expected = try fixture["output"].permuted([0, 2, 3, 1])
        expectClose(try output(configuration(.antialiased), of: fixture), expected, "output")
        #expect(relativeError(try output(configuration(.plain), of: fixture), expected) > 1e-3, "the kernel makes no difference")
    }

    /// Output and gradients of one pass in training.
    private func expectTraining(_ configuration: RegressionNetworkConfiguration, _ fixture: ModelsFixture) throws -> ParameterStore {
        let store = ParameterStore(seed: 1)
        let network = configuration.makeNetwork(in: store.root)
        try store.load(fixture.file, prefix: ModelsFixture.weights)
        let (low, cotangent) = (Parameter(try fixture["input"]), try fixture["cotangent"])
        var output = Tensor(0)
        let gradients = valueWithGradient(at: store.parameters + [low]) {
            output = network(low.tensor, isTraining: true)
            return (output * cotangent).sum()
        }.gradients
        expectClose(output.detached, try fixture["output"], "output")
        try fixture.expectGradients(gradients, of: store)
        try fixture.expectGradient(gradients[low], ofInput: "input")
        return store
    }

    @Test func enhanceInTraining() throws {
        let fixture = try ModelsFixture("enhance-training")
        let store = try expectTraining(.enhance(Enhance.Configuration(width: 1, alignsCorners: false)), fixture)
        #expect(store.buffers.count == 3 * 13)
        for (name, buffer) in zip(store.bufferNames, store.buffers) { expectClose(buffer.value, try fixture["after.\(name)"], name) }
    }

    @Test func progressiveWithPlainKernel() throws {
        let configuration = Progressive.Configuration(width: 1, alignsCorners: false, bicubicKernel: .plain)
        let store = try expectTraining(.progressive(configuration), try ModelsFixture("progressive-plain"))
        #expect(store.buffers.isEmpty)
    }

    /// With the edges aligned a tile becomes what it becomes within the whole but near its border: 14 convolutions at the size of LR, the enlargement
    /// and one convolution after it reach 16 LR pixels at most.
    @Test(arguments: [false, true]) func tilesOfEnhance(alignsCorners: Bool) {
        let network = Enhance(Enhance.Configuration(width: 1, alignsCorners: alignsCorners), in: ParameterStore(seed: 2).root)
        var random = Random(seed: 3)
        let low = random.normal([1, 44, 40, 1])
        func cut(_ x: Tensor, _ rows: Range<Int>, _ columns: Range<Int>) -> Tensor {
            x.sliced(axis: 1, range: rows).sliced(axis: 2, range: columns)
        }
        let whole = cut(network(low), 4 * 20..<4 * 24, 4 * 18..<4 * 20)
        let tile = cut(network(cut(low, 4..<40, 2..<36)), 4 * 16..<4 * 20, 4 * 16..<4 * 18)
        if alignsCorners {
            #expect(relativeError(tile, whole) > 1e-3)
        } else {
            expectClose(tile, whole, "tile", tolerance: 1e-5)
        }
    }

    @Test(arguments: [
        (
            RegressionNetworkConfiguration.enhance(Enhance.Configuration(width: 8, alignsCorners: true)),
            #"{"enhance":{"aligns_corners":true,"width":8}}"#
        ),
        (
            .progressive(Progressive.Configuration(width: 4, alignsCorners: false, bicubicKernel: .antialiased)),
            #"{"progressive":{"aligns_corners":false,"bicubic_kernel":"antialiased","width":4}}"#
        ),
    ]) func configurations(configuration: RegressionNetworkConfiguration, json: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        #expect(String(decoding: try encoder.encode(configuration), as: UTF8.self) == json)
        #expect(try ModelsExample.decoded(json) as RegressionNetworkConfiguration == configuration)
    }

    @Test(arguments: ["{}", #"{"enhance":{"width":8}}"#, #"{"progressive":{"aligns_corners":true,"bicubic_kernel":"sharp","width":8}}"#])
    func configurationsThatCannotBeRead(json: String) {
        #expect(throws: DecodingError.self) { try ModelsExample.decoded(json) as RegressionNetworkConfiguration }
    }
}
