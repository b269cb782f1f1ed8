import TensorCore

extension OperationCase {
    static let resamplings =
        ["even", "odd", "one-channel", "17-channels", "many-pixels", "ties"].map {
            OperationCase("resampling", "max-pool.\($0)", ["x"], step: nil) { maxPool2d($0[0]) }
        } + each("nearest", upsampleNearest) + each("bilinear") { upsampleBilinear($0, scale: $1) }
        + each("bilinear-edges") { upsampleBilinear($0, scale: $1, alignsCorners: false) }

    static let maximumPoolings = [
        "3-2.odd", "3-2.even", "3-2.one-channel", "3-2.one-window", "3-2.17-channels", "3-1.odd", "2-3.odd", "3-2.ties",
    ].map { name in
        let numbers = name.prefix(3).split(separator: "-").compactMap { Int($0) }
        return OperationCase("max-pool", name, ["x"], step: nil) { maxPool2d($0[0], size: numbers[0], stride: numbers[1]) }
    }

    static let bicubicResizings = BicubicKernel.allCases.flatMap { kernel in
        [
            ("twice.odd", 10, 14), ("four-times.odd", 12, 20), ("four-times.one-channel", 24, 20), ("other-ratio", 7, 12), ("smaller", 4, 5),
            ("smaller-and-larger", 2, 9), ("much-smaller", 2, 1), ("same", 4, 3), ("one-pixel", 3, 4), ("one-row", 2, 10), ("17-channels", 8, 6),
            ("many-pixels", 42, 38),
        ].map { name, height, width in
            OperationCase("bicubic", "\(kernel.rawValue).\(name)", ["x"], step: 1) {
                resizeBicubic($0[0], height: height, width: width, kernel: kernel)
            }
        }
    }

    private static func each(_ name: String, _ operation: @escaping @Sendable (Tensor, Int) -> Tensor) -> [OperationCase] {
        [2, 3, 4].flatMap { scale in
            (["odd", "one-pixel", "one-row"] + (scale == 2 ? ["17-channels", "many-pixels"] : [])).map {
                OperationCase("resampling", "\(name)-\(scale).\($0)", ["x"], step: 1) { operation($0[0], scale) }
            }
        }
    }
}
