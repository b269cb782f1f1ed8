import Foundation
import Testing

/// Runs of several systems that are killed and go on: the same model to the last bit.
@Suite struct ResumeCommandTests {
    /// 60 steps of a system, and a checkpoint kept of every tenth.
    private func arguments(_ system: String, _ folder: URL) throws -> (command: [String], data: String) {
        let models = try TinyModels.shared.get()
        let common = [
            "--steps", "60", "--save-every", "10", "--validate-every", "20", "--crop-size", "32", "--batch-size", "2", "--keep-last", "9",
            "--threads",
            "1",
        ]
        guard system == "finetune" else {
            let autoencoder = system == "ldm-residual" ? ["--autoencoder", models.autoencoder.path] : []
            return (["train", models.maps.path, "--model", system, "--preset", "tiny"] + autoencoder + common, models.maps.path)
        }
        let pairs = folder.appendingPathComponent("pairs")
        let result = try sr([
            "prepare", models.maps.path, "--simulate", "mdi", "--split", "1,0,0", "--split-by", "file", "--output", pairs.path, "--quiet",
        ])
        try #require(result.status == 0, "\(result)")
        return (["finetune", pairs.path, "--from", models.model.path] + common, pairs.path)
    }

    @Test(arguments: ["ldm-residual", "enhance", "finetune"]) func goesOnAfterBeingKilled(_ system: String) throws {
        try withFolder { folder in
            let (command, data) = try arguments(system, folder)
            let (whole, killed) = (folder.appendingPathComponent("whole"), folder.appendingPathComponent("killed"))
            let result = try sr(command + ["--output", whole.path, "--quiet"])
            try #require(result.status == 0 && result.errors.isEmpty, "\(result)")

            var status = 0
            for _ in 0..<5 where status == 0 {
                let process = try SRProcess(command + ["--output", killed.path, "--overwrite", "--no-progress"])
                let file = killed.appendingPathComponent("checkpoints/step-00000030.safetensors")
                while process.isRunning, !FileManager.default.fileExists(atPath: file.path) { usleep(1000) }
                process.send(SIGKILL)
                status = try process.result().status
            }
            try #require(status == Int(-SIGKILL))
            let resumed = try sr([command[0], data, "--output", killed.path, "--resume", "--quiet", "--threads", "1"])
            #expect(resumed.status == 0 && resumed.errors.isEmpty, "\(resumed)")
            for name in ["model.safetensors", "checkpoints/best.safetensors"] + (system == "finetune" ? ["adapter.safetensors"] : []) {
                let (own, expected) = (
                    try? Data(contentsOf: killed.appendingPathComponent(name)), try? Data(contentsOf: whole.appendingPathComponent(name))
                )
                #expect(own == expected && (own != nil || system == "finetune"), "\(name) differs")
            }
            func lines(_ run: URL) throws -> [[String: Double]] {
                try String(contentsOf: run.appendingPathComponent("metrics.jsonl"), encoding: .utf8).split(separator: "\n").map {
                    try JSONDecoder().decode([String: Double].self, from: Data($0.utf8)).filter {
                        !["seconds", "crops_per_second", "data_wait_seconds"].contains($0.key)
                    }
                }
            }
            #expect(try lines(killed) == lines(whole))
        }
    }

    @Test func furtherSteps() throws {
        let maps = try TinyModels.shared.get().maps
        try withFolder { folder in
            let run = folder.appendingPathComponent("run")
            let train = ["train", maps.path, "--output", run.path, "--threads", "1"]
            func resume(_ options: String...) throws -> SRProcess.Result { try sr(train + ["--resume", "--no-progress"] + options) }
            func configuration() throws -> String { try String(contentsOf: run.appendingPathComponent("config.yaml"), encoding: .utf8) }
            func steps() throws -> Double? {
                try String(contentsOf: run.appendingPathComponent("metrics.jsonl"), encoding: .utf8).split(separator: "\n").compactMap {
                    try JSONDecoder().decode([String: Double].self, from: Data($0.utf8))["step"]
                }.max()
            }
            let new = ["--model", "enhance", "--preset", "tiny", "--crop-size", "32", "--batch-size", "1", "--steps", "8", "--validate-every", "4"]
            #expect(try sr(train + new + ["--quiet"]).status == 0)
            expectRefusal(try sr(train + new + ["--steps", "+4", "--overwrite"]), 64, ["--steps +N belongs to --resume"])

            #expect(try resume("--steps", "+4").status == 0)
            #expect(try steps() == 12 && configuration().contains("steps: 12\n") && configuration().contains("schedule-start: 8\n"))
            // What is noted holds for the next time.
            #expect(try resume().status == 0 && steps() == 12)
            #expect(try resume("--steps", "+3", "--save-every", "1", "--max-hours", "1e-9").status == 0)
            #expect(try steps() == 12 && configuration().contains("steps: 15\n"), "the time was up before a line of the log")
            // A run that has not come to its end goes on to it: the same command again, as after a requeue, adds nothing.
            let again = try resume("--steps", "+3", "--max-hours", "1")
            #expect(try again.status == 0 && steps() == 15 && configuration().contains("schedule-start: 12\n"), "\(again)")
            #expect(again.errors.contains("has not come to its end") && again.errors.contains("best: step"), "\(again)")
        }
    }

    @Test func changedSettings() throws {
        let maps = try TinyModels.shared.get().maps
        try withFolder { folder in
            let train = ["train", maps.path, "--output", folder.appendingPathComponent("run").path, "--no-progress"]
            let new = ["--model", "enhance", "--preset", "tiny", "--crop-size", "32", "--batch-size", "1", "--steps", "4"]
            #expect(try sr(train + new).status == 0)
            expectRefusal(try sr(train + ["--resume", "--batch-size", "2"]), 78, ["batch-size: 1", "batch-size: 2", "--from"])
            expectRefusal(
                try sr(train + ["--resume", "--convolution", "patches"]), 78, ["convolution", "--convolution fastest", "--accept-changes"])
            let accepted = try sr(train + ["--resume", "--convolution", "patches", "--accept-changes", "--steps", "5", "--learning-rate", "0.0005"])
            #expect(accepted.status == 0 && accepted.errors.contains("warning: the convolution is not"), "\(accepted)")
            #expect(accepted.errors.contains("learning-rate is 0.0005 from here on"), "\(accepted)")
            expectRefusal(try sr(train + new + ["--overwrite", "--accept-changes"]), 64, ["--accept-changes belongs to --resume"])
        }
    }

    /// As Slurm ends a job: its warning goes to the script alone, which passes it on and has the job queued again; the next one goes on.
    @Test func aJobThatIsQueuedAgain() throws {
        let maps = try TinyModels.shared.get().maps
        try withFolder { folder in
            let (run, tools) = (folder.appendingPathComponent("run"), folder.appendingPathComponent("tools"))
            try FileManager.default.createDirectory(at: tools, withIntermediateDirectories: true)
            let program = try #require(SRProcess.program, "sr is not built beside the tests")
            for (name, command) in [("sr", "exec '\(program.path)' \"$@\""), ("scontrol", "echo \"$@\" >> '\(folder.path)/queued'")] {
                let tool = tools.appendingPathComponent(name)
                try Data("#!/bin/sh\n\(command)\n".utf8).write(to: tool)
                try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: tool.path)
            }
            let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
                .appendingPathComponent("Scripts/train.sbatch")
            func job() throws -> SRProcess {
                try SRProcess(
                    [
                        maps.path, run.path, "--model", "enhance", "--preset", "tiny", "--crop-size", "32", "--steps", "1000000", "--save-every",
                        "10",
                        "--no-progress",
                    ], script: script,
                    environment: ["PATH": "\(tools.path):/usr/bin:/bin", "SLURM_JOB_ID": "42"])
            }
            /// A log that has begun: the first one's, or that of one more process.
            func waitForLogs(_ count: Int, _ process: SRProcess) {
                while process.isRunning, files(under: run).count(where: { $0.hasPrefix("events.") }) < count { usleep(2000) }
            }
            let first = try job()
            waitForLogs(1, first)
            first.send(SIGUSR1)
            let warned = try first.result()
            #expect(warned.status == 130 && warned.errors.contains("interrupted; saved"), "\(warned)")
            let queued = folder.appendingPathComponent("queued")
            #expect(try String(contentsOf: queued, encoding: .utf8) == "requeue 42\n")

            let second = try job()
            waitForLogs(2, second)
            second.send(SIGTERM)
            let cancelled = try second.result()
            #expect(cancelled.status == 130 && cancelled.errors.contains("interrupted; saved"), "\(cancelled)")
            #expect(try String(contentsOf: queued, encoding: .utf8) == "requeue 42\n", "a job that is cancelled stays so")
        }
    }
}
