import Foundation
import Testing

/// Trainings whose magnetograms and latents are kept or not: the same model to the last bit. Each is a process of its own, since other tests change how many
/// threads a process works with.
@Suite struct TrainingStreamCommandTests {
    /// - Parameter maps: nil for those that the models of all tests were trained on.
    private func model(_ system: String, _ run: URL, maps: URL? = nil, _ options: [String]) throws -> Data {
        let models = try TinyModels.shared.get()
        let autoencoder = system == "ldm-residual" ? ["--autoencoder", models.autoencoder.path] : []
        let stages = system == "corrdiff" ? ["--regression-steps", "8"] : []
        let result = try sr(
            [
                "train", (maps ?? models.maps).path, "--model", system, "--preset", "tiny", "--crop-size", "32", "--batch-size", "2", "--steps", "12",
                "--validate-every", "6", "--save-every", "6", "--output", run.path, "--quiet",
            ] + autoencoder + stages + options)
        try #require(result.status == 0 && result.errors.isEmpty, "\(result)")
        return try Data(contentsOf: run.appendingPathComponent("model.safetensors"))
    }

    @Test(arguments: ["vqgan", "ldm-residual", "ddpm", "enhance", "corrdiff"]) func bitsDoNotDependOnMemory(_ system: String) throws {
        try withFolder { folder in
            // All magnetograms, none, or one of their 16 KiB, and as many threads read ahead as work.
            let models = try [["1GiB", "2"], ["0B", "1"], ["20KiB", "3"]].map { options in
                try model(system, folder.appendingPathComponent(options[0]), ["--memory", options[0], "--threads", options[1]])
            }
            #expect(models[0] == models[1] && models[0] == models[2])
        }
    }

    private func latents(in folder: URL) throws -> [URL] {
        try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil).filter { $0.pathExtension == "safetensors" }
    }

    /// Without the folder, with an empty one, with a full one, with a damaged one, and where little fits into it.
    @Test(arguments: ["ldm-residual", "corrdiff"]) func bitsDoNotDependOnKeptLatents(_ system: String) throws {
        try withFolder { folder in
            let (kept, few) = (folder.appendingPathComponent("latents"), folder.appendingPathComponent("few"))
            let (configuration, maps) = (folder.appendingPathComponent("configuration.yaml"), folder.appendingPathComponent("maps"))
            // So large that no two crops are the same.
            try TestMap.writeHigh(to: maps, side: 160)
            try Data("latent-crops: 4\nlatent-refresh: 4\n".utf8).write(to: configuration)
            func model(_ name: String, _ options: String...) throws -> Data {
                try self.model(system, folder.appendingPathComponent(name), maps: maps, ["--config", configuration.path] + options)
            }
            let expected = try model("without")
            #expect(try model("empty", "--latents", kept.path) == expected)
            let files = try latents(in: kept)
            // 3 generations of 4 crops, and those of validation.
            #expect(files.count == 3 * 4 + 32)
            let contents = try files.map { try Data(contentsOf: $0) }
            #expect(try model("full", "--latents", kept.path, "--threads", "3") == expected)
            #expect(try Set(latents(in: kept)) == Set(files) && zip(files, contents).allSatisfy { try Data(contentsOf: $0) == $1 })

            for (index, file) in files.enumerated() {
                var bytes = try Data(contentsOf: file)
                if index % 2 == 0 { bytes[bytes.count - 5] ^= 4 } else { bytes = bytes.prefix(bytes.count / 2) }
                try bytes.write(to: file)
            }
            #expect(try model("damaged", "--latents", kept.path) == expected)
            #expect(try zip(files, contents).allSatisfy { try Data(contentsOf: $0) == $1 }, "damaged files are written anew")

            let limit = 10 * contents[0].count
            #expect(try model("little", "--latents", few.path, "--latents-size", "\(limit)B") == expected)
            let left = try latents(in: few).map { try Data(contentsOf: $0).count }
            #expect(!left.isEmpty && left.count < files.count && left.reduce(0, +) <= limit, "\(left), limit \(limit)")
        }
    }
}
