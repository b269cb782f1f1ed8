import TensorCore
import Testing

/// Operations that do in one pass what others, checked by themselves, do in several.
@Suite struct FusedOperationTests {
    /// Outputs and all gradients of two ways to one result, and that these are derivatives.
    private func expectSameFunction(
        _ values: [Tensor], names: [String], _ what: String, fused: ([Tensor]) -> Tensor, apart: ([Tensor]) -> Tensor
    ) {
        var numbers = TestNumbers(seed: 41)
        let cotangent = numbers.normal(apart(values).shape)
        func results(_ operation: ([Tensor]) -> Tensor) -> [Tensor?] {
            let parameters = values.map { Parameter($0) }
            let gradients = valueWithGradient(at: parameters) { (operation(parameters.map(\.tensor)) * cotangent).sum() }.gradients
            return [operation(values)] + parameters.map { gradients[$0] }
        }
        for (name, (one, other)) in zip(["output"] + names.map { "gradient of \($0)" }, zip(results(fused), results(apart))) {
            guard let other else {
                Issue.record("\(what): \(name) is missing")
                continue
            }
            expectClose(one, other, "\(what): \(name)", tolerance: 1e-5)
        }
        OperationCase.checkDerivatives(at: values, names: names.map { "\(what): \($0)" }, fused)
    }

    private func activated(_ x: Tensor, _ activation: Activation) -> Tensor {
        switch activation {
        case .none: x
        case .gelu: x.gelu()
        case .silu: x.silu()
        }
    }

    @Test(arguments: [Activation.none, .gelu, .silu], [false, true])
    func groupNormWithWhatFollows(activation: Activation, hasResidual: Bool) {
        var numbers = TestNumbers(seed: 42)
        let values =
            [numbers.normal([2, 9, 7, 6]) + 1, numbers.normal([6]), numbers.normal([6]), numbers.normal([2, 6])]
            + (hasResidual ? [numbers.normal([2, 9, 7, 6])] : [])
        let names = ["x", "weight", "bias", "offset"] + (hasResidual ? ["residual"] : [])
        for groups in [1, 3] {
            expectSameFunction(values, names: names, "groupNorm, \(groups) groups") { inputs in
                groupNorm(
                    inputs[0], groups: groups, weight: inputs[1], bias: inputs[2], offset: inputs[3], residual: hasResidual ? inputs[4] : nil,
                    activation: activation)
            } apart: { inputs in
                let sum = groupNorm(inputs[0], groups: groups, weight: inputs[1], bias: inputs[2]) + inputs[3].reshaped(to: [2, 1, 1, 6])
                return activated(hasResidual ? sum + inputs[4] : sum, activation)
            }
        }
    }

    @Test(arguments: [Activation.gelu, .silu]) func rmsNormWithActivation(activation: Activation) {
        var numbers = TestNumbers(seed: 43)
        expectSameFunction([numbers.normal([2, 9, 7, 5]), numbers.normal([5])], names: ["x", "weight"], "rmsNorm") { inputs in
            rmsNorm(inputs[0], weight: inputs[1], activation: activation)
        } apart: { inputs in
            activated(rmsNorm(inputs[0], weight: inputs[1]), activation)
        }
    }

    /// By Winograd's algorithm, by patches and pointwise.
    @Test(arguments: [([1, 30, 29, 16], [3, 3, 16, 17]), ([2, 6, 5, 3], [3, 3, 3, 4]), ([2, 6, 5, 3], [1, 1, 3, 4])])
    func convolutionWithResidual(shape: [Int], weightShape: [Int]) {
        var numbers = TestNumbers(seed: 44)
        let outputs = weightShape[3]
        let values = [
            numbers.normal(shape), numbers.normal(weightShape) * 0.1, numbers.normal([outputs]), numbers.normal(shape.dropLast() + [outputs]),
        ]
        let padding = Padding(weightShape[0] / 2)
        expectSameFunction(values, names: ["x", "weight", "bias", "residual"], "convolution") { inputs in
            convolution(inputs[0], weight: inputs[1], bias: inputs[2], residual: inputs[3], padding: padding)
        } apart: { inputs in
            convolution(inputs[0], weight: inputs[1], bias: inputs[2], padding: padding) + inputs[3]
        }
    }
}
