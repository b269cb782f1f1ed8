import Groundwork
import VectorKernels

/// An n-dimensional array of 32-bit floats, contiguous and row-major, with value semantics over shared storage.
///
/// Images are channels-last, `[batch, height, width, channels]`. A tensor of shape `[]` holds one value.
/// Shapes that do not fit an operation are programming errors and trap with the operation's name and both shapes;
/// shapes that come from files are checked where files are read.
public struct Tensor: Sendable {
    /// Extents from the slowest to the fastest varying dimension.
    public let shape: [Int]
    package private(set) var storage: Storage
    /// Where this value was recorded, if it was.
    package var node: Tape.Node?
    /// Of a parameter's own value: what products make of it.
    package var packedWeights: PackedWeights?

    /// A tensor whose values are undefined until written through ``pointer``.
    package init(uninitialized shape: [Int]) {
        self.shape = shape
        storage = Storage(count: shape.reduce(1, *))
    }

    private init(shape: [Int], storage: Storage) {
        self.shape = shape
        self.storage = storage
    }

    /// - Precondition: `values.count` is the product of `shape`.
    public init(shape: [Int], values: [Float]) {
        precondition(values.count == shape.reduce(1, *), "Tensor: \(values.count) values cannot fill shape \(shape)")
        self.init(uninitialized: shape)
        values.withUnsafeBufferPointer { source in
            if let base = source.baseAddress { pointer.update(from: base, count: source.count) }
        }
    }

    public init(repeating value: Float, shape: [Int]) {
        self.init(uninitialized: shape)
        vector_fill(count, value, pointer)
    }

    public init(zeros shape: [Int]) {
        self.init(repeating: 0, shape: shape)
    }

    /// A tensor of shape `[]`.
    public init(_ value: Float) {
        self.init(repeating: value, shape: [])
    }

    /// The number of values.
    public var count: Int { shape.reduce(1, *) }

    /// A copy of the values in row-major order.
    public var values: [Float] {
        Array(unsafeUninitializedCapacity: count) { buffer, initialized in
            buffer.baseAddress?.initialize(from: pointer, count: count)
            initialized = count
        }
    }

    /// The only value of a tensor that holds one.
    public var item: Float {
        precondition(count == 1, "item: shape \(shape) holds \(count) values")
        return pointer.pointee
    }

    /// The first value. Valid while the tensor is alive; write only to tensors that were just created.
    package var pointer: UnsafeMutablePointer<Float> { storage.pointer }

    /// The same values without their history.
    public var detached: Tensor { Tensor(shape: shape, storage: storage) }

    /// The same values under another shape, without history.
    package func viewed(as shape: [Int]) -> Tensor { Tensor(shape: shape, storage: storage) }

    /// A copy that shares no storage.
    package func copied() -> Tensor {
        let copy = Tensor(uninitialized: shape)
        copy.pointer.update(from: pointer, count: count)
        return copy
    }

    /// Makes sure that writing through ``pointer`` changes no other tensor. What comes to stand there was not recorded.
    package mutating func makeUnique() {
        if !isKnownUniquelyReferenced(&storage) { storage = copied().storage }
        (node, packedWeights) = (nil, nil)
    }

    /// Adds `other`, in place where nobody else holds the storage.
    package mutating func accumulate(_ other: Tensor) {
        precondition(shape == other.shape, "accumulate: shapes \(shape) and \(other.shape) differ")
        makeUnique()
        let target = pointer
        Parallel.forEachBlock(of: count, size: elementwiseBlock) { block in
            vector_accumulate(block.count, other.pointer + block.lowerBound, 1, target + block.lowerBound)
        }
    }

    /// The extent of `axis`; negative axes count from the end.
    public func extent(_ axis: Int) -> Int {
        let index = axis < 0 ? axis + shape.count : axis
        precondition(shape.indices.contains(index), "extent: axis \(axis) is not one of shape \(shape)")
        return shape[index]
    }
}

/// Elementwise loops hand out pieces of this many values: large enough to hide the hand-out, small enough for the cache.
package let elementwiseBlock = 1 << 15
