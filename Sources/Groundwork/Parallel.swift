import Foundation
import Synchronization

/// Parallel loops, one level deep, over a set number of threads.
///
/// Work is cut into pieces whose bounds depend on the size of the work alone, never on the number of threads, so that each piece computes the same bits
/// whoever runs it; only work whose bits do not depend on its bounds may go by the threads there are.
public enum Parallel {
    private static let storedThreadCount = Atomic<Int>(ProcessorCount.usable)

    /// The number of threads that work at a time, at least 1. By default the processors that the process may use.
    public static var threadCount: Int {
        get { storedThreadCount.load(ordering: .relaxed) }
        set { storedThreadCount.store(max(1, newValue), ordering: .relaxed) }
    }

    /// Whether the caller is a task of a parallel loop.
    @TaskLocal package static var isInside = false

    /// Calls `body(i)` for each `i` in `0 ..< count`, in no set order, on up to ``threadCount`` threads. A call inside another runs on its own thread alone.
    public static func forEach(_ count: Int, _ body: (_ index: Int) -> Void) {
        let workers = min(threadCount, count)
        guard workers > 1, !isInside else {
            for index in 0..<count { body(index) }
            return
        }
        let next = Atomic<Int>(0)
        WorkerPool.shared.run(workers: workers - 1) {
            $isInside.withValue(true) {
                while true {
                    let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
                    if index >= count { break }
                    body(index)
                }
            }
        }
    }

    /// What `body(i)` gives for each `i` in `0 ..< count`, computed as ``forEach(_:_:)`` does.
    public static func map<Result>(_ count: Int, _ body: (_ index: Int) -> Result) -> [Result] {
        [Result](unsafeUninitializedCapacity: count) { buffer, initialized in
            nonisolated(unsafe) let target = buffer
            forEach(count) { index in (target.baseAddress.map { $0 + index })?.initialize(to: body(index)) }
            initialized = count
        }
    }

    /// Cuts `0 ..< count` into ranges of `size` (the last may be shorter) and calls `body` for each, as ``forEach(_:_:)`` does.
    public static func forEachBlock(of count: Int, size: Int, _ body: (_ block: Range<Int>) -> Void) {
        guard count > 0 else { return }
        let size = max(1, size)
        forEach((count + size - 1) / size) { index in
            body(index * size..<min(count, (index + 1) * size))
        }
    }
}
