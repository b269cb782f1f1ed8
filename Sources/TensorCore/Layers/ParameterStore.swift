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
        case normal(mean: Float = 0, deviation: Float)
    }

    private struct Entry {
        let parameter: Parameter
        /// In memory.
        let shape: [Int]
        let layout: Layout

        var shapeOnDisk: [Int] { layout.shapeOnDisk(shape) }
    }

    private var entries: OrderedDictionary<String, Entry> = [:]
    private var bufferEntries: OrderedDictionary<String, Buffer> = [:]
    /// Of the initial values; nil if there are none.
    private let seed: UInt64?

    /// - Parameter seed: of the initial values; those of a parameter depend on the seed and its name alone.
    public convenience init(seed: UInt64 = 0) { self.init(drawingFrom: seed) }

    private init(drawingFrom seed: UInt64?) { self.seed = seed }

    /// A store that takes down names and shapes alone: its parameters are empty until ``load(_:prefix:unused:named:)`` sets them.
    package static func unfilled() -> ParameterStore { ParameterStore(drawingFrom: nil) }

    /// A view of several stores as one, for training, averaging, saving and loading them together: it shares their parameters and buffers.
    /// - Parameter stores: each with what its names begin with here; no name and no parameter may come twice.
    public convenience init(joining stores: [(prefix: String, store: ParameterStore)]) {
        self.init()
        for (prefix, store) in stores {
            for (name, entry) in store.entries { add(entry, named: prefix + name) }
            for (name, buffer) in store.bufferEntries { add(buffer, named: prefix + name) }
        }
        precondition(Set(parameters.map(ObjectIdentifier.init)).count == entries.count, "ParameterStore: a parameter is joined twice")
    }

    /// A view of the parameters and buffers that `isIncluded` picks by their names, in the same order: it shares them with this store.
    public func subset(where isIncluded: (String) -> Bool) -> ParameterStore {
        let subset = ParameterStore(drawingFrom: seed)
        for (name, entry) in entries where isIncluded(name) { subset.add(entry, named: name) }
        for (name, buffer) in bufferEntries where isIncluded(name) { subset.add(buffer, named: name) }
        return subset
    }

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
    public var count: Int { entries.values.reduce(0) { $0 + $1.shape.reduce(1, *) } }

    public subscript(name: String) -> Parameter? { entries[name]?.parameter }

    private func add(_ entry: Entry, named name: String) {
        precondition(entries[name] == nil && bufferEntries[name] == nil, "ParameterStore: two parameters are named \(name)")
        entries[name] = entry
    }

    private func add(_ buffer: Buffer, named name: String) {
        precondition(entries[name] == nil && bufferEntries[name] == nil, "ParameterStore: two buffers are named \(name)")
        bufferEntries[name] = buffer
    }

    fileprivate func declare(_ name: String, shape: [Int], layout: Layout, initializer: Initializer) -> Parameter {
        let parameter = Parameter(seed.map { Self.initialValue(name, shape, initializer, seed: $0) } ?? Tensor(zeros: [0]))
        add(Entry(parameter: parameter, shape: shape, layout: layout), named: name)
        return parameter
    }

    private static func initialValue(_ name: String, _ shape: [Int], _ initializer: Initializer, seed: UInt64) -> Tensor {
        var random = Random(seed: seed, name: name)
        return switch initializer {
        case .constant(let value): Tensor(repeating: value, shape: shape)
        case .uniform(let bound): random.uniform(shape).affine(scale: 2 * bound, shift: -bound)
        case .normal(let mean, let deviation): random.normal(shape).affine(scale: deviation, shift: mean)
        }
    }

    fileprivate func declareBuffer(_ name: String, _ value: Tensor) -> Buffer {
        let buffer = Buffer(value)
        add(buffer, named: name)
        return buffer
    }

    /// Runs `body` with other values in the place of the parameters' own, in their order.
    public func withValues<Result>(_ values: [Tensor], _ body: () throws -> Result) rethrows -> Result {
        let own = parameters.map(\.value)
        for (parameter, value) in zip(parameters, values) { parameter.value = value }
        defer { for (parameter, value) in zip(parameters, own) { parameter.value = value } }
        return try body()
    }

    /// Takes over the values of the parameters and buffers of a network of the same architecture.
    public func copyValues(of other: ParameterStore) {
        precondition(names == other.names && bufferNames == other.bufferNames, "ParameterStore: values of another architecture")
        for (own, given) in zip(parameters, other.parameters) { own.value = given.value }
        for (own, given) in zip(buffers, other.buffers) { own.value = given.value }
    }

    /// Values under their names, in the layouts of disk: the parameters, then the buffers.
    /// - Parameter values: in the place of the parameters' own, in their order (an average, say).
    public func stateDictionary(values: [Tensor]? = nil) -> [(name: String, tensor: Tensor)] {
        namedTensors(values: values).map { ($0.name, $0.tensor) }
    }

    /// The same for writing, where not all are made at once.
    package func namedTensors(values: [Tensor]? = nil) -> [NamedTensor] {
        entries.elements.enumerated().map { index, element in
            let (entry, value) = (element.value, values?[index] ?? element.value.parameter.value)
            if entry.layout == .same { return NamedTensor(element.key, value) }
            return NamedTensor(element.key, copying: entry.shapeOnDisk) { entry.layout.toDisk(value) }
        } + bufferEntries.map { NamedTensor($0.key, $0.value.value) }
    }

    /// A tensor as it lies on disk, in memory's layout: for values that stand beside the parameters, such as gradients to compare with.
    public func fromDisk(_ tensor: Tensor, named name: String) -> Tensor { entries[name]?.layout.fromDisk(tensor) ?? tensor }

    /// Sets every parameter and buffer from a file.
    ///
    /// - Parameters:
    ///   - prefix: what the file's names begin with.
    ///   - unused: names (after the prefix) that may stand in the file without a parameter here.
    ///   - named: the file's name (after the prefix) for one of this store; the same by default.
    /// - Throws: `Failure` (`.badData`) that lists every missing, unexpected and mis-shaped name at once, and nothing is then changed; or that names a
    ///   tensor whose values are not all finite, when others may be set already.
    public func load(
        _ file: SafetensorsFile, prefix: String = "", unused: (String) -> Bool = { _ in false }, named: (String) -> String = { $0 }
    ) throws {
        try check(file.shapes, at: file.url.path, prefix: prefix, unused: unused, named: named)
        for (name, entry) in entries {
            entry.parameter.value = entry.layout.fromDisk(try file.weights(named: prefix + named(name)).reshaped(to: entry.shapeOnDisk))
        }
        for (name, buffer) in bufferEntries { buffer.value = try file.weights(named: prefix + named(name)).reshaped(to: buffer.value.shape) }
    }

    /// Makes sure that tensors of these names and shapes can be loaded: a file's, as ``load(_:prefix:unused:named:)`` takes it. Further extents
    /// of 1 do not matter: to PyTorch a linear map may also be a convolution.
    /// - Parameter location: of the file.
    package func check(
        _ shapes: [String: [Int]], at location: String, prefix: String = "", unused: (String) -> Bool = { _ in false },
        named: (String) -> String = { $0 }
    ) throws {
        var unknown = Set(shapes.keys.filter { $0.hasPrefix(prefix) })
        var problems: [String] = []
        let wanted = entries.map { ($0.key, $0.value.shapeOnDisk) } + bufferEntries.map { ($0.key, $0.value.value.shape) }
        for (name, expected) in wanted {
            let name = named(name)
            unknown.remove(prefix + name)
            guard let found = shapes[prefix + name] else {
                problems.append("\(name) is missing")
                continue
            }
            if !found.starts(with: expected) || found.dropFirst(expected.count).contains(where: { $0 != 1 }) {
                problems.append("\(name) has shape \(found), not \(expected)")
            }
        }
        problems += unknown.map { String($0.dropFirst(prefix.count)) }.filter { !unused($0) }.sorted().map { "\($0) is unexpected" }
        guard problems.isEmpty else {
            let listed = problems.prefix(20).joined(separator: "; ") + (problems.count > 20 ? "; and \(problems.count - 20) more" : "")
            throw Failure(
                .badData, "the weights do not fit the network", at: location,
                expected: "\(wanted.count) tensors of this architecture",
                found: listed,
                remedy: "give the weights of a network of this architecture")
        }
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
