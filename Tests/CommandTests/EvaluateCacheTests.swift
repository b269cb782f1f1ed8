import Foundation
import Testing

/// Scores that `sr evaluate` keeps for the next evaluation.
@Suite struct EvaluateCacheTests {
    private func evaluate(_ models: [URL], _ output: URL, _ options: String...) throws -> ReportFile {
        var arguments = ["evaluate", try TinyModels.shared.get().maps.path, "--steps", "1", "--output", output.path, "--quiet", "--overwrite"]
        arguments += options
        arguments += ["--model"] + models.map(\.path)
        let result = try sr(arguments)
        try #require(result.status == 0, "\(result)")
        return try ReportFile(in: output)
    }

    /// When each file of a folder was written.
    private func times(_ folder: URL) throws -> [String: Date] {
        var times: [String: Date] = [:]
        for name in try FileManager.default.contentsOfDirectory(atPath: folder.path) {
            let attributes = try FileManager.default.attributesOfItem(atPath: folder.appendingPathComponent(name).path)
            times[name] = try #require(attributes[.modificationDate] as? Date)
        }
        return times
    }

    @Test func sameCommandIsAnsweredFromTheCache() throws {
        let model = try TinyModels.shared.get().model
        try withFolder { folder in
            let cache = folder.appendingPathComponent("cache")
            func run() throws -> (perImage: Data, report: Data, kept: [String: Date]) {
                _ = try evaluate([model], folder, "--samples", "2", "--limit", "2", "--metrics", "psnr,fid,calibration")
                return (
                    try Data(contentsOf: folder.appendingPathComponent("per-image.csv")),
                    try Data(contentsOf: folder.appendingPathComponent("report.json")), try times(cache)
                )
            }
            let first = try run()
            let second = try run()
            #expect(second.perImage == first.perImage)
            // With the time that sampling took at first.
            #expect(second.report == first.report)
            #expect(!first.kept.isEmpty && second.kept == first.kept)

            let damage = Data("damaged".utf8)
            for name in first.kept.keys { try damage.write(to: cache.appendingPathComponent(name)) }
            let third = try run()
            #expect(third.perImage == first.perImage && third.report != first.report)
            for name in first.kept.keys { #expect(try Data(contentsOf: cache.appendingPathComponent(name)) != damage, "\(name)") }
        }
    }

    @Test func oneMoreModelIsScoredAlone() throws {
        let models = try TinyModels.shared.get()
        try withFolder { folder in
            let cache = folder.appendingPathComponent("kept"), output = folder.appendingPathComponent("b")
            func report(_ files: [URL], _ output: URL) throws -> ReportFile {
                try evaluate(files, output, "--cache", cache.path, "--limit", "1", "--metrics", "psnr", "--samples", "1")
            }
            let before = try report([models.autoencoder], folder.appendingPathComponent("a"))
            let kept = try times(cache)
            let after = try report([models.model, models.autoencoder], output)
            let keptAfter = try times(cache)
            // Its scores and its picture.
            #expect(keptAfter.count == kept.count + 2)
            #expect(kept.allSatisfy { keptAfter[$0.key] == $0.value }, "an entry was written again")
            #expect(after.models.map(\.name) == ["nearest", "bicubic", "bicubic-consistent", "kriging", "ldm", "autoencoder"])
            for name in before.models.map(\.name) {
                for key in ["psnr", "seconds_per_sample"] {
                    let mean = try #require(before.mean(name, key))
                    #expect(after.mean(name, key) == mean, "\(name), \(key)")
                }
            }
            #expect(!FileManager.default.fileExists(atPath: output.appendingPathComponent("cache").path))
        }
    }
}
