import TensorCore

extension OperationCase {
    static let activations =
        each("relu", isSmooth: false) { $0.relu() } + each("silu") { $0.silu() } + each("gelu") { $0.gelu() }
        + each("absolute", isSmooth: false) { $0.absolute() } + each("squared") { $0.squared() }
        + [
            OperationCase("activations", "clamped", ["x"], step: nil) { $0[0].clamped(to: -0.75...1.25) },
            OperationCase("activations", "clamped-several-blocks", ["x"], step: nil) { $0[0].clamped(to: -1...1) },
        ]
        + ["odd", "one-element", "extremes", "several-blocks"].map { name in
            OperationCase("leaky-relu", name, ["x"], step: nil) { $0[0].leakyRelu(slope: name == "several-blocks" ? 0.01 : 0.2) }
        }

    private static func each(_ name: String, isSmooth: Bool = true, _ operation: @escaping @Sendable (Tensor) -> Tensor) -> [OperationCase] {
        ["odd", "one-element", "extremes", "several-blocks"].map {
            OperationCase("activations", "\(name).\($0)", ["x"], step: isSmooth ? 1e-2 : nil) { operation($0[0]) }
        }
    }
}
