import TensorCore

extension OperationCase {
    static let convolutions = [
        make("1x1"), make("1x1-no-bias", hasBias: false), make("1x1-stride-2", stride: 2), make("1x1-padded", padding: Padding(1)), make("1x1-wide"),
        make("3x3", padding: Padding(1)), make("3x3-no-bias", padding: Padding(1), hasBias: false), make("3x3-one-channel", padding: Padding(1)),
        make("3x3-one-pixel", padding: Padding(1)), make("3x3-one-row", padding: Padding(1)), make("3x3-smaller-than-a-tile", padding: Padding(1)),
        make("3x3-unpadded"), make("3x3-unpadded-one-output"), make("3x3-padding-2", padding: Padding(2)),
        make("3x3-top-left", padding: Padding(top: 2, bottom: 0, left: 1, right: 0)), make("3x3-right-bottom", padding: rightAndBottom),
        make("3x3-whole-tiles", padding: Padding(1)), make("3x3-many-pixels", padding: Padding(1)),
        make("3x3-batch-many-pixels", padding: Padding(1)), make("3x3-wide", padding: Padding(1)), make("3x3-odd-channels", padding: Padding(1)),
        make("3x3-stride-2", stride: 2, padding: Padding(1)), make("3x3-stride-2-even", stride: 2, padding: Padding(1)),
        make("3x3-stride-2-right-bottom", stride: 2, padding: rightAndBottom),
        make("3x3-stride-2-right-bottom-odd", stride: 2, padding: rightAndBottom),
        make("3x3-stride-2-many-pixels", stride: 2, padding: Padding(1)), make("3x1", padding: Padding(top: 1, bottom: 1, left: 0, right: 0)),
        make("1x3", padding: Padding(top: 0, bottom: 0, left: 1, right: 1)), make("4x4-stride-2", stride: 2, padding: Padding(1)),
        make("4x4-stride-1", padding: Padding(1)), make("5x5", padding: Padding(2)), make("5x5-stride-2", stride: 2, padding: Padding(2)),
        make("11x11-stride-4", stride: 4, padding: Padding(2)),
    ]

    static let stridedConvolutions =
        ["odd", "one-channel", "smallest", "many-pixels"].map { strided("4x4-stride-2.\($0)", 2) }
        + ["even", "wide"].map { strided("4x4-stride-2.\($0)", 2, hasBias: false) }
        + ["odd", "one-channel"].map { strided("4x4-stride-1.\($0)", 1) }
        + [
            strided("4x4-stride-1.wide", 1, hasBias: false), strided("11x11-stride-4.odd", 4, padding: 2), strided("3x3-stride-3", 3, padding: 0),
            strided("2x2-stride-3", 3, padding: 0),
        ]

    private static func strided(_ name: String, _ stride: Int, padding: Int = 1, hasBias: Bool = true) -> OperationCase {
        make(name, in: "strided-convolution", stride: stride, padding: Padding(padding), hasBias: hasBias)
    }

    private static let rightAndBottom = Padding(top: 0, bottom: 1, left: 0, right: 1)

    private static func make(
        _ name: String, in fixture: String = "convolution", stride: Int = 1, padding: Padding = Padding(0), hasBias: Bool = true
    ) -> OperationCase {
        // Linear in each input: a long step costs nothing.
        OperationCase(fixture, name, ["x", "weight"] + (hasBias ? ["bias"] : []), step: 0.5) {
            convolution($0[0], weight: $0[1], bias: hasBias ? $0[2] : nil, stride: stride, padding: padding)
        }
    }
}
