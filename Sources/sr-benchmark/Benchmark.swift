import Foundation
import Groundwork
import TensorCore

/// One piece of work to time: what `sr` itself runs, on random data.
struct Benchmark {
    let name: String
    /// Floating-point operations of one run, a convolution counted as direct; nil where they tell nothing.
    let operations: Double?
    /// Builds what the work needs and returns what makes one run ready, untimed, and gives the run to time.
    let prepare: () throws -> () -> () throws -> Void

    init(name: String, operations: Double?, prepare: @escaping () throws -> () throws -> Void) {
        self.init(
            name: name, operations: operations,
            readying: {
                let work = try prepare()
                return { work }
            })
    }

    init(name: String, operations: Double?, readying prepare: @escaping () throws -> () -> () throws -> Void) {
        (self.name, self.operations, self.prepare) = (name, operations, prepare)
    }
}

/// What was measured, one JSON object a line.
struct Measurement: Codable {
    let name: String
    let threads: Int
    let secondsMedian: Double
    let secondsMin: Double
    /// 10⁹ operations a second, by the median.
    let gflops: Double?
    /// The most memory of the process while the work was prepared and run; what was held before is in it.
    let peakBytes: Int
    /// How much of that came with running it, beyond what was held when it was ready.
    let addedBytes: Int

    private enum CodingKeys: String, CodingKey {
        case name, threads, gflops
        case secondsMedian = "seconds_median"
        case secondsMin = "seconds_min"
        case peakBytes = "peak_bytes"
        case addedBytes = "added_bytes"
    }
}

extension Benchmark {
    /// Runs the work twice to warm up, then `repetitions` times.
    /// - Throws: `Failure` if what the work needs cannot be read, or if it cannot be done.
    func measure(repetitions: Int) throws -> Measurement {
        StoragePool.drain()
        PeakMemory.reset()
        let ready = try prepare()
        StoragePool.drain()
        let (peakBefore, held) = (PeakMemory.bytes, PeakMemory.heldBytes)
        PeakMemory.reset()
        for _ in 0..<2 { try ready()() }
        let seconds = try (0..<repetitions).map { _ in
            let work = ready()
            let start = ContinuousClock.now
            try work()
            return (ContinuousClock.now - start) / .seconds(1)
        }.sorted()
        let peak = PeakMemory.bytes
        let median = (seconds[(repetitions - 1) / 2] + seconds[repetitions / 2]) / 2
        return Measurement(
            name: name, threads: Parallel.threadCount, secondsMedian: median, secondsMin: seconds[0], gflops: operations.map { $0 / median / 1e9 },
            peakBytes: max(peakBefore, peak), addedBytes: max(0, peak - held))
    }
}

/// The most memory that the process had resident.
enum PeakMemory {
    /// Starts anew from the memory resident now, where the system can (Linux).
    static func reset() {
        StoragePool.resetPeak()
        try? Data("5".utf8).write(to: URL(fileURLWithPath: "/proc/self/clear_refs"))
    }

    static var bytes: Int { Memory.peak }

    /// What it has resident now.
    static var heldBytes: Int { Memory.held ?? StoragePool.usedBytes }
}
