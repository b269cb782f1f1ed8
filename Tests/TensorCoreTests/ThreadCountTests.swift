import Groundwork
import TensorCore
import Testing

/// Results must not depend on the number of threads. The count is the process's: other tests may run meanwhile, and must not mind.
@Suite(.serialized) struct ThreadCountTests {
    private func onThreads<Result>(_ count: Int, _ body: () -> Result) -> Result {
        let before = Parallel.threadCount
        defer { Parallel.threadCount = before }
        Parallel.threadCount = count
        return body()
    }

    private let operations: [(name: String, shapes: [[Int]], operation: ([Tensor]) -> Tensor)] = [
        ("convolution 3×3", [[2, 61, 47, 9], [3, 3, 9, 13], [13]], { convolution($0[0], weight: $0[1], bias: $0[2], padding: Padding(1)) }),
        ("convolution 1×1", [[2, 61, 47, 9], [1, 1, 9, 13], [13]], { convolution($0[0], weight: $0[1], bias: $0[2]) }),
        ("convolution, stride 2", [[2, 61, 47, 9], [3, 3, 9, 13]], { convolution($0[0], weight: $0[1], stride: 2, padding: Padding(1)) }),
        // Each in several chunks or blocks: see ConvolutionAlgorithm for the sizes.
        ("Winograd by planes", [[1, 100, 104, 96], [3, 3, 96, 96], [96]], { convolution($0[0], weight: $0[1], bias: $0[2], padding: Padding(1)) }),
        ("Winograd by blocks", [[2, 50, 47, 32], [3, 3, 32, 40], [40]], { convolution($0[0], weight: $0[1], bias: $0[2], padding: Padding(1)) }),
        (
            "patches gathered first", [[2, 9, 7, 130], [3, 3, 130, 120], [120]],
            { convolution($0[0], weight: $0[1], bias: $0[2], padding: Padding(1)) }
        ),
        ("patches by blocks", [[1, 90, 88, 40], [5, 5, 40, 24]], { convolution($0[0], weight: $0[1], padding: Padding(2)) }),
        ("pointwise", [[1, 40, 43, 300], [1, 1, 300, 500], [500]], { convolution($0[0], weight: $0[1], bias: $0[2]) }),
        (
            "convolution to one channel", [[2, 61, 47, 20], [3, 3, 20, 1], [1]],
            { convolution($0[0], weight: $0[1], bias: $0[2], padding: Padding(1)) }
        ),
        ("linear of few rows", [[40, 800], [900, 800], [900]], { linear($0[0], weight: $0[1], bias: $0[2]) }),
        ("pixelShuffle", [[3, 40, 50, 12]], { pixelShuffle($0[0], factor: 2) }),
        ("pixelUnshuffle", [[3, 80, 100, 3]], { pixelUnshuffle($0[0], factor: 2) }),
        ("linear", [[3, 700, 33], [65, 33], [65]], { linear($0[0], weight: $0[1], bias: $0[2]) }),
        ("matmul", [[600, 70], [70, 530]], { matmul($0[0], $0[1]) }),
        ("groupNorm", [[2, 90, 80, 6], [6], [6]], { groupNorm($0[0], groups: 2, weight: $0[1], bias: $0[2]) }),
        ("layerNorm", [[2, 9000, 6], [6], [6]], { layerNorm($0[0], weight: $0[1], bias: $0[2]) }),
        ("rmsNorm", [[2, 90, 80, 6], [6]], { rmsNorm($0[0], weight: $0[1]) }),
        ("attention", [[2, 300, 36]], { attention(queriesKeysValues: $0[0], heads: 3) }),
        ("sum of channels", [[2, 90, 280, 2]], { $0[0].sum(axes: [0, 1, 2]) }),
        ("sum", [[2, 90, 280, 2]], { $0[0].sum() }),
        ("broadcast", [[1, 150, 160, 3], [3]], { $0[0] * $0[1] }),
        ("maxPool2d", [[3, 40, 50, 7]], { maxPool2d($0[0]) }),
        ("maxPool2d, 3 × 3", [[3, 40, 50, 7]], { maxPool2d($0[0], size: 3) }),
        ("batchNorm", [[2, 90, 80, 6], [6], [6]], { batchNorm($0[0], weight: $0[1], bias: $0[2]).result }),
        ("resizeBicubic", [[2, 90, 70, 5]], { resizeBicubic($0[0], height: 190, width: 61, kernel: .antialiased) }),
        ("resizeBicubic of one wide image", [[1, 300, 320, 1]], { resizeBicubic($0[0], height: 600, width: 640, kernel: .plain) }),
        ("featureDistance", [[2, 90, 80, 6], [2, 90, 80, 6]], { featureDistance($0[0], $0[1], weight: Tensor(repeating: 1, shape: [6])) }),
        ("upsampleBilinear", [[3, 20, 30, 7]], { upsampleBilinear($0[0], scale: 2) }),
        ("upsampleBilinear, edges", [[3, 20, 30, 7]], { upsampleBilinear($0[0], scale: 2, alignsCorners: false) }),
        ("upsampleNearest", [[3, 20, 30, 7]], { upsampleNearest($0[0], scale: 2) }),
    ]

    @Test func outputsDoNotDependOnTheNumberOfThreads() {
        for (name, shapes, operation) in operations {
            var numbers = TestNumbers(seed: 17)
            let inputs = shapes.map { numbers.normal($0) }
            let expected = onThreads(1) { operation(inputs) }
            for count in [2, 3, 8] { expectSame(onThreads(count) { operation(inputs) }, expected, "\(name) on \(count) threads") }
        }
    }

    /// Images have the bits that each has alone, however many are worked on together.
    @Test func outputsDoNotDependOnTheBatch() {
        let attended: (Tensor) -> Tensor = { attention(queriesKeysValues: $0.reshaped(to: [$0.shape[0], -1, 36]), heads: 3) }
        for (name, shapes, operation) in operations where shapes[0].count == 4 && !["sum", "broadcast", "batchNorm"].contains(where: name.hasPrefix) {
            var numbers = TestNumbers(seed: 19)
            let weights = shapes.dropFirst().map { Parameter(numbers.normal($0)) }
            let isPair = name == "featureDistance"
            let images = numbers.normal([5] + shapes[0].dropFirst())
            func apply(_ x: Tensor) -> Tensor { operation([x] + (isPair ? [x * 2] : weights.map(\.tensor))) }
            let together = apply(images)
            for image in 0..<5 {
                expectSame(
                    together.sliced(axis: 0, range: image..<image + 1), apply(images.sliced(axis: 0, range: image..<image + 1)),
                    "\(name), image \(image)")
            }
        }
        var numbers = TestNumbers(seed: 20)
        let tokens = numbers.normal([3, 300, 36])
        let together = attended(tokens)
        for image in 0..<3 {
            expectSame(together.sliced(axis: 0, range: image..<image + 1), attended(tokens.sliced(axis: 0, range: image..<image + 1)), "attention")
        }
    }

    @Test func randomNumbersDoNotDependOnTheNumberOfThreads() {
        func numbers() -> (Tensor, Tensor) {
            var random = Random(seed: 5, position: 3)
            return (random.normal([100_001]), random.uniform([70_003]))
        }
        let expected = onThreads(1, numbers)
        for count in [2, 8] {
            let found = onThreads(count, numbers)
            expectSame(found.0, expected.0, "normal on \(count) threads")
            expectSame(found.1, expected.1, "uniform on \(count) threads")
        }
    }

    /// Sums over pixels are cut into parts that do not depend on the number of threads.
    @Test func gradientsAreReproducible() {
        for (name, shapes, operation) in operations {
            var numbers = TestNumbers(seed: 18)
            let parameters = shapes.map { Parameter(numbers.normal($0)) }
            let cotangent = numbers.normal(operation(parameters.map(\.value)).shape)
            func gradients() -> [Tensor] {
                let store = valueWithGradient(at: parameters) { (operation(parameters.map(\.tensor)) * cotangent).sum() }.gradients
                return parameters.compactMap { store[$0] }
            }
            var first: [Tensor] = []
            onThreads(1) { first = gradients() }
            #expect(first.count == parameters.count)
            for count in [2, 3, 8] {
                onThreads(count) {
                    for (index, (one, other)) in zip(first, gradients()).enumerated() {
                        expectSame(other, one, "\(name), gradient \(index), \(count) threads")
                    }
                }
            }
        }
    }
}
