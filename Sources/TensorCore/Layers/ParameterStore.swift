import Foundation
import Groundwork
import OrderedCollections

/// A network's parameters and buffers by name, in the order of their declaration.
///
/// A layer declares each of them once, under the key that checkpoints use; loading, saving, optimisers and averages work on the store. Optimisers and
/// averages know parameters alone; wherever weights are saved or loaded, buffers are too, with the values they have.
public final class ParameterStore {
    /// How a parameter lies on disk, where PyTorch's layouts hold.
    public enum Layout: Sendable {
        /// As in memory.
        case same
        /// `[outputs, inputs, height, width]` on disk, `[height, width, inputs, outputs]` in memory.
        case convolution

        func fromDisk(_ tensor: Tensor) -> Tensor { self == .same ? tensor : tensor.permuted([2, 3, 1, 0]) }
        func toDisk(_ tensor: Tensor) -> Tensor { self == .same ? tensor : tensor.permuted([3, 2, 0, 1]) }
        func shapeOnDisk(_ shape: [Int]) -> [Int] { self == .same ? shape : [shape[3], shape[2], shape[0], shape[1]] }
    }

    /// A parameter's values before training.
    public enum Initializer: Sendable {
        case constant(Float)
        /// Uniform in ±bound.
        case uniform(bound: Float)
        /// Normal with mean 0.
        case normal(deviation: Float)
    }

    private struct Entry {
        let parameter: Parameter
        let layout: Layout
    }

    private var entries: OrderedDictionary<String, Entry> = [:]
    private var bufferEntries: OrderedDictionary<String, Buffer> = [:]
    private let seed: UInt64

    /// - Parameter seed: of the initial values; those of a parameter depend on the seed and its name alone.
    public init(seed: UInt64 = 0) { self.seed = seed }

    /// Where a network's own layers are declared.
    public var root: Scope { Scope(store: self, prefix: "") }

    /// All parameters in the order of their declaration.
    public var parameters: [Parameter] { entries.values.map(\.parameter) }

    /// The names of ``parameters``.
    public var names: [String] { Array(entries.keys) }

    /// All buffers in the order of their declaration.
    public var buffers: [Buffer] { Array(bufferEntries.values) }

    /// The names of ``buffers``.
    public var bufferNames: [String] { Array(bufferEntries.keys) }

    /// The number of values in all parameters.
    public var count: Int { entries.values.reduce(0) { $0 + $1.parameter.value.count } }

    public subscript(name: String) -> Parameter? { entries[name]?.parameter }

    fileprivate func declare(_ name: String, shape: [Int], layout: Layout, initializer: Initializer) -> Parameter {
        precondition(entries[name] == nil && bufferEntries[name] == nil, "ParameterStore: two parameters are named \(name)")
        var random = Random(seed: seed, name: name)
        let value =
            switch initializer {
            case .constant(let value): Tensor(repeating: value, shape: shape)
            case .uniform(let bound): random.uniform(shape).affine(scale: 2 * bound, shift: -bound)
            case .normal(let deviation): random.normal(shape) * deviation
            }
        let parameter = Parameter(value)
        entries[name] = Entry(parameter: parameter, layout: layout)
        return parameter
    }

    fileprivate func declareBuffer(_ name: String, _ value: Tensor) -> Buffer {
        precondition(entries[name] == nil && bufferEntries[name] == nil, "ParameterStore: two buffers are named \(name)")
        let buffer = Buffer(value)
        bufferEntries[name] = buffer
        return buffer
    }

    /// Values under their names, in the layouts of disk: the parameters, then the buffers.
    /// - Parameter values: in the place of the parameters' own, in their order (an average, say).
    public func stateDictionary(values: [Tensor]? = nil) -> [(name: String, tensor: Tensor)] {
        entries.elements.enumerated().map { index, element in
            (element.key, element.value.layout.toDisk(values?[index] ?? element.value.parameter.value))
        } + bufferEntries.map { ($0.key, $0.value.value) }
    }

    /// A tensor as it lies on disk, in memory's layout: for values that stand beside the parameters, such as gradients to compare with.
    public func fromDisk(_ tensor: Tensor, named name: String) -> Tensor { entries[name]?.layout.fromDisk(tensor) ?? tensor }

    /// Sets every parameter and buffer from a file.
    ///
    /// - Parameters:
    ///   - prefix: what the file's names begin with.
    ///   - unused: names (after the prefix) that may stand in the file without a parameter here.
    /// - Throws: `Failure` (`.badData`) that lists every missing, unexpected and mis-shaped name at once; nothing is then changed.
    public func load(_ file: SafetensorsFile, prefix: String = "", unused: (String) -> Bool = { _ in false }) throws {
        let present = Set(file.names.filter { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) })
        var problems: [String] = []
        let shapes = entries.map { ($0.key, $0.value.layout.shapeOnDisk($0.value.parameter.value.shape)) }
        for (name, expected) in shapes + bufferEntries.map({ ($0.key, $0.value.value.shape) }) {
            if let found = file.shape(of: prefix + name) {
                if found != expected { problems.append("\(name) has shape \(found), not \(expected)") }
            } else {
                problems.append("\(name) is missing")
            }
        }
        for name in present.sorted() where entries[name] == nil && bufferEntries[name] == nil && !unused(name) {
            problems.append("\(name) is unexpected")
        }
        guard problems.isEmpty else {
            let listed = problems.prefix(20).joined(separator: "; ") + (problems.count > 20 ? "; and \(problems.count - 20) more" : "")
            throw Failure(
                .badData, "the weights do not fit the network", at: file.url.path,
                expected: "\(shapes.count + bufferEntries.count) tensors of this architecture",
                found: listed,
                remedy: "give the weights of a network of this architecture")
        }
        for (name, entry) in entries { entry.parameter.value = entry.layout.fromDisk(try file.tensor(named: prefix + name)) }
        for (name, buffer) in bufferEntries { buffer.value = try file.tensor(named: prefix + name) }
    }
}

/// A place in a ``ParameterStore``: names declared here begin with its prefix.
public struct Scope {
    fileprivate let store: ParameterStore
    fileprivate let prefix: String

    /// The place one level down, `scope / "conv1"`.
    public static func / (scope: Scope, name: String) -> Scope { Scope(store: scope.store, prefix: "\(scope.prefix)\(name).") }

    /// Declares a parameter.
    /// - Parameter shape: in memory.
    public func parameter(_ name: String, _ shape: [Int], layout: ParameterStore.Layout = .same, _ initializer: ParameterStore.Initializer)
        -> Parameter
    {
        store.declare(prefix + name, shape: shape, layout: layout, initializer: initializer)
    }

    /// Declares a buffer.
    public func buffer(_ name: String, _ value: Tensor) -> Buffer { store.declareBuffer(prefix + name, value) }
}
