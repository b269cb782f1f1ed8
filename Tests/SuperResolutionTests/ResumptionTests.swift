import Foundation
import Groundwork
import SolarImage
import SuperResolution
import TensorCore
import Testing

/// Runs whose files are damaged, gone or of other data when they are to go on.
@Suite struct ResumptionTests {
    private func configuration() throws -> TrainingConfiguration {
        var configuration = try TrainingExample.configuration(.vqgan)
        (configuration.steps, configuration.saveEvery, configuration.validateEvery) = (30, 10, 15)
        return configuration
    }

    private func trainer(_ data: URL, _ change: (inout TrainingConfiguration) -> Void = { _ in }) throws -> Trainer {
        var configuration = try configuration()
        change(&configuration)
        return try Trainer(configuration, data: data, logger: .init(label: "test"))
    }

    private func train(_ data: URL, _ run: RunFolder, stop: Int? = nil) throws {
        var step = 0
        _ = try trainer(data).run(run, report: { step = $0.step }, shouldStop: { step == stop })
    }

    /// A run that was stopped after 20 of its 30 steps.
    private func withRun(_ body: (_ data: URL, _ run: RunFolder) throws -> Void) throws {
        try withTemporaryFolder { folder in
            let data = folder.appendingPathComponent("data")
            for (part, count) in [("train", 3), ("validation", 1)] {
                try createFolder(data.appendingPathComponent(part))
                try TrainingExample.writeMaps(count, to: data.appendingPathComponent(part))
            }
            let run = try TrainingExample.run("run", in: folder)
            try train(data, run, stop: 20)
            try body(data, run)
        }
    }

    /// Writes a checkpoint as earlier versions did, without a digest.
    private func rewrite(_ url: URL, _ change: (String, Tensor) -> Tensor = { $1 }) throws {
        let file = try SafetensorsFile(reading: url)
        try writeSafetensors(
            try file.names.map { ($0, change($0, try file.tensor(named: $0))) }, metadata: file.metadata.filter { $0.key == "sr.progress" }, to: url)
    }

    // MARK: - Damage

    /// One bit anywhere, be it of a tensor or of the metadata.
    @Test func everyBitOfACheckpointCounts() throws {
        try withRun { data, run in
            let whole = try Data(contentsOf: run.last)
            let header = whole.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
            let text = String(decoding: whole[8..<8 + header], as: UTF8.self)
            let seconds = try #require(text.range(of: #"\"stale\":"#)).upperBound
            let places =
                [8 + text.utf8.distance(from: text.startIndex, to: seconds)]
                + stride(from: 8 + header, to: whole.count, by: (whole.count - header) / 7).map { $0 }
            for place in places + [whole.count - 1] {
                var bytes = whole
                bytes[place] ^= 1
                try bytes.write(to: run.last)
                let failure = try #require(throws: Failure.self, "byte \(place)") { try train(data, run) }
                #expect(failure.category == .badData && failure.problem == "the checkpoint is damaged", "byte \(place): \(failure)")
                #expect(failure.location == run.last.path && failure.remedy?.contains("--from \(run.best.path)") == true, "\(failure)")
                #expect(failure.remedy?.contains("--overwrite") == true)
            }
            try whole.write(to: run.last)
            try train(data, run)
            #expect(try MetricsLogLines.steps(run).max() == 30)
        }
    }

    @Test func zerosAreNoticed() throws {
        try withRun { data, run in
            let file = try SafetensorsFile(reading: run.last)
            let tensors = try file.names.map { (name: $0, tensor: Tensor(zeros: try file.tensor(named: $0).shape)) }
            try writeSafetensors(tensors, metadata: file.metadata, to: run.last)
            #expect(try #require(throws: Failure.self) { try train(data, run) }.problem == "the checkpoint is damaged")
        }
    }

    @Test(arguments: ["weight", "average", "first_moment", "second_moment"])
    func whatIsNotFiniteIsNotGoneOnWith(_ part: String) throws {
        try withRun { data, run in
            try rewrite(run.last) { name, tensor in
                name.hasPrefix(part) ? Tensor(repeating: part == "average" ? .infinity : .nan, shape: tensor.shape) : tensor
            }
            let failure = try #require(throws: Failure.self) { try train(data, run) }
            #expect(failure.category == .badData && failure.location?.contains("\(run.last.path), tensor \(part).") == true, "\(failure)")
            #expect(failure.remedy?.contains(run.best.path) == true)
        }
    }

    /// It goes on bit for bit all the same, with a word of it.
    @Test func checkpointsOfEarlierVersions() throws {
        try withRun { data, run in
            let whole = try TrainingExample.run("whole", in: run.url.deletingLastPathComponent())
            try train(data, whole)
            try rewrite(run.last)
            let remarks = try trainer(data).remarks(resuming: run)
            #expect(remarks.count == 2 && remarks[0].contains("digest") && remarks[1].contains("data"), "\(remarks)")
            try train(data, run)
            try TrainingExample.expectSameFiles(run.model, whole.model)
            #expect(try trainer(data).remarks(resuming: run) == [])
        }
    }

    // MARK: - What is gone

    @Test func aLostCheckpoint() throws {
        try withRun { data, run in
            try FileManager.default.removeItem(at: run.last)
            var failure = try #require(throws: Failure.self) { try trainer(data).remarks(resuming: run) }
            #expect(failure.category == .missingInput && failure.location == run.last.path, "\(failure)")
            let remedy = try #require(failure.remedy)
            #expect(remedy.contains("--from \(run.best.path)") && remedy.contains("--overwrite"))
            // A log alone tells it, too, and so does a copy of a checkpoint.
            for file in [run.model, run.best] { try FileManager.default.removeItem(at: file) }
            failure = try #require(throws: Failure.self) { try trainer(data).remarks(resuming: run) }
            #expect(failure.category == .missingInput && failure.expected?.contains("20 steps") == true, "\(failure)")
            try FileManager.default.removeItem(at: run.metrics)
            try Data().write(to: run.checkpoint(step: 20))
            failure = try #require(throws: Failure.self) { try trainer(data).remarks(resuming: run) }
            #expect(failure.remedy?.contains("copy \(run.checkpoint(step: 20).path)") == true, "\(failure)")
            // Ended before its first checkpoint.
            try FileManager.default.removeItem(at: run.checkpoint(step: 20))
            try Data(#"{"loss":1,"step":20}"#.utf8).write(to: run.metrics)
            let remarks = try trainer(data) { $0.saveEvery = 25 }.remarks(resuming: run)
            #expect(remarks.count == 1 && remarks[0].contains("step 0"), "\(remarks)")
        }
    }

    @Test func theModelItBeganWith() throws {
        try withTemporaryFolder { folder in
            let run = try TrainingExample.run("run", in: folder)
            try run.requireStart(of: TrainingExample.configuration(.vqgan))
            try run.requireStart(of: TrainingExample.configuration(.corrdiff))
            var configurations = try [ModelKind.ldmResidual, .ddpm].map(TrainingExample.configuration)
            configurations.append(try TrainingConfiguration(finetuning: ModelsExample.model(), adaptation: Adaptation()))
            for configuration in configurations {
                let failure = try #require(throws: Failure.self) { try run.requireStart(of: configuration) }
                #expect(failure.category == .missingInput && failure.location == run.start.path && failure.remedy != nil)
            }
            try Data().write(to: run.start)
            for configuration in configurations { try run.requireStart(of: configuration) }
        }
    }

    // MARK: - Other data

    @Test func otherDataAreRefused() throws {
        try withRun { data, run in
            let (training, validation) = (data.appendingPathComponent("train"), data.appendingPathComponent("validation"))
            func expectRefused(_ words: String..., sourceLocation: SourceLocation = #_sourceLocation) throws {
                let failure = try #require(throws: Failure.self, sourceLocation: sourceLocation) { try trainer(data).remarks(resuming: run) }
                #expect(failure.category == .badData && failure.location == run.last.path, "\(failure)", sourceLocation: sourceLocation)
                for word in words { #expect(failure.found?.contains(word) == true, "\(failure)", sourceLocation: sourceLocation) }
            }
            #expect(try trainer(data).remarks(resuming: run) == [])
            // Names alone do not count, nor whether there is validation.
            for index in 0..<3 {
                try FileManager.default.moveItem(
                    at: training.appendingPathComponent("map\(index).fits"), to: training.appendingPathComponent("other\(index).fits"))
            }
            #expect(try trainer(data).remarks(resuming: run) == [])
            #expect(try trainer(data) { $0.validateEvery = 0 }.remarks(resuming: run) == [])

            let (first, last) = (training.appendingPathComponent("other0.fits"), training.appendingPathComponent("other3.fits"))
            try FileManager.default.moveItem(at: first, to: last)
            try expectRefused("another order")
            try TrainingExample.write(TrainingExample.field(width: 96, height: 80, seed: 99), harp: 7, to: first)
            try expectRefused("1 new: other0.fits")
            try FileManager.default.removeItem(at: last)
            try expectRefused("1 new: other0.fits", "1 gone: map0.fits")
            try FileManager.default.moveItem(at: first, to: training.appendingPathComponent("map0.fits"))
            try expectRefused("1 changed: map0.fits")
            try FileManager.default.removeItem(at: training.appendingPathComponent("map0.fits"))
            try TrainingExample.write(
                TrainingExample.field(width: 96, height: 80, seed: 1), harp: 101, to: training.appendingPathComponent("map0.fits"))
            #expect(try trainer(data).remarks(resuming: run) == [])
            try TrainingExample.write(
                TrainingExample.field(width: 96, height: 80, seed: 98), harp: 7, to: validation.appendingPathComponent("map9.fits"))
            try expectRefused("1 new: map9.fits")
        }
    }

    // MARK: - Another configuration or program

    @Test func otherSettingsAreRefusedOrTold() throws {
        try withRun { data, run in
            func expectRefused(_ key: String, _ change: (inout TrainingConfiguration) -> Void) throws {
                let failure = try #require(throws: Failure.self, "\(key)") { try trainer(data, change).remarks(resuming: run) }
                #expect(failure.category == .configuration && failure.location == run.last.path, "\(failure)")
                #expect(failure.expected?.contains("\(key): ") == true && failure.found?.contains("\(key): ") == true, "\(failure)")
            }
            try expectRefused("seed") { $0.seed = 9 }
            try expectRefused("batch-size") { $0.batchSize = 2 }
            try expectRefused("accumulate") { $0.accumulate = 2 }
            try expectRefused("loss.perceptual") { $0.loss.perceptual = 0.2 }
            // How long, and what leaves the weights alone.
            let free = try trainer(data) { ($0.steps, $0.saveEvery, $0.patience, $0.maxHours, $0.select) = (50, 7, 3, 2, ["loss"]) }
            #expect(try free.remarks(resuming: run) == [])
            let told = try trainer(data) { ($0.learningRate, $0.loss.discriminatorTraining.learningRate) = (5e-4, 2e-4) }.remarks(resuming: run)
            #expect(told.count == 2 && told.contains { $0.contains("learning-rate is 0.0005") && $0.contains("no longer 0.001") }, "\(told)")
            #expect(told.contains { $0.contains("loss.discriminator-training.learning-rate") }, "\(told)")
        }
    }

    @Test(arguments: [("sr.program", "program"), ("sr.convolution", "convolution")]) func anotherProgram(_ key: String, _ name: String) throws {
        try withRun { data, run in
            let file = try SafetensorsFile(reading: run.last)
            let metadata = file.metadata.filter { $0.key != "sr.digest" }.merging([key: "another"]) { $1 }
            try writeSafetensors(try file.names.map { ($0, try file.tensor(named: $0)) }, metadata: metadata, to: run.last)
            let failure = try #require(throws: Failure.self) { try trainer(data).remarks(resuming: run) }
            #expect(
                failure.category == .configuration && failure.problem.contains("the \(name) is not") && failure.expected == "another", "\(failure)")
            #expect(failure.remedy?.contains("--accept-changes") == true)
            let remarks = try trainer(data).remarks(resuming: run, acceptsChanges: true)
            #expect(remarks.contains { $0.contains("the \(name) is not") && $0.contains("bit for bit") }, "\(remarks)")
        }
    }

    /// Both stages of `corrdiff` note their data, and need their checkpoints.
    @Test func bothStages() throws {
        try withTemporaryFolder { folder in
            let data = folder.appendingPathComponent("data"), other = folder.appendingPathComponent("other")
            for (place, count) in [(data, 2), (other, 1)] {
                try createFolder(place)
                try TrainingExample.writeMaps(count, to: place)
            }
            var configuration = try TrainingExample.configuration(.corrdiff)
            (configuration.steps, configuration.saveEvery, configuration.validateEvery) = (4, 2, 0)
            configuration.regressionTraining.steps = 4
            func trainer(_ data: URL, _ run: RunFolder) throws -> Trainer {
                let start = FileManager.default.fileExists(atPath: run.start.path) ? run.start : nil
                return try Trainer(configuration, data: data, start: start, logger: .init(label: "test"))
            }
            let run = try TrainingExample.run("run", in: folder)
            var steps = 0
            _ = try trainer(data, run).run(run, report: { steps = $0.step }, shouldStop: { steps == 2 })
            #expect(FileManager.default.fileExists(atPath: run.regression.last.path) && !FileManager.default.fileExists(atPath: run.last.path))
            #expect(try trainer(data, run).remarks(resuming: run) == [])
            #expect(try #require(throws: Failure.self) { try trainer(other, run).remarks(resuming: run) }.location == run.regression.last.path)
            try FileManager.default.removeItem(at: run.regression.last)
            #expect(try #require(throws: Failure.self) { try trainer(data, run).remarks(resuming: run) }.location == run.regression.last.path)

            let second = try TrainingExample.run("second", in: folder)
            _ = try trainer(data, second).run(second, report: { _ in }, shouldStop: { false })
            #expect(try trainer(data, second).remarks(resuming: second) == [])
            try FileManager.default.removeItem(at: second.regression.url)
            #expect(try #require(throws: Failure.self) { try trainer(other, second).remarks(resuming: second) }.location == second.last.path)
            #expect(try trainer(data, second).remarks(resuming: second) == [])
            try FileManager.default.removeItem(at: second.start)
            let failure = try #require(throws: Failure.self) { try trainer(data, second).remarks(resuming: second) }
            #expect(failure.location == second.regression.last.path)
        }
    }

    // MARK: - The log, and leftovers

    @Test(arguments: ["\r\n", "\r", "\n"]) func logsOfOtherSystems(_ end: String) throws {
        try withRun { data, run in
            let text = try String(contentsOf: run.metrics, encoding: .utf8)
            let lines = text.split(separator: "\n").count
            try Data(("\u{FEFF}" + text.replacing("\n", with: end)).utf8).write(to: run.metrics)
            try train(data, run)
            let steps = try MetricsLogLines.steps(run)
            #expect(steps.filter { $0 <= 20 }.count == lines && steps.max() == 30, "\(steps)")
        }
    }

    @Test func leftoversOfTheDeadGo() throws {
        try withTemporaryFolder { folder in
            let run = try TrainingExample.run("run", in: folder)
            // The number of a process that was and is no more.
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/bin/sh")
            process.arguments = ["-c", "exit 0"]
            try process.run()
            process.waitUntilExit()
            let (dead, own) = (process.processIdentifier, ProcessInfo.processInfo.processIdentifier)
            let stay = [
                ".curve.png.\(own)-1.partial", ".partial-\(own)-2-ab12", ".partial", ".hidden.partial", "last.safetensors", ".a.x-1.partial",
            ]
            let go = [
                ".curve.png.\(dead)-1.partial", ".curve.png.\(dead).partial", ".partial-\(dead)-2-ab12", ".best.safetensors.\(dead)-17.partial",
            ]
            for place in [run.url, run.checkpoints, run.samples] {
                for name in stay + go { try Data().write(to: place.appendingPathComponent(name)) }
            }
            run.removeLeftovers()
            for place in [run.url, run.checkpoints, run.samples] {
                let names = Set(try FileManager.default.contentsOfDirectory(atPath: place.path))
                #expect(names.isSuperset(of: stay) && names.isDisjoint(with: go), "\(names)")
            }
        }
    }
}

private enum MetricsLogLines {
    /// The steps of a log's lines.
    static func steps(_ run: RunFolder) throws -> [Double] {
        try String(contentsOf: run.metrics, encoding: .utf8).split(separator: "\n").compactMap {
            try JSONDecoder().decode([String: Double].self, from: Data($0.utf8))["step"]
        }
    }
}
