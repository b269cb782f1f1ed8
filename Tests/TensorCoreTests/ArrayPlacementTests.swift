import TensorCore
import Testing
import VectorKernels

/// Compilers guard vectorised loops by checks for arrays that overlap, which neighbours in memory may fail without overlapping; the loop taken then sums in another
/// order. Where arrays lie must not tell in the bits.
@Suite struct ArrayPlacementTests {
    /// Computes with arrays far from each other, then end to end in every order that a rotation or a reversal gives, and expects the same bits.
    /// - Parameter counts: of the arrays that `kernel` reads and writes.
    private func expectSameBits(
        _ name: String, _ counts: [Int], sourceLocation: SourceLocation = #_sourceLocation, _ kernel: ([UnsafeMutablePointer<Float>]) -> Void
    ) {
        let gap = 4096
        let total = counts.reduce(0) { $0 + $1 + gap }
        var random = Random(seed: 1, name: name)
        let initial = counts.map { random.normal([$0]).values }
        func results(order: [Int], gap: Int) -> [[UInt32]] {
            let memory = UnsafeMutablePointer<Float>.allocate(capacity: total)
            defer { memory.deallocate() }
            memory.initialize(repeating: 0, count: total)
            var (starts, next) = ([Int](repeating: 0, count: counts.count), 0)
            for index in order {
                starts[index] = next
                (memory + next).update(from: initial[index], count: counts[index])
                next += counts[index] + gap
            }
            kernel(starts.map { memory + $0 })
            return counts.indices.map { index in (0..<counts[index]).map { memory[starts[index] + $0].bitPattern } }
        }
        let expected = results(order: Array(counts.indices), gap: gap)
        for first in counts.indices {
            let order = counts.indices.map { ($0 + first) % counts.count }
            for order in [order, order.reversed()] {
                #expect(results(order: order, gap: 0) == expected, "\(name), arrays in the order \(order)", sourceLocation: sourceLocation)
            }
        }
    }

    private static let channels = [1, 3, 8, 16, 24, 33]

    @Test(arguments: channels, [1, 5]) func rows(channels: Int, rows: Int) {
        let count = rows * channels
        for activation in [activation_none, activation_silu, activation_gelu] {
            expectSameBits("vector_rms_norm", [count, channels, count]) {
                vector_rms_norm(rows, channels, $0[0], $0[1], 1e-5, activation, $0[2])
            }
            expectSameBits("vector_rms_norm_gradient", [count, channels, count, count, channels]) {
                vector_rms_norm_gradient(rows, channels, $0[0], $0[1], $0[2], 1e-5, activation, $0[3], $0[4])
            }
            expectSameBits("vector_channel_affine", [count, channels, channels, count, count]) {
                vector_channel_affine(rows, channels, $0[0], $0[1], $0[2], $0[3], activation, $0[4])
            }
            expectSameBits("vector_channel_activation_gradient", [count, count, channels, channels, count, count]) {
                vector_channel_activation_gradient(rows, channels, $0[0], $0[1], $0[2], $0[3], $0[4], activation, $0[5])
            }
        }
        expectSameBits("vector_layer_norm", [count, channels, channels, count]) {
            vector_layer_norm(rows, channels, $0[0], $0[1], $0[2], 1e-5, $0[3])
        }
        expectSameBits("vector_layer_norm_gradient", [count, channels, count, count, channels, channels]) {
            vector_layer_norm_gradient(rows, channels, $0[0], $0[1], $0[2], 1e-5, $0[3], $0[4], $0[5])
        }
        expectSameBits("vector_channel_moments", [count, channels, channels, channels]) {
            vector_channel_moments(rows, channels, $0[0], $0[1], $0[2], $0[3])
        }
        expectSameBits("vector_channel_products", [count, count, channels, channels, channels]) {
            vector_channel_products(rows, channels, $0[0], $0[1], $0[2], $0[3], $0[4])
        }
        expectSameBits("vector_channel_combine", [count, channels, count, channels, channels, count]) {
            vector_channel_combine(rows, channels, $0[0], $0[1], $0[2], $0[3], $0[4], $0[5])
        }
        expectSameBits("vector_sum_rows", [count, channels]) { vector_sum_rows(rows, channels, $0[0], $0[1]) }
        expectSameBits("vector_feature_distance_gradient", [count, count, channels, count]) {
            vector_feature_distance_gradient(rows, channels, $0[0], $0[1], $0[2], 1e-10, 2, $0[3])
        }
        expectSameBits("vector_softmax_block", [count, rows, rows, rows]) {
            vector_softmax_block(rows, channels, channels, 0.5, $0[0], $0[1], $0[2], $0[3])
        }
        expectSameBits("vector_softmax_from_log_sum", [rows, count]) {
            vector_softmax_from_log_sum(rows, channels, channels, 0.5, $0[0], $0[1])
        }
        expectSameBits("vector_softmax_gradient", [count, rows, count]) {
            vector_softmax_gradient(rows, channels, channels, 0.5, $0[0], $0[1], $0[2])
        }
        expectSameBits("gemm_narrow", [count, 2 * channels, 2, 2 * rows, 2 * rows]) {
            gemm_narrow(rows, 2, channels, $0[0], channels, $0[1], $0[2], $0[3], $0[4])
        }
    }

    @Test(arguments: channels) func elements(count: Int) {
        typealias Function = (Int, UnsafePointer<Float>?, UnsafeMutablePointer<Float>?) -> Void
        typealias Gradient = (Int, UnsafePointer<Float>?, UnsafePointer<Float>?, UnsafeMutablePointer<Float>?) -> Void
        let functions: [(String, Function)] = [("silu", vector_silu), ("gelu", vector_gelu), ("exponential", vector_exponential)]
        for (name, function) in functions { expectSameBits(name, [count, count]) { function(count, $0[0], $0[1]) } }
        let gradients: [(String, Gradient)] = [
            ("silu gradient", vector_silu_gradient), ("gelu gradient", vector_gelu_gradient), ("exponential gradient", vector_exponential_gradient),
        ]
        for (name, gradient) in gradients { expectSameBits(name, [count, count, count]) { gradient(count, $0[0], $0[1], $0[2]) } }
        expectSameBits("vector_accumulate", [count, count]) { vector_accumulate(count, $0[0], 0.3, $0[1]) }
        expectSameBits("vector_interpolate", [count, count]) { vector_interpolate(count, $0[0], 0.3, $0[1]) }
        expectSameBits("vector_adamw", [count, count, count, count, count]) {
            for index in 0..<count { $0[3][index] = abs($0[3][index]) }
            vector_adamw(count, $0[0], $0[1], 0.7, $0[2], $0[3], 1e-3, 0.9, 0.999, 1e-8, 0.01, 0.1, 0.001, $0[4], 0.1)
        }
    }
}
