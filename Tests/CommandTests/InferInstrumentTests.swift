import Foundation
import SolarImage
import Testing

/// `sr infer` on fields of different instruments.
@Suite struct InferInstrumentTests {
    /// A model of block means says of MDI's fields, once, that it has not seen such, and in every result; of HMI's it says nothing.
    @Test func tellsWhatTheModelHasNotSeen() throws {
        try withFolder { folder in
            let inputs = (1...3).map { folder.appendingPathComponent("low\($0).fits") }
            for (number, input) in inputs.enumerated() {
                try TestMap.writeLow(to: input, number: number + 1) { _, header in
                    if number == 2 { header.set("INSTRUME", .string("HMI_SIDE1")) }
                }
            }
            let model = try TinyModels.shared.get().model
            let result = try sr(
                ["infer"] + inputs.map(\.path) + ["--model", model.path, "--steps", "1", "--output", folder.path, "--no-progress"])
            #expect(result.status == 0, "\(result)")
            let remark = "trained on block means of HMI: it has seen neither MDI's blur nor its noise"
            #expect(result.errorLines.filter { $0.contains(remark) }.count == 1, "\(result)")
            for (number, isTold) in [(1, true), (2, true), (3, false)] {
                let header = try FITSFile(reading: folder.appendingPathComponent("low\(number)_sr.fits")).firstImage().header
                let history = header.cards.filter { $0.keyword == "HISTORY" }.map(\.comment).joined(separator: " ")
                #expect(history.contains(remark) == isTold && history.contains("MDI field divided by 1.4 (Liu") == isTold, "\(history)")
            }
        }
    }

    /// Of a level that the gain is not known for, that is said; a factor of the user's own is taken as it is.
    @Test func tellsOfAnUncertainGain() throws {
        try withFolder { folder in
            let input = folder.appendingPathComponent("old.fits")
            try TestMap.writeLow(to: input) { _, header in
                for (keyword, text) in [("CTYPE1", "solar-x"), ("CTYPE2", "solar-y"), ("DATE", "2002-04-01")] { header.set(keyword, .string(text)) }
            }
            let arguments = ["infer", input.path, "--model", try TinyModels.shared.get().model.path, "--steps", "1", "--overwrite", "--no-progress"]
            func run(_ options: String...) throws -> (errors: String, history: String) {
                let result = try sr(arguments + ["--output", folder.path] + options)
                #expect(result.status == 0, "\(result)")
                let header = try FITSFile(reading: folder.appendingPathComponent("old_sr.fits")).firstImage().header
                return (result.errors, header.cards.filter { $0.keyword == "HISTORY" }.map(\.comment).joined(separator: " "))
            }
            let own = try run(), given = try run("--mdi-factor", "0.9")
            #expect(own.errors.contains("uncertain") && own.history.contains("MDI field divided by 0.82353"), "\(own)")
            #expect(!given.errors.contains("uncertain") && given.history.contains("MDI field divided by 0.9"), "\(given)")
        }
    }

    /// GONG's pixels are too large for the models: that is said, and with --force a piece is super-resolved on HMI's scale.
    @Test func gong() throws {
        try withFolder { folder in
            let text = try String(contentsOf: fixture("SolarImage/GONG/td-2009.header"), encoding: .utf8)
            let input = folder.appendingPathComponent("tdbqa090905t0924.fits")
            var image = Image(width: 860, height: 860, repeating: 0)
            for y in 0..<860 { for x in 0..<860 { image[x, y] = Float((x * 37 + y * 101) % 101 - 50) } }
            try FITSWriter.write(image, header: FITSHeader(FITSCard.cards(from: text.split(separator: "\n").map(String.init))), to: input)
            let model = try TinyModels.shared.get().model
            let arguments = [
                "infer", input.path, "--model", model.path, "--steps", "1", "--crop", "400,300,32,32", "--output", folder.path, "--consistency",
                "exact",
                "--no-progress",
            ]
            expectRefusal(try sr(arguments), 65, ["pixel scale", "1.8 … 2.2 arcsec", "2.535", "--force"])
            let forced = try sr(arguments + ["--force"])
            #expect(forced.status == 0 && forced.errors.contains("neither GONG's blur nor its noise"), "\(forced)")
            #expect(forced.errors.contains("was trained for pixels of 2.02 arcsec, the input's are of 2.5 arcsec"), "\(forced)")
            let result = try Magnetogram(reading: folder.appendingPathComponent("tdbqa090905t0924_sr.fits"))
            #expect(result.image.width == 128 && abs((result.arcsecPerPixel ?? 0) - 2.53509 / 4) < 1e-4)
            let means = result.image.blockMean(by: 4).pixels, expected = image.cropped(x: 400, y: 300, width: 32, height: 32).pixels
            #expect(zip(means, expected).allSatisfy { abs($0 - 1.438 * $1) < 0.01 })
            #expect(result.time?.description == "2009-09-05T09:24:01.000Z")
            let history = result.header.cards.filter { $0.keyword == "HISTORY" }.map(\.comment).joined(separator: " ")
            #expect(history.contains("GONG field divided by 0.69541 (Liu et al. 2025"), "\(history)")
        }
    }
}
