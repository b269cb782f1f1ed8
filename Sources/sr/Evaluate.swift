import ArgumentParser
import Foundation
import Groundwork
import Logging
import SolarImage
import SuperResolution

/// `sr evaluate`
struct Evaluate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Score models against the truth.",
        discussion: """
            DATA is a folder of high-resolution FITS maps (of a prepared folder its test part), degraded here by 4 × 4 block means, or of pairs with an \
            extension LR. Every model, and the baselines nearest, bicubic, bicubic-consistent and kriging, are scored on the same maps; beside \
            ensembles also kriging-ensemble, the null model of uncertainty; an autoencoder by its reconstruction. With --predictions and --references \
            what another program made is scored instead, in Gauss, NAME.fits or NAME_sr.fits against NAME.fits: the cube \
            SAMPLES as an ensemble where there is one, else the first image.

            Prints the table and how sure the differences from the first model are; writes report.html with all tables and figures, report.json, \
            table.md, .csv and .tex, differences.md, .csv and .tex, per-image.csv, curves.csv, and the figures as PNG and PDF. Scores are kept in \
            the folder cache: the same command with one more model scores that alone.
            """)

    @Argument(help: ArgumentHelp("Folder of FITS maps, or FITS files.", valueName: "data"))
    var data: [String] = []

    @Option(
        name: .long, parsing: .upToNextOption,
        help: ArgumentHelp(
            "Model files, or bundled models' names (default: the bundled one for block means, or for the instrument of pairs).", valueName: "file"))
    var model: [String] = []

    @Option(help: ArgumentHelp("What `sr finetune` changed of the only model, to be applied to it.", valueName: "file"))
    var adapter: String?

    @Option(help: ArgumentHelp("Score this folder of FITS files, one a reference, instead of models.", valueName: "dir"))
    var predictions: String?

    @Option(help: ArgumentHelp("The true maps that --predictions are scored against.", valueName: "dir"))
    var references: String?

    @Option(help: ArgumentHelp("Folder for the report.", valueName: "dir"))
    var output: String

    @Option(help: "Samples of each map by diffusion models.")
    var samples = 10

    @Option(help: "Score this many maps alone.")
    var limit: Int?

    @Option(
        help: ArgumentHelp(
            """
            Metrics, separated by commas: psnr, ssim, lpips, fid, flux, ar-size, spectrum, quiet-sun, field, calibration (default: all).
            """, valueName: "names"))
    var metrics: String?

    @Option(help: "Field in Gauss from which a pixel counts towards an active region.")
    var regionThreshold: Float = 300

    @OptionGroup(title: "Sampling")
    var sampling: SamplingOptions

    @Option(
        help:
            "Hold results to their input: exact (its block means), off, or auto (exact; of pairs what MDI's blur and noise let it tell, unless the model was trained on it)."
    )
    var consistency = Consistency.auto

    @Option(help: "Of pairs: MDI fields are divided by this, to be on HMI's scale (default: the MDIFACT beside them).")
    var mdiFactor: Double?

    @Option(
        help: ArgumentHelp(
            """
            Weights of CLIP ViT-B/32 (safetensors, named as Hugging Face's CLIPModel or CLIPVisionModelWithProjection), in whose space the Fréchet \
            distance is the paper's FID (default: AlexNet's features).
            """, valueName: "file"))
    var clipWeights: String?

    @Option(help: "The period in arcsec of the circle in Fourier space, beyond which power and uncertainty are judged by themselves.")
    var fineCutoff = 2.0

    @Option(help: "Order of the Butterworth filter that splits the uncertainty there.")
    var fineOrder = 2

    @Option(help: ArgumentHelp("Folder in which scores are kept (default: cache in the report's folder).", valueName: "dir"))
    var cache: String?

    @OptionGroup(title: "Common options")
    var common: CommonOptions

    func validate() throws {
        func check(_ isSound: Bool, _ message: String) throws { if !isSound { throw ValidationError(message) } }
        try check(
            (predictions == nil) == (references == nil), "--predictions and --references need each other: both are folders of FITS files")
        try check(
            predictions == nil || (data.isEmpty && model.isEmpty && adapter == nil), "--predictions takes neither data nor --model nor --adapter")
        try check(adapter == nil || model.count < 2, "--adapter belongs to one model, not to \(model.count)")
        try check((0.1...10).contains(mdiFactor ?? 1), "--mdi-factor must be 0.1 … 10, not \(mdiFactor ?? 1)")
        try check(predictions != nil || !data.isEmpty, "no data: give a folder of FITS maps, or --predictions and --references")
        try check(fineCutoff > 1 && fineCutoff <= 100, "--fine-cutoff must be more than 1 and at most 100 arcsec, not \(fineCutoff)")
        try check((1...20).contains(fineOrder), "--fine-order must be 1 … 20, not \(fineOrder)")
        try check((1...1000).contains(samples), "--samples must be 1 … 1000, not \(samples)")
        try check(metricNames.map { !$0.isEmpty } ?? true, "--metrics names none")
        try check(clipWeights == nil || metricNames?.contains("fid") ?? true, "--clip-weights is of use with the metric fid alone")
        try check(limit.map { $0 > 0 } ?? true, "--limit must be at least 1")
        try check(regionThreshold > 0 && regionThreshold.isFinite, "--region-threshold must be more than 0, not \(regionThreshold)")
    }

    private var metricNames: [String]? {
        metrics?.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
    }

    func run() throws {
        let logger = common.start()
        logger.warnOfSlowProducts()
        let folder = fileURL(output)
        try common.checkOutput(folder.appendingPathComponent("report.json"))
        let files = try expandInputs(references.map { [$0] } ?? data, logger) { url in
            let test = url.appendingPathComponent("test")
            return try fitsFiles(in: FileManager.default.fileExists(atPath: test.path) ? test : url)
        }
        var options = Evaluation.Options()
        options.metrics = metricNames
        (options.samples, options.limit, options.regionThreshold) = (samples, limit, regionThreshold)
        options.resolver = sampling.resolver
        (options.consistency, options.adapter, options.mdiFactor) = (consistency, adapter.map(fileURL), mdiFactor)
        (options.clipWeights, options.cache) = (clipWeights.map(fileURL), cache.map(fileURL))
        (options.fineCutoff, options.fineOrder) = (fineCutoff, fineOrder)
        let models = predictions != nil ? [] : model.isEmpty ? [try bundledModel(for: files.first)] : model.map(modelURL)
        let evaluation =
            if let predictions {
                try Evaluation(
                    predictions: expandInputs([predictions], logger), of: fileURL(predictions), options: options, logger: logger)
            } else {
                try Evaluation(models: models, options: options, logger: logger)
            }
        Interruption.watch()
        let display = common.progressDisplay("evaluate")
        let path = references.map { "\(predictions ?? "") against \($0)" } ?? data.joined(separator: " ")
        let (tables, failures) = try evaluation.run(
            maps: files, dataPath: path, output: folder, progress: { display.update($0, detail: $1) },
            isCancelled: { Interruption.isRequested })
        display.finish()
        try writeAtomically(try configuration(models), to: folder.appendingPathComponent("config.yaml"))
        try StandardStream.output(tables)
        logger.info("report: \(folder.path)")
        if !failures.isEmpty {
            throw Failure(.badData, "not all could be scored; the report holds the rest:" + failures.map { "\n  \($0)" }.joined())
        }
    }

    /// The one for what models are given of a map: the instrument's that stands beside it, or block means.
    private func bundledModel(for map: URL?) throws -> URL {
        let pair = map.flatMap { try? FITSFile(reading: $0).lowResolution() }
        return try BundledModels.superResolution(for: pair?.instrument ?? .reference)
    }

    /// What scores depend on, as a file that `--config` reads.
    private func configuration(_ models: [URL]) throws -> String {
        var entries: [String: Any] = ["region-threshold": regionThreshold, "fine-cutoff": fineCutoff, "fine-order": fineOrder]
        if let metrics { entries["metrics"] = metrics }
        if let limit { entries["limit"] = limit }
        if let clipWeights { entries["clip-weights"] = fileURL(clipWeights).path }
        if let predictions, let references {
            (entries["predictions"], entries["references"]) = (fileURL(predictions).path, fileURL(references).path)
        } else {
            entries.merge(sampling.entries) { $1 }
            (entries["model"], entries["samples"], entries["consistency"]) = (models.map(\.path), samples, consistency.rawValue)
            if let adapter { entries["adapter"] = fileURL(adapter).path }
            if let mdiFactor { entries["mdi-factor"] = mdiFactor }
        }
        return try ConfigurationFile.text("evaluate", entries)
    }
}
