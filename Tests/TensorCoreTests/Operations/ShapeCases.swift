import TensorCore

extension OperationCase {
    static let shapes =
        [
            OperationCase("shapes", "reshape", ["x"]) { $0[0].reshaped(to: [2, 15, 4]) },
            OperationCase("shapes", "reshape-to-scalar", ["x"]) { $0[0].reshaped(to: []) },
            OperationCase("shapes", "slice-axis-0", ["x"]) { $0[0].sliced(axis: 0, range: 1..<3) },
            OperationCase("shapes", "slice-axis-1", ["x"]) { $0[0].sliced(axis: 1, range: 1..<4) },
            OperationCase("shapes", "slice-axis-2", ["x"]) { $0[0].sliced(axis: 2, range: 2..<3) },
            OperationCase("shapes", "slice-channels", ["x"]) { $0[0].sliced(axis: -1, range: 5..<12) },
            OperationCase("shapes", "slice-whole", ["x"]) { $0[0].sliced(axis: 1, range: 0..<3) },
            OperationCase("shapes", "slices-overlap", ["x"]) { $0[0].sliced(axis: 1, range: 0..<4) * $0[0].sliced(axis: 1, range: 2..<6) },
            OperationCase("shapes", "concatenate-channels", ["a", "b"]) { concatenate($0, axis: -1) },
            OperationCase("shapes", "concatenate-one", ["a"]) { concatenate($0, axis: 1) },
            OperationCase("shapes", "concatenate-with-itself", ["a"]) { concatenate([$0[0], $0[0]], axis: 1) },
        ] + (0..<4).map { axis in OperationCase("shapes", "concatenate-axis-\(axis)", ["a", "b", "c"]) { concatenate($0, axis: axis) } }
        + [(2, 1), (2, 3), (3, 2)].flatMap { factor, channels in
            [
                OperationCase("shapes", "pixel-shuffle-\(factor)-\(channels)", ["x"]) { pixelShuffle($0[0], factor: factor) },
                OperationCase("shapes", "pixel-unshuffle-\(factor)-\(channels)", ["x"]) { pixelUnshuffle($0[0], factor: factor) },
            ]
        }
}
