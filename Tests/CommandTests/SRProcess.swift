import Foundation
import Testing

/// A run of the built `sr`. Both outputs go to files, so that no pipe can fill up and block it.
final class SRProcess {
    struct Result: CustomStringConvertible {
        /// The exit status; the negative of the signal that ended the program, if one did.
        let status: Int
        let output: String
        let errors: String

        var errorLines: [String] { errors.split(separator: "\n").map(String.init) }
        var description: String { "status \(status)\n\(output)\n\(errors)" }
    }

    /// The program, which is built into the folder of the tests: on Linux these are a program too, on macOS a bundle that another program loads.
    static let program: URL? = {
        let bundles = Bundle.allBundles.map(\.bundleURL).filter { $0.pathExtension == "xctest" }.map { $0.deletingLastPathComponent() }
        let folders = bundles + [Bundle.main.bundleURL, URL(fileURLWithPath: CommandLine.arguments.first ?? "").deletingLastPathComponent()]
        return folders.map { $0.appendingPathComponent("sr") }.first { FileManager.default.isExecutableFile(atPath: $0.path) }
    }()

    private let process = Process()
    private let folder: URL

    private func file(_ name: String) -> URL { folder.appendingPathComponent(name) }

    /// Starts the program.
    /// - Parameters:
    ///   - script: what to run in its place.
    ///   - folder: the working folder; nil for that of the tests.
    ///   - environment: variables to set beside those of the tests.
    ///   - redirection: what a shell is to do with the outputs, such as `2>/dev/full`.
    ///   - launcher: a program, with arguments, that starts it.
    init(
        _ arguments: [String], script: URL? = nil, in workingFolder: URL? = nil, environment: [String: String] = [:], redirection: String? = nil,
        launcher: [String] = []
    ) throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("sr-process-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        for name in ["output", "errors"] { try Data().write(to: file(name)) }
        let program: URL = try #require(script ?? Self.program, "sr is not built beside the tests")
        process.executableURL = redirection == nil ? program : URL(fileURLWithPath: "/bin/sh")
        process.arguments = redirection.map { ["-c", "exec \"$0\" \"$@\" \($0)", program.path] + arguments } ?? arguments
        if let first = launcher.first {
            process.executableURL = URL(fileURLWithPath: first)
            process.arguments = Array(launcher.dropFirst()) + [program.path] + arguments
        }
        if let workingFolder { process.currentDirectoryURL = workingFolder }
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = try FileHandle(forWritingTo: file("output"))
        process.standardError = try FileHandle(forWritingTo: file("errors"))
        try Self.withSignals { try process.run() }
    }

    /// Tests run on threads that hold signals back, which a process would inherit.
    private static func withSignals(_ body: () throws -> Void) rethrows {
        var wanted = sigset_t(), before = sigset_t()
        sigemptyset(&wanted)
        for signal in [SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGXCPU] { sigaddset(&wanted, signal) }
        pthread_sigmask(SIG_UNBLOCK, &wanted, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        try body()
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    var isRunning: Bool { process.isRunning }

    var identifier: Int32 { process.processIdentifier }

    func send(_ signal: Int32) { kill(process.processIdentifier, signal) }

    /// Waits for the end.
    func result() throws -> Result {
        process.waitUntilExit()
        let status = Int(process.terminationStatus)
        func text(_ name: String) throws -> String { String(decoding: try Data(contentsOf: file(name)), as: UTF8.self) }
        return Result(status: process.terminationReason == .exit ? status : -status, output: try text("output"), errors: try text("errors"))
    }
}

/// Runs `sr` to its end.
func sr(_ arguments: [String], in folder: URL? = nil, environment: [String: String] = [:]) throws -> SRProcess.Result {
    try SRProcess(arguments, in: folder, environment: environment).result()
}

/// A folder that is gone after `body`.
func withFolder<Result>(_ body: (URL) throws -> Result) throws -> Result {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("sr-command-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    return try body(folder)
}

/// Everything under a folder, hidden files too, sorted; empty if it does not exist.
func files(under folder: URL) -> [String] {
    let found = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: [.isDirectoryKey])?.compactMap { $0 as? URL } ?? []
    return found.filter { (try? $0.resourceValues(forKeys: [.isDirectoryKey]).isDirectory) != true }.map(\.lastPathComponent).sorted()
}

/// Expects a refusal: that status, nothing on standard output, one message that holds all the words, no crash and nothing under `output`.
func expectRefusal(
    _ result: SRProcess.Result, _ status: Int, _ words: [String], output: URL? = nil, sourceLocation: SourceLocation = #_sourceLocation
) {
    #expect(result.status == status, "\(result)", sourceLocation: sourceLocation)
    #expect(result.output.isEmpty, "\(result)", sourceLocation: sourceLocation)
    // Usage errors are followed by the usage; what is not an error is marked as a warning.
    let messages = result.errorLines.filter { line in ["sr: ", "error: ", "Error: "].contains { line.hasPrefix($0) } }
    #expect(messages.count == 1, "\(result)", sourceLocation: sourceLocation)
    for word in words { #expect(messages.first?.contains(word) == true, "\(word) is not in: \(result)", sourceLocation: sourceLocation) }
    #expect(!result.errors.unicodeScalars.contains { $0.value < 0x20 && $0 != "\n" }, "control characters: \(result)", sourceLocation: sourceLocation)
    if let output { #expect(files(under: output) == [], "left behind", sourceLocation: sourceLocation) }
}
