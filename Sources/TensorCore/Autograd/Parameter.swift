/// A value that training changes. Its identity, not its value, is the key of gradients and of an optimiser's state.
public final class Parameter: @unchecked Sendable {
    /// The value without history. Set by optimisers and by loading.
    public var value: Tensor {
        didSet { packedWeights = PackedWeights() }
    }

    /// What products make of the value: kept with it, and gone with it.
    private(set) var packedWeights = PackedWeights()

    /// What computing adds to the value.
    public internal(set) var adapter: LowRankAdapter?

    public init(_ value: Tensor) {
        self.value = value.detached
    }
}
