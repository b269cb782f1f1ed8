import ArgumentParser
import Foundation
import Groundwork
import Logging
import SuperResolution

/// `sr evaluate`
struct Evaluate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Score models against the truth.",
        discussion: """
            DATA is a folder of high-resolution FITS maps (of a prepared folder its test part), degraded here by 4 × 4 block means, or of pairs with an \
            extension LR. Every model, and the baselines nearest, bicubic and bicubic-consistent, are scored on the same maps: PSNR, SSIM, LPIPS, \
            magnetic flux, active-region size and Fourier power. Prints the table; writes report.json, table.md, table.csv, table.tex and per-image.csv.
            """)

    @Argument(help: ArgumentHelp("Folder of FITS maps, or FITS files.", valueName: "data"))
    var data: [String]

    @Option(name: .long, parsing: .upToNextOption, help: ArgumentHelp("Model files (default: the bundled one).", valueName: "file"))
    var model: [String] = []

    @Option(help: ArgumentHelp("Folder for the report.", valueName: "dir"))
    var output: String

    @Option(help: "Samples of each map by diffusion models.")
    var samples = 10

    @Option(help: "Score this many maps alone.")
    var limit: Int?

    @Option(help: ArgumentHelp("Metrics, separated by commas: psnr, ssim, lpips, flux, ar-size, spectrum (default: all).", valueName: "names"))
    var metrics: String?

    @Option(help: "Field in Gauss from which a pixel counts towards an active region.")
    var regionThreshold: Float = 300

    @OptionGroup(title: "Sampling")
    var sampling: SamplingOptions

    @Option(help: "Keep the input's block means: exact or off.")
    var consistency = SuperResolutionProduct.Consistency.exact

    @Option(help: .hidden) var clipWeights: String?
    @Option(help: .hidden) var predictions: String?
    @Option(help: .hidden) var references: String?

    @OptionGroup(title: "Common options")
    var common: CommonOptions

    func validate() throws {
        func check(_ isSound: Bool, _ message: String) throws { if !isSound { throw ValidationError(message) } }
        try check(clipWeights == nil, "--clip-weights is not built yet")
        try check(predictions == nil && references == nil, "--predictions and --references are not built yet")
        try check((1...1000).contains(samples), "--samples must be 1 … 1000, not \(samples)")
        try check(limit.map { $0 > 0 } ?? true, "--limit must be at least 1")
        try check(regionThreshold > 0 && regionThreshold.isFinite, "--region-threshold must be more than 0, not \(regionThreshold)")
    }

    func run() throws {
        let logger = common.start()
        let folder = fileURL(output)
        try common.checkOutput(folder.appendingPathComponent("report.json"))
        let files = try expandInputs(data) { url in
            let test = url.appendingPathComponent("test")
            return try fitsFiles(in: FileManager.default.fileExists(atPath: test.path) ? test : url)
        }
        var options = Evaluation.Options()
        options.metrics = metrics?.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
        (options.samples, options.limit, options.regionThreshold) = (samples, limit, regionThreshold)
        options.resolver = SuperResolver.Options(
            sampler: sampling.sampler, steps: sampling.stepCount, eta: sampling.etaOrZero, consistency: consistency == .off ? 0 : 1,
            seed: sampling.seed)
        let models = try model.isEmpty ? [BundledModels.superResolution()] : model.map(fileURL)
        let evaluation = try Evaluation(models: models, options: options, logger: logger)
        Interruption.watch()
        let display = common.progressDisplay("evaluate")
        let (table, failures) = try evaluation.run(
            maps: files, dataPath: data.joined(separator: " "), output: folder, progress: { display.update($0, detail: $1) },
            isCancelled: { Interruption.isRequested })
        display.finish()
        print(table)
        logger.info("report: \(folder.path)")
        if !failures.isEmpty {
            throw Failure(.badData, "\(failures.count) of \(files.count) maps were left out:" + failures.map { "\n  \($0)" }.joined())
        }
    }
}
