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
}
