import Foundation
import SolarImage
import Testing

/// `sr prepare` as a user runs it.
@Suite struct PrepareCommandTests {
    private struct Output {
        let status: Int32
        let text: String
        let errors: String
    }

    /// The program that was built beside the tests: on Linux these run as a program there, on macOS as a bundle loaded from there.
    private static let program: URL = {
        let bundle = Bundle.allBundles.first { $0.bundlePath.hasSuffix(".xctest") }
        let folder = bundle?.bundleURL.deletingLastPathComponent() ?? Bundle.main.bundleURL
        return folder.appending(path: "sr")
    }()

    private func run(_ arguments: String...) throws -> Output { try run(options: arguments) }

    private func run(options: [String]) throws -> Output {
        let process = Process()
        process.executableURL = Self.program
        process.arguments = ["prepare"] + options
        let (output, errors) = (Pipe(), Pipe())
        (process.standardOutput, process.standardError) = (output, errors)
        try process.run()
        let errorText = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return Output(status: process.terminationStatus, text: text, errors: errorText)
    }

    /// A folder `in` with three maps of different regions, beside which tests write.
    private func withMaps(_ body: (_ folder: URL, _ input: String) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "prepare-command-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder.appending(path: "in"), withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        for harp in 1...3 {
            var header = FITSHeader()
            header.set("HARPNUM", .integer(harp))
            header.set("TELESCOP", .string("SDO/HMI"))
            header.set("T_OBS", .string("2012.03.0\(harp)_00:00:00_TAI"))
            let pixels = (0..<48 * 40).map { Float($0 % 97 * harp) }
            try FITSWriter.write(Image(width: 48, height: 40, pixels: pixels), header: header, to: folder.appending(path: "in/map\(harp).fits"))
        }
        try body(folder, folder.appending(path: "in").path)
    }

    private func exists(_ folder: URL, _ path: String) -> Bool { FileManager.default.fileExists(atPath: folder.appending(path: path).path) }

    @Test func preparesAndRefusesToDoSoTwice() throws {
        try withMaps { folder, input in
            let output = folder.appending(path: "out").path
            let first = try run(input, "--output", output, "--quiet")
            #expect(first.status == 0 && first.errors.isEmpty && first.text.isEmpty, "\(first.errors)")
            for part in ["train", "validation", "test"] {
                #expect(try FileManager.default.contentsOfDirectory(atPath: "\(output)/\(part)").count == 1)
            }
            for name in ["manifest.jsonl", "fingerprint.json", "config.yaml"] { #expect(exists(folder, "out/\(name)")) }
            let second = try run(input, "--output", output)
            #expect(second.status == 73 && second.errors.contains("--overwrite"))
            #expect(try run(input, "--output", output, "--overwrite").status == 0)
        }
    }

    @Test func itsOwnConfigurationGivesTheSameCrops() throws {
        try withMaps { folder, input in
            let options = [
                "--crop-size", "32", "--crops-per-image", "2", "--seed", "9", "--quality-mask", "0x10400", "--split-by", "file", "--centre",
                "strongest",
            ]
            let first = try run(options: [input, "--output", folder.appending(path: "one").path] + options)
            let second = try run(
                input, "--output", folder.appending(path: "two").path, "--config", folder.appending(path: "one/config.yaml").path)
            #expect(first.status == 0 && second.status == 0, "\(first.errors)\(second.errors)")
            for name in ["manifest.jsonl", "config.yaml", "fingerprint.json"] {
                #expect(try Data(contentsOf: folder.appending(path: "one/\(name)")) == Data(contentsOf: folder.appending(path: "two/\(name)")))
            }
            try Data("quality-mask: 10400\n".utf8).write(to: folder.appending(path: "number.yaml"))
            #expect(try run(input, "--check", "--config", folder.appending(path: "number.yaml").path).status == 78)
            try Data("crop-sice: 64\n".utf8).write(to: folder.appending(path: "wrong.yaml"))
            let wrong = try run(input, "--check", "--config", folder.appending(path: "wrong.yaml").path)
            #expect(wrong.status == 78 && wrong.errors.contains("crop-size"))
        }
    }

    @Test func checkReportsAndWritesNothing() throws {
        try withMaps { folder, input in
            let before = try FileManager.default.subpathsOfDirectory(atPath: folder.path)
            let result = try run(input, "--check", "--output", folder.appending(path: "out").path)
            #expect(
                result.status == 0 && result.text.contains("3 to prepare") && result.text.contains("HARP 2") && result.text.contains("validation"))
            #expect(try FileManager.default.subpathsOfDirectory(atPath: folder.path) == before)
        }
    }

    @Test func goesOnPastABadFile() throws {
        try withMaps { folder, input in
            try Data("no FITS".utf8).write(to: folder.appending(path: "in/bad.fits"))
            let result = try run(input, "--output", folder.appending(path: "out").path)
            #expect(result.status == 65 && result.errors.contains("1 of 4 files failed") && result.errors.contains("bad.fits"))
            let manifest = try String(contentsOf: folder.appending(path: "out/manifest.jsonl"), encoding: .utf8)
            #expect(manifest.split(separator: "\n").count == 4 && manifest.contains("\"rejected\""))
        }
    }

    @Test func exitStatusesAreThoseOfTheContract() throws {
        try withMaps { folder, input in
            let output = folder.appending(path: "out").path
            try FileManager.default.createDirectory(at: folder.appending(path: "empty"), withIntermediateDirectories: true)
            try Data("a text".utf8).write(to: folder.appending(path: "text"))
            #expect(try run(folder.appending(path: "none").path, "--output", output).status == 66)
            #expect(try run(folder.appending(path: "empty").path, "--output", output).status == 65)
            #expect(try run(folder.appending(path: "text").path, "--output", output).status == 65)
            #expect(try run(input, "--output", folder.appending(path: "text/out").path).status == 73)
            #expect(try run(input, "--output", input, "--overwrite").status == 64)
            #expect(try run(input).status == 64)
            for options in [
                ["--split", "1"], ["--crop-size", "10"], ["--centre", "noaa"], ["--quality-mask", "xyz"], ["--registered"], ["--simulate", "hmi"],
                ["--min-mu", "2"], ["--max-time-difference", "4"], ["--min-correlation", "0.5"], ["--mdi-factor", "1.3"], ["--mdi-blur", "3"],
                ["--mdi-noise", "9"], ["--simulate", "mdi", "--min-correlation", "0.5"], ["--simulate", "mdi", "--pairs", input],
                ["--pairs", input, "--mdi-noise", "9"], ["--pairs", input, "--min-correlation", "3"],
                ["--pairs", input, "--max-time-difference", "-1"],
                ["--pairs", input, "--registered", "--max-time-difference", "4"],
            ] {
                #expect(try run(options: [input, "--output", output] + options).status == 64, "\(options)")
            }
            #expect(try run(options: [input, "--output", output, "--regions", folder.appending(path: "none").path]).status == 66)
            #expect(try run(options: [input, "--output", output, "--pairs", folder.appending(path: "none").path]).status == 66)
            #expect(!exists(folder, "out"))
        }
    }
}
