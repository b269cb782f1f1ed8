import TensorCore

extension OperationCase {
    static let reductions =
        each("sum") { $0.sum(axes: $1, keepingDimensions: $2) } + each("mean") { $0.mean(axes: $1, keepingDimensions: $2) }

    private static func each(_ name: String, _ operation: @escaping @Sendable (Tensor, [Int]?, Bool) -> Tensor) -> [OperationCase] {
        func make(_ label: String, _ axes: [Int]?, keeping: Bool = false) -> OperationCase {
            // Linear: a long step costs nothing, and rounding hides behind it.
            OperationCase("reductions", "\(name).\(label)", ["x"], step: 1) { operation($0[0], axes, keeping) }
        }
        return [[0], [1], [3], [1, 2], [0, 3], [0, 1, 2], [1, 2, 3], [0, 2]].flatMap { axes in
            let label = "axes-" + axes.map(String.init).joined(separator: "-")
            return [make(label, axes), make("\(label)-kept", axes, keeping: true)]
        } + [
            make("all", nil), make("all-kept", nil, keeping: true), make("vector", [0]), make("scalar", nil), make("many-pixels", [-3, -2]),
            make("many-pixels-all", nil), make("offset", [2, 0, 1]),
        ]
    }
}
