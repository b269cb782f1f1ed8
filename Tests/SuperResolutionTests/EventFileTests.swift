import Foundation
import SuperResolution
import Testing

/// Events for TensorBoard, against a file that its own Python classes wrote (Scripts/make-tensorboard-fixture.py).
@Suite struct EventFileTests {
    private static let fixture = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Fixtures/Training/events.tfevents")

    @Test func checksums() {
        // RFC 3720, appendix B.4.
        #expect(CRC32C.checksum(Data(repeating: 0, count: 32)) == 0x8A91_36AA)
        #expect(CRC32C.checksum(Data(repeating: 0xFF, count: 32)) == 0x62A8_AB43)
        #expect(CRC32C.checksum(Data(0..<32)) == 0x46DD_794E)
        #expect(CRC32C.checksum(Data()) == 0)
    }

    @Test func sameBytesAsTensorBoards() throws {
        var png = Data([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 0, 0, 0, 13, 0x49, 0x48, 0x44, 0x52, 0, 0, 1, 44, 0, 0, 0, 200])
        png.append(contentsOf: (0..<300).map { UInt8(truncatingIfNeeded: $0) })
        let events =
            EventFile.version(at: 1_764_400_000.25) + EventFile.start(at: 1_764_400_000.5, step: 301)
            + EventFile.event(at: 1_764_400_001, step: 20, [.scalar(tag: "learning_rate", 1e-3), .scalar(tag: "loss", 0.5)])
            + EventFile.event(at: 1_764_400_002, step: 0, [.scalar(tag: "validation_loss", 0)])
            + EventFile.event(at: 1_764_400_003, step: 300_000, [.scalar(tag: "validation_psnr", -46.25), .picture(tag: "samples", png: png)])
        #expect(try events == Data(contentsOf: Self.fixture))
    }

    /// A run that goes on writes another file, which says from where on the first one counts no more.
    @Test func aResumedRunStartsAnotherFile() throws {
        try withTemporaryFolder { folder in
            let run = try TrainingExample.run("run", in: folder)
            var configuration = TrainingConfiguration(model: .vqgan, preset: .tiny)
            (configuration.steps, configuration.saveEvery, configuration.validateEvery, configuration.select) = (60, 30, 20, ["loss"])
            configuration.maxSkipped = 1
            let task = ScriptedTask(validations: [3, 2])
            task.factor = { $0 == 52 ? .nan : 1 }
            #expect(throws: (any Error).self) {
                try TrainingLoop(configuration, task: task, folder: run).run(report: { _ in }, shouldStop: { false })
            }
            _ = try TrainingLoop(configuration, task: ScriptedTask(validations: [1, 0]), folder: run).run(report: { _ in }, shouldStop: { false })
            let files = EventFile.files(in: run.url)
            #expect(files.count == 2)
            let (first, second) = (try Data(contentsOf: files[0]), try Data(contentsOf: files[1]))
            func body(_ record: Data) -> Data { record.dropFirst(12 + 9).dropLast(4) }
            // Behind the record of the version, after the time: the step and the start of a session.
            let start = second.dropFirst(EventFile.version(at: 1).count)
            #expect(start.dropFirst(12 + 9).starts(with: body(EventFile.start(at: 1, step: 31))))
            for (file, tags) in [(first, ["loss", "validation_loss", "samples"]), (second, ["loss", "gradient_norm", "validation_score"])] {
                for tag in tags { #expect(file.range(of: Data(tag.utf8)) != nil, "\(tag)") }
            }
            // Nothing to say, no file.
            _ = try TrainingLoop(configuration, task: ScriptedTask(), folder: run).run(report: { _ in }, shouldStop: { true })
            run.removeLeftovers()
            try run.clear()
            #expect(EventFile.files(in: run.url).isEmpty)
        }
    }
}
