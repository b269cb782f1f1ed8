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
            INPUT are FITS files, compressed or not, or folders of them: full disks, cutouts and maps, of HMI or MDI. Images that are upside down, as \
            HMI's full disks are, are turned by 180 degrees without interpolation; what is left of the angle stays in the header. Files that cannot \
            be used are left out, with the reason in the manifest. Unless --split-by file asks for it, no active region stands in two parts.

            Writes DIR/train, DIR/validation and DIR/test (FITS, 32-bit floats in Gauss, NaN off the disk), DIR/manifest.jsonl (a line a crop), \
            DIR/fingerprint.json (statistics of the field) and DIR/config.yaml. A run that was interrupted goes on when the same command is given \
            again.

            With --pairs, unless --registered, the primary image is HMI's field, resampled through the Sun's surface, with its rotation between the \
            two times, to MDI's pixels divided by 4; the extension LR is MDI's own field in MDI's Gauss, with the factor to divide by in the keyword \
            MDIFACT. Time difference, correlation, slope and shift of each pair are in the manifest; --check prints their ranges.

            Full disks around NOAA's regions, and pairs:

              sr prepare disks --centre noaa --regions SRS/*.txt --output data
              sr prepare hmi-disks --pairs mdi-disks --output pairs
            """)

    @Argument(help: ArgumentHelp("FITS files or folders of them.", valueName: "input"))
    var inputs: [String]

    @Option(help: ArgumentHelp("Folder to write to.", valueName: "dir"))
    var output: String?

    @Option(
        help: """
            \((["auto"] + Instrument.all.map(\.name)).joined(separator: ", ")): leave out files of other instruments; auto takes all. Files that do not \
            tell theirs are taken to be of this one.
            """)
    var instrument = InstrumentChoice.auto

    @Option(help: "Side of a crop in pixels of the input, with --pairs of MDI's divided by --scale; a smaller map is taken whole.")
    var cropSize = 1024

    @Option(help: "Crops to take at most from an image that is larger than one.")
    var cropsPerImage = 1

    @Option(
        help: """
            Where crops are: random; strongest, around the strongest field; or noaa, around the active regions of --regions, the largest first. Where \
            possible they do not overlap.
            """)
    var centre = PreparationOptions.Centre.random

    @Option(
        parsing: .upToNextOption,
        help: ArgumentHelp(
            """
            Where active regions were: NOAA's Solar Region Summaries, or CSV with the columns date, noaa_region, location (N12W41 at 00:00 UT), size. \
            The report nearest in time, within a day, is moved with the Sun's rotation. Takes all names up to the next option, so inputs go before.
            """, valueName: "file")
    )
    var regions: [String] = []

    @Option(
        help: """
            The least μ, the cosine of the heliocentric angle, that the centre of a crop may have: 0 at the limb, 1 in the middle of the disk.
            """)
    var minMu = 0.2

    @Option(help: "How many times finer crops are than what will be super-resolved; crops begin at multiples of it.")
    var scale = 4

    @Option(
        help: ArgumentHelp(
            "Make pairs: folder of MDI's full disks. Each is paired with at most one of the inputs, HMI's, nearest in time (T_OBS).",
            valueName: "dir"))
    var pairs: String?

    @Flag(help: "The files of --pairs lie on HMI's grid already and are matched by time and region in the names; LR is the mean over blocks.")
    var registered = false

    @Option(help: "With --pairs: how far apart in time the two images may be, in minutes (default: 30).")
    var maxTimeDifference: Double?

    @Option(help: "With --pairs: the least correlation of the two images, -1 to 1 (default: 0.7).")
    var minCorrelation: Double?

    @Option(
        help: ArgumentHelp("Make pairs of HMI's crops with what an instrument would have seen: \(SimulatedInstrument.list).", valueName: "instrument")
    )
    var simulate: SimulatedInstrument?

    @Option(
        help:
            "With pairs: what MDI reads where HMI reads 1 Gauss; noted with LR, which keeps MDI's Gauss (default: by calibration level, 1.4 for 1.8.2)."
    )
    var mdiFactor: Double?

    @Option(help: "With --simulate: the blur of MDI's optics, full width at half maximum in arcsec (default: 3.32).")
    var mdiBlur: Double?

    @Option(help: "With --simulate: standard deviation of MDI's noise in MDI's Gauss (default: 16.2).")
    var mdiNoise: Double?

    @Option(help: ArgumentHelp("Bits of QUALITY, such as 0x10400, that make a file unfit besides the instrument's own.", valueName: "hex"))
    var qualityMask: String?

    @Option(help: ArgumentHelp("Shares of training, validation and test.", valueName: "shares"))
    var split = "0.7,0.15,0.15"

    @Option(
        help: """
            What is never torn apart: region (crops that show one active region, or one part of the Sun within 14 days), month or file. By region and \
            month, crops are left out that show the same as others in another part.
            """)
    var splitBy = PreparationOptions.SplitUnit.region

    @Option(help: "Seed of crop places and split.")
    var seed: UInt64 = 1

    @Flag(help: "Report what would be done; write nothing.")
    var check = false

    @Flag(help: "Write a picture of every crop to DIR/previews.")
    var previews = false

    @OptionGroup(title: "Common options")
    var common: CommonOptions

    func validate() throws {
        guard !registered || pairs != nil else { throw ValidationError("--registered needs --pairs DIR") }
        let unused = [
            ("--max-time-difference", maxTimeDifference != nil && (pairs == nil || registered)),
            ("--min-correlation", minCorrelation != nil && pairs == nil),
            ("--mdi-factor", mdiFactor != nil && pairs == nil && simulate == nil), ("--mdi-blur", mdiBlur != nil && simulate == nil),
            ("--mdi-noise", mdiNoise != nil && simulate == nil),
        ].filter(\.1).map(\.0)
        guard unused.isEmpty else { throw ValidationError("of no use without the pairs they are for: \(unused.joined(separator: ", "))") }
        guard simulate == nil || pairs == nil else { throw ValidationError("--simulate and --pairs exclude each other") }
        guard check || output != nil else { throw ValidationError("--output is missing (only --check needs none)") }
        do { _ = try options() } catch let failure as Failure { throw ValidationError(failure.description) }
    }

    private func options() throws -> PreparationOptions {
        var options = PreparationOptions()
        options.instrument = instrument.instrument
        (options.cropSize, options.cropsPerImage, options.centre, options.scale) = (cropSize, cropsPerImage, centre, scale)
        (options.splitBy, options.seed, options.previews) = (splitBy, seed, previews)
        (options.regions, options.minimumMu) = (regions.map(fileURL), minMu)
        options.minimumCorrelation = minCorrelation ?? options.minimumCorrelation
        options.factor = mdiFactor
        if let simulated = simulate?.instrument {
            var observation = Observation(simulated.usualConditions)
            observation.gain = mdiFactor ?? observation.gain
            observation.psf.width = mdiBlur ?? observation.psf.width
            observation.noise = mdiNoise ?? observation.noise
            options.lowResolution = .simulated(observation, by: simulated)
        } else if let pairs {
            options.lowResolution = registered ? .registered(fileURL(pairs)) : .matched(fileURL(pairs), minutes: maxTimeDifference ?? 30)
        }
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
        let files = try expandInputs(inputs, logger)
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
        let lock = try folder.map { try FolderLock($0.url) }
        defer { withExtendedLifetime(lock) {} }
        let staging = try folder.map { try PreparationStaging(in: $0.url, files: files, options: options, startsAnew: common.overwrite) }
        if let count = staging?.finished.count, count > 0 { logger.info("\(count) of \(files.count) files were already read") }
        do {
            let survey = try read(files, options, staging)
            logger.warn(ofRows: survey.warnings)
            let preparation = Preparation(survey, options: options)
            var failures = FailureList(of: files.count)
            for rejection in survey.rejections {
                if let failure = rejection.failure {
                    failures.add(failure, logger)
                } else {
                    logger.warning("left out: \(rejection.url.path): \(rejection.reason)")
                }
            }
            if check { try StandardStream.output("\(preparation.report)\n") }
            guard !survey.sources.isEmpty else {
                if files.count == 1 { try failures.finish() }
                throw Failure(
                    .badData, "no file can be prepared", found: Set(survey.rejections.map(\.reason)).sorted().prefix(5).joined(separator: "; "))
            }
            warn(of: preparation, logger)
            if let folder, let staging {
                let crops = try preparation.write(staging, to: folder, inputs: inputs)
                let counts = PreparationPart.allCases.map { "\($0.rawValue) \(crops[$0] ?? 0)" }.joined(separator: ", ")
                logger.info("crops written: \(counts); \(folder.url.path)")
            }
            try failures.finish()
        } catch let failure as Failure where failure.category != .interrupted && failure.category != .cannotWrite {
            staging?.discard()
            throw failure
        }
    }

    private func read(_ files: [URL], _ options: PreparationOptions, _ staging: PreparationStaging?) throws -> PreparationSurvey {
        let display = common.progressDisplay("read")
        defer { display.finish() }
        let start = ContinuousClock.now, before = staging?.finished.count ?? 0
        return try PreparationSurvey(
            of: files, options: options, staging: staging,
            report: { done, number in
                let seconds = (ContinuousClock.now - start) / .seconds(1)
                let rate = seconds > 0 && done > before ? Double(done - before) / seconds : nil
                display.update(
                    Double(done) / Double(files.count),
                    detail: "\(done)/\(files.count)\(rate.map { String(format: ", %.1f files/s", $0) } ?? ""), \(files[number].lastPathComponent)",
                    secondsLeft: rate.map { Double(files.count - done) / $0 } ?? .infinity)
            },
            isCancelled: { Interruption.isRequested })
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
        let undated = preparation.survey.sources.filter { $0.taiSeconds == nil }
        if let first = undated.first {
            let others = undated.count == 1 ? "" : " and \(undated.count - 1) more"
            logger.warning("no time that can be read in header or name: \(first.url.path)\(others)")
        }
        let split = preparation.split
        if !split.leftOut.isEmpty {
            logger.warning(
                "\(split.leftOut.count) of \(split.items.count) crops are left out, because another part shows the same; the manifest says why")
        }
        let torn = split.tornRegions
        if let first = torn.first {
            logger.warning(
                "\(torn.count) active regions stand in two parts, since --split-by is file: \(first)\(torn.count > 1 ? " and others" : "")")
        }
        let parts = Set(split.partOfCrop.values)
        let empty = zip(PreparationPart.allCases, preparation.options.split).filter { $0.1 > 0 && !parts.contains($0.0) }.map(\.0.rawValue)
        if !empty.isEmpty {
            let unit = preparation.options.splitBy.rawValue
            logger.warning("nothing is left for \(empty.joined(separator: " and ")): too few \(unit)s for the shares asked for")
        }
    }
}
