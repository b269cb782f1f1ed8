import Foundation
import SolarImage
import SuperResolution
import Testing

/// What evaluations keep for the next one.
@Suite struct EvaluationCacheTests {
    /// A folder with a map, a small model, the report `first` and the cache it left, made once.
    private static let first: Result<URL, any Error> = Result {
        let folder = FileManager.default.temporaryDirectory.appending(path: "sr-cache-\(ProcessInfo.processInfo.processIdentifier)")
        atexit {
            try? FileManager.default.removeItem(
                at: FileManager.default.temporaryDirectory.appending(path: "sr-cache-\(ProcessInfo.processInfo.processIdentifier)"))
        }
        try EvaluationExample.write("map", EvaluationExample.field(3), to: folder)
        try ModelsExample.model().write(to: folder.appending(path: "small.safetensors"))
        _ = try evaluate("first", in: folder)
        return folder
    }

    /// - Returns: `per-image.csv`.
    private static func evaluate(
        _ name: String, in folder: URL, map: String = "map", _ change: (inout Evaluation.Options) -> Void = { _ in }
    ) throws -> String {
        var options = Evaluation.Options()
        (options.metrics, options.samples, options.resolver.steps) = (["psnr", "calibration"], 2, 2)
        options.cache = folder.appending(path: "cache")
        change(&options)
        let evaluation = try Evaluation(models: [folder.appending(path: "small.safetensors")], options: options, logger: .init(label: "test"))
        let outcome = try EvaluationExample(evaluation, maps: [folder.appending(path: "\(map).fits")], to: folder.appending(path: name))
        return try outcome.text("per-image.csv")
    }

    /// Calls `body` with a copy of that folder and what is in its cache.
    private func withCopy(_ body: (_ folder: URL, _ scores: String, _ cache: [String: Data]) throws -> Void) throws {
        try withTemporaryFolder { parent in
            let folder = parent.appending(path: "copy")
            try FileManager.default.copyItem(at: Self.first.get(), to: folder)
            try body(folder, String(contentsOf: folder.appending(path: "first/per-image.csv"), encoding: .utf8), cache(folder))
        }
    }

    private func cache(_ folder: URL) throws -> [String: Data] {
        let cache = folder.appending(path: "cache")
        let names = try FileManager.default.contentsOfDirectory(atPath: cache.path)
        return try Dictionary(uniqueKeysWithValues: names.map { ($0, try Data(contentsOf: cache.appending(path: $0))) })
    }

    @Test func aSecondEvaluationComputesNothing() throws {
        try withCopy { folder, scores, before in
            // Of four baselines, the null model and the model scores and pictures, of the truth scores.
            #expect(before.keys.count { $0.hasSuffix(".json") } == 7 && before.keys.count { $0.hasSuffix(".fits") } == 6 && before.count == 13)
            let again = try Self.evaluate("second", in: folder)
            #expect(again == scores)
            // Entries hold how long it took, so that computed anew they would differ.
            #expect(try cache(folder) == before)
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.appending(path: "second").path).contains("cache") == false)
        }
    }

    @Test func aMapIsKnownByItsContent() throws {
        try withCopy { folder, scores, before in
            try FileManager.default.moveItem(at: folder.appending(path: "map.fits"), to: folder.appending(path: "renamed.fits"))
            let renamed = try Self.evaluate("second", in: folder, map: "renamed")
            #expect(renamed != scores && renamed.replacing("renamed.fits", with: "map.fits") == scores)
            #expect(try cache(folder) == before)
            try EvaluationExample.write("other", EvaluationExample.field(4), to: folder)
            _ = try Self.evaluate("third", in: folder, map: "other")
            #expect(try cache(folder).count == 26)
        }
    }

    @Test func whatDependsOnAChangedOptionIsScoredAnew() throws {
        try withCopy { folder, scores, before in
            let changed = try Self.evaluate("second", in: folder) { $0.resolver.seed = 2 }
            #expect(changed != scores)
            let after = try cache(folder)
            // Scores and pictures of the model and the null model: nothing else is drawn at random.
            #expect(after.count == before.count + 4 && before.allSatisfy { after[$0.key] == $0.value })
            func lines(_ text: String) -> [Substring] {
                text.split(separator: "\n").filter { !$0.hasPrefix("small") && !$0.hasPrefix("kriging-ensemble") }
            }
            #expect(lines(changed) == lines(scores) && lines(scores).count == 5)
        }
    }

    @Test func scoresOfAnotherProgramAreNotTaken() throws {
        func key(_ program: String?) throws -> String {
            try EvaluationCache.key(model: "model", map: "map", metrics: ["psnr"], options: EvaluationOptions(), program: program)
        }
        #expect(try key(nil) == key(programDigest()) && key("another") != key(nil) && key("another") == key("another"))
        // That of the file that runs.
        let program = try #require(Bundle.main.executableURL)
        #expect(try programDigest().count == 64 && programDigest() != sha256(of: program))
    }

    @Test func damagedEntriesAreMadeAnew() throws {
        try withCopy { folder, scores, before in
            for (name, data) in before { try data.prefix(100).write(to: folder.appending(path: "cache/\(name)")) }
            #expect(try Self.evaluate("second", in: folder) == scores)
            let after = try cache(folder)
            #expect(Set(after.keys) == Set(before.keys))
            for (name, data) in after {
                // Pictures are the same bytes again; scores but for how long they took.
                if name.hasSuffix(".fits") { #expect(data == before[name]) } else { #expect((try? JSONSerialization.jsonObject(with: data)) != nil) }
            }
        }
    }

    /// An entry that is sound JSON but not what was kept: a table that lost a class, another figure, pictures of another size.
    @Test func changedEntriesAreMadeAnew() throws {
        try withCopy { folder, scores, before in
            var shortened = 0
            for (name, data) in before {
                let file = folder.appending(path: "cache/\(name)")
                if name.hasSuffix(".fits") {
                    try FileManager.default.removeItem(at: file)
                    try FITSWriter.write(Image(width: 8, height: 8, pixels: Array(repeating: 1, count: 64)), header: FITSHeader(), to: file)
                } else {
                    let text = String(decoding: data, as: UTF8.self)
                    let shorter = text.replacing(/(counts[^\[]*\[)[^,\]]*,/) { $0.1 }
                    shortened += shorter == text ? 0 : 1
                    let changed = shorter == text ? text.replacing(#"psnr\":"#, with: #"psnr\":9"#) : shorter
                    #expect(changed != text)
                    try Data(changed.utf8).write(to: file)
                }
            }
            #expect(shortened > 0)
            #expect(try Self.evaluate("second", in: folder) == scores)
            for (name, data) in try cache(folder) where name.hasSuffix(".fits") { #expect(data == before[name]) }
        }
    }
}
