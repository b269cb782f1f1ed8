import Foundation
import SuperResolution
import TensorCore
import Testing

private let casesFolder = ProcessInfo.processInfo.environment["SR_UNET_CASES"]

/// The paper's U-Net on cases larger than fixtures may be, which `Scripts/compare-unet` writes before it runs this. Prints how far it is off.
@Suite(.serialized, .enabled(if: casesFolder != nil)) struct PaperUNetComparisonTests {
    @Test func agreesWithPyTorch() throws {
        let folder = URL(fileURLWithPath: try #require(casesFolder))
        let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
        let cases = files.filter { $0.pathExtension == "safetensors" }.sorted { $0.path < $1.path }
        #expect(!cases.isEmpty)
        for url in cases { try compare(try SafetensorsFile(reading: url), name: url.deletingPathExtension().lastPathComponent) }
    }

    private func compare(_ file: SafetensorsFile, name: String) throws {
        let (width, channels) = (
            try #require(file.metadata["width"].flatMap { Int($0) }), try #require(file.metadata["channels"].flatMap { Int($0) })
        )
        let store = ParameterStore(seed: 1)
        let configuration = PaperUNet.Configuration(width: width, hasAttention: file.metadata["has_attention"] == "true")
        let network = PaperUNet(configuration, channels: channels, in: store.root)
        try store.load(file, prefix: ModelsFixture.weights)
        let timesteps = try file.tensor(named: "input.t").values.map { Int($0) }
        let output = network(try file.tensor(named: "input.x_t"), condition: try file.tensor(named: "input.condition"), timesteps: timesteps)
        let error = relativeError(output, try file.tensor(named: "output"))
        print("\(name): output off by \(String(format: "%.1e", error))")
        #expect(error < 1e-4, "\(name): output")

        guard file.contains("losses") else { return }
        let start = store.parameters.map { $0.value.copied() }
        let training = PaperUNetTraining(file: file)
        let losses = zip(try training.train(network, store), try file.tensor(named: "losses").values)
        let lossError = losses.map { abs($0 - $1) / $1 }.max() ?? .infinity
        print("\(name): losses off by up to \(String(format: "%.1e", lossError))")
        #expect(lossError < 1e-4, "\(name): losses")
        let deviations = try training.deviations(of: store, start: start, prefix: "after.")
        let (ofWeights, ofChange) = (deviations.max { $0.ofWeights < $1.ofWeights }, deviations.max { $0.ofChange < $1.ofChange })
        for (worst, value, what) in [(ofWeights, ofWeights?.ofWeights, "themselves"), (ofChange, ofChange?.ofChange, "what training changes")] {
            print("\(name): weights off by up to \(String(format: "%.1e", value ?? .infinity)) of \(what) (\(worst?.name ?? ""))")
        }
        for deviation in deviations { #expect(deviation.ofWeights < 1e-4 && deviation.ofChange < 1e-2, "\(name): \(deviation)") }
    }
}
