import Foundation
import TensorCore

/// Numbers for tests from a generator of their own (SplitMix64, Steele et al. 2014), so that nothing under test makes its own input.
struct TestNumbers {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func word() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }

    /// In (0, 1).
    mutating func uniform() -> Double { (Double(word() >> 11) + 0.5) * 0x1p-53 }

    mutating func normal() -> Float { Float((-2 * log(uniform())).squareRoot() * cos(2 * .pi * uniform())) }

    mutating func normal(_ shape: [Int]) -> Tensor {
        Tensor(shape: shape, values: (0..<shape.reduce(1, *)).map { _ in normal() })
    }

    /// 0, ±spacing, ±2·spacing … in random order: no two values are nearer than `spacing`, and none but one is zero. With `offset` none is.
    mutating func spaced(_ shape: [Int], spacing: Float, offset: Float = 0) -> Tensor {
        let count = shape.reduce(1, *)
        var values = (0..<count).map { (Float($0) - Float(count / 2) + offset) * spacing }
        for index in values.indices.dropFirst() { values.swapAt(index, Int(word() % UInt64(index + 1))) }
        return Tensor(shape: shape, values: values)
    }
}
