import Foundation
import SolarImage
import Testing

/// `sr evaluate` and `sr models` as a user runs them.
@Suite struct EvaluateCommandTests {
    private static let names = ["nearest", "bicubic", "bicubic-consistent", "kriging", "kriging-ensemble", "ldm", "autoencoder"]

    private static let folder = FileManager.default.temporaryDirectory
        .appendingPathComponent("sr-evaluation-\(ProcessInfo.processInfo.processIdentifier)")

    /// An evaluation by all metrics, once for all tests.
    private static let whole: Result<SRProcess.Result, any Error> = Result {
        atexit { try? FileManager.default.removeItem(at: EvaluateCommandTests.folder) }
        let models = try TinyModels.shared.get()
        let result = try sr([
            "evaluate", models.maps.path, "--model", models.model.path, models.autoencoder.path, "--samples", "2", "--steps", "2", "--seed", "4",
            "--output", folder.path, "--quiet",
        ])
        try #require(result.status == 0 && result.errors.isEmpty, "\(result)")
        return result
    }

    @Test func reportsOnModelsAndBaselines() throws {
        let result = try Self.whole.get()
        let lines = result.output.split(separator: "\n")
        #expect(lines.first?.split(separator: " ").map(String.init) == Self.names, "\(result)")
        #expect(lines.dropFirst().first?.hasPrefix("PSNR (dB)") == true && lines[1].contains("±"), "\(result)")
        // Seven columns are too wide for a terminal.
        #expect(lines.contains { $0.hasPrefix("The differences from ldm") && $0.contains("differences.md") }, "\(result)")

        let report = try ReportFile(in: Self.folder)
        #expect(report.models.map(\.name) == Self.names)
        #expect(report.models.map { $0.digest?.count } == [nil, nil, nil, nil, nil, 64, 64])
        #expect(report.data.maps == 3 && report.data.samples == 2)
        #expect(report.options.samples == 2 && report.options.steps == 2 && report.options.seed == 4)
        #expect(report.options.sampler == "dpm-solver++" && report.options.eta == nil)
        let ensembles = ["kriging-ensemble", "ldm"]
        for model in report.models {
            for key in [
                "psnr", "ssim", "lpips", "unsigned_flux_error", "net_flux_error", "ar_size_error", "power_ratio_nyquist", "power_ratio_2arcsec",
                "rmse", "seconds_per_sample",
            ] { #expect(model.metrics[key]?.n == 3, "\(model.name), \(key)") }
            // Each set of samples is compared with the truths.
            let distance = model.metrics["frechet"]
            #expect(distance?.n == (ensembles.contains(model.name) ? 2 : 1) && distance?.featureSpace?.hasPrefix("AlexNet") == true, "\(model.name)")
            #expect((distance?.mean ?? -1) >= 0 && (model.metrics["crps"] != nil) == ensembles.contains(model.name), "\(model.name)")
            #expect((model.metrics["training_hours"] != nil) == (model.digest != nil), "\(model.name)")
        }
        let psnr = Self.names.compactMap { report.mean($0, "psnr") }
        #expect(psnr.count == 7 && psnr[0] < psnr[2], "bicubic-consistent should be nearer to a smooth truth than nearest: \(psnr)")
        #expect((report.mean("nearest", "frechet") ?? 0) > 0 && report.warnings.contains { $0.contains("3 maps in 256 dimensions") })
        let statement = try #require(report.statements.last)
        #expect(report.statements.count == 2 && statement.hasPrefix("ldm: ") && result.output.contains(statement), "\(report.statements)")
    }

    @Test func everySampleHasALine() throws {
        _ = try Self.whole.get()
        let lines = try String(contentsOf: Self.folder.appendingPathComponent("per-image.csv"), encoding: .utf8).split(separator: "\n")
        // Of each map four baselines, two samples and both as an ensemble twice, and the autoencoder.
        #expect(lines.count == 1 + 3 * (4 + 3 + 3 + 1) && lines[0].hasPrefix("model,file,region,grid,width,height,sample,psnr"))
        #expect(lines[1].hasPrefix("nearest,map1.fits,HARP 1,CCD,64,64,1,"))
        for sample in ["1", "2", ""] { #expect(lines.contains { $0.hasPrefix("ldm,map3.fits,HARP 3,CCD,64,64,\(sample),") }, "\(sample)") }
    }

    @Test func folderHoldsTablesFiguresAndPage() throws {
        _ = try Self.whole.get()
        func names(_ folder: URL) throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() }
        #expect(
            try names(Self.folder) == [
                "cache", "config.yaml", "curves.csv", "differences.csv", "differences.md", "differences.tex", "figures", "per-image.csv",
                "report.html",
                "report.json", "table.csv", "table.md", "table.tex",
            ])
        let folder = Self.folder.appendingPathComponent("figures")
        let figures = try names(folder)
        func stems(_ ending: String) -> Set<String> { Set(figures.filter { $0.hasSuffix(ending) }.map { String($0.dropLast(ending.count)) }) }
        let expected: Set = [
            "box-plots", "calibration", "errors-by-field", "field-histogram", "fourier-amplitude", "learning-curves", "radial-spectra",
            "rank-histogram", "side-by-side-1", "side-by-side-2", "side-by-side-3", "uncertainty-1-5", "uncertainty-2-5", "uncertainty-3-6",
        ]
        #expect(stems(".png").isSuperset(of: expected), "\(expected.subtracting(stems(".png")).sorted())")
        #expect(stems(".png") == stems(".pdf") && figures.count == 2 * stems(".png").count, "\(figures)")
        for figure in figures {
            let bytes = try Data(contentsOf: folder.appendingPathComponent(figure))
            let start = figure.hasSuffix(".png") ? Data([0x89, 0x50, 0x4E, 0x47]) : Data("%PDF".utf8)
            #expect(bytes.count > 1000 && bytes.starts(with: start), "\(figure)")
        }
        // The page holds all of them, and asks for nothing else.
        let page = try String(contentsOf: Self.folder.appendingPathComponent("report.html"), encoding: .utf8)
        #expect(page.components(separatedBy: "<img src=\"data:image/png;base64,").count == 1 + stems(".png").count)
        #expect(page.components(separatedBy: " src=\"").count == 1 + stems(".png").count)
        for name in Self.names { #expect(page.contains("<th scope=\"col\">\(name)</th>"), "\(name)") }
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
                let report = try ReportFile(in: folder)
                #expect(report.options.sampler == options[0] && report.options.eta == (options[0] == "ddim" ? Double(options.count / 2) : nil))
                scores.insert(report.mean("ldm", "psnr"))
            }
            #expect(scores.count == 3)
        }
    }

    @Test func sameSeedSameScores() throws {
        let models = try TinyModels.shared.get()
        try withFolder { folder in
            func perImage(_ seed: String, _ threads: String) throws -> Data {
                // In a folder of its own, so that no cache answers.
                let output = folder.appendingPathComponent("\(seed)-\(threads)")
                let result = try sr([
                    "evaluate", models.maps.path, "--model", models.model.path, "--samples", "2", "--steps", "2", "--limit", "2", "--seed", seed,
                    "--threads", threads, "--output", output.path, "--quiet",
                ])
                #expect(result.status == 0, "\(result)")
                return try Data(contentsOf: output.appendingPathComponent("per-image.csv"))
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
            let report = try ReportFile(in: folder)
            #expect(abs((report.mean("nearest", "unsigned_flux_error") ?? 0) - 100) < 1e-6)
            #expect(report.mean("nearest", "psnr") == nil && (report.mean("nearest", "lpips") ?? 0) > 0.01)
            #expect(report.options.samples == nil && report.options.sampler == nil, "nothing was sampled")
        }
    }

    @Test func modelsOfOneNameAreToldApart() throws {
        let models = try TinyModels.shared.get()
        try withFolder { folder in
            let copies = try ["a", "b"].map { name -> String in
                let copy = folder.appendingPathComponent(name).appendingPathComponent("x.safetensors")
                try FileManager.default.createDirectory(at: copy.deletingLastPathComponent(), withIntermediateDirectories: true)
                try FileManager.default.copyItem(at: models.autoencoder, to: copy)
                return copy.path
            }
            let result = try sr(
                ["evaluate", models.maps.path, "--limit", "1", "--metrics", "psnr", "--output", folder.path, "--quiet", "--model"] + copies)
            #expect(result.status == 0, "\(result)")
            let report = try ReportFile(in: folder)
            let names = report.models.map(\.name)
            #expect(names.count == 6 && Set(names).count == 6 && names.dropFirst(4).allSatisfy { $0.hasPrefix("x") }, "\(names)")
            let psnr = names.dropFirst(4).compactMap { report.mean($0, "psnr") }
            #expect(psnr.count == 2 && Set(psnr).count == 1, "\(psnr)")
        }
    }

    @Test func unreadableModelIsNamedAndTheRestGoesOn() throws {
        let models = try TinyModels.shared.get()
        try withFolder { folder in
            let (bad, output) = (folder.appendingPathComponent("bad.safetensors"), folder.appendingPathComponent("out"))
            try Data("no model".utf8).write(to: bad)
            let result = try sr([
                "evaluate", models.maps.path, "--model", bad.path, models.autoencoder.path, "--limit", "1", "--metrics", "psnr", "--output",
                output.path, "--quiet",
            ])
            #expect(result.status == 65 && result.output.contains("PSNR (dB)"), "\(result)")
            #expect(result.errorLines.last?.contains("bad.safetensors: not a safetensors file") == true, "\(result)")
            let report = try ReportFile(in: output)
            #expect(report.models.map(\.name) == ["nearest", "bicubic", "bicubic-consistent", "kriging", "autoencoder"])
            #expect(report.warnings.contains { $0.contains("bad.safetensors") }, "\(report.warnings)")
        }
    }

    @Test func progressIsPlainWithoutTerminal() throws {
        let models = try TinyModels.shared.get()
        try withFolder { folder in
            let result = try sr([
                "evaluate", models.maps.path, "--model", models.autoencoder.path, "--limit", "1", "--metrics", "psnr", "--output", folder.path,
            ])
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
        #expect(result.output.contains(/data +(not told|pixels of .+, SHA-256 [0-9a-f]{64})\n/), "\(result)")
        expectRefusal(try sr(["models", "nowhere.safetensors"]), 66, ["nowhere.safetensors"])
        expectRefusal(try sr(["models", "a.safetensors", "--half", "a.safetensors", "--output", "b.safetensors"]), 64, ["lists none"])
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
