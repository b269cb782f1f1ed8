import Synchronization

/// A parameter's value as products take it, packed or transformed when first asked for and kept as long as the value stays: weights that do not change are
/// prepared once.
package final class PackedWeights: Sendable {
    /// What was made of the value.
    enum Form: Hashable {
        /// As a right-hand operand, `[outputs, inputs]` transposed or not.
        case matrix(isTransposed: Bool)
        /// A convolution's for patches, and for the patches of its output's gradient.
        case patches(isReversed: Bool)
        /// The operands of Winograd's convolution, for tiles of a side.
        case winograd(tileSide: Int, isReversed: Bool)
    }

    private struct Key: Hashable {
        let form: Form
        let kernel: ProductKernel
    }

    private let kept = Mutex<[Key: [PackedMatrix]]>([:])

    init() {}

    fileprivate func callAsFunction(_ form: Form, _ make: () -> [PackedMatrix]) -> [PackedMatrix] {
        let key = Key(form: form, kernel: .current)
        if let operands = kept.withLock({ $0[key] }) { return operands }
        // Made outside the lock: should two threads ask at once, both make the same.
        let made = make()
        kept.withLock { $0[key] = made }
        return made
    }
}

extension Tensor {
    /// Whether operands made of this value are kept: those of a parameter that is not being trained.
    var keepsPacked: Bool { node == nil && packedWeights != nil }

    /// Operands made of this value, kept or not.
    func packed(_ form: PackedWeights.Form, _ make: () -> [PackedMatrix]) -> [PackedMatrix] {
        guard keepsPacked, let packedWeights else { return make() }
        return packedWeights(form, make)
    }

    func packed(_ form: PackedWeights.Form, _ make: () -> PackedMatrix) -> PackedMatrix { packed(form) { [make()] }[0] }
}
