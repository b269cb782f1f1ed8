import SuperResolution
import TensorCore
import Testing

/// Ten optimiser steps of the paper's U-Net against PyTorch's, from the same weights, data and noise.
@Suite struct PaperUNetTrainingTests {
    private let fixture: ModelsFixture
    private let training: PaperUNetTraining

    init() throws {
        fixture = try ModelsFixture("paper-unet-training")
        training = PaperUNetTraining(file: fixture.file)
    }

    private func expectLosses(_ losses: [Float], _ name: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
        let expected = try fixture[name].values
        #expect(losses.count == 10 && expected.count == 10, sourceLocation: sourceLocation)
        for (step, pair) in zip(losses, expected).enumerated() {
            #expect(abs(pair.0 - pair.1) < 1e-4 * pair.1, "step \(step + 1): loss \(pair.0), not \(pair.1)", sourceLocation: sourceLocation)
        }
    }

    @Test(arguments: [true, false]) func weightsAfterTenSteps(hasAttention: Bool) throws {
        let store = ParameterStore(seed: 1)
        let network = try PaperUNet(ModelsExample.paperUNet(width: 4, hasAttention: hasAttention), channels: 4, in: store.root)
        try store.load(fixture.file, prefix: ModelsFixture.weights) { !hasAttention && $0.hasPrefix("sa") }
        let start = store.parameters.map { $0.value.copied() }
        let name = hasAttention ? "attention" : "plain"
        try expectLosses(try training.train(network, store), "\(name).losses")
        for deviation in try training.deviations(of: store, start: start, prefix: "\(name).after.") {
            #expect(deviation.ofWeights < 1e-4, "\(deviation)")
            // Weights hardly change in ten steps: this tells whether they changed as they should.
            #expect(deviation.ofChange < 1e-2, "\(deviation)")
        }
    }

    /// The published network's golden values, base width 12.
    @Test func lossesOfThePublishedNetwork() throws {
        let store = ParameterStore(seed: 1)
        let network = try PaperUNet(ModelsExample.paperUNet(width: 12), channels: 4, in: store.root)
        try store.load(try ModelsFixture("paper-unet").file, prefix: ModelsFixture.weights, unused: PaperUNet.isUnused)
        try expectLosses(try training.train(network, store), "published.losses")
    }
}
