import Foundation
import TensorCore
import Testing

/// Functions of one value against the system's in double precision. Distances are in units in the last place (ULP): the spacing of floats at the true value.
@Suite struct FunctionAccuracyTests {
    /// The largest distance over a range, at half a million values evenly spread over it and at as many spread over its magnitudes.
    private func farthest(
        _ function: (Tensor) -> Tensor, _ reference: (Double) -> Double, from lower: Float, to upper: Float,
        in unit: (Double) -> Double = { max(abs($0), 0x1p-126).ulpOfFloat }
    ) -> (largest: Double, at: Float) {
        let count = 500_000
        var values = (0...count).map { lower + (upper - lower) * Float($0) / Float(count) }
        let largest = max(abs(lower), abs(upper))
        for index in 0..<count {
            let magnitude = largest * exp(-20 * Float(index) / Float(count))
            for value in [magnitude, -magnitude] where value >= lower && value <= upper { values.append(value) }
        }
        let found = function(Tensor(shape: [values.count], values: values)).values
        return zip(values, found).reduce((0, 0)) { worst, pair in
            let expected = reference(Double(pair.0))
            let distance = abs(Double(pair.1) - expected) / unit(expected)
            return distance > worst.0 || distance.isNaN ? (distance.isNaN ? .infinity : distance, pair.0) : worst
        }
    }

    private func gradient(_ function: @escaping (Tensor) -> Tensor) -> (Tensor) -> Tensor {
        { x in
            let parameter = Parameter(x)
            return valueWithGradient(at: [parameter]) { function(parameter.tensor).sum() }.gradients[parameter] ?? Tensor(0)
        }
    }

    private static func normal(_ x: Double) -> Double { 0.5 * erfc(-x / 2.0.squareRoot()) }
    private static func density(_ x: Double) -> Double { exp(-x * x / 2) / (2 * Double.pi).squareRoot() }
    private static func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }

    @Test func exponential() {
        let (distance, at) = farthest({ $0.exponential() }, exp, from: -87, to: 88)
        #expect(distance <= 1.1, "at \(at)")
        // Held beyond that, as the interface says.
        let ends = Tensor(shape: [4], values: [-87, -1000, 88, 1000]).exponential().values
        #expect(ends[0] == ends[1] && ends[2] == ends[3])
    }

    @Test func sigmoidLinearUnit() {
        let (distance, at) = farthest({ $0.silu() }, { $0 * Self.sigmoid($0) }, from: -87, to: 100)
        #expect(distance <= 3, "at \(at)")
        // Its derivative crosses zero, where digits are lost: the difference itself.
        let slope = farthest(
            gradient { $0.silu() }, { Self.sigmoid($0) * (1 + $0 * Self.sigmoid(-$0)) }, from: -100, to: 100, in: { _ in 1 })
        #expect(slope.largest <= 1.2e-6, "at \(slope.at)")
    }

    @Test func gaussianErrorLinearUnit() {
        let function: (Double) -> Double = { $0 * Self.normal($0) }
        let positive = farthest({ $0.gelu() }, function, from: 0, to: 20)
        #expect(positive.largest <= 2.2, "at \(positive.at)")
        // The square of x loses digits of the exponent where x is negative, about 12 ULP for each unit of x².
        let negative = farthest({ $0.gelu() }, function, from: -4, to: 0)
        #expect(negative.largest <= 40, "at \(negative.at)")
        let tail = farthest({ $0.gelu() }, function, from: -12, to: -4)
        #expect(tail.largest <= 350, "at \(tail.at)")
        let beyond = farthest({ $0.gelu() }, function, from: -100, to: -12, in: { _ in 1 })
        #expect(beyond.largest <= 1e-36, "at \(beyond.at)")
        let slope = farthest(gradient { $0.gelu() }, { Self.normal($0) + $0 * Self.density($0) }, from: -20, to: 20, in: { _ in 1 })
        #expect(slope.largest <= 2.5e-7, "at \(slope.at)")
    }

    @Test func functionsOfTheSystem() {
        func check(
            _ name: String, _ function: (Tensor) -> Tensor, _ reference: (Double) -> Double, _ range: ClosedRange<Float>, _ bound: Double
        ) {
            let (distance, at) = farthest(function, reference, from: range.lowerBound, to: range.upperBound)
            #expect(distance <= bound, "\(name) at \(at)")
        }
        check("logarithm", { $0.logarithm() }, { log($0) }, 1e-30...1e30, 1)
        check("inverseHyperbolicSine", { $0.inverseHyperbolicSine() }, { asinh($0) }, -1e4...1e4, 2)
        check("hyperbolicSine", { $0.hyperbolicSine() }, { sinh($0) }, -80...80, 2)
        check("gradient of hyperbolicSine", gradient { $0.hyperbolicSine() }, { cosh($0) }, -80...80, 2)
    }

    /// The softmax inside of attention, over keys that differ in one direction: the values are what is left of them.
    @Test func softmax() {
        for spread in [Float(0.1), 5, 40] {
            let tokens = 300
            var numbers = TestNumbers(seed: 61)
            let (keys, values) = ((0..<tokens).map { _ in numbers.normal() * spread }, (0..<tokens).map { _ in Float(numbers.uniform()) })
            let packed = zip(keys, values).flatMap { [1, $0.0, $0.1] as [Float] }
            let found = attention(queriesKeysValues: Tensor(shape: [1, tokens, 3], values: packed), heads: 1).values
            let largest = Double(keys.max() ?? 0)
            let powers = keys.map { exp(Double($0) - largest) }
            let expected = zip(powers, values).reduce(0) { $0 + $1.0 * Double($1.1) } / powers.reduce(0, +)
            for value in found { #expect(abs(Double(value) - expected) <= 3e-6 * expected, "spread \(spread)") }
        }
    }
}

extension Double {
    /// The spacing of 32-bit floats at this value.
    fileprivate var ulpOfFloat: Double { Double(Float(self).ulp) }
}
