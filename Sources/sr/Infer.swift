import ArgumentParser
import Foundation
import Groundwork
import Logging
import SolarImage
import SuperResolution

extension SuperResolutionProduct.Consistency: ExpressibleByArgument {}

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

    @Option(help: ArgumentHelp("Model file (default: the bundled one).", valueName: "file"))
    var model: String?

    @Option(help: ArgumentHelp("What `sr finetune` changed of the model, to be applied to it.", valueName: "file"))
    var adapter: String?

    @Option(help: "Samples to draw; from 2 on their mean and standard deviations are written too (10 for uncertainty).")
    var samples = 1

    @Flag(help: "Write all samples too, as an extension with a third axis.")
    var keepSamples = false

    @Option(help: "With --samples: period in arcsec below which structure is fine (default: 2).")
    var fineCutoff: Double?

    @Option(help: "With --samples: order of the Butterworth high-pass that takes fine structure out, 1 … 20 (default: 2).")
    var fineOrder: Int?

    @OptionGroup(title: "Sampling")
    var sampling: SamplingOptions

    @Option(help: "Side of a tile in input pixels.")
    var tile = 64

    @Option(help: "Input pixels that neighbouring tiles share.")
    var overlap = 16

    @Option(help: "Keep the input's block means: exact, off, or auto (exact, but for MDI half the correction).")
    var consistency = SuperResolutionProduct.Consistency.auto

    @Option(
        help: """
            Fields of MDI and other instruments than HMI are divided by this first, to be on HMI's scale (default: by instrument and calibration level; \
            of MDI 1.4 for level 1.8.2, Liu et al. 2012).
            """)
    var mdiFactor: Double?

    @Flag(help: "Go on at a pixel scale the model is not made for, and with unfit images.")
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

    @Flag(name: .customLong("continue"), help: "Skip inputs whose results exist.")
    var continues = false

    @Option(help: ArgumentHelp("Work on every N-th input from the I-th (from 1), for cluster jobs.", valueName: "i/n"))
    var shard: String?

    @OptionGroup(title: "Common options")
    var common: CommonOptions

    func validate() throws {
        func check(_ isSound: Bool, _ message: String) throws { if !isSound { throw ValidationError(message) } }
        try check((1...1000).contains(samples), "--samples must be 1 … 1000, not \(samples)")
        try check((16...1024).contains(tile) && tile % 4 == 0, "--tile must be 16 … 1024 in steps of 4 pixels, not \(tile)")
        try check(overlap >= 0 && overlap < tile, "--overlap must be at least 0 and less than --tile, not \(overlap)")
        try check((0.1...10).contains(mdiFactor ?? 1), "--mdi-factor must be 0.1 … 10, not \(mdiFactor ?? 1)")
        try check(samples > 1 || primary == .sample, "--primary mean needs --samples of at least 2")
        try check(samples > 1 || !keepSamples, "--keep-samples needs --samples of at least 2")
        try check(samples > 1 || (fineCutoff == nil && fineOrder == nil), "--fine-cutoff and --fine-order need --samples of at least 2")
        if let fineCutoff {
            try check(fineCutoff > 0 && fineCutoff <= 3600, "--fine-cutoff must be more than 0 and at most 3600 arcsec, not \(fineCutoff)")
        }
        if let fineOrder { try check((1...20).contains(fineOrder), "--fine-order must be 1 … 20, not \(fineOrder)") }
        try check(!(continues && common.overwrite), "--continue and --overwrite exclude each other")
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
        let all = try expandInputs(inputs, files: fitsFiles(in:))
        let named = Dictionary(grouping: all) { fitsStem($0.lastPathComponent) }
        if let (name, clashing) = named.first(where: { $0.value.count > 1 }) {
            throw Failure(
                .usage, "several inputs would be written to \(name)_sr.fits", found: clashing.map(\.path).joined(separator: ", "),
                remedy: "give them to runs with other --output folders")
        }
        let files = all.enumerated().filter { $0.offset % shard.count == shard.index - 1 }.map(\.element)
        var options = SuperResolutionProduct.Options()
        options.resolver = SuperResolver.Options(
            sampler: sampling.sampler, steps: sampling.stepCount, eta: sampling.etaOrZero, tile: tile, overlap: overlap, seed: sampling.seed)
        (options.samples, options.meanIsPrimary, options.keepsSamples) = (samples, primary == .mean, keepSamples)
        (options.fineCutoff, options.fineOrder) = (fineCutoff ?? options.fineCutoff, fineOrder ?? options.fineOrder)
        (options.consistency, options.gain, options.isForced) = (consistency, mdiFactor, force)
        (options.fillsOffDisk, options.part) = (offDisk == .zero, try part(logger))
        let product = try SuperResolutionProduct(
            model: try model.map(fileURL) ?? BundledModels.superResolution(), adapter: adapter.map(fileURL), logger: logger)
        try product.check(options)
        let folder = fileURL(output)
        try createFolder(folder)

        Interruption.watch()
        let display = common.progressDisplay("infer")
        var failures = FailureList(of: files.count)
        for (index, file) in files.enumerated() {
            let target = folder.appendingPathComponent("\(fitsStem(file.lastPathComponent))_sr.fits")
            if continues, FileManager.default.fileExists(atPath: target.path) {
                logger.info("skipped, exists: \(target.path)")
                continue
            }
            do {
                let picture = target.deletingPathExtension().appendingPathExtension("png")
                for output in [target] + (preview ? [picture] : []) { try common.checkOutput(output) }
                let result = try product.make(
                    file, to: target, options: options, overwrite: common.overwrite,
                    progress: {
                        display.update((Double(index) + $0) / Double(files.count), detail: "\(index + 1)/\(files.count) \(file.lastPathComponent)")
                    }, isCancelled: { Interruption.isRequested })
                logger.info("\(target.path)")
                if preview {
                    try result.writePreview(to: picture)
                    logger.info("\(picture.path)")
                }
            } catch let failure as Failure where failure.category != .interrupted {
                failures.add(failure, logger)
            }
        }
        display.finish()
        try failures.finish()
    }
}
