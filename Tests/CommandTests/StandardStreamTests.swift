import Foundation
import SolarImage
import Testing

/// Outputs that cannot be written: the log is no product, and nothing of a product is lost without a word.
@Suite struct StandardStreamTests {
    private func run(_ arguments: [String], _ redirection: String, in folder: URL) throws -> SRProcess.Result {
        try SRProcess(arguments, in: folder, redirection: redirection).result()
    }

    @Test(arguments: ["2>/dev/full", "2>&-", "2>&- >&- <&-"]) func workGoesOnWithoutALog(_ redirection: String) throws {
        let models = try TinyModels.shared.get()
        try withFolder { folder in
            try TestMap.writeLow(to: folder.appendingPathComponent("low.fits"), side: 16)
            let inferred = try run(["infer", "low.fits", "--model", models.model.path, "--steps", "1", "--output", "out"], redirection, in: folder)
            #expect(inferred.status == 0, "\(inferred)")
            let output = folder.appendingPathComponent("out/low_sr.fits")
            #expect(try FITSFile(reading: output).firstImage().header.integer("SRSTEPS") == 1)
            // Nothing of the log stands in a file that was opened in place of standard error.
            let text = String(decoding: try Data(contentsOf: output), as: UTF8.self)
            #expect(!text.contains("low.fits:") && !text.contains("infer 100"))
            let trained = try run(
                [
                    "train", models.maps.path, "--model", "enhance", "--preset", "tiny", "--steps", "2", "--validate-every", "0", "--threads", "1",
                    "--output",
                    "run",
                ], redirection, in: folder)
            #expect(trained.status == 0 && FileManager.default.fileExists(atPath: folder.appendingPathComponent("run/model.safetensors").path))
            #expect(try run(["infer", "none.fits", "--output", "other"], redirection, in: folder).status == 66)
        }
    }

    @Test(arguments: [
        ["models"], ["help"], ["--version"], ["infer", "--help"],
        ["train", "DATA", "--model", "enhance", "--preset", "tiny", "--output", "x", "--print-config"],
    ]) func whatCannotBePrintedIsAFailure(_ arguments: [String]) throws {
        let maps = try TinyModels.shared.get().maps.path
        try withFolder { folder in
            let arguments = arguments.map { $0 == "DATA" ? maps : $0 }
            for redirection in [">/dev/full", ">&-"] {
                let result = try run(arguments, redirection, in: folder)
                #expect(result.status == 73 && result.errors.contains("standard output cannot be written"), "\(redirection): \(result)")
            }
            #expect(try run(arguments, "", in: folder).status == 0)
        }
    }

    /// As in `sr models | head -1`: an end without a word.
    @Test func aReaderThatGoesAwayEndsThePrinting() throws {
        try withFolder { folder in
            let result = try run(["infer", "--help"], "| true; echo done", in: folder)
            #expect(result.errors.isEmpty && result.output == "done\n", "\(result)")
        }
    }
}
