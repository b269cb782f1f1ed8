import Foundation
import SolarImage
import Testing

@Suite struct FinetuneCommandTests {
    /// Pairs of simulated MDI, made of the maps that the tiny models were trained on.
    private func pairs(in folder: URL) throws -> URL {
        let pairs = folder.appendingPathComponent("pairs")
        let result = try sr([
            "prepare", try TinyModels.shared.get().maps.path, "--simulate", "mdi", "--split", "1,0,0", "--split-by", "file", "--output", pairs.path,
            "--quiet",
        ])
        #expect(result.status == 0, "\(result)")
        return pairs
    }

    @Test func modelAndAdapterComeOut() throws {
        try withFolder { folder in
            let (pairs, run) = (try pairs(in: folder), folder.appendingPathComponent("run"))
            let results = folder.appendingPathComponent("results")
            let model = try TinyModels.shared.get().model
            let command = ["finetune", pairs.path, "--output", run.path, "--no-progress"]
            // Options of all commands, and the training configuration, in one file.
            let file = folder.appendingPathComponent("c.yaml")
            try Data("quiet: true\nthreads: 1\nbatch-size: 1\ncrop-size: 32\nlatent-crops: 2\nlora-rank: 2\n".utf8).write(to: file)
            let options = ["--steps", "2", "--validate-every", "0", "--config", file.path]
            var result = try sr(command + ["--from", model.path] + options)
            #expect(result.status == 0 && result.errors.isEmpty, "\(result)")
            for name in ["model.safetensors", "adapter.safetensors", "start.safetensors", "config.yaml"] {
                #expect(FileManager.default.fileExists(atPath: run.appendingPathComponent(name).path), "\(name)")
            }
            let saved = try String(contentsOf: run.appendingPathComponent("config.yaml"), encoding: .utf8)
            #expect(saved.contains("fine-tuning: true") && saved.contains("rank: 2") && saved.contains("batch-size: 1"))

            result = try sr(command + ["--resume", "--steps", "3"])
            #expect(result.status == 0, "\(result)")
            expectRefusal(try sr(command + ["--resume", "--lora-rank", "3"]), 64, ["--lora-rank cannot change"])
            expectRefusal(try sr(["train", pairs.path, "--output", run.path, "--resume", "--from", model.path]), 64, ["--from cannot change"])

            // The model that comes out, and the one that went in with the adapter, do the same.
            let input = folder.appendingPathComponent("low.fits")
            try TestMap.writeLow(to: input)
            func infer(_ name: String, _ options: String...) throws -> FITSImage {
                let output = results.appendingPathComponent(name)
                let result = try sr(["infer", input.path, "--steps", "1", "--output", output.path, "--quiet"] + options)
                #expect(result.status == 0, "\(result)")
                return try FITSFile(reading: output.appendingPathComponent("low_sr.fits")).firstImage()
            }
            let merged = try infer("merged", "--model", run.appendingPathComponent("model.safetensors").path)
            let adapter = run.appendingPathComponent("adapter.safetensors").path
            let applied = try infer("applied", "--model", model.path, "--adapter", adapter)
            #expect(zip(merged.image.pixels, applied.image.pixels).allSatisfy { abs($0 - $1) <= 1e-4 * max(1, abs($1)) })
            #expect(applied.header.string("SRADAPT")?.count == 64 && !merged.header.contains("SRADAPT"))
            let place = results.appendingPathComponent("applied")
            expectRefusal(
                try sr(["infer", input.path, "--steps", "1", "--model", model.path, "--output", place.path, "--continue", "--no-progress"]), 73,
                ["low_sr.fits", "made otherwise", "SRADAPT"])
            let plain = try infer("plain", "--model", model.path)
            #expect(plain.image.pixels != applied.image.pixels)
        }
    }

    /// Low resolution drawn anew for every crop, of maps that have none beside them.
    @Test func onSimulatedMDI() throws {
        let models = try TinyModels.shared.get()
        try withFolder { folder in
            let run = folder.appendingPathComponent("run")
            let command = ["finetune", "--output", run.path, "--quiet", "--threads", "1"]
            let options = ["--from", models.model.path, "--simulate", "mdi", "--batch-size", "1", "--crop-size", "32", "--validate-every", "0"]
            #expect(try sr(command + [models.maps.path, "--steps", "2"] + options).status == 0)
            let told = try sr(["models", run.appendingPathComponent("model.safetensors").path])
            #expect(told.output.contains("MDI, simulated"), "the model keeps what it was made for: \(told)")
            expectRefusal(try sr(command + [models.maps.path, "--resume", "--simulate", "mdi"]), 64, ["--simulate cannot change"])
            let other = folder.appendingPathComponent("other")
            expectRefusal(
                try sr(["finetune", try pairs(in: folder).path, "--steps", "2", "--output", other.path, "--quiet"] + options), 64,
                ["holds pairs", "leave --simulate out"], output: other)
        }
    }

    @Test func whatIsRefused() throws {
        let models = try TinyModels.shared.get()
        try withFolder { folder in
            let run = folder.appendingPathComponent("run")
            func finetune(_ data: URL, _ options: String...) throws -> SRProcess.Result {
                try sr(["finetune", data.path, "--output", run.path, "--quiet"] + options)
            }
            expectRefusal(try finetune(models.maps, "--from", models.model.path), 65, ["does not hold pairs", "--simulate mdi"], output: run)
            expectRefusal(try finetune(models.maps, "--from", models.autoencoder.path), 64, ["an autoencoder is not fine-tuned"], output: run)
            expectRefusal(
                try finetune(models.maps, "--from", models.model.path, "--lora-rank", "0", "--unfreeze", "none"), 78, ["something to train"],
                output: run)
            expectRefusal(try finetune(models.maps, "--from", "nowhere.safetensors"), 66, ["nowhere.safetensors"], output: run)
        }
    }
}
