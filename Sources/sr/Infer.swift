import ArgumentParser
import Foundation
import Groundwork
import Logging
import SolarImage
import SuperResolution

extension Consistency: ExpressibleByArgument {}

/// Which image is in the primary unit.
enum PrimaryImage: String, CaseIterable, ExpressibleByArgument { case sample, mean }

/// What stands for pixels without data.
enum OffDisk: String, CaseIterable, ExpressibleByArgument { case nan, zero }

/// `sr infer`
struct Infer: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Super-resolve magnetograms.",
        discussion: """
            Takes magnetograms of about 2 arcsec a pixel (MDI full disks, SMARP maps, 4 × 4 averaged HMI), as FITS files or folders of them, and writes \
            NAME_sr.fits with 4 times as many pixels along each axis: float32 Gauss, NaN where there are no data, the input's header with the grid \
            refined exactly, turned as the input is. With --samples the extensions MEAN, STD (standard deviation), STD_FINE (that \
            of structure finer than --fine-cutoff) and FINE (1 where STD has such structure, else 0) follow, and with --keep-samples the cube SAMPLES.
            """)

    @Argument(help: ArgumentHelp("FITS files or folders.", valueName: "input"))
    var inputs: [String]

    @Option(help: ArgumentHelp("Folder for the results.", valueName: "dir"))
    var output: String

    @Option(help: ArgumentHelp("Model file, or a bundled model's name (default: the bundled one for the input's instrument).", valueName: "file"))
    var model: String?

    @Option(help: ArgumentHelp("What `sr finetune` changed of the model, to be applied to it.", valueName: "file"))
    var adapter: String?

    @Option(
        help: """
            Samples to draw; from 2 on their mean and standard deviations are written too (10 for uncertainty). 0 for the mean alone that corrdiff \
            has.
            """)
    var samples = 1

    @Flag(help: "Write all samples too, as an extension with a third axis.")
    var keepSamples = false

    @Option(help: "With --samples: period in arcsec below which structure is fine (default: 2).")
    var fineCutoff: Double?

    @Option(help: "With --samples: order of the Butterworth high-pass that takes fine structure out, 1 … 20 (default: 2).")
    var fineOrder: Int?

    @OptionGroup(title: "Sampling")
    var sampling: SamplingOptions

    @Option(
        help:
            "Hold the result to the input: exact (its block means), off, or auto (exact; for MDI what its blur and noise let it tell, unless the model was trained on it)."
    )
    var consistency = Consistency.auto

    @Option(
        help: """
            Fields of MDI and other instruments than HMI are divided by this first, to be on HMI's scale (default: by instrument and calibration level; \
            of MDI 1.4 for level 1.8.2, Liu et al. 2012).
            """)
    var mdiFactor: Double?

    @Flag(help: "Go on at a pixel scale the model is not made for, with unfit images, and with products of sr (whose field is not divided again).")
    var force = false

    @Option(help: "What stands for pixels without data: nan or zero (Gauss).")
    var offDisk = OffDisk.nan

    @Option(help: ArgumentHelp("Super-resolve a part alone: column, row (from 0), width, height in input pixels.", valueName: "x,y,w,h"))
    var crop: String?

    @Option(
        help: ArgumentHelp(
            "Super-resolve the surroundings of an active region alone: NOAA's number, such as 11112, with --regions.", valueName: "noaa"))
    var centreOn: String?

    @Option(help: "With --centre-on: side of the square around the region in input pixels (default: 256).")
    var cropSize: Int?

    @Option(
        parsing: .upToNextOption,
        help: ArgumentHelp(
            """
            With --centre-on: where regions were: NOAA's Solar Region Summaries, or CSV with the columns date, noaa_region, location. Takes all names \
            up to the next option, so inputs go before.
            """, valueName: "file"))
    var regions: [String] = []

    @Option(help: "Primary image when there are several samples: sample or mean.")
    var primary = PrimaryImage.sample

    @Flag(help: "Write a picture, NAME_sr.png, beside each result, north up; with --samples of the deviations too, and with FINE painted over.")
    var preview = false

    @Flag(
        name: .customLong("continue"),
        help: "Skip inputs whose results exist, made of the same pixels by the same model and settings; with --overwrite, make others anew.")
    var continues = false

    @Option(
        help: ArgumentHelp(
            "Work on the I-th of N parts of the inputs (from 1), for cluster jobs; a file's name alone decides which part it is in.", valueName: "i/n"
        ))
    var shard: String?

    @OptionGroup(title: "Common options")
    var common: CommonOptions

    func validate() throws {
        func check(_ isSound: Bool, _ message: String) throws { if !isSound { throw ValidationError(message) } }
        try check((0...1000).contains(samples), "--samples must be 0 … 1000, not \(samples)")
        try check((0.1...10).contains(mdiFactor ?? 1), "--mdi-factor must be 0.1 … 10, not \(mdiFactor ?? 1)")
        try check(samples > 1 || primary == .sample, "--primary mean needs --samples of at least 2")
        try check(samples > 1 || !keepSamples, "--keep-samples needs --samples of at least 2")
        try check(samples > 1 || (fineCutoff == nil && fineOrder == nil), "--fine-cutoff and --fine-order need --samples of at least 2")
        if let fineCutoff {
            try check(fineCutoff > 0 && fineCutoff <= 3600, "--fine-cutoff must be more than 0 and at most 3600 arcsec, not \(fineCutoff)")
        }
        if let fineOrder { try check((1...20).contains(fineOrder), "--fine-order must be 1 … 20, not \(fineOrder)") }
        try check(crop == nil || centreOn == nil, "--crop and --centre-on exclude each other")
        try check(centreOn == nil || !regions.isEmpty, "--centre-on needs the places of active regions, --regions FILE")
        try check(centreOn != nil || (regions.isEmpty && cropSize == nil), "--regions and --crop-size are of use with --centre-on alone")
        try check((16...65536).contains(cropSize ?? 256), "--crop-size must be 16 … 65536 pixels, not \(cropSize ?? 256)")
        _ = try parsedCrop()
        _ = try regionNumber()
        _ = try parsedShard()
    }

    private func regionNumber() throws -> Int? {
        guard let centreOn else { return nil }
        guard let match = centreOn.wholeMatch(of: /(?i)(?:NOAA|AR)?[ _]?(\d{1,5})/), let number = Int(match.1) else {
            throw ValidationError("--centre-on must be the number of a NOAA region, such as 11112, not \(centreOn)")
        }
        return number
    }

    private func parsedCrop() throws -> CropFrame? {
        guard let crop else { return nil }
        let numbers = crop.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
        guard numbers.count == 4, let x = numbers[0], let y = numbers[1], let width = numbers[2], let height = numbers[3], min(x, y) >= 0,
            min(width, height) > 0
        else { throw ValidationError("--crop must be four whole numbers X,Y,W,H, not \(crop)") }
        return CropFrame(x: x, y: y, width: width, height: height)
    }

    private func parsedShard() throws -> (index: Int, count: Int) {
        guard let shard else { return (1, 1) }
        let numbers = shard.split(separator: "/", omittingEmptySubsequences: false).map { Int($0) }
        guard numbers.count == 2, let index = numbers[0], let count = numbers[1], index >= 1, index <= count else {
            throw ValidationError("--shard must be I/N with I from 1 to N, not \(shard)")
        }
        return (index, count)
    }

    private func part(_ logger: Logger) throws -> SuperResolutionProduct.Part? {
        if let frame = try parsedCrop() { return .frame(frame) }
        guard let number = try regionNumber() else { return nil }
        let catalogue = try ActiveRegionCatalogue(reading: regions.map(fileURL))
        logger.warn(ofRows: catalogue.warnings)
        return .region(RegionCrop(number: number, side: cropSize ?? 256, catalogue: catalogue))
    }

    func run() throws {
        let logger = common.start()
        logger.warnOfSlowProducts()
        let shard = try parsedShard()
        let all = try expandInputs(inputs, logger)
        let named = Dictionary(grouping: all) { FITSName.stem($0.lastPathComponent) }
        if let (name, clashing) = named.first(where: { $0.value.count > 1 }) {
            throw Failure(
                .usage, "several inputs would be written to \(name)_sr.fits", found: clashing.map(\.path).joined(separator: ", "),
                remedy: "give them to runs with other --output folders")
        }
        let files = try all.filter { try Shard.part(of: $0.lastPathComponent, among: shard.count) == shard.index }
        var options = SuperResolutionProduct.Options()
        options.resolver = sampling.resolver
        (options.samples, options.meanIsPrimary, options.keepsSamples) = (samples, primary == .mean, keepSamples)
        (options.fineCutoff, options.fineOrder) = (fineCutoff ?? options.fineCutoff, fineOrder ?? options.fineOrder)
        (options.consistency, options.gain, options.isForced) = (consistency, mdiFactor, force)
        (options.fillsOffDisk, options.part) = (offDisk == .zero, try part(logger))
        var choice = try ModelChoice(model.map(modelURL), adapter: adapter.map(fileURL), options: options, logger: logger)
        let folder = fileURL(output)
        try createFolder(folder)

        Interruption.watch()
        let display = common.progressDisplay("infer")
        var failures = FailureList(of: files.count), interruption: Failure?
        let start = ContinuousClock.now
        var (made, skipped) = (0, 0)
        for (index, file) in files.enumerated() {
            let target = folder.appendingPathComponent("\(FITSName.stem(file.lastPathComponent))_sr.fits")
            let picture = target.deletingPathExtension().appendingPathExtension("png")
            do {
                let product = try choice.product(for: file)
                if continues, try isFinished(target, picture, of: file, product, options, logger) {
                    skipped += 1
                    continue
                }
                for output in [target] + (preview ? [picture] : []) { try common.checkOutput(output) }
                let rate = made > 0 ? String(format: ", %.3g files/h", Double(made) * 3600 / ((ContinuousClock.now - start) / .seconds(1))) : ""
                let result = try product.make(
                    file, to: target, options: options, overwrite: common.overwrite,
                    progress: {
                        display.update(
                            (Double(index - skipped) + $0) / Double(files.count - skipped),
                            detail: "\(index + 1)/\(files.count) \(file.lastPathComponent)\(rate)")
                    }, isCancelled: { Interruption.isRequested })
                logger.info("\(target.path)")
                if preview { try write(result, to: picture, logger) }
                if made == 0 { try writeAtomically(try configuration(options), to: folder.appendingPathComponent("config.yaml")) }
                made += 1
            } catch let failure as Failure where failure.category == .interrupted {
                interruption = failure
                break
            } catch let failure as Failure {
                failures.add(failure.located(at: file.path), logger)
            }
        }
        display.finish()
        try failures.finish(interruptedBy: interruption)
    }

    private func write(_ result: SuperResolutionProduct.Result, to picture: URL, _ logger: Logger) throws {
        try result.writePreview(to: picture)
        logger.info("\(picture.path)")
    }

    /// Whether a result is there, made as it would be now; then its picture is too, if one is wanted.
    /// - Throws: `Failure`: `.cannotWrite` for a result made otherwise that must not be replaced, others for an input that cannot be read.
    private func isFinished(
        _ target: URL, _ picture: URL, of file: URL, _ product: SuperResolutionProduct, _ options: SuperResolutionProduct.Options, _ logger: Logger
    ) throws -> Bool {
        guard FileManager.default.fileExists(atPath: target.path) else { return false }
        let differences = try product.differences(of: target, from: file, options: options)
        guard differences.isEmpty else {
            if common.overwrite { return false }
            throw Failure(
                .cannotWrite, "a result made otherwise is there", at: target.path, found: differences.joined(separator: "; "),
                remedy: "add --overwrite to make it anew, or choose another folder")
        }
        if preview, !FileManager.default.fileExists(atPath: picture.path) {
            try write(product.result(at: target, of: file, options: options), to: picture, logger)
        }
        logger.info("skipped, finished: \(target.path)")
        return true
    }

    /// What results depend on, as a file that `--config` reads.
    private func configuration(_ options: SuperResolutionProduct.Options) throws -> String {
        var entries: [String: Any] = sampling.entries
        entries.merge(
            [
                "samples": samples, "keep-samples": keepSamples, "consistency": consistency.rawValue,
                "force": force, "off-disk": offDisk.rawValue, "primary": primary.rawValue, "preview": preview,
            ]
        ) { $1 }
        if let model { entries["model"] = modelURL(model).path }
        if let adapter { entries["adapter"] = fileURL(adapter).path }
        if let mdiFactor { entries["mdi-factor"] = mdiFactor }
        if samples > 1 { (entries["fine-cutoff"], entries["fine-order"]) = (options.fineCutoff, options.fineOrder) }
        if let crop { entries["crop"] = crop }
        if let number = try regionNumber() {
            (entries["centre-on"], entries["crop-size"], entries["regions"]) = (number, cropSize ?? 256, regions.map { fileURL($0).path })
        }
        return try ConfigurationFile.text("infer", entries)
    }
}
