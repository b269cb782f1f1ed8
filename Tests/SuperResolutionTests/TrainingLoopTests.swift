import Foundation
import Groundwork
import SuperResolution
import TensorCore
import Testing

/// The loop around any task: how it ends, what it writes.
@Suite struct TrainingLoopTests {
    private func configuration(_ change: (inout TrainingConfiguration) -> Void = { _ in }) throws -> TrainingConfiguration {
        var configuration = TrainingConfiguration(model: .vqgan, preset: .tiny)
        (configuration.steps, configuration.saveEvery, configuration.validateEvery, configuration.learningRate) = (30, 5, 0, 0.1)
        configuration.select = ["loss"]
        change(&configuration)
        try configuration.validate()
        return configuration
    }

    /// Runs the loop and gives how it ended; `stop` is the step after which the user asks to.
    @discardableResult
    private func train(_ task: ScriptedTask, _ configuration: TrainingConfiguration, _ run: RunFolder, stop: Int? = nil) throws -> TrainingOutcome {
        var step = 0
        return try TrainingLoop(configuration, task: task, folder: run).run(report: { step = $0.step }, shouldStop: { step == stop })
    }

    /// The step that a checkpoint was written after.
    private func step(_ checkpoint: URL) throws -> Int? {
        let file = try SafetensorsFile(reading: checkpoint)
        let progress = try JSONSerialization.jsonObject(with: Data(try #require(file.metadata["sr.progress"]).utf8)) as? [String: Any]
        return progress?["step"] as? Int
    }

    private func lines(_ run: RunFolder) throws -> [[String: Double]] { try TrainingExample.log(run) }

    private func summary(_ run: RunFolder) throws -> TrainingSummary {
        let file = try SafetensorsFile(reading: run.model)
        return try JSONDecoder().decode(TrainingSummary.self, from: Data(try #require(file.metadata["training"]).utf8))
    }

    private func contents(_ folder: URL) throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() }

    // MARK: - To the end

    @Test func finishes() throws {
        try withTemporaryFolder { folder in
            let (run, task) = (try TrainingExample.run("run", in: folder), ScriptedTask())
            var steps: [Int] = []
            var losses: [Double] = []
            let outcome = try TrainingLoop(try configuration(), task: task, folder: run).run(
                report: {
                    steps.append($0.step)
                    losses.append($0.loss)
                    #expect($0.steps == 30 && $0.validationLoss == nil && $0.secondsLeft >= 0 && $0.cropsPerSecond > 0)
                }, shouldStop: { false })
            #expect(outcome == .finished)
            #expect(steps == Array(1...30))
            #expect(task.batches == Array(0..<30))
            #expect(losses[0] == 1 && losses[29] < 0.1)
            let names = try contents(run.url)
            #expect(names.filter { !$0.hasPrefix("events.") } == ["checkpoints", "curve.png", "metrics.jsonl", "model.safetensors", "samples"])
            #expect(names.count == 6 && EventFile.files(in: run.url).count == 1)
            #expect(try contents(run.checkpoints) == ["last.safetensors"])
            #expect(try contents(run.samples) == ["step-00000030.png"])
            #expect(try step(run.last) == 30)
            #expect(try summary(run).steps == 30 && summary(run).images == 6 && summary(run).validationLoss == nil)
            // The model is the average of the weights, which lags behind them.
            let (model, last) = (try SafetensorsFile(reading: run.model), try SafetensorsFile(reading: run.last))
            let average = try model.tensor(named: "layer.weight").item
            #expect(try average == last.tensor(named: "average.layer.weight").item)
            #expect(try average < last.tensor(named: "weight.layer.weight").item)
            let lines = try lines(run)
            #expect(lines.compactMap { $0["step"] } == [20, 30])
            #expect(lines[0]["batch"] == 9.5 && lines[1]["batch"] == 24.5)
            for key in ["loss", "gradient_norm", "learning_rate", "crops_per_second", "seconds", "data_wait_seconds"] {
                #expect(lines.allSatisfy { $0[key] != nil }, "\(key)")
            }
        }
    }

    @Test func learningRateWarmsUpAndFallsAlongACosine() throws {
        try withTemporaryFolder { folder in
            let run = try TrainingExample.run("run", in: folder)
            try train(ScriptedTask(), try configuration { ($0.steps, $0.warmup) = (60, 40) }, run)
            for line in try lines(run) {
                let step = try #require(line["step"]) - 1
                let expected = 0.1 * min(1, (step + 1) / 40) * 0.5 * (1 + cos(.pi * step / 60))
                #expect(abs(try #require(line["learning_rate"]) - expected) < 1e-7)
            }
            let constant = try TrainingExample.run("constant", in: folder)
            try train(ScriptedTask(), try configuration { ($0.warmup, $0.schedule) = (0, .constant) }, constant)
            #expect(try lines(constant).allSatisfy { abs(($0["learning_rate"] ?? 0) - 0.1) < 1e-7 })
        }
    }

    @Test func epochsCountImages() throws {
        let task = ScriptedTask()
        func steps(_ change: (inout TrainingConfiguration) -> Void) throws -> Int {
            TrainingLoop(try configuration(change), task: task, folder: RunFolder(URL(fileURLWithPath: "/nowhere"))).steps
        }
        #expect(try steps { ($0.steps, $0.epochs, $0.batchSize) = (nil, 8, 2) } == 24)
        #expect(try steps { ($0.steps, $0.epochs, $0.batchSize, $0.accumulate) = (nil, 8, 2, 3) } == 8)
        #expect(try steps { ($0.steps, $0.epochs, $0.batchSize) = (nil, 1, 100) } == 1)
        #expect(try steps { $0.epochs = nil } == 30)
    }

    @Test func accumulatedBatchesAreAveraged() throws {
        try withTemporaryFolder { folder in
            // Batches of alternating weight, two a step, against their mean.
            let (run, task) = (try TrainingExample.run("two", in: folder), ScriptedTask())
            task.factor = { $0 % 2 == 0 ? 0.5 : 1.5 }
            try train(task, try configuration { $0.accumulate = 2 }, run)
            #expect(task.batches == Array(0..<60))
            let (other, plain) = (try TrainingExample.run("one", in: folder), ScriptedTask())
            try train(plain, try configuration(), other)
            #expect(try summary(run).batchSize == 2 * summary(other).batchSize)
            for (line, expected) in try zip(lines(run), lines(other)) {
                #expect(abs(try #require(line["loss"]) - (try #require(expected["loss"]))) < 1e-5)
                #expect(abs(try #require(line["gradient_norm"]) - (try #require(expected["gradient_norm"]))) < 1e-5)
            }
        }
    }

    @Test func copiesOfTheLastCheckpointsAreKept() throws {
        try withTemporaryFolder { folder in
            let run = try TrainingExample.run("run", in: folder)
            try train(ScriptedTask(), try configuration { ($0.keepLast, $0.steps) = (2, 27) }, run)
            #expect(try contents(run.checkpoints) == ["last.safetensors", "step-00000025.safetensors", "step-00000027.safetensors"])
            #expect(try step(run.checkpoint(step: 25)) == 25)
            #expect(try Data(contentsOf: run.checkpoint(step: 27)) == Data(contentsOf: run.last))
        }
    }

    // MARK: - Validation

    @Test func theBestWeightsBecomeTheModel() throws {
        try withTemporaryFolder { folder in
            let run = try TrainingExample.run("run", in: folder)
            let task = ScriptedTask(validations: [0.9, 0.4, 0.6, 0.5])
            #expect(try train(task, try configuration { ($0.validateEvery, $0.steps) = (10, 35) }, run) == .finished)
            #expect(try summary(run).steps == 20 && summary(run).validationLoss == 0.4)
            #expect(try Data(contentsOf: run.model) == Data(contentsOf: run.best))
            let validations = try lines(run).filter { $0["validation_loss"] != nil }
            #expect(validations.map { $0["step"] } == [10, 20, 30, 35])
            #expect(validations.map { $0["validation_loss"] } == [0.9, 0.4, 0.6, 0.5])
            #expect(try contents(run.samples).count == 4)
        }
    }

    @Test func stopsWhenNothingGetsBetter() throws {
        try withTemporaryFolder { folder in
            let run = try TrainingExample.run("run", in: folder)
            let task = ScriptedTask(validations: [0.9, 0.5, 0.5, 0.6, 0.7, 0.1])
            let outcome = try train(task, try configuration { ($0.validateEvery, $0.patience, $0.saveEvery) = (4, 3, 100) }, run)
            #expect(outcome == .stoppedEarly(bestStep: 8))
            #expect(try step(run.last) == 20)
            #expect(try summary(run).steps == 8 && summary(run).validationLoss == 0.5)
        }
    }

    /// The count of validations without improvement goes on from a checkpoint.
    @Test func patienceOutlastsAnInterruption() throws {
        try withTemporaryFolder { folder in
            let run = try TrainingExample.run("run", in: folder)
            let configuration = try configuration { ($0.validateEvery, $0.patience) = (4, 3) }
            #expect(try train(ScriptedTask(validations: [0.9, 0.5, 0.5, 0.6]), configuration, run, stop: 17) == .interrupted)
            #expect(try train(ScriptedTask(validations: [0.7]), configuration, run) == .stoppedEarly(bestStep: 8))
            #expect(try step(run.last) == 20)
        }
    }

    // MARK: - Not to the end

    @Test func timeIsUp() throws {
        try withTemporaryFolder { folder in
            let run = try TrainingExample.run("run", in: folder)
            #expect(try train(ScriptedTask(), try configuration { $0.maxHours = 1e-12 }, run) == .timeIsUp)
            #expect(try step(run.last) == 1)
            #expect(try summary(run).steps == 1)
            // Time spent before counts too.
            let again = ScriptedTask()
            #expect(try train(again, try configuration { $0.maxHours = 1e-12 }, run) == .timeIsUp)
            #expect(again.batches == [1])
        }
    }

    @Test func interruptionSavesAndGoesOnToTheSameEnd() throws {
        try withTemporaryFolder { folder in
            let (run, whole) = (try TrainingExample.run("run", in: folder), try TrainingExample.run("whole", in: folder))
            let configuration = try configuration()
            #expect(try train(ScriptedTask(), configuration, run, stop: 7) == .interrupted)
            #expect(try step(run.last) == 7)
            #expect(try summary(run).steps == 7)
            let task = ScriptedTask()
            #expect(try train(task, configuration, run) == .finished)
            #expect(task.batches == Array(7..<30))
            #expect(try train(ScriptedTask(), configuration, whole) == .finished)
            try TrainingExample.expectSameFiles(run.model, whole.model)
            // A run that is done stays as it is.
            let done = ScriptedTask()
            #expect(try train(done, configuration, run) == .finished)
            #expect(done.batches.isEmpty)
            try TrainingExample.expectSameFiles(run.model, whole.model)
        }
    }

    @Test func whoeverAsksToStopAtTheEndIsDone() throws {
        try withTemporaryFolder { folder in
            let run = try TrainingExample.run("run", in: folder)
            #expect(try train(ScriptedTask(), try configuration(), run, stop: 30) == .finished)
        }
    }

    /// What was logged after the last checkpoint is logged anew, once.
    @Test func logGoesOnFromTheCheckpoint() throws {
        try withTemporaryFolder { folder in
            let run = try TrainingExample.run("run", in: folder)
            let configuration = try configuration { ($0.steps, $0.saveEvery, $0.maxSkipped) = (80, 30, 1) }
            let task = ScriptedTask()
            task.factor = { $0 == 52 ? .nan : 1 }
            #expect(throws: Failure.self) { try train(task, configuration, run) }
            #expect(try lines(run).map { $0["step"] } == [20, 40, 53])
            #expect(try step(run.last) == 30)
            try train(ScriptedTask(), configuration, run)
            #expect(try lines(run).map { $0["step"] } == [20, 40, 60, 80])
        }
    }

    // MARK: - Divergence

    /// Weights from which no step is finite any more.
    @Test func divergence() throws {
        try withTemporaryFolder { folder in
            let (run, task) = (try TrainingExample.run("run", in: folder), ScriptedTask())
            task.factor = { $0 >= 12 ? .infinity : 1 }
            let failure = try #require(throws: Failure.self) { try train(task, try configuration(), run) }
            #expect(failure.category == .diverged && failure.problem.contains("step 22") && failure.problem.contains("10 steps"), "\(failure)")
            #expect(failure.found?.contains("map21.fits") == true && failure.remedy?.contains("lower learning rate") == true)
            // What was good last stays, though a checkpoint was due since.
            #expect(try step(run.last) == 10)
            #expect(!FileManager.default.fileExists(atPath: run.model.path))
        }
    }

    /// A step is skipped with all that it would have changed, and named; the next one is taken as if nothing had been.
    @Test(arguments: [Float.nan, .infinity, 1e6]) func aBadBatchIsSkipped(_ factor: Float) throws {
        try withTemporaryFolder { folder in
            let (run, task) = (try TrainingExample.run("run", in: folder), ScriptedTask())
            task.factor = { $0 == 12 ? factor : 1 }
            var skipped: [SkippedStep] = []
            let configuration = try configuration { ($0.schedule, $0.warmup, $0.skipNorm) = (.constant, 0, 100) }
            let outcome = try TrainingLoop(configuration, task: task, folder: run).run(
                report: { if let step = $0.skipped { skipped.append(step) } }, shouldStop: { false })
            #expect(outcome == .finished && task.batches == Array(0..<30))
            #expect(skipped.map(\.step) == [13] && skipped[0].files == ["map12.fits"] && "\(skipped[0])".contains("step 13"))
            let text = try String(contentsOf: run.metrics, encoding: .utf8)
            #expect(text.contains(#""skipped_files":["map12.fits"]"#))
            let lines = try lines(run)
            #expect(lines.map { $0["step"] } == [13, 20, 30] && lines.map { $0["skipped_steps"] } == [nil, 1, 1])
            #expect(lines[1]["loss"]?.isFinite == true && abs((lines[1]["batch"] ?? 0) - (190.0 - 12) / 19) < 1e-9, "its parts count for nothing")

            // The same steps without it, but for the average, which counts steps.
            let (other, plain) = (try TrainingExample.run("plain", in: folder), ScriptedTask())
            var shorter = configuration
            shorter.steps = 29
            try train(plain, shorter, other)
            func weight(_ run: RunFolder) throws -> [Float] {
                let file = try SafetensorsFile(reading: run.last)
                return try ["weight", "first_moment", "second_moment"].map { try file.tensor(named: "\($0).layer.weight").item }
            }
            #expect(try weight(run) == weight(other))
        }
    }

    @Test func aCheckpointWaitsForAGoodStep() throws {
        try withTemporaryFolder { folder in
            let (run, whole) = (try TrainingExample.run("run", in: folder), try TrainingExample.run("whole", in: folder))
            func task() -> ScriptedTask {
                let task = ScriptedTask()
                task.factor = { (8...10).contains($0) ? .nan : 1 }
                return task
            }
            // Asked to stop in the midst of skipped steps, it saves after the next good one.
            #expect(try train(task(), try configuration { $0.saveEvery = 10 }, run, stop: 10) == .finished)
            let stopped = try TrainingExample.run("stopped", in: folder)
            var asked = false
            let outcome = try TrainingLoop(try configuration { $0.saveEvery = 10 }, task: task(), folder: stopped)
                .run(report: { asked = asked || $0.step == 10 }, shouldStop: { asked })
            #expect(try outcome == .interrupted && step(stopped.last) == 12)
            #expect(try train(task(), try configuration { $0.saveEvery = 10 }, stopped) == .finished)
            #expect(try train(task(), try configuration { $0.saveEvery = 10 }, whole) == .finished)
            try TrainingExample.expectSameFiles(stopped.model, whole.model)
            #expect(try lines(stopped).last?["skipped_steps"] == 3)
        }
    }

    @Test func tooManySkippedInAll() throws {
        try withTemporaryFolder { folder in
            let (run, task) = (try TrainingExample.run("run", in: folder), ScriptedTask())
            task.factor = { $0 % 3 == 2 ? .nan : 1 }
            let failure = try #require(throws: Failure.self) { try train(task, try configuration { $0.maxSkippedTotal = 4 }, run) }
            #expect(failure.category == .diverged && failure.problem.contains("step 12") && failure.problem.contains("4 in all"), "\(failure)")
        }
    }

    /// Over the steps of an extension warm-up and decay begin anew.
    @Test func scheduleOfFurtherSteps() throws {
        try withTemporaryFolder { folder in
            let run = try TrainingExample.run("run", in: folder)
            try train(ScriptedTask(), try configuration { ($0.steps, $0.warmup) = (40, 0) }, run)
            #expect(try run.stepsWhenOver(patience: 0) == 40)
            let further = try configuration { ($0.steps, $0.warmup, $0.scheduleStart) = (80, 10, 40) }
            #expect(try train(ScriptedTask(), further, run, stop: 50) == .interrupted)
            #expect(try run.stepsWhenOver(patience: 0) == nil)
            try train(ScriptedTask(), further, run)
            for line in try lines(run) where try #require(line["step"]) > 40 {
                let step = try #require(line["step"]) - 1 - 40
                #expect(abs(try #require(line["learning_rate"]) - 0.1 * min(1, (step + 1) / 10) * 0.5 * (1 + cos(.pi * step / 40))) < 1e-7)
            }
        }
    }

    /// What stopped for want of improvement gets its patience back.
    @Test func furtherStepsAfterAnEarlyStop() throws {
        try withTemporaryFolder { folder in
            let run = try TrainingExample.run("run", in: folder)
            var configuration = try configuration { ($0.validateEvery, $0.patience) = (4, 2) }
            #expect(try train(ScriptedTask(validations: [0.5, 0.6, 0.7]), configuration, run) == .stoppedEarly(bestStep: 4))
            #expect(try run.stepsWhenOver(patience: 2) == 12)
            (configuration.steps, configuration.scheduleStart) = (20, 12)
            #expect(try train(ScriptedTask(validations: [0.6, 0.4]), configuration, run) == .finished)
            #expect(try summary(run).steps == 20)
        }
    }

    // MARK: - Checkpoints that do not fit

    @Test func corruptCheckpoints() throws {
        try withTemporaryFolder { folder in
            let run = try TrainingExample.run("run", in: folder)
            try train(ScriptedTask(), try configuration(), run, stop: 7)
            let whole = try Data(contentsOf: run.last)
            func expectRefused(_ what: String) throws {
                let failure = try #require(throws: Failure.self, "\(what)") { try train(ScriptedTask(), try configuration(), run) }
                #expect(
                    failure.category == .badData && failure.location?.contains(run.last.path) == true && failure.remedy != nil, "\(what): \(failure)")
            }
            for count in [0, 7, 60, whole.count - 1] {
                try whole.prefix(count).write(to: run.last)
                try expectRefused("\(count) bytes")
            }
            try writeSafetensors([("weight.layer.weight", Tensor(zeros: [1]))], to: run.last)
            try expectRefused("no progress")
            for json in ["{", #"{"step": -1, "stale": 0, "seconds": 0}"#, #"{"step": "seven", "stale": 0, "seconds": 0}"#] {
                try writeSafetensors([("weight.layer.weight", Tensor(zeros: [1]))], metadata: ["sr.progress": json], to: run.last)
                try expectRefused(json)
            }
            let progress = ["sr.progress": #"{"step": 7, "stale": 0, "seconds": 1}"#]
            let parts = ["weight", "average", "first_moment", "second_moment"]
            for part in parts {
                func tensors(_ value: (String) -> Tensor?) -> [(name: String, tensor: Tensor)] {
                    parts.compactMap { part in value(part).map { ("\(part).layer.weight", $0) } }
                }
                try writeSafetensors(tensors { $0 == part ? nil : Tensor(zeros: [1]) }, metadata: progress, to: run.last)
                try expectRefused("\(part) is missing")
                try writeSafetensors(tensors { Tensor(zeros: [$0 == part ? 2 : 1]) }, metadata: progress, to: run.last)
                try expectRefused("\(part) of another network")
            }
        }
    }
}
