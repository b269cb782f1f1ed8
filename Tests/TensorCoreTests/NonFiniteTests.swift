import TensorCore
import Testing

/// NaN and infinities go through every operation as they do through PyTorch's.
@Suite struct NonFiniteTests {
    private let fixture: Fixture

    init() throws { fixture = try Fixture("non-finite") }

    /// `count` values from `first` in steps, as the fixture's weights.
    private static func ramp(_ shape: [Int], _ divisor: Float, _ offset: Float) -> Tensor {
        Tensor(shape: shape, values: (0..<shape.reduce(1, *)).map { Float($0) / divisor + offset })
    }

    private static let operations: [(name: String, operation: @Sendable (Tensor) -> Tensor)] = [
        ("relu", { $0.relu() }),
        ("leaky-relu", { $0.leakyRelu() }),
        ("silu", { $0.silu() }),
        ("gelu", { $0.gelu() }),
        ("absolute", { $0.absolute() }),
        ("clamped", { $0.clamped(to: -0.75...1.25) }),
        ("squared", { $0.squared() }),
        ("hyperbolic-sine", { $0.hyperbolicSine() }),
        ("inverse-hyperbolic-sine", { $0.inverseHyperbolicSine() }),
        ("logarithm", { $0.logarithm() }),
        ("affine", { $0.affine(scale: 2, shift: 1) }),
        ("negated", { -$0 }),
        ("multiplied", { $0 * Tensor(shape: [4], values: [0, 1, -1, 2]) }),
        ("divided", { Tensor(shape: [4], values: [0, 1, -1, 2]) / $0 }),
        ("sum", { $0.sum() }),
        ("mean-of-channels", { $0.mean(axes: [1, 2]) }),
        ("max-pool", { maxPool2d($0) }),
        ("max-pool-3", { maxPool2d($0, size: 3, stride: 1) }),
        ("upsample-nearest", { upsampleNearest($0, scale: 2) }),
        ("upsample-bilinear", { upsampleBilinear($0, scale: 2, alignsCorners: false) }),
        ("resize-bicubic", { resizeBicubic($0, height: 9, width: 11, kernel: .plain) }),
        ("resize-bicubic-antialiased", { resizeBicubic($0, height: 4, width: 3, kernel: .antialiased) }),
        ("pixel-unshuffle", { pixelUnshuffle($0, factor: 2) }),
        ("group-norm", { groupNorm($0, groups: 2, weight: Tensor(repeating: 1, shape: [4]), bias: Tensor(zeros: [4])) }),
        ("batch-norm", { batchNorm($0, weight: Tensor(repeating: 1, shape: [4]), bias: Tensor(zeros: [4])).result }),
        (
            "batch-norm-inference",
            {
                batchNorm(
                    $0, mean: Tensor(shape: [4], values: [0.1, 0.2, 0.3, 0.4]), variance: Tensor(shape: [4], values: [1, 2, 3, 4]),
                    weight: Tensor(repeating: 1, shape: [4]), bias: Tensor(zeros: [4]))
            }
        ),
        ("layer-norm", { layerNorm($0, weight: Tensor(repeating: 1, shape: [4]), bias: Tensor(zeros: [4])) }),
        ("rms-norm", { rmsNorm($0, weight: Tensor(repeating: 1, shape: [4])) }),
        ("linear", { linear($0, weight: ramp([3, 4], 7, -0.7)) }),
        ("matmul", { matmul($0.reshaped(to: [48, 4]), ramp([4, 3], 7, -0.7)).reshaped(to: [1, 6, 8, 3]) }),
        ("convolution", { convolution($0, weight: ramp([3, 4, 3, 3], 50, -1.01).permuted([2, 3, 1, 0]), padding: Padding(1)) }),
        ("convolution-1", { convolution($0, weight: ramp([3, 4, 1, 1], 7, -0.7).permuted([2, 3, 1, 0])) }),
        ("convolution-stride-2", { convolution($0, weight: ramp([3, 4, 3, 3], 50, -1.01).permuted([2, 3, 1, 0]), stride: 2, padding: Padding(1)) }),
        ("attention", { attention(queriesKeysValues: concatenate([$0, $0, $0], axis: 3).reshaped(to: [1, 48, 12]), heads: 1) }),
        ("mean-squared-error", { meanSquaredError($0, Tensor(repeating: 1, shape: [1, 6, 8, 4])) }),
        ("mean-absolute-error", { meanAbsoluteError($0, Tensor(repeating: 1, shape: [1, 6, 8, 4])) }),
    ]

    @Test(arguments: ["nan", "inf", "-inf"]) func operationsAgreeWithPyTorch(fill: String) throws {
        let x = try fixture["input.\(fill)"]
        for (name, operation) in Self.operations where fixture.file.contains("\(name).output.\(fill)") {
            let (found, expected) = (operation(x), try fixture["\(name).output.\(fill)"])
            #expect(found.shape == expected.shape, "\(name)")
            let size = expected.values.filter(\.isFinite).reduce(1) { max($0, abs($1)) }
            for (index, (one, other)) in zip(found.values, expected.values).enumerated() {
                let isSame = other.isFinite ? abs(one - other) <= 1e-5 * size : one == other || one.isNaN && other.isNaN
                #expect(isSame, "\(name) of \(fill), value \(index): \(one), not \(other)")
            }
        }
    }

    @Test func everyCaseOfTheFixtureIsChecked() {
        let cases = Set(fixture.file.names.filter { $0.hasSuffix(".output.nan") }.map { String($0.dropLast(".output.nan".count)) })
        #expect(cases == Set(Self.operations.map(\.name)))
    }

    /// Winograd's algorithm mixes a tile's values: what reaches an output still does, and so may what is next to it.
    @Test func convolutionsByWinogradHideNothing() {
        var numbers = TestNumbers(seed: 71)
        let weight = numbers.normal([3, 3, 16, 16])
        for fill in [Float.nan, .infinity, -.infinity] {
            var values = numbers.normal([1, 32, 32, 16]).values
            values[(9 * 32 + 14) * 16 + 3] = fill
            let x = Tensor(shape: [1, 32, 32, 16], values: values)
            let found = convolution(x, weight: weight, padding: Padding(1)).values
            for index in found.indices {
                let (row, column) = (index / 16 / 32, index / 16 % 32)
                if abs(row - 9) <= 1, abs(column - 14) <= 1 { #expect(!found[index].isFinite) }
                if abs(row - 9) > 8 || abs(column - 14) > 8 { #expect(found[index].isFinite) }
            }
        }
    }

    /// Gradients of NaN pass where PyTorch's do.
    @Test func gradientsPass() {
        let values: [Float] = [-1, .nan, 1, .nan]
        let cotangent = Tensor(shape: [4], values: [1, 1, .nan, 2])
        func gradient(_ operation: (Tensor) -> Tensor) -> [Float] {
            let x = Parameter(Tensor(shape: [4], values: values))
            return valueWithGradient(at: [x]) { (operation(x.tensor) * cotangent).sum() }.gradients[x]?.values ?? []
        }
        let relu = gradient { $0.relu() }
        #expect(relu[0] == 0 && relu[1] == 1 && relu[2].isNaN && relu[3] == 2)
        for operation in [{ $0.gelu() }, { $0.silu() }, { $0.squared() }] as [(Tensor) -> Tensor] {
            #expect(gradient(operation).map(\.isNaN) == [false, true, true, true])
        }
    }
}
