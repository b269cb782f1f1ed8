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

    @Test func callersAtTheSameTime() async {
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
