import TensorCore

extension OperationCase {
    static let attentions = [
        make("one-head", heads: 1), make("four-heads", heads: 4), make("four-heads-of-16", heads: 4), make("one-token", heads: 2),
        make("two-tokens", heads: 3), make("64-tokens", heads: 2), make("150-tokens", heads: 2), make("300-tokens", heads: 1),
        make("large-logits", heads: 2, step: 1e-3),
    ]

    private static func make(_ name: String, heads: Int, step: Float = 1e-2) -> OperationCase {
        OperationCase("attention", name, ["packed"], step: step) { attention(queriesKeysValues: $0[0], heads: heads) }
    }
}
