import ArgumentParser
import Foundation
import Groundwork
import TensorCore

/// Times the parts of `sr` against each other; ratios within one run carry over to other machines, seconds do not.
@main
struct SRBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sr-benchmark", abstract: "Time the parts of sr on this machine.",
        discussion: "Names: \(Benchmark.all.map(\.name).joined(separator: ", ")).")

    @Option(help: "Run the benchmark of this name or, if there is none, those whose names contain this.")
    var filter: String?

    @Option(help: "Timed runs of each, after two to warm up.")
    var reps = 5

    @Option(help: "Threads (default: all processors).")
    var threads: Int?

    @Flag(help: "Run each with 1, 2, 4 … threads, up to those that --threads says.")
    var threadSweep = false

    @Flag(help: "Print a JSON object a line instead of a table.")
    var json = false

    func validate() throws {
        if !(1...10000).contains(reps) { throw ValidationError("--reps must be 1 … 10000, not \(reps)") }
        if let threads, !(1...512).contains(threads) { throw ValidationError("--threads must be 1 … 512, not \(threads)") }
        if let filter, !Benchmark.all.contains(where: { $0.name.contains(filter) }) {
            throw ValidationError("no benchmark's name contains \(filter)")
        }
    }

    func run() throws {
        if let threads { Parallel.threadCount = threads }
        let machine = Machine()
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        func column(_ text: String, _ width: Int) -> String { String(repeating: " ", count: max(0, width - text.count)) + text }
        if json {
            print(String(decoding: try encoder.encode(machine), as: UTF8.self))
        } else {
            print(machine)
            print(
                "name".padding(toLength: 26, withPad: " ", startingAt: 0), column("threads", 7), column("median s", 10), column("min s", 10),
                column("GFLOP/s", 9), column("peak MiB", 9), column("added MiB", 10))
        }
        let exact = Benchmark.all.filter { $0.name == filter }
        let most = Parallel.threadCount
        let counts = threadSweep ? Array(sequence(first: 1) { 2 * $0 < most ? 2 * $0 : nil }) + (most > 1 ? [most] : []) : [most]
        for benchmark in exact.isEmpty ? Benchmark.all.filter({ filter.map($0.name.contains) ?? true }) : exact {
            for count in counts {
                Parallel.threadCount = count
                let result = try benchmark.measure(repetitions: reps)
                if json {
                    print(String(decoding: try encoder.encode(result), as: UTF8.self))
                } else {
                    print(
                        result.name.padding(toLength: 26, withPad: " ", startingAt: 0), column("\(result.threads)", 7),
                        column(String(format: "%.4f", result.secondsMedian), 10), column(String(format: "%.4f", result.secondsMin), 10),
                        column(result.gflops.map { String(format: "%.0f", $0) } ?? "", 9), column("\(result.peakBytes >> 20)", 9),
                        column("\(result.addedBytes >> 20)", 10))
                }
                fflush(nil)
            }
        }
    }
}
