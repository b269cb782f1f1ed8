/// A value that belongs to a network and is not trained, such as a running mean: it is saved and loaded with the parameters, and has no gradient.
public final class Buffer: @unchecked Sendable {
    public var value: Tensor

    public init(_ value: Tensor) {
        self.value = value.detached
    }
}
