import Foundation
import SolarImage
import Testing

/// `sr evaluate` and `sr models` as a user runs them.
@Suite struct EvaluateCommandTests {
    /// `report.json`, by the keys that other programs rely on.
    private struct Report: Decodable {
        struct Model: Decodable {
            var name: String
            var digest: String?
            var metrics: [String: Summary]

            private enum CodingKeys: String, CodingKey {
                case name, metrics
                case digest = "file_sha256"
            }
        }
        struct Summary: Decodable { var mean: Double?, std: Double?, n: Int }
        struct Data: Decodable { var maps: Int }
        struct Options: Decodable { var samples: Int, sampler: String, steps: Int, eta: Double?, seed: Int }

        var models: [Model]
        var data: Data
        var options: Options

        func mean(_ model: String, _ key: String) -> Double? { models.first { $0.name == model }?.metrics[key]?.mean }
    }

    private func report(_ folder: URL) throws -> Report {
        try JSONDecoder().decode(Report.self, from: try Foundation.Data(contentsOf: folder.appendingPathComponent("report.json")))
    }

    @Test func reportsOnModelsAndBaselines() throws {
        let models = try TinyModels.shared.get()
        try withFolder { folder in
            let result = try sr([
                "evaluate", models.maps.path, "--model", models.model.path, models.autoencoder.path, "--samples", "2", "--steps", "2", "--seed", "4",
                "--output", folder.path, "--quiet",
            ])
            #expect(result.status == 0 && result.errors.isEmpty, "\(result)")
            let lines = result.output.split(separator: "\n")
            let names = ["nearest", "bicubic", "bicubic-consistent", "ldm", "autoencoder"]
            #expect(lines.first?.split(separator: " ").map(String.init) == names, "\(result)")
            #expect(lines.dropFirst().first?.hasPrefix("PSNR (dB)") == true && lines[1].contains("±"), "\(result)")
            #expect(files(under: folder) == ["per-image.csv", "report.json", "table.csv", "table.md", "table.tex"])

            let report = try report(folder)
            #expect(report.models.map(\.name) == names)
            #expect(report.models.map { $0.digest?.count } == [nil, nil, nil, 64, 64])
            #expect(report.data.maps == 3 && report.options.samples == 2 && report.options.steps == 2 && report.options.seed == 4)
            #expect(report.options.sampler == "dpm-solver++" && report.options.eta == nil)
            for model in report.models {
                for key in [
                    "psnr", "ssim", "lpips", "unsigned_flux_error", "net_flux_error", "ar_size_error", "power_ratio_nyquist",
                    "power_ratio_2arcsec", "seconds_per_sample",
                ] { #expect(model.metrics[key]?.n == 3, "\(model.name), \(key)") }
            }
            let psnr = names.compactMap { report.mean($0, "psnr") }
            #expect(psnr.count == 5 && psnr[0] < psnr[2], "bicubic-consistent should be nearer to a smooth truth than nearest: \(psnr)")
            let perImage = try String(contentsOf: folder.appendingPathComponent("per-image.csv"), encoding: .utf8).split(separator: "\n")
            #expect(perImage.count == 1 + 3 * (3 + 2 + 1) && perImage[0].hasPrefix("model,file,region,grid,width,height,sample,psnr"))
            #expect(perImage[1].hasPrefix("nearest,map1.fits,HARP 1,CCD,64,64,1,"))
        }
    }

    @Test func samplersAreTold() throws {
        let models = try TinyModels.shared.get()
        try withFolder { folder in
            var scores: Set<Double?> = []
            for options in [["dpm-solver++"], ["ddim"], ["ddim", "--eta", "1"]] {
                let result = try sr(
                    [
                        "evaluate", models.maps.path, "--model", models.model.path, "--samples", "1", "--steps", "3", "--limit", "1", "--metrics",
                        "psnr", "--output", folder.path, "--quiet", "--overwrite", "--sampler",
                    ] + options)
                #expect(result.status == 0, "\(result)")
                let report = try report(folder)
                #expect(report.options.sampler == options[0] && report.options.eta == (options[0] == "ddim" ? Double(options.count / 2) : nil))
                scores.insert(report.mean("ldm", "psnr"))
            }
            #expect(scores.count == 3)
        }
    }

    @Test func sameSeedSameScores() throws {
        let models = try TinyModels.shared.get()
        try withFolder { folder in
            func perImage(_ seed: String, _ threads: String) throws -> Foundation.Data {
                let result = try sr([
                    "evaluate", models.maps.path, "--model", models.model.path, "--samples", "1", "--steps", "2", "--limit", "2", "--seed", seed,
                    "--threads",
                    threads, "--output", folder.path, "--quiet", "--overwrite",
                ])
                #expect(result.status == 0, "\(result)")
                return try Foundation.Data(contentsOf: folder.appendingPathComponent("per-image.csv"))
            }
            let first = try perImage("1", "1")
            #expect(try perImage("1", "2") == first)
            #expect(try perImage("2", "1") != first)
        }
    }

    /// Of a pair, the models are given the extension `LR`.
    @Test func pairsAreTakenAsTheyAre() throws {
        let models = try TinyModels.shared.get()
        try withFolder { folder in
            let whole = try FITSFile(reading: models.maps.appendingPathComponent("map1.fits")).firstImage()
            let pair = folder.appendingPathComponent("pair.fits")
            let empty = Image(width: 16, height: 16, repeating: 0)
            try FITSWriter.write(whole.image, header: whole.header, extensions: [("LR", empty, FITSHeader())], to: pair)
            let result = try sr([
                "evaluate", pair.path, "--model", models.autoencoder.path, "--metrics", "flux,lpips", "--output", folder.path, "--quiet",
            ])
            #expect(result.status == 0 && !result.output.contains("PSNR"), "\(result)")
            let report = try report(folder)
            #expect(abs((report.mean("nearest", "unsigned_flux_error") ?? 0) - 100) < 1e-6)
            #expect(report.mean("nearest", "psnr") == nil && (report.mean("nearest", "lpips") ?? 0) > 0.01)
        }
    }

    @Test func progressIsPlainWithoutTerminal() throws {
        let models = try TinyModels.shared.get()
        try withFolder { folder in
            let result = try sr(["evaluate", models.maps.path, "--model", models.autoencoder.path, "--limit", "1", "--output", folder.path])
            #expect(result.status == 0 && result.errors.contains("evaluate 100%") && result.errors.contains("report: "), "\(result)")
            #expect(!result.errors.unicodeScalars.contains { $0.value < 0x20 && $0 != "\n" }, "escape codes or carriage returns: \(result)")
        }
    }

    /// A build may come without bundled models; then that is said.
    @Test func modelsAreListed() throws {
        let result = try sr(["models"])
        if result.status == 66 { return expectRefusal(result, 66, ["no model is bundled"]) }
        #expect(result.status == 0 && result.errors.isEmpty, "\(result)")
        #expect(result.output.contains(/SHA-256 +[0-9a-f]{64}/) && result.output.contains("parameters") && result.output.contains("training"))
    }

    @Test func helpTellsExitStatuses() throws {
        let help = try sr(["--help"])
        #expect(help.status == 0 && help.errors.isEmpty)
        for word in ["64 usage", "65 bad data", "66", "70", "73", "78", "130", "prepare", "train", "finetune", "infer", "models", "evaluate"] {
            #expect(help.output.contains(word), "\(word) is missing")
        }
        let version = try sr(["--version"])
        #expect(version.status == 0 && version.output.contains(/^\d+\.\d+\.\d+\n$/))
    }
}
