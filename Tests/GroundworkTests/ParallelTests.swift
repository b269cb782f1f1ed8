import Foundation
import Groundwork
import Synchronization
import Testing

/// The count of threads is the process's: other tests may run meanwhile, and must not mind.
@Suite(.serialized) struct ParallelTests {
    private func onThreads<Result>(_ count: Int, _ body: () -> Result) -> Result {
        let before = Parallel.threadCount
        defer { Parallel.threadCount = before }
        Parallel.threadCount = count
        return body()
    }

    @Test(arguments: [1, 2, 3, 8]) func everyIndexComesOnce(threads: Int) {
        onThreads(threads) {
            for count in [0, 1, 2, 7, 1000] {
                let counts = Mutex([Int](repeating: 0, count: count))
                Parallel.forEach(count) { index in counts.withLock { $0[index] += 1 } }
                #expect(counts.withLock { $0.allSatisfy { $0 == 1 } })
                #expect(Parallel.map(count) { $0 * $0 } == (0..<count).map { $0 * $0 })
            }
        }
    }

    @Test func loopsInsideLoopsRunOnTheirOwnThread() {
        onThreads(4) {
            let sums = Parallel.map(50) { outer in
                #expect(Parallel.isInside)
                return Parallel.map(20) { outer * 20 + $0 }.reduce(0, +)
            }
            #expect(sums.reduce(0, +) == 1000 * 999 / 2)
        }
        #expect(!Parallel.isInside)
    }

    @Test func manySmallLoopsAndChangingNumbersOfThreads() {
        for round in 0..<20_000 {
            let total = Atomic<Int>(0)
            onThreads(1 + round % 5) { Parallel.forEach(4) { total.wrappingAdd($0 + 1, ordering: .relaxed) } }
            #expect(total.load(ordering: .relaxed) == 10)
        }
    }

    /// As many threads as are asked for are in a loop at the same time: each of its tasks waits for all the others. Other tests may have the threads for a
    /// while, when a loop runs on its caller's alone.
    @Test(arguments: [2, 3, 8]) func severalThreadsWorkAtATime(threads: Int) {
        for _ in 0..<500 {
            let arrived = Atomic<Int>(0)
            let workers = Mutex<Set<ObjectIdentifier>>([])
            let hasMet = Atomic<Bool>(false)
            onThreads(threads) {
                Parallel.forEach(threads) { _ in
                    workers.withLock { _ = $0.insert(ObjectIdentifier(Thread.current)) }
                    arrived.wrappingAdd(1, ordering: .relaxed)
                    let start = ContinuousClock.now
                    while arrived.load(ordering: .relaxed) < threads, ContinuousClock.now - start < .milliseconds(20) { sched_yield() }
                    if arrived.load(ordering: .relaxed) == threads { hasMet.store(true, ordering: .relaxed) }
                }
            }
            if hasMet.load(ordering: .relaxed), workers.withLock({ $0.count }) == threads { return }
        }
        Issue.record("\(threads) threads never worked at a time")
    }

    /// A loop returns when its last task has: nothing of it is written afterwards.
    @Test func loopsEndWithTheirTasks() {
        onThreads(3) {
            for round in 0..<2000 {
                var values = [Int](repeating: -1, count: 64)
                values.withUnsafeMutableBufferPointer { buffer in
                    nonisolated(unsafe) let target = buffer
                    Parallel.forEachBlock(of: 64, size: 5) { for index in $0 { target[index] = round } }
                }
                #expect(values.allSatisfy { $0 == round })
            }
        }
    }

    @Test func loopsOfNothing() {
        for count in [0, -3] {
            Parallel.forEachBlock(of: count, size: 4) { _ in Issue.record("a block of \(count)") }
        }
        let blocks = Mutex<[Range<Int>]>([])
        Parallel.forEachBlock(of: 3, size: 0) { block in blocks.withLock { $0.append(block) } }
        #expect(blocks.withLock { $0.sorted { $0.lowerBound < $1.lowerBound } } == [0..<1, 1..<2, 2..<3])
    }

    @Test func veryManyTinyLoops() {
        onThreads(2) {
            let total = Atomic<Int>(0)
            for _ in 0..<200_000 { Parallel.forEach(2) { total.wrappingAdd($0 + 1, ordering: .relaxed) } }
            #expect(total.load(ordering: .relaxed) == 600_000)
        }
    }

    @Test func callersAtTheSameTime() async {
        let before = Parallel.threadCount
        defer { Parallel.threadCount = before }
        Parallel.threadCount = 4
        await withTaskGroup(of: Int.self) { group in
            for caller in 0..<8 {
                group.addTask { (0..<500).reduce(0) { sum, _ in sum + Parallel.map(16) { $0 + caller }.reduce(0, +) } }
            }
            var totals: [Int] = []
            for await total in group { totals.append(total) }
            #expect(totals.sorted() == (0..<8).map { 500 * (120 + 16 * $0) })
        }
    }
}
