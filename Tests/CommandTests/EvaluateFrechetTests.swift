import Foundation
import TensorCore
import Testing

/// The Fréchet distance of `sr evaluate`, and the weights it takes.
@Suite struct EvaluateFrechetTests {
    private func evaluate(_ output: URL, _ options: String...) throws -> SRProcess.Result {
        let models = try TinyModels.shared.get()
        return try sr(
            [
                "evaluate", models.maps.path, "--model", models.autoencoder.path, "--metrics", "fid", "--output", output.path, "--no-progress",
            ] + options)
    }

    /// A small network of CLIP's kind with made-up weights.
    private func writeNetwork(to url: URL) throws {
        struct Network: Decodable {
            struct Weight: Decodable { var name: String, shape: [Int] }
            var tensors: [Weight]
        }
        let network = try JSONDecoder().decode(Network.self, from: Data(contentsOf: fixture("Metrics/clip.json")))
        let weights = network.tensors.map { weight -> (name: String, tensor: Tensor) in
            var random = Random(seed: 1, name: weight.name)
            return (weight.name, random.normal(weight.shape) * 0.1)
        }
        try writeSafetensors(weights, to: url)
    }

    @Test func singleMapHasNone() throws {
        try withFolder { folder in
            let result = try evaluate(folder, "--limit", "1")
            #expect(result.status == 0 && !result.output.contains("Fréchet"), "\(result)")
            #expect(result.errorLines.contains { $0.hasPrefix("warning: the Fréchet distance is not defined for a single map") }, "\(result)")
            let report = try ReportFile(in: folder)
            #expect(report.metric("autoencoder", "frechet") == nil && report.warnings.contains { $0.contains("single map") })
        }
    }

    @Test func spaceIsThatOfTheWeights() throws {
        try withFolder { folder in
            let (weights, output) = (folder.appendingPathComponent("clip.safetensors"), folder.appendingPathComponent("out"))
            try writeNetwork(to: weights)
            let result = try evaluate(output, "--limit", "2", "--clip-weights", weights.path)
            let space = "CLIP vision transformer, 3 layers of width 128, patches of 8 of 32 pixels"
            #expect(result.status == 0 && result.output.contains("Fréchet distance of \(space)"), "\(result)")
            let distance = try ReportFile(in: output).metric("nearest", "frechet")
            #expect(distance?.featureSpace == space && distance?.n == 1 && (distance?.mean ?? 0) > 0)
        }
    }

    @Test func weightsThatCannotBeUsed() throws {
        let missing = FileManager.default.temporaryDirectory.appendingPathComponent("no-clip.safetensors")
        for (file, status, word) in [
            (missing, 66, "there is no such file"), (fixture("Models/small-unet.safetensors"), 65, "holds no image encoder of CLIP"),
            (fixture("SolarImage/float64.fits"), 65, "not a safetensors file"),
        ] {
            try withFolder { output in
                let result = try evaluate(output, "--clip-weights", file.path)
                expectRefusal(result, status, [file.lastPathComponent, word], output: output)
            }
        }
    }
}
