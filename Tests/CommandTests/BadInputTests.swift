import Foundation
import SolarImage
import Testing

/// What a command gets that it cannot use, what it should answer, and words its message must hold.
struct BadInput: Sendable, CustomTestStringConvertible {
    let name: String
    let status: Int
    let words: [String]
    /// Makes the file or folder `name` in a folder.
    let make: @Sendable (_ url: URL) throws -> Void

    var testDescription: String { name }

    init(_ name: String, _ status: Int = 65, _ words: String..., make: @escaping @Sendable (URL) throws -> Void) {
        (self.name, self.status, self.words, self.make) = (name, status, words, make)
    }

    private static func copy(_ fixtureName: String) -> @Sendable (URL) throws -> Void {
        { try FileManager.default.copyItem(at: fixture("SolarImage/\(fixtureName)"), to: $0) }
    }

    /// A sound file with one card of its header changed.
    private static func card(_ keyword: String, _ value: String) -> @Sendable (URL) throws -> Void {
        { url in
            try TestMap.writeLow(to: url)
            var bytes = try Data(contentsOf: url)
            let position = try #require(
                (0..<36).map { $0 * 80 }.first { bytes[$0..<$0 + 8] == Data(keyword.padding(toLength: 8, withPad: " ", startingAt: 0).utf8) })
            let text = (keyword.padding(toLength: 8, withPad: " ", startingAt: 0) + "= " + value).padding(toLength: 80, withPad: " ", startingAt: 0)
            bytes.replaceSubrange(position..<position + 80, with: Data(text.utf8))
            try bytes.write(to: url)
        }
    }

    /// Files that hold no magnetogram.
    static let files = [
        BadInput("cut-short.fits", 65, "expected", "bytes", "fetch the file again", make: copy("truncated-plain.fits")),
        BadInput("cut-short-rice.fits", 65, "fetch the file again", make: copy("truncated-rice.fits")),
        BadInput("empty.fits", 65, "the file is empty", "0 bytes", "fetch it again") { try Data().write(to: $0) },
        BadInput("page.fits", 65, "cannot be read as FITS", "begins with SIMPLE", "web page") { try Data("<html>404</html>".utf8).write(to: $0) },
        BadInput("zeros.fits", 65, "cannot be read as FITS") { try Data(count: 2880).write(to: $0) },
        BadInput("table.fits", 65, "no two-dimensional image", "expected", "a table in HDU 1", "give a file", make: copy("table-only.fits")),
        BadInput("cube.fits", 65, "no two-dimensional image", "expected", "found HDU 0", "give a file", make: copy("cube.fits")),
        BadInput("undefined.fits", 65, "no pixel has a value", "expected", "undefined pixels", "leave the file out", make: copy("all-nan.fits")),
        BadInput("absurd.fits", 65, "fetch the file again", make: copy("absurd-axes.fits")),
        BadInput("negative.fits", 65, "NAXIS1", "expected 0 or more", "-5", make: card("NAXIS1", "                  -5")),
        BadInput("pixel-type.fits", 65, "BITPIX", "expected 8, 16", "13", make: card("BITPIX", "                  13")),
        // The pixels then stand where the next header should begin; a message that quotes them must not do so as they are.
        BadInput("no-axes.fits", 65, "header cannot be read", make: card("NAXIS1", "                   0")),
        BadInput("velocity.fits", 65, "BUNIT", "expected Gauss", "found m/s", "give a magnetogram", make: card("BUNIT", "'m/s     '")),
        BadInput("unit.fits", 65, "CUNIT2", "the unit is unknown", "Sine Latitude", make: card("CUNIT2", "'Sine Latitude'")),
        BadInput("linear.fits", 65, "CTYPE1", "not supported", "LINEAR", make: card("CTYPE1", "'LINEAR  '")),
        BadInput("no-scale.fits", 65, "CDELT2", "a keyword of one axis is missing") { url in
            try TestMap.writeLow(to: url) { $1.remove("CDELT2") }
        },
        BadInput("twice.fits", 65, "CRPIX1", "contradictory keywords", "10.25 and 3.0") { url in
            try TestMap.writeLow(to: url) { $1.append(FITSCard("CRPIX1", .real(3))) }
        },
        BadInput("distorted.fits", 65, "A_2_0", "distorted") { url in try TestMap.writeLow(to: url) { $1.set("A_2_0", .real(1e-3)) } },
        BadInput("fill.fits", 65, "no solar magnetic field", "-1e+30") { url in try TestMap.writeLow(to: url) { image, _ in image[5, 5] = -1e30 } },
        BadInput("all-fill.fits", 65, "no solar magnetic field") { url in
            try TestMap.writeLow(to: url) { image, _ in image.pixels = image.pixels.map { _ in 1e20 } }
        },
        BadInput("pipe.fits", 65, "empty") { #expect(mkfifo($0.path, 0o600) == 0) },
        BadInput("folder.fits", 65) { try FileManager.default.createDirectory(at: $0, withIntermediateDirectories: true) },
    ]

    /// Paths with nothing of use there.
    static let places = [
        BadInput("missing.fits", 66, "there is no such") { _ in },
        BadInput("loop.fits", 66, "there is no such") { try FileManager.default.createSymbolicLink(at: $0, withDestinationURL: $0) },
        BadInput("texts", 65, "FITS file", "expected", "found no") { url in
            try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
            try Data("text".utf8).write(to: url.appendingPathComponent("notes.txt"))
        },
    ]
}

@Suite struct BadInputTests {
    @Test(arguments: BadInput.files + BadInput.places) func inferRefuses(_ input: BadInput) throws {
        let models = try TinyModels.shared.get()
        try withFolder { folder in
            let (url, output) = (folder.appendingPathComponent(input.name), folder.appendingPathComponent("out"))
            try input.make(url)
            let result = try sr(["infer", url.path, "--model", models.model.path, "--steps", "1", "--output", output.path, "--no-progress"])
            expectRefusal(result, input.status, [input.name] + input.words, output: output)
        }
    }

    @Test(arguments: BadInput.files + BadInput.places) func evaluateRefuses(_ input: BadInput) throws {
        let models = try TinyModels.shared.get()
        try withFolder { folder in
            let (url, output) = (folder.appendingPathComponent(input.name), folder.appendingPathComponent("out"))
            try input.make(url)
            let result = try sr(["evaluate", url.path, "--model", models.model.path, "--output", output.path, "--no-progress"])
            expectRefusal(result, input.status, [input.name] + input.words, output: output)
        }
    }

    /// `train` takes folders; a file in one that cannot be used is left out, and without another there is nothing to train on.
    @Test(arguments: BadInput.files.filter { $0.name != "folder.fits" }) func trainRefuses(_ input: BadInput) throws {
        try withFolder { folder in
            let (data, output) = (folder.appendingPathComponent("data"), folder.appendingPathComponent("out"))
            try FileManager.default.createDirectory(at: data, withIntermediateDirectories: true)
            try input.make(data.appendingPathComponent(input.name))
            let result = try sr(["train", data.path, "--model", "vqgan", "--preset", "tiny", "--steps", "1", "--output", output.path])
            expectRefusal(result, 65, ["no FITS file can be trained on", input.name] + input.words, output: output)
        }
    }

    @Test(arguments: BadInput.places) func trainRefusesPlaces(_ input: BadInput) throws {
        try withFolder { folder in
            let (url, output) = (folder.appendingPathComponent(input.name), folder.appendingPathComponent("out"))
            try input.make(url)
            let result = try sr(["train", url.path, "--model", "vqgan", "--preset", "tiny", "--steps", "1", "--output", output.path])
            expectRefusal(result, input.status, [input.name], output: output)
        }
    }

    @Test func inferRefusesWhatIsUnfit() throws {
        let models = try TinyModels.shared.get()
        try withFolder { folder in
            let (fine, unfit) = (folder.appendingPathComponent("fine-pixels.fits"), folder.appendingPathComponent("unfit.fits"))
            try TestMap.write(to: fine, side: 24, arcsec: 0.504)
            try TestMap.writeLow(to: unfit) { $1.set("QUALITY", .integer(2)) }
            let output = folder.appendingPathComponent("out")
            let options = ["--model", models.model.path, "--steps", "1", "--output", output.path, "--no-progress"]
            expectRefusal(try sr(["infer", fine.path] + options), 65, ["pixel scale", "1.8 … 2.2 arcsec", "0.504", "--force"], output: output)
            expectRefusal(try sr(["infer", unfit.path] + options), 65, ["QUALITY", "0x80000cfa", "found 0x2", "--force"], output: output)
            expectRefusal(
                try sr(["infer", unfit.path, "--force", "--crop", "20,0,8,8"] + options), 65, ["crop", "24 × 24", "8 × 8 from (20, 0)"],
                output: output)
            let forced = try sr(["infer", fine.path, unfit.path, "--force", "--quiet"] + options)
            #expect(forced.status == 0 && files(under: output) == ["config.yaml", "fine-pixels_sr.fits", "unfit_sr.fits"], "\(forced)")
        }
    }

    /// The rest of a batch is done; what failed is listed.
    @Test func batchesGoOn() throws {
        let models = try TinyModels.shared.get()
        try withFolder { folder in
            let (data, output) = (folder.appendingPathComponent("data"), folder.appendingPathComponent("out"))
            try TestMap.writeHigh(to: data, count: 2, side: 32)
            try Data("no FITS".utf8).write(to: data.appendingPathComponent("bad.fits"))
            let infer = try sr([
                "infer", data.path, "--force", "--model", models.model.path, "--steps", "1", "--output", output.path, "--no-progress",
            ])
            #expect(infer.status == 65 && infer.output.isEmpty, "\(infer)")
            #expect(
                infer.errors.contains("1 of 3 files failed:\n") && infer.errorLines.last?.contains("bad.fits: cannot be read as FITS") == true,
                "\(infer)")
            #expect(files(under: output) == ["config.yaml", "map1_sr.fits", "map2_sr.fits"])
            // Of a batch the data are at fault, even where all that is wrong is that results exist.
            let command = ["infer", data.path, "--force", "--model", models.model.path, "--steps", "1", "--output", output.path, "--no-progress"]
            let again = try sr(command)
            #expect(again.status == 65 && again.errors.contains("3 of 3 files failed:\n"), "\(again)")
            try FileManager.default.removeItem(at: data.appendingPathComponent("bad.fits"))
            let all = try sr(command)
            #expect(all.status == 65 && all.errors.contains("2 of 2 files failed:\n") && all.errors.contains("exists already"), "\(all)")
            try Data("no FITS".utf8).write(to: data.appendingPathComponent("bad.fits"))

            let report = folder.appendingPathComponent("report")
            let evaluate = try sr(["evaluate", data.path, "--model", models.autoencoder.path, "--output", report.path, "--no-progress"])
            #expect(evaluate.status == 65 && evaluate.output.contains("PSNR"), "\(evaluate)")
            #expect(evaluate.errors.contains("sr: not all could be scored") && evaluate.errorLines.last?.contains("bad.fits") == true, "\(evaluate)")
            #expect(files(under: report).contains("report.json"))

            let run = folder.appendingPathComponent("run")
            let train = try sr([
                "train", data.path, "--model", "vqgan", "--preset", "tiny", "--steps", "1", "--crop-size", "32", "--output", run.path,
            ])
            #expect(train.status == 0 && train.errors.contains("warning: left out: \(data.path)/bad.fits"), "\(train)")
        }
    }
}
