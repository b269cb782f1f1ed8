import ArgumentParser
import Foundation
import Groundwork
import Logging
import SolarImage
import SuperResolution
import TensorCore

/// Options that every command has.
struct CommonOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Read options from a YAML file; those on the command line win.", valueName: "file"))
    var config: String?

    @Option(help: "Threads to work with (default: the processors that the process may use: affinity, cgroup quota, SLURM_CPUS_PER_TASK).")
    var threads: Int?

    @Flag(help: "Print errors alone.")
    var quiet = false

    @Flag(help: "Print more about what is done.")
    var verbose = false

    @Flag(help: "Replace outputs that exist.")
    var overwrite = false

    @Flag(help: "Show no progress.")
    var noProgress = false

    @Option(help: "Refuse images of more pixels than a square of this side.")
    var largestImage = 16384

    func validate() throws {
        if let threads, threads < 1 || threads > 512 { throw ValidationError("--threads must be 1 … 512, not \(threads)") }
        guard (1...1_000_000).contains(largestImage) else { throw ValidationError("--largest-image must be 1 … 1000000, not \(largestImage)") }
        if quiet && verbose { throw ValidationError("--quiet and --verbose exclude each other") }
    }

    /// Sets the number of threads and the log up, and returns the log.
    func start() -> Logger {
        if let threads { Parallel.threadCount = threads }
        FITSFile.setLargestImage(pixels: largestImage * largestImage)
        let level: Logger.Level = quiet ? .error : verbose ? .debug : .info
        return Logger(label: "sr") { _ in TerminalLog(logLevel: level) }
    }

    /// Something that shows progress, or nothing.
    func progressDisplay(_ title: String) -> ProgressDisplay { ProgressDisplay(title, isShown: !quiet && !noProgress) }

    /// Refuses a path that exists unless it may be replaced.
    func checkOutput(_ url: URL) throws {
        guard !overwrite, FileManager.default.fileExists(atPath: url.path) else { return }
        throw Failure(.cannotWrite, "exists already", at: url.path, remedy: "choose another name or add --overwrite")
    }
}

extension Logger {
    /// Warns of matrix products that are slower than they could be; for commands that run networks.
    func warnOfSlowProducts() { if let text = OpenBLAS.warning { warning("\(text)") } }

    /// Warns of the rows that a catalogue of active regions leaves out: of the first, with the number of the others; of each with `--verbose`.
    func warn(ofRows rows: [Failure]) {
        guard let first = rows.first else { return }
        if rows.count == 1 || logLevel <= .debug {
            for row in rows { warning("\(row)") }
        } else {
            warning("\(first); so are \(rows.count - 1) more (--verbose lists them)")
        }
    }
}

/// A URL for a path given by the user.
func fileURL(_ path: String) -> URL { URL(fileURLWithPath: (path as NSString).expandingTildeInPath).standardizedFileURL }

/// The file of a model given by the user: one of that path or, where there is none, the bundled model of that name.
func modelURL(_ model: String) -> URL {
    let url = fileURL(model)
    guard !FileManager.default.fileExists(atPath: url.path) else { return url }
    return BundledModels.files().first { $0.name == model }?.url ?? url
}

/// FITS files, or those of folders, in the order given; tells of files in these that look like FITS files and are left out.
/// - Throws: `Failure` (`.missingInput`) for a path that does not exist, (`.badData`) for a folder without FITS files.
func expandInputs(_ paths: [String], _ logger: Logger, files: (URL) throws -> [URL] = fitsFiles(in:)) throws -> [URL] {
    try paths.flatMap { path -> [URL] in
        let url = fileURL(path)
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) else {
            throw Failure(.missingInput, "there is no such file or folder", at: path)
        }
        guard isFolder.boolValue else { return [url] }
        let found = try files(url)
        for file in try unreadFITSFiles(in: url) {
            logger.warning("left out: \(file.path): files of this kind are not read; unpack it, or give it one of the endings \(FITSName.endings)")
        }
        guard !found.isEmpty else {
            throw Failure(
                .badData, "the folder holds no FITS file", at: path, expected: "files named \(FITSName.endings)", found: "none")
        }
        return found
    }
}

/// What a batch command could not do, told at its end.
struct FailureList {
    private let total: Int
    private var failures: [Failure] = []

    /// - Parameter total: files to work on
    init(of total: Int) { self.total = total }

    /// Tells of a failure at once, unless it is that of the only file, which ends the program with it.
    mutating func add(_ failure: Failure, _ logger: Logger) {
        failures.append(failure)
        if total > 1 { logger.error("\(failure)") }
    }

    /// Ends the batch.
    /// - Parameter interruption: what ended it before its time, if anything did.
    /// - Throws: the only file's failure; of a batch, one that lists what failed, bad data as a whole; the interruption, with that list if there is one.
    func finish(interruptedBy interruption: Failure? = nil) throws {
        let list = "\(failures.count) of \(total) files failed:" + failures.map { "\n  \($0)" }.joined()
        if var interruption {
            if total > 1, !failures.isEmpty { interruption.remedy = [interruption.remedy, list].compactMap(\.self).joined(separator: "; ") }
            throw interruption
        }
        guard let first = failures.first else { return }
        throw total == 1 ? first : Failure(.badData, list)
    }
}
