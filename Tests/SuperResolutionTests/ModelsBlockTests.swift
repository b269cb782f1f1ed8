import SuperResolution
import TensorCore
import Testing

/// Blocks of networks against PyTorch: outputs, and the gradients of every parameter and input.
@Suite struct ModelsBlockTests {
    /// A block, and the inputs it takes in the order of their names in the fixture.
    struct Case: Sendable, CustomTestStringConvertible {
        let fixture: String
        let inputs: [String]
        let build: @Sendable (Scope) -> ([Tensor]) -> Tensor
        var testDescription: String { fixture }

        init(_ fixture: String, _ inputs: String..., build: @escaping @Sendable (Scope) -> ([Tensor]) -> Tensor) {
            (self.fixture, self.inputs, self.build) = (fixture, inputs, build)
        }
    }

    /// Time embeddings in the fixtures are those before their SiLU, which networks take once for all blocks.
    static let cases = [
        Case("residual-block", "x") { scope in
            let block = ResidualBlock(8, 16, in: scope)
            return { block($0[0]) }
        },
        Case("residual-block-time", "x", "temb") { scope in
            let block = ResidualBlock(5, 8, timeChannels: 32, in: scope)
            return { block($0[0], time: $0[1].silu()) }
        },
        Case("residual-block-time-identity", "x", "temb") { scope in
            let block = ResidualBlock(8, 8, timeChannels: 32, in: scope)
            return { block($0[0], time: $0[1].silu()) }
        },
        Case("attention-block", "x") { scope in
            let block = AttentionBlock(12, heads: 4, in: scope)
            return { block($0[0]) }
        },
        Case("paper-double-conv", "x") { scope in
            let block = PaperUNet.DoubleConvolution(5, 6, middle: 4, in: scope)
            return { block($0[0]) }
        },
        Case("paper-double-conv-residual", "x") { scope in
            let block = PaperUNet.DoubleConvolution(6, 6, isResidual: true, in: scope)
            return { block($0[0]) }
        },
        Case("paper-down", "x", "t") { scope in
            let block = PaperUNet.Down(4, 6, in: scope)
            return { block($0[0], time: $0[1].silu()) }
        },
        Case("paper-up", "x", "skip", "t") { scope in
            let block = PaperUNet.Up(10, 6, in: scope)
            return { block($0[0], skip: $0[1], time: $0[2].silu()) }
        },
        Case("paper-self-attention", "x") { scope in
            let block = PaperUNet.SelfAttention(8, in: scope)
            return { block($0[0]) }
        },
    ]

    private struct Loaded {
        let fixture: ModelsFixture
        let store = ParameterStore(seed: 3)
        let inputs: [Parameter]
        let body: ([Tensor]) -> Tensor

        init(_ example: Case) throws {
            let fixture = try ModelsFixture(example.fixture)
            self.fixture = fixture
            body = example.build(store.root)
            try store.load(fixture.file, prefix: ModelsFixture.weights)
            inputs = try example.inputs.map { Parameter(try fixture["input.\($0)"]) }
        }

        func gradients(_ body: ([Tensor]) -> Tensor) throws -> (output: Tensor, gradients: GradientStore) {
            let cotangent = try fixture["cotangent"]
            var output = Tensor(0)
            let gradients = valueWithGradient(at: store.parameters + inputs) {
                let result = body(inputs.map(\.tensor))
                output = result.detached
                return (result * cotangent).sum()
            }.gradients
            return (output, gradients)
        }
    }

    @Test(arguments: cases) func agreesWithPyTorch(_ example: Case) throws {
        let loaded = try Loaded(example)
        expectClose(loaded.body(loaded.inputs.map(\.value)), try loaded.fixture["output"], "output")
        let (output, gradients) = try loaded.gradients(loaded.body)
        expectClose(output, try loaded.fixture["output"], "recorded output")
        try loaded.fixture.expectGradients(gradients, of: loaded.store)
        for (name, input) in zip(example.inputs, loaded.inputs) { try loaded.fixture.expectGradient(gradients[input], ofInput: "input.\(name)") }
    }
}
