import Foundation
import TensorCore

/// One piece of work to time: what `sr` itself runs, on random data.
struct Benchmark {
    let name: String
    /// Floating-point operations of one run, a convolution counted as direct; nil where they tell nothing.
    let operations: Double?
    /// Builds what the work needs and returns what makes one run ready, untimed, and gives the run to time.
    let prepare: () throws -> () -> () -> Void

    init(name: String, operations: Double?, prepare: @escaping () throws -> () -> Void) {
        self.init(
            name: name, operations: operations,
            readying: {
                let work = try prepare()
                return { work }
            })
    }

    init(name: String, operations: Double?, readying prepare: @escaping () throws -> () -> () -> Void) {
        (self.name, self.operations, self.prepare) = (name, operations, prepare)
    }
}

/// What was measured, one JSON object a line.
struct Measurement: Codable {
    let name: String
    let secondsMedian: Double
    let secondsMin: Double
    /// 10⁹ operations a second, by the median.
    let gflops: Double?
    /// The most memory of the process while the work was prepared and run; what was held before is in it.
    let peakBytes: Int

    private enum CodingKeys: String, CodingKey {
        case name, gflops
        case secondsMedian = "seconds_median"
        case secondsMin = "seconds_min"
        case peakBytes = "peak_bytes"
    }
}

extension Benchmark {
    /// Runs the work twice to warm up, then `repetitions` times.
    /// - Throws: `Failure` if what the work needs cannot be read.
    func measure(repetitions: Int) throws -> Measurement {
        StoragePool.drain()
        PeakMemory.reset()
        let ready = try prepare()
        for _ in 0..<2 { ready()() }
        let seconds = (0..<repetitions).map { _ in
            let work = ready()
            let start = ContinuousClock.now
            work()
            return (ContinuousClock.now - start) / .seconds(1)
        }.sorted()
        let median = (seconds[(repetitions - 1) / 2] + seconds[repetitions / 2]) / 2
        return Measurement(
            name: name, secondsMedian: median, secondsMin: seconds[0], gflops: operations.map { $0 / median / 1e9 }, peakBytes: PeakMemory.bytes)
    }
}

/// The most memory that the process had resident.
enum PeakMemory {
    /// Starts anew from the memory resident now, where the system can (Linux).
    static func reset() {
        StoragePool.resetPeak()
        try? Data("5".utf8).write(to: URL(fileURLWithPath: "/proc/self/clear_refs"))
    }

    static var bytes: Int {
        // "VmHWM:   123456 kB"
        if let status = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8),
            let line = status.split(separator: "\n").first(where: { $0.hasPrefix("VmHWM:") }),
            let kibibytes = line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap({ Int($0) })
        {
            return kibibytes << 10
        }
        // Elsewhere the tensors alone can be told.
        return StoragePool.peakBytes
    }
}
