import Foundation
import TensorCore
import Testing

/// Sizes that the fixtures leave out, so that every loop is cut into several blocks, against the definitions written out in double precision.
@Suite struct LargeSizeTests {
    struct Geometry: Sendable, CustomTestStringConvertible {
        let batch, height, width, inputs, outputs, kernel, stride: Int
        let padding: Padding
        var testDescription: String { "\(batch)×\(height)×\(width)×\(inputs) → \(outputs), \(kernel)×\(kernel), stride \(stride), \(padding)" }

        init(_ batch: Int, _ height: Int, _ width: Int, _ inputs: Int, _ outputs: Int, _ kernel: Int, stride: Int = 1, padding: Padding) {
            (self.batch, self.height, self.width, self.inputs, self.outputs) = (batch, height, width, inputs, outputs)
            (self.kernel, self.stride, self.padding) = (kernel, stride, padding)
        }
    }

    @Test(arguments: [
        Geometry(1, 64, 64, 32, 32, 3, padding: Padding(1)), Geometry(2, 45, 53, 17, 33, 3, padding: Padding(1)),
        Geometry(1, 67, 70, 24, 40, 3, padding: Padding(1)), Geometry(3, 30, 31, 1, 64, 3, padding: Padding(1)),
        Geometry(1, 130, 65, 8, 1, 3, padding: Padding(1)), Geometry(1, 61, 62, 48, 16, 3, padding: Padding(0)),
        Geometry(1, 41, 42, 16, 24, 3, padding: Padding(top: 0, bottom: 2, left: 2, right: 1)),
        Geometry(2, 64, 48, 16, 24, 3, stride: 2, padding: Padding(1)),
        Geometry(1, 63, 65, 16, 24, 3, stride: 2, padding: Padding(top: 0, bottom: 1, left: 0, right: 1)),
        Geometry(2, 47, 51, 37, 65, 1, padding: Padding(0)), Geometry(1, 64, 60, 9, 20, 4, stride: 2, padding: Padding(1)),
        Geometry(1, 50, 51, 10, 12, 5, padding: Padding(2)), Geometry(1, 4, 4, 256, 192, 3, padding: Padding(1)),
        Geometry(2, 5, 7, 256, 240, 3, padding: Padding(1)), Geometry(1, 9, 8, 256, 232, 3, stride: 2, padding: Padding(1)),
        Geometry(1, 29, 30, 96, 112, 3, padding: Padding(1)), Geometry(1, 64, 64, 256, 256, 3, padding: Padding(1)),
        Geometry(2, 9, 7, 130, 120, 3, padding: Padding(1)), Geometry(2, 20, 21, 30, 1, 3, padding: Padding(1)),
        Geometry(1, 33, 30, 20, 3, 3, padding: Padding(1)),
        // Rows 4096 bytes apart.
        Geometry(1, 13, 14, 1024, 40, 1, padding: Padding(0)),
    ])
    func convolutionAndItsGradients(geometry: Geometry) {
        check(geometry)
    }

    /// Every kernel that this processor runs, with Winograd's algorithm and without.
    @Test(arguments: ProductKernel.available, ConvolutionAlgorithm.allCases)
    func kernelsAndAlgorithms(kernel: ProductKernel, algorithm: ConvolutionAlgorithm) {
        ProductKernel.$override.withValue(kernel) {
            ConvolutionAlgorithm.$override.withValue(algorithm) {
                for geometry in [
                    Geometry(1, 29, 30, 96, 112, 3, padding: Padding(1)), Geometry(2, 45, 53, 17, 33, 3, padding: Padding(1)),
                    Geometry(1, 130, 65, 8, 1, 3, padding: Padding(1)), Geometry(2, 47, 51, 37, 65, 1, padding: Padding(0)),
                ] {
                    check(geometry)
                }
            }
        }
    }

    private func check(_ geometry: Geometry) {
        var numbers = TestNumbers(seed: 9)
        let x = Parameter(numbers.normal([geometry.batch, geometry.height, geometry.width, geometry.inputs]))
        let weight = Parameter(numbers.normal([geometry.kernel, geometry.kernel, geometry.inputs, geometry.outputs]))
        let bias = Parameter(numbers.normal([geometry.outputs]))
        let result = convolution(x.value, weight: weight.value, bias: bias.value, stride: geometry.stride, padding: geometry.padding)
        let cotangent = numbers.normal(result.shape)
        let expected = ConvolutionReference(
            x.value, weight: weight.value, bias: bias.value, cotangent: cotangent, stride: geometry.stride, padding: geometry.padding)
        // Kernels for processors without fused multiply-add round up to half as much again as the others.
        expectClose(result, expected.output, "output", tolerance: 1.5e-5)
        let gradients = valueWithGradient(at: [x, weight, bias]) {
            (convolution(x.tensor, weight: weight.tensor, bias: bias.tensor, stride: geometry.stride, padding: geometry.padding) * cotangent).sum()
        }.gradients
        expectClose(gradients[x], expected.x, "gradient of x", tolerance: 1.5e-5)
        expectClose(gradients[weight], expected.weight, "gradient of weight", tolerance: 2e-5)
        expectClose(gradients[bias], expected.bias, "gradient of bias", tolerance: 2e-5)
    }

    /// Weights packed for inference are kept with their parameter: no change of the weights may leave them behind.
    @Test(arguments: [[3, 3, 16, 16], [1, 1, 16, 16], [3, 3, 16, 2]]) func packedWeightsFollowTheWeights(shape: [Int]) {
        var numbers = TestNumbers(seed: 27)
        let x = numbers.normal([1, 32, 32, 16])
        let weight = Parameter(numbers.normal(shape))
        let padding = Padding(shape[0] / 2)
        func output() -> Tensor { convolution(x, weight: weight.tensor, padding: padding) }
        func fresh() -> Tensor { convolution(x, weight: weight.value.copied(), padding: padding) }
        let before = output()
        #expect(before.values == output().values)
        var gradients = GradientStore()
        gradients[weight] = numbers.normal(shape)
        let optimizer = AdamW([weight], learningRate: 0.1)
        let average = ExponentialMovingAverage([weight], decay: 0.5)
        for _ in 0..<2 {
            optimizer.update(gradients)
            #expect(output().values == fresh().values)
            average.withAverages { #expect(output().values == fresh().values) }
            average.update()
            average.withAverages { #expect(output().values == fresh().values) }
        }
        #expect(output().values != before.values)
        var sum = weight.tensor
        sum.accumulate(weight.value)
        #expect(convolution(x, weight: sum, padding: padding).values != output().values)
    }

    /// Dimensions in every order, against the definition: sides that are no multiples of what is moved together, and more of them than a task moves.
    @Test(arguments: [[5, 70, 3, 4], [3, 17, 2, 33], [9, 2, 70, 1], [530, 70, 3], [3, 0, 2], []]) func permutations(shape: [Int]) {
        var numbers = TestNumbers(seed: 28)
        let tensor = numbers.normal(shape)
        let source = tensor.values
        func orders(_ axes: [Int]) -> [[Int]] {
            axes.isEmpty ? [[]] : axes.flatMap { axis in orders(axes.filter { $0 != axis }).map { [axis] + $0 } }
        }
        for order in orders(Array(shape.indices)) {
            let permuted = tensor.permuted(order)
            #expect(permuted.shape == order.map { shape[$0] })
            let expected = (0..<source.count).map { index in
                var (remainder, position) = (index, shape.map { _ in 0 })
                for axis in order.reversed() { (remainder, position[axis]) = remainder.quotientAndRemainder(dividingBy: shape[axis]) }
                return source[zip(position, shape).reduce(0) { $0 * $1.1 + $1.0 }]
            }
            #expect(permuted.values == expected, "\(order)")
        }
    }

    @Test(arguments: [(1, 600, 32, 4), (2, 257, 12, 1), (1, 129, 6, 2)])
    func attentionAndItsGradient(batch: Int, tokens: Int, channels: Int, heads: Int) {
        var numbers = TestNumbers(seed: 10)
        let packed = numbers.normal([batch, tokens, 3 * channels])
        let result = attention(queriesKeysValues: packed, heads: heads)
        let (source, width) = (packed.values.map(Double.init), channels / heads)
        var expected = [Float](repeating: 0, count: result.count)
        for image in 0..<batch {
            for head in 0..<heads {
                for token in 0..<tokens {
                    let query = (image * tokens + token) * 3 * channels + head * width
                    let logits = (0..<tokens).map { other in
                        let key = (image * tokens + other) * 3 * channels + channels + head * width
                        return (0..<width).reduce(0.0) { $0 + source[query + $1] * source[key + $1] } / Double(width).squareRoot()
                    }
                    let largest = logits.reduce(-Double.infinity, max)
                    let powers = logits.map { exp($0 - largest) }
                    let total = powers.reduce(0, +)
                    for channel in 0..<width {
                        let values = image * tokens * 3 * channels + 2 * channels + head * width + channel
                        let sum = (0..<tokens).reduce(0.0) { $0 + powers[$1] * source[values + $1 * 3 * channels] }
                        expected[(image * tokens + token) * channels + head * width + channel] = Float(sum / total)
                    }
                }
            }
        }
        expectClose(result, Tensor(shape: result.shape, values: expected), "output", tolerance: 1e-5)
        OperationCase.checkDerivatives(at: [packed], names: ["packed"], tolerance: 2e-3) { attention(queriesKeysValues: $0[0], heads: heads) }
    }

    @Test(arguments: [(1000, 130, 70), (513, 64, 600), (1, 300, 1), (3, 1, 2)])
    func products(rows: Int, inner: Int, columns: Int) {
        var numbers = TestNumbers(seed: 11)
        let (a, b) = (numbers.normal([rows, inner]), numbers.normal([inner, columns]))
        let (left, right) = (a.values.map(Double.init), b.values.map(Double.init))
        var expected = [Double](repeating: 0, count: rows * columns)
        for row in 0..<rows {
            for step in 0..<inner {
                for column in 0..<columns { expected[row * columns + column] += left[row * inner + step] * right[step * columns + column] }
            }
        }
        let product = Tensor(shape: [rows, columns], values: expected.map { Float($0) })
        expectClose(matmul(a, b), product, "matmul", tolerance: 1e-5)
        expectClose(linear(a, weight: b.permuted([1, 0])), product, "linear", tolerance: 1e-5)
        OperationCase.checkDerivatives(at: [a, b], names: ["a", "b"], step: 0.5, tolerance: 1e-3) { matmul($0[0], $0[1]) }
        OperationCase.checkDerivatives(at: [a, b.permuted([1, 0])], names: ["x", "weight"], step: 0.5, tolerance: 1e-3) {
            linear($0[0], weight: $0[1])
        }
    }

    /// [1, 150, 160, 3] takes three blocks of an elementwise loop.
    @Test(arguments: [[1, 150, 160, 3], [3], [1, 1, 1, 3], [150, 160, 1], [1], [], [1, 150, 1, 3], [160, 3]])
    func broadcasting(shape: [Int]) {
        var numbers = TestNumbers(seed: 12)
        let (a, b) = (numbers.normal([1, 150, 160, 3]), numbers.normal(shape))
        let padded = Array(repeating: 1, count: 4 - shape.count) + shape
        let (left, right) = (a.values, b.values)
        func index(_ position: Int) -> Int {
            let place = [0, position / 480, position / 3 % 160, position % 3]
            return zip(padded, place).reduce(0) { $0 * $1.0 + ($1.0 == 1 ? 0 : $1.1) }
        }
        func expected(_ operation: (Float, Float) -> Float) -> Tensor {
            Tensor(shape: a.shape, values: left.indices.map { operation(left[$0], right[index($0)]) })
        }
        expectSame(a + b, expected(+), "+")
        expectSame(a - b, expected(-), "-")
        expectSame(a * b, expected(*), "*")
        expectSame(a / b, expected(/), "/")
        expectSame(b - a, expected { $1 - $0 }, "- the other way round")

        let cotangent = numbers.normal(a.shape)
        let parameter = Parameter(b)
        var sums = [Double](repeating: 0, count: b.count)
        for (position, value) in cotangent.values.enumerated() { sums[index(position)] += Double(value) * Double(left[position]) }
        let gradient = valueWithGradient(at: [parameter]) { (a * parameter.tensor * cotangent).sum() }.gradients[parameter]
        expectClose(gradient, Tensor(shape: shape, values: sums.map { Float($0) }), "gradient", tolerance: 2e-5)
    }

    @Test func activations() {
        var numbers = TestNumbers(seed: 13)
        let x = numbers.normal([1, 150, 160, 3])
        func expected(_ function: (Double) -> Double) -> Tensor { Tensor(shape: x.shape, values: x.values.map { Float(function(Double($0))) }) }
        expectClose(x.relu(), expected { max($0, 0) }, "relu", tolerance: 0)
        expectClose(x.silu(), expected { $0 / (1 + exp(-$0)) }, "silu", tolerance: 1e-6)
        expectClose(x.gelu(), expected { 0.5 * $0 * (1 + erf($0 / 2.squareRoot())) }, "gelu", tolerance: 1e-6)
        expectClose(x.absolute(), expected { abs($0) }, "absolute", tolerance: 0)
        expectClose(x.inverseHyperbolicSine(), expected(asinh), "inverse hyperbolic sine", tolerance: 1e-6)
        expectClose(x.hyperbolicSine(), expected(sinh), "hyperbolic sine", tolerance: 1e-6)
        OperationCase.checkDerivatives(at: [x], names: ["silu"], tolerance: 2e-3) { $0[0].silu() }
        OperationCase.checkDerivatives(at: [x], names: ["gelu"], tolerance: 2e-3) { $0[0].gelu() }
    }

    @Test(arguments: [[0], [1], [2], [3], [1, 2], [0, 1, 2], [1, 2, 3], [0, 3], [0, 1, 2, 3]])
    func sums(axes: [Int]) {
        var numbers = TestNumbers(seed: 14)
        let shape = [3, 90, 170, 2]
        let x = numbers.normal(shape) + 1
        let kept = shape.indices.map { axes.contains($0) ? 1 : shape[$0] }
        var expected = [Double](repeating: 0, count: kept.reduce(1, *))
        for (position, value) in x.values.enumerated() {
            let place = [position / (90 * 170 * 2), position / 340 % 90, position / 2 % 170, position % 2]
            expected[zip(kept, place).reduce(0) { $0 * $1.0 + ($1.0 == 1 ? 0 : $1.1) }] += Double(value)
        }
        let summed = Tensor(shape: kept, values: expected.map { Float($0) })
        expectClose(x.sum(axes: axes, keepingDimensions: true), summed, "sum", tolerance: 1e-5)
        expectClose(x.mean(axes: axes, keepingDimensions: true), summed * (Float(summed.count) / Float(x.count)), "mean", tolerance: 1e-5)
    }

    @Test func normalizations() {
        var numbers = TestNumbers(seed: 15)
        let x = numbers.normal([2, 70, 90, 6]) * 2 + 1
        let (weight, bias) = (numbers.normal([6]), numbers.normal([6]))
        func names(_ operation: String) -> [String] { ["x", "weight", "bias"].map { "\(operation) \($0)" } }
        // Statistics over whole images or over pixels, in terms of operations that are checked by themselves.
        func normalized(_ x: Tensor, axes: [Int], epsilon: Float) -> Tensor {
            let centred = x - x.mean(axes: axes, keepingDimensions: true)
            let variance = centred.squared().mean(axes: axes, keepingDimensions: true)
            return centred / Tensor(shape: variance.shape, values: variance.values.map { ($0 + epsilon).squareRoot() })
        }
        for groups in [1, 2, 3, 6] {
            let grouped = x.reshaped(to: [2, 70 * 90, groups, 6 / groups])
            let expected = normalized(grouped, axes: [1, 3], epsilon: 1e-5).reshaped(to: x.shape) * weight + bias
            expectClose(groupNorm(x, groups: groups, weight: weight, bias: bias), expected, "groupNorm", tolerance: 2e-5)
            OperationCase.checkDerivatives(at: [x, weight, bias], names: names("groupNorm")) {
                groupNorm($0[0], groups: groups, weight: $0[1], bias: $0[2])
            }
        }
        let expected = normalized(x, axes: [3], epsilon: 1e-5) * weight + bias
        expectClose(layerNorm(x, weight: weight, bias: bias), expected, "layerNorm", tolerance: 2e-5)
        OperationCase.checkDerivatives(at: [x, weight, bias], names: names("layerNorm")) {
            layerNorm($0[0], weight: $0[1], bias: $0[2], epsilon: 1e-2)
        }
        let squares = x.squared().mean(axes: [3], keepingDimensions: true)
        let root = Tensor(shape: squares.shape, values: squares.values.map { ($0 + 1e-3).squareRoot() })
        expectClose(rmsNorm(x, weight: weight), x / root * weight, "rmsNorm", tolerance: 2e-5)
        OperationCase.checkDerivatives(at: [x, weight], names: ["rmsNorm x", "rmsNorm weight"]) { rmsNorm($0[0], weight: $0[1]) }
    }

    @Test func copies() {
        var numbers = TestNumbers(seed: 16)
        let (a, b) = (numbers.normal([2, 80, 90, 5]), numbers.normal([2, 80, 90, 3]))
        let both = concatenate([a, b], axis: 3)
        expectSame(both.sliced(axis: 3, range: 0..<5), a, "first part")
        expectSame(both.sliced(axis: 3, range: 5..<8), b, "second part")
        let images = concatenate([a, a], axis: 0)
        expectSame(images.sliced(axis: 0, range: 2..<4), a, "second images")
        let deep = numbers.normal([2, 40, 30, 12])
        expectSame(pixelUnshuffle(pixelShuffle(deep, factor: 2), factor: 2), deep, "there and back")
    }
}
