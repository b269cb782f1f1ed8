import Groundwork
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

    /// Tapes come and go at the same addresses: many of them, so that one gets that of another before.
    @Test func aTapeDoesNotTakeTensorsOfAnother() {
        let a = Parameter(Tensor(2))
        for _ in 0..<300 {
            var kept = Tensor(0)
            _ = valueWithGradient(at: [a]) {
                kept = a.tensor * 3
                return kept
            }
            let gradients = valueWithGradient(at: [a]) {
                let b = a.tensor * 5
                return kept * b + b
            }.gradients
            #expect(gradients[a]?.item == 35)
        }
    }

    /// A rule may give a gradient of a shape that its input was repeated to.
    @Test func gradientsOfRepeatedValuesAreSummed() {
        let (a, b) = (Parameter(Tensor(shape: [3], values: [1, 2, 3])), Parameter(Tensor(4)))
        let gradients = valueWithGradient(at: [a, b]) {
            let x = Tensor(zeros: [2, 3]).recorded(from: [a.tensor, b.tensor]) { gradient, _ in [gradient, gradient * 2] }
            return (x * Tensor(shape: [2, 3], values: [1, 2, 3, 10, 20, 30])).sum()
        }.gradients
        #expect(gradients[a]?.values == [11, 22, 33])
        #expect(gradients[b]?.shape == [] && gradients[b]?.item == 132)
    }

    /// What no wanted gradient needs is free before the backward pass: of `x · constant` neither operand is kept, of sums none.
    @Test func rulesKeepWhatTheyNeed() {
        func isFreed(_ operation: (Tensor, Tensor) -> Tensor) -> Bool {
            let a = Parameter(Tensor(repeating: 1, shape: [4]))
            weak var storage: Storage?
            var isFreed = false
            _ = valueWithGradient(at: [a]) {
                let result: Tensor
                do {
                    let x = a.tensor * 2
                    storage = x.storage
                    result = operation(x, Tensor(repeating: 3, shape: [4]))
                }
                isFreed = storage == nil
                return result.sum()
            }
            return isFreed
        }
        #expect(isFreed { $0 * $1 })
        #expect(isFreed { $1 * $0 })
        #expect(isFreed { $0 / $1 })
        #expect(isFreed { $0 + $1 })
        #expect(isFreed { $1 - $0 })
        #expect(isFreed { x, y in linear(x, weight: y.reshaped(to: [1, 4])) })
        #expect(isFreed { x, y in matmul(x.reshaped(to: [1, 4]), y.reshaped(to: [4, 1])) })
        #expect(!isFreed { x, _ in x.squared() })
    }

    @Test func aResultOfAnotherTapeIsAConstant() {
        let (a, b) = (Parameter(Tensor(2)), Parameter(Tensor(5)))
        let outer = valueWithGradient(at: [a]) {
            let y = (a.tensor * 3).squared() * 2
            #expect(valueWithGradient(at: [b]) { y }.gradients[b] == nil)
            return y
        }
        #expect(outer.gradients[a]?.item == 72)
    }

    /// What is written over a recorded value is a constant.
    @Test func valuesWrittenInPlaceAreConstants() {
        let a = Parameter(Tensor(repeating: 2, shape: [1, 2, 2, 1]))
        func gradient(_ write: (inout Tensor) -> Void) -> Tensor? {
            valueWithGradient(at: [a]) {
                var x = a.tensor * 3
                write(&x)
                return (x * a.tensor).sum()
            }.gradients[a]
        }
        #expect(gradient { _ in }?.values == [12, 12, 12, 12])
        #expect(gradient { $0.accumulate(Tensor(repeating: 1, shape: [1, 2, 2, 1])) }?.values == [7, 7, 7, 7])
        #expect(gradient { $0.setWindow(Tensor(repeating: 1, shape: [1, 1, 2, 1]), row: 0, column: 0) }?.values == [1, 1, 6, 6])
        #expect(gradient { $0.addWindow(Tensor(repeating: 1, shape: [1, 1, 2, 1]), row: 1, column: 0) }?.values == [6, 6, 7, 7])
    }

    /// The store holds its parameters: the address of one that is gone may become another's.
    @Test func storesKeepTheirParameters() {
        var store = GradientStore()
        for index in 0..<100 {
            let parameter = Parameter(Tensor(Float(index)))
            #expect(store[parameter] == nil)
            store[parameter] = Tensor(1)
        }
    }

    #if compiler(>=6.2)
        @Test func rulesThatDoNotFitAreRefused() async {
            await #expect(processExitsWith: .failure) {
                let a = Parameter(Tensor(2))
                _ = valueWithGradient(at: [a]) { Tensor(1).recorded(from: [a.tensor, Tensor(1)]) { gradient, _ in [gradient] } }
            }
            await #expect(processExitsWith: .failure) {
                let a = Parameter(Tensor(zeros: [2]))
                _ = valueWithGradient(at: [a]) { Tensor(1).recorded(from: [a.tensor]) { gradient, _ in [gradient] } }
            }
            await #expect(processExitsWith: .failure) {
                let a = Parameter(Tensor(2))
                _ = valueWithGradient(at: [a]) {
                    Parallel.threadCount = 2
                    Parallel.forEach(2) { _ in _ = a.tensor * 3 }
                    return a.tensor
                }
            }
        }

        @Test func memoryThatIsNotThereEndsTheProgramWithAMessage() async {
            let result = await #expect(processExitsWith: .exitCode(1), observing: [\.standardErrorContent]) { _ = Tensor(zeros: [1 << 45]) }
            let message = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
            #expect(message.contains("out of memory"))
        }
    #endif

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

    /// A walk back tells of each gradient once, as soon as nothing can add to it.
    @Test func completeGradientsAreTold() {
        let (a, b, c) = (Parameter(Tensor(2)), Parameter(Tensor(3)), Parameter(Tensor(5)))
        var told: [(parameter: Parameter, gradient: Float?)] = []
        var rules = 0
        func body() -> Tensor { a.tensor * b.tensor * (b.tensor + a.tensor) }
        let watch = Tape.Watch(completed: { told.append(($0, $1?.item)) }, advanced: { rules += 1 })
        let value = valueWithGradient(at: [a, b, c], watch: watch, body)
        let expected = valueWithGradient(at: [a, b, c], body)
        #expect(value.item == expected.value.item && rules == 3)
        #expect(told.map { ObjectIdentifier($0.parameter) } == [c, b, a].map(ObjectIdentifier.init))
        #expect(told.map(\.gradient) == [nil, expected.gradients[b]?.item, expected.gradients[a]?.item])
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

    @Test func storageIsFreedAfterwards() {
        let x = Parameter(Tensor(repeating: 1, shape: [1, 64, 64, 16]))
        func step() {
            _ = valueWithGradient(at: [x]) { (x.tensor.silu().gelu().squared() * 0.5).mean() }
        }
        step()
        // Other tests run at the same time: only growth that many rounds would bring counts.
        let before = StoragePool.usedBytes
        for _ in 0..<400 { step() }
        #expect(StoragePool.usedBytes - before < 200 * 64 * 64 * 16 * 4)
    }
}
