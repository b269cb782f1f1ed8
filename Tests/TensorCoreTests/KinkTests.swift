import TensorCore
import Testing

/// Finite differences of functions with kinks, at inputs that a step cannot carry across one.
@Suite struct KinkTests {
    @Test func rectifierAndModulus() {
        var numbers = TestNumbers(seed: 1)
        let x = numbers.spaced([2, 5, 7, 3], spacing: 0.1, offset: 0.5)
        OperationCase.checkDerivatives(at: [x], names: ["relu"]) { $0[0].relu() }
        OperationCase.checkDerivatives(at: [x], names: ["absolute"]) { $0[0].absolute() }
        OperationCase.checkDerivatives(at: [x], names: ["leakyRelu"]) { $0[0].leakyRelu() }
        // The ends lie halfway between two inputs.
        OperationCase.checkDerivatives(at: [x], names: ["clamped"]) { $0[0].clamped(to: -2...3.1) }
    }

    @Test func maximum() {
        var numbers = TestNumbers(seed: 2)
        let x = numbers.spaced([2, 6, 7, 3], spacing: 0.1)
        OperationCase.checkDerivatives(at: [x], names: ["maxPool2d"]) { maxPool2d($0[0]) }
        OperationCase.checkDerivatives(at: [x], names: ["maxPool2d, 3 × 3"]) { maxPool2d($0[0], size: 3) }
    }

    @Test func meanAbsoluteDifference() {
        var numbers = TestNumbers(seed: 3)
        let difference = numbers.spaced([3, 5, 7], spacing: 0.1, offset: 0.5)
        let b = numbers.normal([3, 5, 7])
        OperationCase.checkDerivatives(at: [b + difference, b], names: ["a", "b"]) { meanAbsoluteError($0[0], $0[1]) }
    }

    @Test func gradientPassesAtTheEndsOfTheRange() {
        let x = Parameter(Tensor(shape: [5], values: [-2, -1, 0, 1, 2]))
        let gradients = valueWithGradient(at: [x]) { x.tensor.clamped(to: -1...1).sum() }.gradients
        #expect(gradients[x]?.values == [0, 1, 1, 1, 0])
    }

    /// A feature vector of length 0 has no direction that a step could change; its distance is the other's own.
    @Test func featuresOfLengthZero() {
        let (a, b) = (Parameter(Tensor(zeros: [1, 1, 2, 2])), Parameter(Tensor(shape: [1, 1, 2, 2], values: [3, 4, 0, 0])))
        let (value, gradients) = valueWithGradient(at: [a, b]) {
            featureDistance(a.tensor, b.tensor, weight: Tensor(shape: [2], values: [1, 2])).sum()
        }
        #expect(abs(value.item - (0.36 + 2 * 0.64) / 2) < 1e-6)
        #expect(gradients[a]?.values == [0, 0, 0, 0])
        #expect(gradients[b]?.values.allSatisfy(\.isFinite) == true)
    }

    @Test func gradientsAtZero() {
        let x = Parameter(Tensor(shape: [3], values: [-0.0, 0, 1]))
        #expect(valueWithGradient(at: [x]) { x.tensor.relu().sum() }.gradients[x]?.values == [0, 0, 1])
        #expect(valueWithGradient(at: [x]) { x.tensor.absolute().sum() }.gradients[x]?.values == [0, 0, 1])
    }

    /// NaN must not become a number on its way, as it does not in PyTorch.
    @Test func whatIsNotANumberPasses() {
        let x = Tensor(shape: [1, 4, 4, 1], values: (0..<16).map { $0 == 6 ? .nan : Float($0) - 8 })
        #expect(x.relu().values.map(\.isNaN) == x.values.map(\.isNaN))
        #expect(maxPool2d(x).values.map(\.isNaN) == [false, true, false, false])
        #expect(maxPool2d(x, size: 3, stride: 1).values.map(\.isNaN) == [true, true, true, true])
        let first = Tensor(shape: [1, 2, 2, 1], values: [.nan, 1, 2, 3])
        #expect(maxPool2d(first).item.isNaN)
        let parameter = Parameter(x)
        let gradient = valueWithGradient(at: [parameter]) { maxPool2d(parameter.tensor).sum() }.gradients[parameter]
        #expect(gradient?.values == (0..<16).map { [5, 6, 13, 15].contains($0) ? 1 : 0 })
        for name in ["gelu", "silu", "leakyRelu", "absolute", "clamped"] {
            let result =
                switch name {
                case "gelu": x.gelu()
                case "silu": x.silu()
                case "leakyRelu": x.leakyRelu()
                case "absolute": x.absolute()
                default: x.clamped(to: -1...1)
                }
            #expect(result.values.map(\.isNaN) == x.values.map(\.isNaN), "\(name)")
        }
    }
}
