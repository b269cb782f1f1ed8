import TensorCore

extension OperationCase {
    static let arithmetic = binary("add", +) + binary("subtract", -) + binary("multiply", *) + binary("divide", /) + withItself + withNumbers

    private static func binary(_ name: String, _ operation: @escaping @Sendable (Tensor, Tensor) -> Tensor) -> [OperationCase] {
        [
            "same-shape", "channels", "batch-and-channels", "one-element", "scalar", "map", "left-is-smaller", "left-is-scalar", "both-broadcast",
            "batch-only", "rows", "many-pixels", "scalars",
        ].map { OperationCase(name, $0, ["a", "b"]) { operation($0[0], $0[1]) } }
    }

    private static let withItself = [
        OperationCase("add", "with-itself", ["a"]) { $0[0] + $0[0] },
        OperationCase("multiply", "with-itself", ["a"]) { $0[0] * $0[0] },
    ]

    private static let withNumbers = [
        OperationCase("scalar-arithmetic", "negate", ["x"]) { -$0[0] },
        OperationCase("scalar-arithmetic", "add", ["x"]) { $0[0] + 2.5 },
        OperationCase("scalar-arithmetic", "subtract", ["x"]) { $0[0] - 2.5 },
        OperationCase("scalar-arithmetic", "multiply", ["x"]) { $0[0] * -1.75 },
        OperationCase("scalar-arithmetic", "divide", ["x"]) { $0[0] / 3 },
    ]
}
