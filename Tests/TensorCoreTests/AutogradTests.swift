import TensorCore
import Testing

@Suite struct AutogradTests {
    @Test func gradientOfAPolynomial() {
        let x = Parameter(Tensor(shape: [2], values: [2, -3]))
        let (value, gradients) = valueWithGradient(at: [x]) { (x.tensor * x.tensor * x.tensor + x.tensor * 2).sum() }
        #expect(value.shape == [])
        #expect(value.item == 8 - 27 + 4 - 6)
        #expect(gradients[x]?.values == [14, 29])
    }

    @Test func onlyWhatIsAskedForHasAGradient() {
        let (a, b, c) = (Parameter(Tensor(2)), Parameter(Tensor(3)), Parameter(Tensor(5)))
        let gradients = valueWithGradient(at: [a, c]) { a.tensor * b.tensor }.gradients
        #expect(gradients[a]?.item == 3)
        #expect(gradients[b] == nil)
        #expect(gradients[c] == nil)
    }

    @Test func detachedValuesPassNoGradient() {
        let a = Parameter(Tensor(2))
        #expect(valueWithGradient(at: [a]) { a.tensor * a.tensor.detached }.gradients[a]?.item == 2)
        #expect(valueWithGradient(at: [a]) { a.tensor.detached * 3 }.gradients[a] == nil)
        #expect(valueWithGradient(at: [a]) { a.value * a.tensor }.gradients[a]?.item == 2)
    }

    @Test func theResultMayBeTheParameterItself() {
        let a = Parameter(Tensor(2))
        #expect(valueWithGradient(at: [a]) { a.tensor }.gradients[a]?.item == 1)
    }

    @Test func oneValueUsedManyTimes() {
        let a = Parameter(Tensor(shape: [2], values: [3, 4]))
        let gradients = valueWithGradient(at: [a]) {
            let doubled = a.tensor * 2
            return concatenate([doubled, doubled.squared(), doubled.reshaped(to: [1, 2]).reshaped(to: [2])], axis: 0).sum()
        }.gradients
        // 2 + 8 a + 2
        #expect(gradients[a]?.values == [28, 36])
    }

    @Test func gradientsThatShareStorageStayApart() {
        // Both parameters get the very same gradient; adding to one must not change the other.
        let (a, b) = (Parameter(Tensor(zeros: [3])), Parameter(Tensor(zeros: [3])))
        let gradients = valueWithGradient(at: [a, b]) { (a.tensor + b.tensor + a.tensor).sum() }.gradients
        #expect(gradients[a]?.values == [2, 2, 2])
        #expect(gradients[b]?.values == [1, 1, 1])
    }

    @Test func nothingIsRecordedOutside() {
        let a = Parameter(Tensor(2))
        #expect(a.tensor.node == nil)
        #expect((a.tensor * 2).node == nil)
    }

    @Test func aTapeDoesNotTakeTensorsOfAnother() {
        let a = Parameter(Tensor(2))
        var kept = Tensor(0)
        _ = valueWithGradient(at: [a]) {
            kept = a.tensor * 3
            return kept
        }
        #expect(valueWithGradient(at: [a]) { kept * a.tensor }.gradients[a]?.item == 6)
    }

    @Test func tapesNest() {
        let (a, b) = (Parameter(Tensor(2)), Parameter(Tensor(5)))
        let outer = valueWithGradient(at: [a]) {
            let inner = valueWithGradient(at: [b]) { b.tensor * b.tensor * a.tensor }
            #expect(inner.gradients[b]?.item == 20)
            #expect(inner.gradients[a] == nil)
            return a.tensor * (inner.gradients[b] ?? Tensor(0))
        }
        #expect(outer.gradients[a]?.item == 20)
    }

    @Test func errorsPassThrough() {
        struct Stop: Error {}
        let a = Parameter(Tensor(2))
        #expect(throws: Stop.self) { try valueWithGradient(at: [a]) { throw Stop() } }
        #expect(a.tensor.node == nil)
    }

    @Test func storesAddUp() {
        let (a, b) = (Parameter(Tensor(2)), Parameter(Tensor(3)))
        var first = valueWithGradient(at: [a]) { a.tensor * 4 }.gradients
        first.accumulate(valueWithGradient(at: [a, b]) { a.tensor * b.tensor }.gradients)
        #expect(first[a]?.item == 7)
        #expect(first[b]?.item == 2)
    }

    @Test func recomputationChangesNothing() {
        var numbers = TestNumbers(seed: 8)
        let x = Parameter(numbers.normal([2, 7, 6, 3]))
        let (weight, scale) = (Parameter(numbers.normal([3, 3, 3, 5])), Parameter(numbers.normal([5])))
        let cotangent = numbers.normal([2, 7, 6, 5])
        @Sendable func block(_ inputs: [Tensor]) -> Tensor {
            rmsNorm(convolution(inputs[0], weight: weight.tensor, padding: Padding(1)).silu(), weight: scale.tensor) * inputs[1].sum()
        }
        let plain = valueWithGradient(at: [x, weight, scale]) { (block([x.tensor, x.tensor * 2]) * cotangent).sum() }
        let again = valueWithGradient(at: [x, weight, scale]) {
            (checkpoint([x.tensor, x.tensor * 2], parameters: [weight, scale], block) * cotangent).sum()
        }
        expectSame(again.value, plain.value, "value")
        for (name, parameter) in [("x", x), ("weight", weight), ("scale", scale)] {
            expectClose(again.gradients[parameter], plain.gradients[parameter] ?? Tensor(0), "gradient of \(name)", tolerance: 1e-6)
        }
        let inputs = [x.value, x.value * 2]
        expectSame(checkpoint(inputs, parameters: [weight, scale], block), block(inputs), "value without a tape")
        let weightAlone = valueWithGradient(at: [weight]) { (checkpoint(inputs, parameters: [weight, scale], block) * cotangent).sum() }
        #expect(weightAlone.gradients[x] == nil)
        #expect(weightAlone.gradients[weight] != nil)
    }

    @Test func storageIsFreedAfterwards() {
        let x = Parameter(Tensor(repeating: 1, shape: [1, 64, 64, 16]))
        func step() {
            _ = valueWithGradient(at: [x]) { (x.tensor.silu().gelu().squared() * 0.5).mean() }
        }
        step()
        // Other tests run at the same time: only growth that many rounds would bring counts.
        let before = StoragePool.usedBytes
        for _ in 0..<200 { step() }
        #expect(StoragePool.usedBytes - before < 100 * 64 * 64 * 16 * 4)
    }
}
