import Foundation
import Groundwork
import SolarImage
import SuperResolution
import Testing

/// Runs that are interrupted, and runs on several threads.
@Suite struct PreparationStagingTests {
    private let options = PreparationOptions { ($0.cropSize, $0.cropsPerImage) = (32, 2) }

    /// Writes maps of noise, named by their numbers.
    private func writeMaps(_ count: Int, to folder: PreparationFolder) throws {
        for number in 0..<count {
            try folder.write("\(number).fits", .map(harp: number), MetricFixture.noise(width: 90, height: 40, seed: UInt64(number)))
        }
    }

    @Test func interruptedRunsGoOn() throws {
        try withPreparationFolder { folder in
            try writeMaps(9, to: folder)
            try Data("no FITS".utf8).write(to: folder.input("4.fits"))
            try FileManager.default.copyItem(at: folder.input("1.fits"), to: folder.input("x.fits"))
            try folder.prepare(options)
            let files = try folder.files(), whole = try folder.content(), output = folder.output.url
            #expect(whole.count == 16 + 3)

            try FileManager.default.removeItem(at: output)
            // Each time two more files, once with a line that was cut off, once with a crop that is gone and a file that has changed since.
            for round in 0..<3 {
                let staging = try PreparationStaging(in: output, files: files, options: options, startsAnew: false)
                #expect(staging.finished.count == [0, 2, 2][round])
                #expect(throws: Never.self) { try folder.output.check(inputs: files, overwrite: false) }
                var asked = 0
                #expect {
                    try PreparationSurvey(
                        of: files, options: options, staging: staging,
                        isCancelled: {
                            asked += 1
                            return asked > 2
                        })
                } throws: { ($0 as? Failure)?.category == .interrupted && ($0 as? Failure)?.description.contains("of 10 files") == true }
                #expect(!FileManager.default.fileExists(atPath: folder.output.manifest.path))
                let partial = output.appending(path: PreparationStaging.name), journal = partial.appending(path: "journal.jsonl")
                if round == 0 {
                    let text = try String(contentsOf: journal, encoding: .utf8) + "{\"size\": 3, \"sou"
                    try text.write(to: journal, atomically: false, encoding: .utf8)
                }
                if round == 1 {
                    try FileManager.default.removeItem(at: partial.appending(path: "0-1.fits"))
                    try FileManager.default.setAttributes([.modificationDate: Date(timeIntervalSince1970: 1e9)], ofItemAtPath: files[1].path)
                }
            }
            var others = options
            others.seed = 2
            #expect {
                try PreparationStaging(in: output, files: files, options: others, startsAnew: false)
            } throws: {
                ($0 as? Failure)?.category == .cannotWrite && ($0 as? Failure)?.description.contains("expected seed: 1, found seed: 2") == true
            }
            #expect(throws: Failure.self) { try PreparationStaging(in: output, files: Array(files.dropLast()), options: options, startsAnew: false) }
            try folder.prepare(options, startsAnew: false)
            let content = try folder.content()
            #expect(content.keys.sorted() == whole.keys.sorted())
            #expect(whole.filter { content[$0.key] != $0.value }.keys.sorted() == [])
        }
    }

    @Test func resultsDoNotDependOnThreads() throws {
        try withPreparationFolder { folder in
            try writeMaps(12, to: folder)
            // Two bad files, whose messages must not mix.
            for number in [2, 3] { try Data("SIMPLE  = no".utf8).write(to: folder.input("\(number).fits")) }
            let before = Parallel.threadCount
            defer { Parallel.threadCount = before }
            let contents = try [1, 2, 7].map { threads in
                Parallel.threadCount = threads
                try folder.prepare(options)
                return try folder.content()
            }
            #expect(contents[0].count == 20 + 3 && contents[1] == contents[0] && contents[2] == contents[0])
        }
    }
}
