import TensorCore

extension OperationCase {
    static let normalizations =
        [
            group("one-group", 1), group("two-groups", 2, epsilon: 1e-6), group("all-groups", 6), group("odd-channels", 1), group("one-channel", 1),
            group("offset", 2), group("large-epsilon", 2, epsilon: 0.5), group("many-pixels", 1), group("many-pixels-two-groups", 2),
            group("32-groups", 32, epsilon: 1e-6),
        ] + ["tokens", "matrix", "image", "offset", "many-tokens"].map { layer($0) } + [layer("wide", epsilon: 1e-6)]
        + ["image", "one-channel", "wide", "many-pixels"].map { rootMeanSquare($0) }
        // A step of a hundredth would be as large as these values.
        + [rootMeanSquare("small-values", step: 1e-3), rootMeanSquare("matrix", epsilon: 1e-6)]

    static let batchNormalizations = [
        ("odd", 1e-5), ("one-channel", 1e-5), ("one-image", 1e-5), ("one-pixel", 1e-5), ("17-channels", 1e-5), ("large-epsilon", Float(0.5)),
        ("offset", 1e-5), ("many-pixels", 1e-5),
    ].flatMap { name, epsilon in
        [
            OperationCase("batch-norm", "training.\(name)", ["x", "weight", "bias"]) {
                batchNorm($0[0], weight: $0[1], bias: $0[2], epsilon: epsilon).result
            },
            OperationCase("batch-norm", "inference.\(name)", ["x", "weight", "bias"]) { inputs in
                let channels = inputs[1].count
                func line(_ start: Float, _ step: Float) -> Tensor {
                    Tensor(shape: [channels], values: (0..<channels).map { start + step * Float($0) })
                }
                return batchNorm(
                    inputs[0], mean: line(-0.2, 0.1), variance: line(0.5, 0.25), weight: inputs[1], bias: inputs[2], epsilon: epsilon)
            },
        ]
    }

    private static func group(_ name: String, _ groups: Int, epsilon: Float = 1e-5) -> OperationCase {
        OperationCase("normalisation", "group.\(name)", ["x", "weight", "bias"]) {
            groupNorm($0[0], groups: groups, weight: $0[1], bias: $0[2], epsilon: epsilon)
        }
    }

    private static func layer(_ name: String, epsilon: Float = 1e-5) -> OperationCase {
        OperationCase("normalisation", "layer.\(name)", ["x", "weight", "bias"]) {
            layerNorm($0[0], weight: $0[1], bias: $0[2], epsilon: epsilon)
        }
    }

    private static func rootMeanSquare(_ name: String, epsilon: Float = 1e-3, step: Float = 1e-2) -> OperationCase {
        OperationCase("normalisation", "rms.\(name)", ["x", "weight"], step: step) { rmsNorm($0[0], weight: $0[1], epsilon: epsilon) }
    }
}
