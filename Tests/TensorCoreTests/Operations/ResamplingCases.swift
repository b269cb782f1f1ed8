import TensorCore

extension OperationCase {
    static let resamplings =
        ["even", "odd", "one-channel", "17-channels", "many-pixels", "ties"].map {
            OperationCase("resampling", "max-pool.\($0)", ["x"], step: nil) { maxPool2d($0[0]) }
        } + each("nearest", upsampleNearest) + each("bilinear", upsampleBilinear)

    private static func each(_ name: String, _ operation: @escaping @Sendable (Tensor, Int) -> Tensor) -> [OperationCase] {
        [2, 3, 4].flatMap { scale in
            (["odd", "one-pixel", "one-row"] + (scale == 2 ? ["17-channels", "many-pixels"] : [])).map {
                OperationCase("resampling", "\(name)-\(scale).\($0)", ["x"], step: 1) { operation($0[0], scale) }
            }
        }
    }
}
