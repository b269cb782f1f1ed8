import Foundation
import TensorCore
import Testing

/// Model files that cannot be used.
@Suite struct BadModelTests {
    /// Runs `infer`, `evaluate` and `train` with a file in the place of a model.
    private func expectAllRefuse(_ model: URL, _ status: Int, _ words: String..., commands: [String] = ["infer", "evaluate", "train"]) throws {
        try withFolder { folder in
            let (input, output) = (folder.appendingPathComponent("in"), folder.appendingPathComponent("out"))
            try TestMap.writeHigh(to: input, count: 1)
            for command in commands {
                let options =
                    command == "train"
                    ? ["--model", "ldm-residual", "--preset", "tiny", "--autoencoder", model.path] : ["--force", "--model", model.path]
                let arguments = [command, input.path, "--output", output.path] + options.filter { command != "evaluate" || $0 != "--force" }
                expectRefusal(try sr(arguments), status, [model.lastPathComponent] + words, output: output)
            }
        }
    }

    @Test func missing() throws {
        try expectAllRefuse(FileManager.default.temporaryDirectory.appendingPathComponent("no-model.safetensors"), 66, "there is no such file")
    }

    @Test func cutShort() throws {
        let whole = try Data(contentsOf: try TinyModels.shared.get().model)
        try withFolder { folder in
            let file = folder.appendingPathComponent("short.safetensors")
            for count in [0, 4, 1000] {
                try whole.prefix(count).write(to: file)
                try expectAllRefuse(file, 65, "safetensors")
            }
            try whole.dropLast(100).write(to: file)
            try expectAllRefuse(file, 65, "do not fit", "expected", "found", "damaged")
        }
    }

    @Test func corrupt() throws {
        var bytes = try Data(contentsOf: try TinyModels.shared.get().model)
        let text = String(decoding: bytes.prefix(4096), as: UTF8.self)
        try #require(text.contains("\\\"scale\\\":4"))
        try withFolder { folder in
            let file = folder.appendingPathComponent("changed.safetensors")
            let range = try #require(bytes.range(of: Data("\\\"scale\\\":4".utf8)))
            bytes.replaceSubrange(range, with: Data("\\\"scale\\\":9".utf8))
            try bytes.write(to: file)
            try expectAllRefuse(file, 65, "expected scale 4", "found 9")
            bytes.replaceSubrange(8..<24, with: Data(repeating: 0, count: 16))
            try bytes.write(to: file)
            try expectAllRefuse(file, 65, "not a JSON object")
        }
    }

    /// One weight of a model without a digest, and a result that 16 bits would make infinite.
    @Test func notFinite() throws {
        let whole = try SafetensorsFile(reading: try TinyModels.shared.get().model)
        let name = "unet.conv_out.weight"
        try withFolder { folder in
            let file = folder.appendingPathComponent("changed.safetensors")
            func write(_ value: Float) throws {
                try writeSafetensors(
                    try whole.names.map {
                        let tensor = try whole.tensor(named: $0)
                        var values = tensor.values
                        if $0 == name { values = values.map { _ in value } }
                        return ($0, Tensor(shape: tensor.shape, values: values))
                    }, metadata: whole.metadata.filter { $0.key == "sr.model" }, to: file)
            }
            try #require(whole.contains(name), "\(whole.names)")
            try write(.nan)
            try expectAllRefuse(file, 65, "tensor \(name)", "not finite")
            try write(1e5)
            let half = folder.appendingPathComponent("half.safetensors")
            expectRefusal(try sr(["models", "--half", file.path, "--output", half.path]), 65, [file.path, "tensor \(name)", "65504", "100000.0"])
            #expect(!FileManager.default.fileExists(atPath: half.path))
            try write(3e38)
            let (input, output) = (folder.appendingPathComponent("low.fits"), folder.appendingPathComponent("out"))
            try TestMap.writeLow(to: input)
            expectRefusal(
                try sr(["infer", input.path, "--model", file.path, "--steps", "2", "--output", output.path, "--no-progress"]), 65,
                ["low.fits", "changed.safetensors", "not finite"], output: output)
        }
    }

    @Test func ofAnotherProgram() throws {
        let weights = fixture("Models/small-unet.safetensors")
        try expectAllRefuse(weights, 65, "no model of this program", "sr.model", "sr train", commands: ["infer", "evaluate"])
        try expectAllRefuse(weights, 65, "no first stage of latent diffusion", "convert-checkpoint", commands: ["train"])
        try expectAllRefuse(fixture("SolarImage/float64.fits"), 65, "not a safetensors file")
    }

    @Test func autoencoderCannotSuperResolve() throws {
        let autoencoder = try TinyModels.shared.get().autoencoder
        try expectAllRefuse(
            autoencoder, 65, "cannot super-resolve", "a diffusion model", "found a model of kind vqgan", "ldm-residual", commands: ["infer"])
    }

    @Test func folderOrPipe() throws {
        try withFolder { folder in
            let pipe = folder.appendingPathComponent("pipe.safetensors")
            #expect(mkfifo(pipe.path, 0o600) == 0)
            try expectAllRefuse(pipe, 65, "cannot be read")
            try expectAllRefuse(folder, 65, "cannot be read")
        }
    }
}
