import Foundation
import TensorCore
import Testing

/// The launcher, where it is installed.
private let mpirun: String? = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map { "\($0)/mpirun" }
    .first { FileManager.default.isExecutableFile(atPath: $0) }

/// Training by several processes that `mpirun` starts: the same weights as by one, whatever happens to them.
@Suite(.serialized, .enabled(if: mpirun != nil, "there is no mpirun here: install openmpi-bin")) struct RanksCommandTests {
    /// Starts ranks of one thread each, on however many processors there are.
    private func start(_ ranks: Int, _ arguments: [String]) throws -> SRProcess {
        let options = ["--oversubscribe", "--bind-to", "none", "-n", "\(ranks)"] + (getuid() == 0 ? ["--allow-run-as-root"] : [])
        // Within one computer, without a word on network cards that it has not, and without reading each other's memory, which containers forbid.
        let environment = [
            "OMPI_MCA_btl": "self,vader", "OMPI_MCA_mca_base_component_show_load_errors": "0", "OMPI_MCA_btl_vader_single_copy_mechanism": "none",
        ]
        return try SRProcess(arguments, environment: environment, launcher: [try #require(mpirun)] + options)
    }

    /// Trains to the end, without a launcher for 0 ranks.
    private func train(_ ranks: Int, _ arguments: [String]) throws {
        let result = ranks == 0 ? try sr(arguments) : try start(ranks, arguments).result()
        try #require(result.status == 0 && result.output.isEmpty && result.errors.isEmpty, "\(ranks) ranks: \(result)")
    }

    private func file(_ run: URL, _ name: String) -> URL { run.appendingPathComponent(name) }

    /// Expects the same model, and the same state in the last checkpoint: weights, buffers, averages and moments, and what the maps are.
    private func expectSame(_ run: URL, _ other: URL, sourceLocation: SourceLocation = #_sourceLocation) throws {
        for name in ["model.safetensors", "adapter.safetensors"] where FileManager.default.fileExists(atPath: file(other, name).path) {
            #expect(try Data(contentsOf: file(run, name)) == Data(contentsOf: file(other, name)), "\(name) differs", sourceLocation: sourceLocation)
        }
        let (own, expected) = (
            try SafetensorsFile(reading: file(run, "checkpoints/last.safetensors")),
            try SafetensorsFile(reading: file(other, "checkpoints/last.safetensors"))
        )
        #expect(own.shapes == expected.shapes, sourceLocation: sourceLocation)
        // What any rank has read, all know.
        #expect(own.metadata["sr.data"] == expected.metadata["sr.data"] && own.metadata["sr.data"] != nil, sourceLocation: sourceLocation)
        for name in expected.shapes.keys {
            let bits = try [own, expected].map { try $0.tensor(named: name).values.map(\.bitPattern) }
            #expect(bits[0] == bits[1], "\(name) differs", sourceLocation: sourceLocation)
        }
    }

    private static let short = [
        "--steps", "4", "--batch-size", "4", "--micro-batch", "1", "--crop-size", "32", "--validate-every", "2", "--save-every", "2", "--threads",
        "1",
        "--quiet",
    ]

    /// All systems, with what they have of their own: a discriminator and a codebook, batch statistics, low-rank adapters, two stages.
    @Test(arguments: ["vqgan", "ldm-residual", "ldm", "ddpm-residual", "enhance", "progressive", "corrdiff", "finetune"])
    func weightsDoNotDependOnTheNumberOfRanks(_ system: String) throws {
        let models = try TinyModels.shared.get()
        try withFolder { folder in
            var arguments = ["train", models.maps.path, "--model", system, "--preset", "tiny"]
            var more = Self.short
            switch system {
            case "vqgan":
                let configuration = folder.appendingPathComponent("c.yaml")
                try Data("loss: {adversarial-start: 1, revival: 2}\n".utf8).write(to: configuration)
                more += ["--config", configuration.path]
            case "ldm-residual", "ldm": more += ["--autoencoder", models.autoencoder.path]
            case "corrdiff": more += ["--regression-steps", "3"]
            case "finetune":
                let pairs = folder.appendingPathComponent("pairs")
                let result = try sr([
                    "prepare", models.maps.path, "--simulate", "mdi", "--split", "1,0,0", "--split-by", "file", "--output", pairs.path, "--quiet",
                ])
                try #require(result.status == 0, "\(result)")
                arguments = ["finetune", pairs.path, "--from", models.model.path]
            default: break
            }
            let runs = [0, 2, 4].map { ($0, folder.appendingPathComponent("ranks\($0)")) }
            for (ranks, run) in runs { try train(ranks, arguments + ["--output", run.path] + more) }
            for (_, run) in runs.dropFirst() { try expectSame(run, runs[0].1) }
            if system == "corrdiff" { try expectSame(file(runs[1].1, "regression"), file(runs[0].1, "regression")) }
            #expect(try String(contentsOf: file(runs[1].1, "config.yaml"), encoding: .utf8).contains("\nranks: 2\n"))
            let log = try String(contentsOf: file(runs[1].1, "metrics.jsonl"), encoding: .utf8)
            #expect(log.contains("\"exchange_seconds\":") && log.contains("\"exchange_wait_seconds\":"))
        }
    }

    /// Whether a step is skipped is found by all from the sum: revived codes, running statistics and both optimisers stay as they were, and its files are named.
    @Test func ranksSkipTheSameSteps() throws {
        let maps = try TinyModels.shared.get().maps
        try withFolder { folder in
            let configuration = file(folder, "c.yaml")
            try Data("loss: {adversarial-start: 1, revival: 2}\n".utf8).write(to: configuration)
            let arguments = ["train", maps.path, "--model", "vqgan", "--preset", "tiny", "--config", configuration.path] + Self.short
            func lines(_ run: URL) throws -> [[String: Any]] {
                try String(contentsOf: file(run, "metrics.jsonl"), encoding: .utf8).split(separator: "\n").compactMap {
                    try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any]
                }
            }
            // The limit is the norm of the first step, which some of the others exceed.
            let first = file(folder, "first")
            try train(0, arguments + ["--steps", "1", "--output", first.path])
            let norm = try #require(try lines(first).compactMap { $0["gradient_norm"] as? Double }.last)
            let runs = [0, 2].map { ($0, file(folder, "ranks\($0)")) }
            for (ranks, run) in runs { try train(ranks, arguments + ["--save-every", "1", "--skip-norm", "\(norm)", "--output", run.path]) }
            try expectSame(runs[1].1, runs[0].1)
            let skipped = try runs.map { try lines($0.1).filter { $0["skipped_loss"] != nil } }
            #expect(
                (1...3).contains(skipped[0].count) && skipped[0].allSatisfy { ($0["skipped_files"] as? [String])?.isEmpty == false }, "\(skipped)")
            #expect(NSArray(array: skipped[0]) == NSArray(array: skipped[1]), "\(skipped)")
        }
    }

    /// A run that was begun without a launcher is not cut otherwise when it goes on.
    @Test func microBatchesStayAsTheyWere() throws {
        let maps = try TinyModels.shared.get().maps
        try withFolder { folder in
            let run = file(folder, "run")
            let arguments = ["train", maps.path, "--model", "enhance", "--preset", "tiny", "--batch-size", "2", "--steps", "2", "--threads", "1"]
            try train(0, arguments + ["--quiet", "--output", run.path])
            let more = ["train", maps.path, "--resume", "--steps", "4", "--threads", "1", "--no-progress", "--output", run.path]
            var result = try start(2, more).result()
            #expect(result.status == 64 && result.errors.contains("more ranks than micro-batches"), "\(result)")
            result = try start(2, more + ["--micro-batch", "1"]).result()
            #expect(result.status == 78 && result.errors.contains("micro-batch: none"), "\(result)")
        }
    }

    /// Shares of unequal size, in batches that are accumulated and do not divide evenly.
    @Test func sharesMayBeUneven() throws {
        let maps = try TinyModels.shared.get().maps
        try withFolder { folder in
            let arguments = [
                "train", maps.path, "--model", "enhance", "--preset", "tiny", "--steps", "3", "--batch-size", "5", "--micro-batch", "2",
                "--accumulate", "2",
                "--crop-size", "32", "--validate-every", "0", "--threads", "1", "--quiet", "--output",
            ]
            let runs = [0, 3, 5].map { ($0, folder.appendingPathComponent("ranks\($0)")) }
            for (ranks, run) in runs { try train(ranks, arguments + [run.path]) }
            for (_, run) in runs.dropFirst() { try expectSame(run, runs[0].1) }
        }
    }

    private static let wholeFolder = FileManager.default.temporaryDirectory
        .appendingPathComponent("sr-whole-ranks-\(ProcessInfo.processInfo.processIdentifier)")

    /// A training long enough to be stopped halfway.
    private func arguments(_ run: URL, _ more: String...) throws -> [String] {
        [
            "train", try TinyModels.shared.get().maps.path, "--model", "enhance", "--preset", "tiny", "--steps", "60", "--batch-size", "4",
            "--micro-batch", "1",
            "--crop-size", "64", "--save-every", "10", "--keep-last", "9", "--validate-every", "30", "--threads", "1", "--no-progress", "--output",
            run.path,
        ] + more
    }

    private static let whole: Result<URL, any Error> = Result {
        atexit { try? FileManager.default.removeItem(at: RanksCommandTests.wholeFolder) }
        let result = try sr(try RanksCommandTests().arguments(wholeFolder, "--quiet"))
        try #require(result.status == 0, "\(result)")
        return wholeFolder
    }

    /// Starts ranks and does something to them once the second checkpoint is there.
    private func disturbed(_ ranks: Int, _ run: URL, _ disturb: (SRProcess) throws -> Void) throws -> SRProcess.Result {
        let process = try start(ranks, try arguments(run))
        while process.isRunning, !FileManager.default.fileExists(atPath: file(run, "checkpoints/step-00000020.safetensors").path) { usleep(2000) }
        try disturb(process)
        return try process.result()
    }

    /// What the launcher hands on is noted by ranks at different steps; they stop after the same one. Another number of ranks goes on.
    @Test func ranksStopTogether() throws {
        try withFolder { folder in
            let run = file(folder, "run")
            let result = try disturbed(2, run) { $0.send(SIGUSR1) }
            #expect(result.status == 130 && result.errors.contains("interrupted; saved"), "\(result)")
            #expect(result.errors.components(separatedBy: "interrupted; saved").count == 2, "one rank tells: \(result)")
            try train(0, ["train", try TinyModels.shared.get().maps.path, "--output", run.path, "--resume", "--threads", "1", "--quiet"])
            try expectSame(run, try Self.whole.get())
        }
    }

    /// The processes that another one started.
    private func children(of parent: Int32) -> [pid_t] {
        ((try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []).compactMap { pid_t($0) }.filter { process in
            // "12 (name) S 3 …"; a name may hold spaces.
            let status = (try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)) ?? ""
            return status.split(separator: ")").last?.split(separator: " ").dropFirst().first.flatMap { Int32($0) } == parent
        }.sorted()
    }

    @Test(arguments: [0, 1]) func goesOnAfterARankWasKilled(_ rank: Int) throws {
        try withFolder { folder in
            let run = file(folder, "run")
            let result = try disturbed(2, run) { process in
                let ranks = children(of: process.identifier)
                try #require(ranks.count == 2, "mpirun starts the ranks itself")
                kill(ranks[rank], SIGKILL)
            }
            #expect(result.status != 0 && result.errors.contains("Killed"), "\(result)")
            try train(2, ["train", try TinyModels.shared.get().maps.path, "--output", run.path, "--resume", "--threads", "1", "--quiet"])
            try expectSame(run, try Self.whole.get())
            #expect(!files(under: run).contains { $0.hasPrefix(".") }, "\(files(under: run))")
        }
    }

    @Test func failuresEndAllRanks() throws {
        let maps = try TinyModels.shared.get().maps
        try withFolder { folder in
            let run = file(folder, "run")
            let options = ["--model", "enhance", "--preset", "tiny", "--steps", "2", "--no-progress", "--output", run.path]
            var result = try start(3, ["train", maps.path, "--batch-size", "2", "--micro-batch", "1"] + options).result()
            #expect(result.status == 64 && result.errors.contains("more ranks than micro-batches"), "\(result)")
            #expect(!FileManager.default.fileExists(atPath: run.path))
            result = try start(2, ["train", file(folder, "nowhere").path] + options).result()
            #expect(result.status == 66 && result.errors.contains("there is no such folder"), "\(result)")
            let reckless = ["--learning-rate", "1e30", "--clip-norm", "0", "--warmup", "0", "--steps", "60"]
            result = try start(2, ["train", maps.path] + options + reckless).result()
            #expect(result.status == 70, "\(result)")
            #expect(result.errors.components(separatedBy: "training diverged at step").count == 2, "one rank tells: \(result)")
        }
    }
}

/// What needs no launcher.
@Suite struct LauncherCommandTests {
    @Test func processesWithoutMPIAreRefused() throws {
        let maps = try TinyModels.shared.get().maps
        try withFolder { folder in
            let output = folder.appendingPathComponent("run")
            let arguments = ["train", maps.path, "--model", "enhance", "--preset", "tiny", "--output", output.path]
            expectRefusal(
                try sr(arguments, environment: ["SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "2", "SLURM_PROCID": "1"]), 64,
                ["know nothing of each other", "srun --mpi=pmix"], output: output)
            guard dlopen("libmpich.so.12", RTLD_LAZY) == nil else { return }
            expectRefusal(
                try sr(arguments, environment: ["PMI_RANK": "0", "PMI_SIZE": "2", "LD_LIBRARY_PATH": ""]), 1, ["MPI", "libmpich12"], output: output)
        }
    }
}
