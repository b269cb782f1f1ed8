import TensorCore
import Testing

/// One call of an operation, and everything there is to check about it: PyTorch's output and gradients, the same whichever inputs are
/// tracked, inputs left alone, gradients that are derivatives.
struct OperationCase: Sendable, CustomTestStringConvertible {
    /// The file of the fixture.
    let fixture: String
    /// The case in that file.
    let name: String
    /// The names of the inputs in the file, in the order in which `operation` takes them.
    let inputs: [String]
    /// The largest difference allowed, as a part of the largest value.
    let tolerance: Float
    /// How far inputs are moved for finite differences; nil where the fixture's inputs lie too near a kink of the function.
    let step: Float?
    let operation: @Sendable ([Tensor]) -> Tensor

    init(
        _ fixture: String, _ name: String, _ inputs: [String], tolerance: Float = 1e-4, step: Float? = 1e-2,
        _ operation: @escaping @Sendable ([Tensor]) -> Tensor
    ) {
        (self.fixture, self.name, self.inputs, self.tolerance, self.step, self.operation) = (fixture, name, inputs, tolerance, step, operation)
    }

    var testDescription: String { "\(fixture)/\(name)" }

    /// The output and all gradients agree with PyTorch's.
    func checkAgainstPyTorch() throws {
        let fixture = try Fixture(fixture)
        let values = try inputs.map { try fixture["\(name).input.\($0)"] }
        let expected = try fixture["\(name).output"]
        let cotangent = try fixture["\(name).cotangent"]
        let gradients = try inputs.map { try fixture["\(name).gradient.\($0)"] }
        let before = values.map { Tensor(shape: $0.shape, values: $0.values) }

        let untracked = operation(values)
        expectClose(untracked, expected, "output", tolerance: tolerance)

        let all = Self.gradients(at: Set(values.indices), of: values, cotangent: cotangent, operation)
        expectSame(all.output, untracked, "output when tracked")
        for (index, input) in inputs.enumerated() {
            expectClose(all.gradients[index], gradients[index], "gradient of \(input)", tolerance: tolerance)
        }
        if inputs.count > 1 {
            for (index, input) in inputs.enumerated() {
                let alone = Self.gradients(at: [index], of: values, cotangent: cotangent, operation)
                expectClose(alone.gradients[index], gradients[index], "gradient of \(input) tracked alone", tolerance: tolerance)
            }
        }
        for (index, input) in inputs.enumerated() { expectSame(values[index], before[index], "input \(input) afterwards") }
        expectSame(untracked, operation(values), "output computed again")
    }

    /// The gradients are derivatives of the function at the fixture's inputs.
    func checkDerivatives() throws {
        guard let step else { return }
        let fixture = try Fixture(fixture)
        Self.checkDerivatives(at: try inputs.map { try fixture["\(name).input.\($0)"] }, names: inputs, step: step, operation)
    }

    /// Compares each gradient of Σ output · c, c random, with central differences along a random direction and along the gradient itself.
    ///
    /// A random c shows errors that the gradient of a plain sum hides: a normalised output's sum does not change at all.
    static func checkDerivatives(
        at values: [Tensor], names: [String], step: Float = 1e-2, tolerance: Double = 1e-2, sourceLocation: SourceLocation = #_sourceLocation,
        _ operation: ([Tensor]) -> Tensor
    ) {
        var numbers = TestNumbers(seed: 20)
        let cotangent = numbers.normal(operation(values).shape)
        let results = gradients(at: Set(values.indices), of: values, cotangent: cotangent, operation)
        for (index, name) in names.enumerated() {
            guard let gradient = results.gradients[index] else {
                Issue.record("gradient of \(name) is missing", sourceLocation: sourceLocation)
                continue
            }
            let length = dot(gradient, gradient).squareRoot()
            // Each direction would change the function by about |gradient| a unit.
            var directions = [numbers.normal(gradient.shape)]
            if length > 0 { directions.append(Tensor(shape: gradient.shape, values: gradient.values.map { $0 / Float(length) })) }
            for direction in directions {
                func moved(by step: Float) -> Tensor {
                    Tensor(shape: direction.shape, values: zip(values[index].values, direction.values).map { $0 + $1 * step })
                }
                let (above, below) = (moved(by: step), moved(by: -step))
                func value(at input: Tensor) -> Double {
                    var changed = values
                    changed[index] = input
                    return dot(operation(changed), cotangent)
                }
                // The step really taken, after rounding.
                let taken = zip(gradient.values, zip(above.values, below.values)).reduce(0) { $0 + Double($1.0) * (Double($1.1.0) - Double($1.1.1)) }
                let found = value(at: above) - value(at: below)
                #expect(
                    abs(found - taken) <= tolerance * 2 * Double(step) * length + 1e-12,
                    "\(name): the function changes by \(found), its gradient says \(taken)", sourceLocation: sourceLocation)
            }
        }
    }

    private static func gradients(at tracked: Set<Int>, of values: [Tensor], cotangent: Tensor, _ operation: ([Tensor]) -> Tensor) -> (
        output: Tensor, gradients: [Tensor?]
    ) {
        let parameters = values.map { Parameter($0) }
        var output = Tensor(0)
        let (_, gradients) = valueWithGradient(at: tracked.sorted().map { parameters[$0] }) {
            let result = operation(parameters.enumerated().map { tracked.contains($0.offset) ? $0.element.tensor : $0.element.value })
            output = result.detached
            return (result * cotangent).sum()
        }
        return (output, parameters.map { gradients[$0] })
    }
}
