import TensorCore
import Testing

@Suite struct OptimizerTests {
    /// A parameter's gradient as an optimiser gets it: of Σ parameter · values.
    private func store(_ gradients: [(Parameter, Tensor)]) -> GradientStore {
        var store = GradientStore()
        for (parameter, gradient) in gradients { store[parameter] = gradient }
        return store
    }

    private struct Problem {
        let weight, bias: Parameter
        let optimizer: AdamW

        init(_ fixture: Fixture, _ name: String, learningRate: Float, beta1: Float, beta2: Float, weightDecay: Float) throws {
            weight = Parameter(try fixture["\(name).start.weight"])
            bias = Parameter(try fixture["\(name).start.bias"])
            optimizer = AdamW([weight, bias], learningRate: learningRate, beta1: beta1, beta2: beta2, epsilon: 1e-8, weightDecay: weightDecay)
        }

        static func adamW(_ fixture: Fixture) throws -> Problem {
            try Problem(fixture, "adamw", learningRate: 0.05, beta1: 0.9, beta2: 0.999, weightDecay: 0.01)
        }

        static func adam(_ fixture: Fixture) throws -> Problem {
            try Problem(fixture, "adam", learningRate: 0.01, beta1: 0.5, beta2: 0.9, weightDecay: 0)
        }
    }

    @Test(arguments: ["adamw", "adam"]) func tenStepsAgreeWithPyTorch(name: String) throws {
        let fixture = try Fixture("optimizers")
        let problem = try name == "adamw" ? Problem.adamW(fixture) : Problem.adam(fixture)
        for step in 1...10 {
            let (weight, bias) = (try fixture["\(name).gradient.\(step).weight"], try fixture["\(name).gradient.\(step).bias"])
            problem.optimizer.update(store([(problem.weight, weight), (problem.bias, bias)]))
            expectClose(problem.weight.value, try fixture["\(name).weights.\(step).weight"], "weight after step \(step)", tolerance: 1e-5)
            expectClose(problem.bias.value, try fixture["\(name).weights.\(step).bias"], "bias after step \(step)", tolerance: 1e-5)
        }
        #expect(problem.optimizer.step == 10)
    }

    @Test func restoredStateGoesOnBitForBit() throws {
        let fixture = try Fixture("optimizers")
        let (whole, first) = (try Problem.adamW(fixture), try Problem.adamW(fixture))
        func advance(_ problem: Problem, _ steps: ClosedRange<Int>) throws {
            for step in steps {
                let (weight, bias) = (try fixture["adamw.gradient.\(step).weight"], try fixture["adamw.gradient.\(step).bias"])
                problem.optimizer.update(store([(problem.weight, weight), (problem.bias, bias)]))
            }
        }
        try advance(whole, 1...10)
        try advance(first, 1...6)
        let second = try Problem.adamW(fixture)
        second.weight.value = first.weight.value
        second.bias.value = first.bias.value
        second.optimizer.state = first.optimizer.state
        let (weight, moment) = (first.weight.value.copied(), first.optimizer.state.first[0].copied())
        try advance(second, 7...10)
        expectSame(second.weight.value, whole.weight.value, "weight")
        expectSame(second.bias.value, whole.bias.value, "bias")
        expectSame(first.weight.value, weight, "the weight that was copied from")
        expectSame(first.optimizer.state.first[0], moment, "the moment that was copied from")
    }

    @Test func parameterWithoutGradientStays() throws {
        let (used, unused) = (Parameter(Tensor(repeating: 1, shape: [3])), Parameter(Tensor(repeating: 1, shape: [3])))
        let optimizer = AdamW([used, unused], learningRate: 0.1)
        optimizer.update(store([(used, Tensor(repeating: 1, shape: [3]))]))
        #expect(unused.value.values == [1, 1, 1])
        #expect(used.value.values != [1, 1, 1])
    }

    @Test func updateLeavesCopiesOfTheValueAlone() {
        let parameter = Parameter(Tensor(repeating: 1, shape: [40_000]))
        let before = parameter.value
        AdamW([parameter], learningRate: 0.1).update(store([(parameter, Tensor(repeating: 1, shape: [40_000]))]))
        #expect(before.values.allSatisfy { $0 == 1 })
        #expect(parameter.value.values.allSatisfy { abs($0 - 0.899) < 1e-5 })
    }

    @Test func averageAgreesWithItsDefinition() throws {
        let fixture = try Fixture("optimizers")
        let (weight, bias) = (Parameter(try fixture["adamw.start.weight"]), Parameter(try fixture["adamw.start.bias"]))
        let average = ExponentialMovingAverage([weight, bias], decay: 0.9)
        for step in 1...10 {
            weight.value = try fixture["adamw.weights.\(step).weight"]
            bias.value = try fixture["adamw.weights.\(step).bias"]
            average.update()
            expectClose(average.averages[0], try fixture["average.\(step).weight"], "weight after step \(step)", tolerance: 1e-6)
            expectClose(average.averages[1], try fixture["average.\(step).bias"], "bias after step \(step)", tolerance: 1e-6)
        }
    }

    @Test func averagesStandInForTheValues() {
        let parameter = Parameter(Tensor(repeating: 1, shape: [2]))
        let average = ExponentialMovingAverage([parameter], decay: 0.5)
        parameter.value = Tensor(repeating: 3, shape: [2])
        average.update()
        #expect(average.withAverages { parameter.tensor.values } == [2, 2])
        #expect(parameter.value.values == [3, 3])
    }

    /// Optimiser and average in one pass do what they do one after the other, with gradients scaled beforehand.
    @Test(arguments: [1, 70_000]) func averageFollowsWithinTheUpdate(count: Int) {
        var numbers = TestNumbers(seed: 31)
        let start = numbers.normal([count])
        let (fused, apart, unused) = (Parameter(start.copied()), Parameter(start.copied()), Parameter(Tensor(repeating: 2, shape: [3])))
        let (fusedAverage, apartAverage) = (ExponentialMovingAverage([fused, unused], decay: 0.9), ExponentialMovingAverage([apart], decay: 0.75))
        unused.value = Tensor(repeating: 6, shape: [3])
        let (one, other) = (AdamW([fused, unused], learningRate: 0.1), AdamW([apart], learningRate: 0.1))
        for _ in 0..<3 {
            let gradient = numbers.normal([count])
            one.update(store([(fused, gradient)]), scale: 0.5, average: fusedAverage, decay: 0.75)
            other.update(store([(apart, gradient * 0.5)]))
            apartAverage.update()
        }
        expectClose(fused.value, apart.value, "weights", tolerance: 1e-6)
        expectClose(fusedAverage.averages[0], apartAverage.averages[0], "averages", tolerance: 1e-6)
        // 6 − (6 − 2)·0.75³
        expectClose(fusedAverage.averages[1], Tensor(repeating: 4.3125, shape: [3]), "average of a parameter without gradient", tolerance: 1e-6)
    }

    @Test func gradientsAreClippedToANorm() throws {
        let (a, b) = (Parameter(Tensor(zeros: [1])), Parameter(Tensor(zeros: [2])))
        let gradients = store([(a, Tensor(shape: [1], values: [3])), (b, Tensor(shape: [2], values: [4, 12]))])
        #expect(gradients.norm(of: [a, b]) == 13)
        #expect(GradientStore.clippingFactor(norm: 13, limit: 20) == 1)
        #expect(GradientStore.clippingFactor(norm: 13, limit: .infinity) == 1)
        #expect(abs(GradientStore.clippingFactor(norm: 13, limit: 6.5) - 0.5) < 1e-6)
    }
}
