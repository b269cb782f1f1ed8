import Groundwork
import Synchronization

/// What was computed, in order, with the rule that carries a gradient back through each step.
///
/// A tape exists only inside ``valueWithGradient(at:_:)``. Outside it nothing is recorded and nothing is kept.
package final class Tape: @unchecked Sendable {
    /// The place of a value on a tape.
    package struct Node: Sendable {
        /// The tape's number: unlike its address, no other ever has it.
        fileprivate let tape: UInt64
        fileprivate let index: Int
    }

    /// Takes the gradient of a result and, for each input, whether its gradient is wanted; gives the inputs' gradients, of the inputs' shapes or of shapes that
    /// these were broadcast to.
    package typealias Pullback = (_ gradient: Tensor, _ wanted: [Bool]) -> [Tensor?]

    /// What is told of a walk back while it goes on.
    package struct Watch {
        /// A parameter's gradient is complete, and nobody else's; nil if the result does not depend on it. Called once for each parameter.
        let completed: (_ parameter: Parameter, _ gradient: Tensor?) -> Void
        /// A rule has been applied.
        let advanced: () -> Void

        package init(completed: @escaping (_ parameter: Parameter, _ gradient: Tensor?) -> Void, advanced: @escaping () -> Void) {
            (self.completed, self.advanced) = (completed, advanced)
        }
    }

    private struct Record {
        /// Indices on this tape, nil for inputs that were not recorded, and shapes.
        var inputs: [(index: Int?, shape: [Int])]
        var pullback: Pullback?
    }

    private static let count = Atomic<UInt64>(0)

    private let number = Tape.count.wrappingAdd(1, ordering: .relaxed).newValue

    /// The tape that operations record on, if any.
    @TaskLocal package static var current: Tape?

    private var records: [Record] = []
    private var leaves: [ObjectIdentifier: Int] = [:]
    private let parameters: Set<ObjectIdentifier>

    fileprivate init(parameters: [Parameter]) {
        self.parameters = Set(parameters.map(ObjectIdentifier.init))
    }

    /// The parameter's value, recorded; nil if its gradient is not wanted.
    fileprivate func leaf(_ parameter: Parameter) -> Tensor? {
        let key = ObjectIdentifier(parameter)
        guard parameters.contains(key) else { return nil }
        var tensor = parameter.value
        if let index = leaves[key] {
            tensor.node = Node(tape: number, index: index)
        } else {
            tensor.node = append(Record(inputs: [], pullback: nil))
            leaves[key] = records.count - 1
        }
        return tensor
    }

    fileprivate func record(_ result: Tensor, inputs: [Tensor], pullback: @escaping Pullback) -> Tensor {
        let sources = inputs.map { (index: index(of: $0), shape: $0.shape) }
        guard sources.contains(where: { $0.index != nil }) else { return result }
        var result = result
        result.node = append(Record(inputs: sources, pullback: pullback))
        return result
    }

    /// The place of a value on this tape; nil if it was not recorded, or on another.
    fileprivate func index(of tensor: Tensor) -> Int? { tensor.node.flatMap { $0.tape == number ? $0.index : nil } }

    private func append(_ record: Record) -> Node {
        records.append(record)
        return Node(tape: number, index: records.count - 1)
    }

    /// Walks the tape backwards from `result`. Each record is dropped once its gradient has passed, and with it what it kept alive.
    /// - Parameter watch: is handed the gradients in the place of the result. A parameter is recorded where it is first used, so that nothing behind that place can
    ///   add to its gradient.
    fileprivate func gradients(of result: Tensor, seed: Tensor, parameters: [Parameter], watch: Watch? = nil) -> GradientStore {
        var store = GradientStore()
        var watched: [Int: Parameter] = [:]
        if let watch {
            for parameter in parameters {
                if let index = leaves[ObjectIdentifier(parameter)] { watched[index] = parameter } else { watch.completed(parameter, nil) }
            }
        }
        guard let last = index(of: result) else {
            for parameter in watched.sorted(by: { $0.key < $1.key }) { watch?.completed(parameter.value, nil) }
            return store
        }
        var gradients = [Tensor?](repeating: nil, count: records.count)
        gradients[last] = seed
        for index in stride(from: records.count - 1, through: 0, by: -1) {
            guard let pullback = records[index].pullback else {
                if let watch, let parameter = watched[index] {
                    watch.completed(parameter, gradients[index])
                    gradients[index] = nil
                }
                continue
            }
            records[index].pullback = nil
            let inputs = records[index].inputs
            guard let gradient = gradients[index] else { continue }
            gradients[index] = nil
            let contributions = pullback(gradient, inputs.map { $0.index != nil })
            precondition(contributions.count == inputs.count, "a gradient rule gave \(contributions.count) gradients for \(inputs.count) inputs")
            for ((input, shape), contribution) in zip(inputs, contributions) {
                guard let input, let contribution else { continue }
                precondition(
                    Broadcasting.isBroadcast(shape, to: contribution.shape),
                    "a gradient rule gave shape \(contribution.shape) for an input of shape \(shape)")
                let share = Broadcasting.reduce(contribution, to: shape)
                if gradients[input] == nil {
                    gradients[input] = share.detached
                } else {
                    gradients[input]?.accumulate(share)
                }
            }
            watch?.advanced()
        }
        guard watch == nil else { return store }
        for parameter in parameters {
            if let index = leaves[ObjectIdentifier(parameter)] { store[parameter] = gradients[index] }
        }
        return store
    }
}

extension Tensor {
    /// Notes how this value came from `inputs`, if a tape is running and one of them is on it.
    package func recorded(from inputs: [Tensor], pullback: @escaping Tape.Pullback) -> Tensor {
        guard let tape = Tape.current else { return self }
        // Other threads do not see the tape, and would leave gaps in it.
        precondition(!Parallel.isInside, "an operation is recorded inside a parallel loop")
        return tape.record(self, inputs: inputs, pullback: pullback)
    }

    /// Whether a running tape carries gradients back to this value. A rule keeps until the backward pass what gradients of such inputs need, and no more.
    var isTracked: Bool { Tape.current?.index(of: self) != nil }
}

extension Parameter {
    /// The value to compute with, its adapter's part included: inside ``valueWithGradient(at:_:)`` its use is recorded.
    public var tensor: Tensor { adapter?.applied(to: leaf) ?? leaf }

    /// The value alone, recorded if its gradient is wanted.
    fileprivate var leaf: Tensor {
        if let tape = Tape.current, let recorded = tape.leaf(self) { return recorded }
        var tensor = value
        tensor.packedWeights = packedWeights
        return tensor
    }
}

/// Gradients by parameter.
public struct GradientStore: Sendable {
    /// With the parameters themselves: the address of one that is gone may become another's.
    private var gradients: [ObjectIdentifier: (parameter: Parameter, gradient: Tensor)] = [:]

    public init() {}

    /// The gradient of `parameter`, shaped as its value; nil if the result does not depend on it.
    public subscript(parameter: Parameter) -> Tensor? {
        get { gradients[ObjectIdentifier(parameter)]?.gradient }
        set { gradients[ObjectIdentifier(parameter)] = newValue.map { (parameter, $0) } }
    }

    /// Adds the gradients of another store, as for a batch worked on in parts.
    public mutating func accumulate(_ other: GradientStore) {
        for (key, entry) in other.gradients {
            if gradients[key]?.gradient.accumulate(entry.gradient) == nil { gradients[key] = entry }
        }
    }
}

/// The value of `body` and its gradient with respect to `parameters`.
///
/// `body` must give one value, shape `[]` or `[1]`, and read parameters through ``Parameter/tensor``.
public func valueWithGradient(at parameters: [Parameter], _ body: () throws -> Tensor) rethrows -> (value: Tensor, gradients: GradientStore) {
    let tape = Tape(parameters: parameters)
    let result = try Tape.$current.withValue(tape, operation: body)
    precondition(result.count == 1, "valueWithGradient: the result must be one value, not shape \(result.shape)")
    return (result.detached, tape.gradients(of: result, seed: Tensor(repeating: 1, shape: result.shape), parameters: parameters))
}

/// The value of `body`; its gradient with respect to `parameters` goes to `watch`, parameter by parameter, as soon as each is complete.
package func valueWithGradient(at parameters: [Parameter], watch: Tape.Watch, _ body: () throws -> Tensor) rethrows -> Tensor {
    let tape = Tape(parameters: parameters)
    let result = try Tape.$current.withValue(tape, operation: body)
    precondition(result.count == 1, "valueWithGradient: the result must be one value, not shape \(result.shape)")
    _ = tape.gradients(of: result, seed: Tensor(repeating: 1, shape: result.shape), parameters: parameters, watch: watch)
    return result.detached
}

/// A forward pass now and its gradients later, for timing the two apart.
///
/// - Returns: the walk back from a cotangent shaped as the result of `body`; it can be taken once.
package func recordedPass(at parameters: [Parameter], _ body: () -> Tensor) -> (_ cotangent: Tensor) -> GradientStore {
    let tape = Tape(parameters: parameters)
    let result = Tape.$current.withValue(tape, operation: body)
    return { tape.gradients(of: result, seed: $0, parameters: parameters) }
}

extension Tape {
    /// Runs `body` as if no tape were running.
    package static func withoutRecording<Result>(_ body: () throws -> Result) rethrows -> Result {
        try $current.withValue(nil, operation: body)
    }
}
