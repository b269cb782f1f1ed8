import TensorCore

extension OperationCase {
    static let products =
        ["square", "odd", "row-times-column", "column-times-row", "batch", "two-leading-axes", "blocked"].map {
            OperationCase("products", "matmul.\($0)", ["a", "b"]) { matmul($0[0], $0[1]) }
        }
        + ["matrix", "tokens", "image", "one-to-one", "wide", "many-rows"].map {
            OperationCase("products", "linear.\($0)", ["x", "weight", "bias"]) { linear($0[0], weight: $0[1], bias: $0[2]) }
        } + [OperationCase("products", "linear.no-bias", ["x", "weight"]) { linear($0[0], weight: $0[1], bias: nil) }]
}
