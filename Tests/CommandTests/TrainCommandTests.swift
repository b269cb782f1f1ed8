import Foundation
import Testing

/// `sr train` as a user runs it: stopping, resuming, what is printed and what is written.
@Suite struct TrainCommandTests {
    private static let steps = 60

    /// A training long enough to be stopped halfway.
    private func arguments(_ output: URL, _ more: String...) throws -> [String] {
        let maps = try TinyModels.shared.get().maps
        return [
            "train", maps.path, "--model", "vqgan", "--preset", "tiny", "--steps", "\(Self.steps)", "--save-every", "10", "--validate-every", "20",
            "--crop-size", "64", "--threads", "1", "--output", output.path,
        ] + more
    }

    private static let wholeFolder = FileManager.default.temporaryDirectory
        .appendingPathComponent("sr-whole-run-\(ProcessInfo.processInfo.processIdentifier)")

    /// The same training in one go.
    private static let whole: Result<URL, any Error> = Result {
        atexit { try? FileManager.default.removeItem(at: TrainCommandTests.wholeFolder) }
        let result = try sr(try TrainCommandTests().arguments(wholeFolder, "--quiet"))
        try #require(result.status == 0 && result.output.isEmpty && result.errors.isEmpty, "\(result)")
        return wholeFolder
    }

    private func run(_ folder: URL) -> (model: URL, metrics: URL, last: URL) {
        (
            folder.appendingPathComponent("model.safetensors"), folder.appendingPathComponent("metrics.jsonl"),
            folder.appendingPathComponent("checkpoints/last.safetensors")
        )
    }

    /// Lines of the log without what depends on the clock.
    private func metrics(_ folder: URL, keepingClock: Bool = false) throws -> [[String: Double]] {
        try String(contentsOf: run(folder).metrics, encoding: .utf8).split(separator: "\n")
            .map {
                try JSONDecoder().decode([String: Double].self, from: Data($0.utf8))
                    .filter { keepingClock || !["seconds", "crops_per_second", "data_wait_seconds"].contains($0.key) }
            }
    }

    private func expectSameAsWhole(_ folder: URL) throws {
        let whole = try Self.whole.get()
        #expect(try Data(contentsOf: run(folder).model) == Data(contentsOf: run(whole).model), "the models differ")
        let (own, expected) = (try metrics(folder), try metrics(whole))
        #expect(own == expected)
        #expect(expected.compactMap { $0["loss"] == nil ? nil : $0["step"] } == [20, 40, 60])
        #expect(expected.compactMap { $0["validation_loss"] == nil ? nil : $0["step"] } == [20, 40, 60])
        #expect(expected.compactMap { $0["discriminator"] == nil ? nil : $0["step"] } == [40, 60], "the discriminator learns too")
    }

    /// Starts a training and sends it a signal once a checkpoint is there, again if it was too quick.
    private func interrupted(_ folder: URL, _ signal: Int32, whenExists name: String) throws -> SRProcess.Result {
        var result: SRProcess.Result
        var attempts = 0
        repeat {
            let process = try SRProcess(try arguments(folder, "--keep-last", "9", "--overwrite"))
            let file = folder.appendingPathComponent("checkpoints/\(name).safetensors")
            while process.isRunning, !FileManager.default.fileExists(atPath: file.path) { usleep(2000) }
            process.send(signal)
            result = try process.result()
            attempts += 1
        } while result.status == 0 && attempts < 5
        return result
    }

    @Test func goesOnAfterBeingKilled() throws {
        try withFolder { folder in
            let output = folder.appendingPathComponent("run")
            let killed = try interrupted(output, SIGKILL, whenExists: "step-00000030")
            #expect(killed.status == Int(-SIGKILL), "\(killed)")
            #expect(!FileManager.default.fileExists(atPath: run(output).model.path), "there is a model before the end")
            let resumed = try sr(["train", try TinyModels.shared.get().maps.path, "--output", output.path, "--resume", "--quiet", "--threads", "1"])
            #expect(resumed.status == 0 && resumed.errors.isEmpty, "\(resumed)")
            try expectSameAsWhole(output)
        }
    }

    @Test func savesWhenInterrupted() throws {
        try withFolder { folder in
            let output = folder.appendingPathComponent("run")
            let interrupted = try interrupted(output, SIGINT, whenExists: "step-00000010")
            #expect(interrupted.status == 130, "\(interrupted)")
            #expect(interrupted.errorLines.last?.contains("interrupted; saved") == true && interrupted.errors.contains("--resume"), "\(interrupted)")
            // A run that was ended by a signal later leaves a model for `infer`, one killed need not.
            #expect(FileManager.default.fileExists(atPath: run(output).model.path))
            let resumed = try sr(["train", try TinyModels.shared.get().maps.path, "--output", output.path, "--resume", "--quiet", "--threads", "1"])
            #expect(resumed.status == 0, "\(resumed)")
            try expectSameAsWhole(output)
        }
    }

    /// With no map kept in memory every crop is read from its file.
    @Test func memoryDoesNotChangeABit() throws {
        try withFolder { folder in
            let output = folder.appendingPathComponent("run")
            let result = try sr(try arguments(output, "--memory", "0B"))
            #expect(result.status == 0 && result.errors.contains("% of the time spent waiting for data"), "\(result)")
            try expectSameAsWhole(output)
            for line in try metrics(output, keepingClock: true) where line["loss"] != nil {
                #expect(line["data_wait_seconds"].map { $0 >= 0 } == true, "\(line)")
            }
        }
    }

    /// The end of a terminal, a batch system's warning and the limit of processor time, which may come more than once.
    @Test(arguments: [SIGHUP, SIGUSR1, SIGXCPU]) func savesOnOtherSignals(_ signal: Int32) throws {
        try withFolder { folder in
            let output = folder.appendingPathComponent("run")
            let process = try SRProcess(try arguments(output, "--keep-last", "9", "--steps", "100000"))
            let file = output.appendingPathComponent("checkpoints/step-00000010.safetensors")
            while process.isRunning, !FileManager.default.fileExists(atPath: file.path) { usleep(2000) }
            for _ in 0..<2 { process.send(signal) }
            let result = try process.result()
            #expect(result.status == 130 && result.errorLines.last?.contains("interrupted; saved") == true, "\(result)")
            #expect(FileManager.default.fileExists(atPath: run(output).model.path))
        }
    }

    @Test func aFolderIsOfOneRunAtATime() throws {
        let maps = try TinyModels.shared.get().maps
        try withFolder { folder in
            let output = folder.appendingPathComponent("run")
            let process = try SRProcess(try arguments(output, "--steps", "100000"))
            while process.isRunning, !FileManager.default.fileExists(atPath: run(output).last.path) { usleep(2000) }
            let words = [output.path, "another run writes to this folder"]
            expectRefusal(try sr(["train", maps.path, "--output", output.path, "--resume", "--no-progress"]), 73, words)
            expectRefusal(try sr(try arguments(output, "--overwrite")), 73, words)
            #expect(process.isRunning && FileManager.default.fileExists(atPath: run(output).last.path))
            // The dead hold nothing.
            process.send(SIGKILL)
            _ = try process.result()
            let resumed = try sr(["train", maps.path, "--output", output.path, "--resume", "--steps", "20", "--quiet"])
            #expect(resumed.status == 0, "\(resumed)")
        }
    }

    @Test func damagedRunsDoNotGoOn() throws {
        let maps = try TinyModels.shared.get().maps
        try withFolder { folder in
            let (output, others) = (folder.appendingPathComponent("run"), folder.appendingPathComponent("others"))
            #expect(try sr(try arguments(output, "--steps", "20", "--quiet")).status == 0)
            func resume(_ data: URL) throws -> SRProcess.Result {
                try sr(["train", data.path, "--output", output.path, "--resume", "--steps", "21", "--no-progress"])
            }
            try TestMap.writeHigh(to: others, count: 4)
            expectRefusal(try resume(others), 65, [run(output).last.path, "not those that the run began with", "1 new: map4.fits"])

            let last = try Data(contentsOf: run(output).last)
            var bytes = last
            bytes[bytes.count - 3] ^= 1
            try bytes.write(to: run(output).last)
            expectRefusal(try resume(maps), 65, [run(output).last.path, "the checkpoint is damaged", "best.safetensors", "--overwrite"])
            try FileManager.default.removeItem(at: run(output).last)
            expectRefusal(try resume(maps), 66, [run(output).last.path, "is gone", "best.safetensors", "--overwrite"])
            try last.write(to: run(output).last)
            #expect(try resume(maps).status == 0)
        }
    }

    @Test func runFolderHoldsWhatItShould() throws {
        let whole = try Self.whole.get()
        for name in [
            "config.yaml", "metrics.jsonl", "curve.png", "model.safetensors", "checkpoints/last.safetensors", "checkpoints/best.safetensors",
        ] {
            #expect(FileManager.default.fileExists(atPath: whole.appendingPathComponent(name).path), "\(name) is missing")
        }
        #expect(!files(under: whole.appendingPathComponent("samples")).isEmpty)
        #expect(!files(under: whole).contains { $0.hasSuffix(".partial") })
    }

    @Test func runsAreNotReplacedUnasked() throws {
        let maps = try TinyModels.shared.get().maps
        try withFolder { folder in
            let command = [
                "train", maps.path, "--model", "vqgan", "--preset", "tiny", "--crop-size", "32", "--steps", "1", "--quiet", "--output", folder.path,
            ]
            #expect(try sr(command).status == 0)
            let before = try Data(contentsOf: run(folder).model)
            expectRefusal(try sr(command), 73, [folder.path, "a run is there already", "--resume", "--overwrite"])
            #expect(try Data(contentsOf: run(folder).model) == before)
            #expect(try sr(command + ["--overwrite", "--seed", "2"]).status == 0)
            #expect(try Data(contentsOf: run(folder).model) != before)
            expectRefusal(
                try sr(["train", maps.path, "--output", folder.path, "--resume", "--model", "ldm-residual"]), 64, ["--model cannot change"])
        }
        try withFolder { folder in
            expectRefusal(try sr(["train", maps.path, "--output", folder.path, "--resume"]), 66, [folder.path, "no run to resume"], output: folder)
        }
    }

    @Test func progressIsPlainWithoutTerminal() throws {
        try withFolder { folder in
            let result = try sr(try arguments(folder, "--overwrite", "--steps", "5"))
            #expect(result.status == 0 && result.output.isEmpty, "\(result)")
            #expect(result.errors.contains("train 100% step 5/5") && result.errors.contains("loss") && result.errors.contains("done: "), "\(result)")
            #expect(result.errors.contains(#/validation [^ ]+, [0-9]+ MiB/#), "memory: \(result)")
            for word in ["best: step 5, score", "rmse, lpips", "on 2 validation crops: PSNR", "model: ", "next: sr train DATA --model ldm-residual"] {
                #expect(result.errors.contains(word), "\(word): \(result)")
            }
            #expect(!result.errors.unicodeScalars.contains { $0.value < 0x20 && $0 != "\n" }, "escape codes or carriage returns: \(result)")
        }
    }

    @Test func configurationIsPrintedAndReadAgain() throws {
        let maps = try TinyModels.shared.get().maps
        try withFolder { folder in
            let output = folder.appendingPathComponent("run")
            let command = ["train", maps.path, "--output", output.path, "--print-config"]
            let first = try sr(command + ["--model", "ldm-residual", "--preset", "tiny", "--steps", "77", "--learning-rate", "0.002"])
            #expect(first.status == 0 && first.errors.isEmpty && first.output.contains("steps: 77\n"), "\(first)")
            let file = folder.appendingPathComponent("c.yaml")
            try Data(first.output.utf8).write(to: file)
            let second = try sr(command + ["--config", file.path])
            #expect(second.output == first.output, "\(second)")
            // What stands on the command line goes before the file.
            let third = try sr(command + ["--config", file.path, "--steps", "78"])
            #expect(third.output == first.output.replacing("steps: 77\n", with: "steps: 78\n"), "\(third)")
            #expect(files(under: folder) == ["c.yaml"])
        }
    }

    @Test func dryRunWritesNothing() throws {
        try withFolder { folder in
            let output = folder.appendingPathComponent("run")
            let result = try sr(try arguments(output, "--dry-run", "--quiet"))
            #expect(result.status == 0 && result.errors.isEmpty, "\(result)")
            for word in ["encoder.conv_in.weight", "parameters   ", "memory", "60 steps"] { #expect(result.output.contains(word), "\(result)") }
            let memory = try #require(result.output.firstMatch(of: #/memory +([0-9]+) MiB of tensors at most \(estimated before: ([0-9]+) MiB\)/#))
            let (found, estimated) = (try #require(Double(memory.1)), try #require(Double(memory.2)))
            #expect(estimated > 0.7 * found && estimated < 1.5 * found + 8, "\(result)")
            #expect(!FileManager.default.fileExists(atPath: output.path))
        }
    }

    @Test func whatDoesNotFitIntoMemoryIsRefused() throws {
        try withFolder { folder in
            let output = folder.appendingPathComponent("run")
            let result = try sr(try arguments(output, "--batch-size", "4096", "--crop-size", "4096", "--no-progress"))
            expectRefusal(result, 78, ["will not fit into memory", "4096 crops of 4096 × 4096", "--micro-batch"], output: output)
        }
    }

    /// Pixels without a number hold no data and count for nothing; a file with what is no field is left out by name when it is read; a step beyond the limit is
    /// named too.
    @Test func filesWithBadPixels() throws {
        try withFolder { folder in
            let (maps, output) = (folder.appendingPathComponent("maps"), folder.appendingPathComponent("run"))
            try TestMap.writeHigh(to: maps, count: 1)
            for (number, value) in [(2, Float.nan), (3, 3e4)] {
                try TestMap.write(to: maps.appendingPathComponent("map\(number).fits"), side: 64, arcsec: 0.504, number: number) { image, _ in
                    for x in 0..<20 { image[x, 30] = value }
                }
            }
            let command = [
                "train", maps.path, "--model", "enhance", "--preset", "tiny", "--crop-size", "32", "--steps", "20", "--validate-every", "0",
                "--no-progress",
                "--output", output.path,
            ]
            let all = try sr(command)
            #expect(all.status == 0 && !all.errors.contains("skipped"), "\(all)")
            for word in ["left out", "map3.fits", "no solar magnetic field", "make NaN of values"] { #expect(all.errors.contains(word), "\(all)") }
            try FileManager.default.removeItem(at: maps.appendingPathComponent("map3.fits"))
            let result = try sr(command + ["--overwrite"])
            #expect(result.status == 0 && !result.errors.contains("skipped") && !result.errors.contains("left out"), "\(result)")
            let limited = try sr(command + ["--skip-norm", "1e-9", "--max-skipped", "3", "--overwrite"])
            expectRefusal(limited, 70, ["at step 3", "at most 1e-09", "map"])
            #expect(limited.errors.contains("warning: step 1 was skipped") && limited.errors.contains("of crops of map"), "\(limited)")
        }
    }

    @Test func divergenceIsNamed() throws {
        try withFolder { folder in
            let result = try sr(try arguments(folder, "--learning-rate", "1e30", "--clip-norm", "0", "--warmup", "0", "--no-progress"))
            expectRefusal(result, 70, ["training diverged at step", "10 steps were skipped one after the other", "map", "lower learning rate"])
            #expect(result.errors.contains("warning: step") && result.errors.contains("was skipped"), "\(result)")
            let log = try String(contentsOf: run(folder).metrics, encoding: .utf8)
            #expect(log.components(separatedBy: "skipped_files").count == 11, "\(log)")
        }
    }
}
