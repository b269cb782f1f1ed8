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
