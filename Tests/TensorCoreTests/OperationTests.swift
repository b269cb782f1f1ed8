import TensorCore
import Testing

/// Every operation against PyTorch and against finite differences, on the cases in the files of `Operations`.
@Suite struct OperationTests {
    static let cases =
        OperationCase.arithmetic + OperationCase.activations + OperationCase.reductions + OperationCase.shapes + OperationCase.products
        + OperationCase.convolutions + OperationCase.normalizations + OperationCase.attentions + OperationCase.resamplings + OperationCase.embeddings
        + OperationCase.losses + OperationCase.batchNormalizations + OperationCase.stridedConvolutions + OperationCase.maximumPoolings
        + OperationCase.bicubicResizings + OperationCase.featureDistances

    @Test(arguments: cases) func agreesWithPyTorch(_ operation: OperationCase) throws {
        try operation.checkAgainstPyTorch()
    }

    @Test(arguments: cases.filter { $0.step != nil }) func gradientIsDerivative(_ operation: OperationCase) throws {
        try operation.checkDerivatives()
    }

    @Test func everyCaseOfTheFixturesIsChecked() throws {
        let checked = Dictionary(grouping: Self.cases, by: \.fixture).mapValues { Set($0.map(\.name)) }
        // These have tests of their own.
        let others: Set = ["quantize", "optimizers", "random", "non-finite"]
        for name in try Fixture.names() where !others.contains(name) {
            let cases = try Fixture(name).cases
            #expect(checked[name] == cases, "\(name)")
        }
    }
}
