import Foundation
import Groundwork
import TensorCore
import Testing

/// Convolutions of random geometries by every algorithm, forward and backward, against the definition, and with the same bits on any number of threads.
///
/// The sizes by which work is cut are divided too, so that small images cross the bounds between chunks, blocks and tasks that large ones do. The seed of a
/// geometry is named where it fails; `SR_SWEEP_SEED` begins with another, `SR_SWEEP_COUNT` takes more.
@Suite(.serialized) struct ConvolutionSweepTests {
    /// Drawn from a seed: sides 1 … 40, channels 1 … 70, kernels 1 … 5, strides 1 … 3, all paddings smaller than the kernel.
    private struct Geometry: CustomStringConvertible {
        let seed: UInt64
        let x, weight: [Int]
        let stride: Int
        let padding: Padding
        let sizeDivisor: Int

        var description: String { "seed \(seed): input \(x), weight \(weight), stride \(stride), \(padding), sizes divided by \(sizeDivisor)" }

        init(seed: UInt64) {
            self.seed = seed
            var numbers = TestNumbers(seed: seed)
            func draw(_ range: ClosedRange<Int>) -> Int { range.lowerBound + Int(numbers.word() % UInt64(range.count)) }
            // Half of them may go by Winograd's algorithm.
            let isSquare = draw(0...1) == 0
            let (tall, wide) = isSquare ? (3, 3) : (draw(1...5), draw(1...5))
            let (inputs, outputs) = (draw(1...70), draw(1...70))
            stride = isSquare ? 1 : draw(1...3)
            padding =
                draw(0...3) == 0
                ? Padding(top: draw(0...tall - 1), bottom: draw(0...tall - 1), left: draw(0...wide - 1), right: draw(0...wide - 1))
                : Padding((min(tall, wide) - 1) / 2)
            // No more work than what takes some milliseconds to do by the definition.
            let pixels = max(1, 3_000_000 / (tall * wide * inputs * outputs))
            let height = min(draw(1...40), pixels)
            let width = min(draw(1...40), max(1, pixels / height))
            let batch = min(draw(1...3), max(1, pixels / (height * width)))
            x = [batch, max(height, tall - padding.top - padding.bottom), max(width, wide - padding.left - padding.right), inputs]
            weight = [tall, wide, inputs, outputs]
            sizeDivisor = [1, 16, 256, 4096][draw(0...3)]
        }
    }

    private func onThreads<Result>(_ count: Int, _ body: () -> Result) -> Result {
        let before = Parallel.threadCount
        defer { Parallel.threadCount = before }
        Parallel.threadCount = count
        return body()
    }

    @Test func geometriesAlgorithmsAndThreads() {
        let environment = ProcessInfo.processInfo.environment
        let first = environment["SR_SWEEP_SEED"].flatMap { UInt64($0) } ?? 1000
        let count = environment["SR_SWEEP_COUNT"].flatMap { UInt64($0) } ?? 80
        for seed in first..<first + count { check(Geometry(seed: seed)) }
    }

    /// Differences are small against the largest value, or against the products it is the sum of, which are about 1: few values may all be near 0.
    private func check(_ found: Tensor?, _ expected: Tensor, _ what: String) {
        let size = expected.values.reduce(1) { max($0, abs($1)) }
        let error = found.map { found in zip(found.values, expected.values).reduce(0) { max($0, abs($1.0 - $1.1)) } } ?? .infinity
        #expect(found?.shape == expected.shape && error <= 4e-5 * size, "\(what): \(error) of \(size)")
    }

    private func check(_ geometry: Geometry) {
        var numbers = TestNumbers(seed: geometry.seed &+ 1 << 32)
        let (x, weight) = (Parameter(numbers.normal(geometry.x)), Parameter(numbers.normal(geometry.weight)))
        let bias = Parameter(numbers.normal([geometry.weight[3]]))
        func result(_ x: Tensor, _ weight: Tensor, _ bias: Tensor, _ residual: Tensor? = nil) -> Tensor {
            convolution(x, weight: weight, bias: bias, residual: residual, stride: geometry.stride, padding: geometry.padding)
        }
        let cotangent = numbers.normal(result(x.value, weight.value, bias.value).shape)
        let reference = ConvolutionReference(
            x.value, weight: weight.value, bias: bias.value, cotangent: cotangent, stride: geometry.stride, padding: geometry.padding)
        let expected = [reference.output, reference.x, reference.weight, reference.bias]
        func results() -> [Tensor?] {
            let gradients = valueWithGradient(at: [x, weight, bias]) { (result(x.tensor, weight.tensor, bias.tensor) * cotangent).sum() }.gradients
            return [result(x.tensor, weight.tensor, bias.tensor), gradients[x], gradients[weight], gradients[bias]]
        }
        let names = ["output", "gradient of x", "gradient of weight", "gradient of bias"]
        for algorithm in ConvolutionAlgorithm.allCases {
            ConvolutionAlgorithm.$sizeDivisor.withValue(geometry.sizeDivisor) {
                ConvolutionAlgorithm.$override.withValue(algorithm) {
                    let one = onThreads(1, results)
                    for (name, (found, expected)) in zip(names, zip(one, expected)) {
                        check(found, expected, "\(name) by \(algorithm), \(geometry)")
                    }
                    for threads in [2, 3, 8] {
                        for (name, (found, expected)) in zip(names, zip(onThreads(threads, results), one)) {
                            guard let expected else { continue }
                            expectSame(found, expected, "\(name) by \(algorithm) on \(threads) threads, \(geometry)")
                        }
                    }
                    // The residual's sum, added at the end, is that of a plain addition but for its rounding.
                    let sum = result(x.value, weight.value, bias.value, cotangent)
                    check(sum, reference.output + cotangent, "sum with a residual by \(algorithm), \(geometry)")
                }
            }
        }
    }
}
