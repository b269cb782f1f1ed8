import TensorCore

extension OperationCase {
    static let losses = ["image", "one-element", "many-pixels"].flatMap { name in
        [
            OperationCase("losses", "squared.\(name)", ["a", "b"]) { meanSquaredError($0[0], $0[1]) },
            OperationCase("losses", "absolute.\(name)", ["a", "b"], step: nil) { meanAbsoluteError($0[0], $0[1]) },
        ]
    }

    static let featureDistances = ["odd", "one-pixel", "17-channels", "many-pixels"].map { name in
        OperationCase("feature-distance", name, ["a", "b"], step: 1e-3) { inputs in
            let channels = inputs[0].extent(-1)
            return featureDistance(
                inputs[0], inputs[1], weight: Tensor(shape: [channels], values: (1...channels).map { Float($0) / Float(channels) }))
        }
    }

    static let embeddings = [
        OperationCase("embedding", "repeated", ["weight"]) { embedding(weight: $0[0], indices: [3, 0, 3, 6, 3]) },
        OperationCase("embedding", "one", ["weight"]) { embedding(weight: $0[0], indices: [0]) },
        OperationCase("embedding", "many", ["weight"]) { embedding(weight: $0[0], indices: (0..<300).map { (5 * $0 * $0 + $0) % 11 }) },
    ]
}
