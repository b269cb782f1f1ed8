import Foundation
import Groundwork
import Synchronization
import Testing

@Suite struct MemoTests {
    /// What several threads did.
    private final class Record: Sendable {
        let made = Atomic<Int>(0)
        let given = Mutex<[String]>([])
    }

    @Test func madeOnceWhoeverAsks() async {
        let (memo, record) = (Memo<Int>(), Record())
        await withTaskGroup(of: Int.self) { group in
            for _ in 0..<16 {
                group.addTask {
                    memo {
                        usleep(2000)
                        return record.made.wrappingAdd(1, ordering: .relaxed).newValue
                    }
                }
            }
            for await value in group { #expect(value == 1) }
        }
        #expect(memo { 7 } == 1)
    }

    @Test func whatFailsIsTriedAgain() throws {
        struct Stop: Error {}
        let memo = Memo<Int>()
        #expect(throws: Stop.self) { try memo { throw Stop() } }
        #expect(memo { 3 } == 3)
        #expect(try memo { throw Stop() } == 3)
    }

    @Test func remarksAreMadeOnce() async {
        let (advice, record) = (Advice(), Record())
        await withTaskGroup(of: Void.self) { group in
            for index in 0..<32 { group.addTask { advice.once("remark \(index % 2)") { remark in record.given.withLock { $0.append(remark) } } } }
        }
        #expect(record.given.withLock { $0.sorted() } == ["remark 0", "remark 1"])
    }
}
