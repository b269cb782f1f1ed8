import ArgumentParser
import Foundation
import Groundwork
import Logging
import SolarImage
import SuperResolution

extension PreparationOptions.Centre: ExpressibleByArgument {}
extension PreparationOptions.SplitUnit: ExpressibleByArgument {}

/// `sr prepare`
struct Prepare: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make training, validation and test crops of magnetograms.",
        discussion: """
            INPUT are FITS files, compressed or not, or folders of them: cutouts and maps. Files that cannot be used are left out, with the reason in the \
            manifest. Unless --split-by asks for it, no active region stands in two parts. Writes DIR/train, DIR/validation and DIR/test (FITS, 32-bit \
            floats in Gauss), DIR/manifest.jsonl (a line a crop), DIR/fingerprint.json (statistics of the field) and DIR/config.yaml.
            """)

    enum InstrumentChoice: String, ExpressibleByArgument, CaseIterable { case auto, hmi, mdi }

    @Argument(help: ArgumentHelp("FITS files or folders of them.", valueName: "input"))
    var inputs: [String]

    @Option(help: ArgumentHelp("Folder to write to.", valueName: "dir"))
    var output: String?

    @Option(help: "Leave out files of other instruments: auto takes all, hmi, mdi.")
    var instrument = InstrumentChoice.auto

    @Option(help: "Side of a crop in pixels; a smaller map is taken whole.")
    var cropSize = 1024

    @Option(help: "Crops to take from a map that is larger than one.")
    var cropsPerImage = 1

    @Option(
        help: "Where crops are: random, or strongest, around the strongest field (default: random).",
        transform: { text in
            if text == "noaa" { throw ValidationError("noaa is not built yet; use random or strongest") }
            guard let centre = PreparationOptions.Centre(rawValue: text) else { throw ValidationError("it must be random or strongest") }
            return centre
        })
    var centre = PreparationOptions.Centre.random

    @Option(help: "How many times finer crops are than what will be super-resolved; crops begin at multiples of it.")
    var scale = 4

    @Option(help: ArgumentHelp("Bits of QUALITY, such as 0x10400, that make a file unfit besides the instrument's own.", valueName: "hex"))
    var qualityMask: String?

    @Option(help: ArgumentHelp("Shares of training, validation and test.", valueName: "shares"))
    var split = "0.7,0.15,0.15"

    @Option(help: "What stays in one part: region, month or file.")
    var splitBy = PreparationOptions.SplitUnit.region

    @Option(help: "Seed of crop places and split.")
    var seed: UInt64 = 1

    @Flag(help: "Report what would be done; write nothing.")
    var check = false

    @Flag(help: "Write a picture of every crop to DIR/previews.")
    var previews = false

    @Option(parsing: .upToNextOption, help: .hidden) var regions: [String] = []
    @Option(help: .hidden) var pairs: String?
    @Option(help: .hidden) var maxTimeDifference: String?
    @Option(help: .hidden) var minCorrelation: String?
    @Flag(help: .hidden) var registered = false
    @Option(help: .hidden) var simulate: String?
    @Option(help: .hidden) var mdiFactor: String?
    @Option(help: .hidden) var minMu: String?

    @OptionGroup(title: "Common options")
    var common: CommonOptions

    func validate() throws {
        let notBuilt = [
            ("--regions", !regions.isEmpty), ("--pairs", pairs != nil), ("--max-time-difference", maxTimeDifference != nil),
            ("--min-correlation", minCorrelation != nil), ("--registered", registered), ("--simulate", simulate != nil),
            ("--mdi-factor", mdiFactor != nil), ("--min-mu", minMu != nil),
        ].filter(\.1).map(\.0)
        guard notBuilt.isEmpty else { throw ValidationError("not built yet: \(notBuilt.joined(separator: ", "))") }
        guard check || output != nil else { throw ValidationError("--output is missing (only --check needs none)") }
        do { _ = try options() } catch let failure as Failure { throw ValidationError(failure.description) }
    }

    private func options() throws -> PreparationOptions {
        var options = PreparationOptions()
        options.instrument = instrument == .auto ? nil : Instrument(rawValue: instrument.rawValue)
        (options.cropSize, options.cropsPerImage, options.centre, options.scale) = (cropSize, cropsPerImage, centre, scale)
        (options.splitBy, options.seed, options.previews) = (splitBy, seed, previews)
        if let text = qualityMask {
            guard let mask = UInt32(text.lowercased().hasPrefix("0x") ? String(text.dropFirst(2)) : text, radix: 16) else {
                throw Failure(.usage, "--quality-mask is not valid", expected: "up to 8 hexadecimal digits, such as 0x10400", found: text)
            }
            options.qualityMask = mask
        }
        options.split = split.split(separator: ",", omittingEmptySubsequences: false)
            .map { Double($0.trimmingCharacters(in: .whitespaces)) ?? .nan }
        guard !options.split.contains(where: { !$0.isFinite }) else {
            throw Failure(.usage, "--split is not valid", expected: "three numbers such as 0.7,0.15,0.15", found: split)
        }
        try options.validate()
        return options
    }

    func run() throws {
        let logger = common.start()
        let options = try options()
        try checkConfiguration()
        let files = try expandInputs(inputs, files: fitsFiles(in:))
        let folder = output.map { PreparedFolder(fileURL($0)) }
        guard let folder, !check else { return try prepare(files, options, to: nil, logger) }
        try folder.check(inputs: files, overwrite: common.overwrite)
        // An output that cannot be written is better known before all files are read than after; if nothing comes of it, it goes again.
        let isNew = !FileManager.default.fileExists(atPath: folder.url.path)
        try createFolder(folder.url)
        do {
            try prepare(files, options, to: folder, logger)
        } catch {
            if isNew { rmdir(folder.url.path) }  // does nothing to a folder with files in it
            throw error
        }
    }

    private func prepare(_ files: [URL], _ options: PreparationOptions, to folder: PreparedFolder?, _ logger: Logger) throws {
        Interruption.watch()
        let reading = common.progressDisplay("read")
        let survey = try PreparationSurvey(
            of: files, options: options,
            report: { reading.update(Double($0) / Double(files.count), detail: "\($0)/\(files.count) \(files[$0].lastPathComponent)") },
            isCancelled: { Interruption.isRequested })
        reading.finish()
        let preparation = Preparation(survey, options: options)
        var failures = FailureList(of: files.count)
        for rejection in survey.rejections {
            if let failure = rejection.failure {
                failures.add(failure, logger)
            } else {
                logger.warning("left out: \(rejection.url.path): \(rejection.reason)")
            }
        }
        if check { print(preparation.report) }
        guard !survey.sources.isEmpty else {
            if files.count == 1 { try failures.finish() }
            throw Failure(.badData, "no file can be prepared", found: Set(survey.rejections.map(\.reason)).sorted().prefix(5).joined(separator: "; "))
        }
        warn(of: preparation, logger)
        if let folder {
            for failure in try write(preparation, to: folder, logger) { failures.add(failure, logger) }
        }
        try failures.finish()
    }

    private func write(_ preparation: Preparation, to folder: PreparedFolder, _ logger: Logger) throws -> [Failure] {
        let sources = preparation.survey.sources
        let writing = common.progressDisplay("write")
        let outcome = try preparation.write(
            to: folder, inputs: inputs,
            report: { writing.update(Double($0) / Double(sources.count), detail: "\($0)/\(sources.count) \(sources[$0].url.lastPathComponent)") },
            isCancelled: { Interruption.isRequested })
        writing.finish()
        let counts = PreparationPart.allCases.map { "\($0.rawValue) \(outcome.crops[$0] ?? 0)" }.joined(separator: ", ")
        logger.info("crops written: \(counts); \(folder.url.path)")
        return outcome.failures
    }

    /// YAML reads 10400 and 0x10400 as numbers, and which was meant cannot be seen from the number.
    private func checkConfiguration() throws {
        guard let path = common.config, let value = try ConfigurationFile.mapping(at: path)["quality-mask"], !(value is String) else { return }
        throw Failure(.configuration, "quality-mask is not text", at: path, expected: "digits in quotes, such as \"0x10400\"", found: "\(value)")
    }

    private func warn(of preparation: Preparation, _ logger: Logger) {
        let unknown = preparation.survey.sources.filter { $0.arcsecPerPixel == nil }
        if let first = unknown.first {
            let others = unknown.count == 1 ? "" : " and \(unknown.count - 1) more"
            logger.warning("no pixel scale in the header, taken as it is: \(first.url.path)\(others)")
        }
        let empty = zip(PreparationPart.allCases, preparation.options.split).filter { $0.1 > 0 && !preparation.split.parts.contains($0.0) }.map(
            \.0.rawValue)
        if !empty.isEmpty {
            let unit = preparation.options.splitBy.rawValue
            logger.warning("nothing is left for \(empty.joined(separator: " and ")): too few \(unit)s for the shares asked for")
        }
    }
}
