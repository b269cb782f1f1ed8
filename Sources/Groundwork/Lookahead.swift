import Foundation

/// Values that are made ahead of their use on threads of their own, each by a number that tells all about it: the same value whichever thread makes it,
/// and whenever.
///
/// One thread announces and takes them. A value that no thread has begun when it is taken is made by the taker.
package final class Lookahead<Value: Sendable>: Sendable {
    private let work: Work

    /// - Parameters:
    ///   - threads: at most so many, begun when there is something to do; at least 1.
    ///   - make: on these threads a parallel loop runs on its own thread alone.
    package init(threads: Int, make: @escaping @Sendable (_ number: Int) throws -> Value) { work = Work(threads: max(1, threads), make) }

    /// Waits for what is being made.
    deinit { work.end() }

    /// Announces the values that will be taken next, in that order. Others that were made or announced before are dropped.
    package func prepare(_ numbers: [Int]) { work.prepare(numbers) }

    /// Takes a value.
    /// - Throws: what making it threw.
    package func callAsFunction(_ number: Int) throws -> Value { try work.take(number) }

    /// Seconds that the taker has waited for values or spent making them.
    package var secondsWaited: Double { work.secondsWaited }

    /// Shared with the threads. Sendable, for all that changes is guarded by the condition.
    private final class Work: @unchecked Sendable {
        private let make: @Sendable (Int) throws -> Value
        private let mostThreads: Int
        private let condition = NSCondition()
        /// Announced and not begun.
        private var pending: ArraySlice<Int> = []
        private var begun: Set<Int> = []
        private var made: [Int: Result<Value, any Error>] = [:]
        private var threads = 0
        private var isOver = false
        private var waited = 0.0

        init(threads: Int, _ make: @escaping @Sendable (Int) throws -> Value) { (mostThreads, self.make) = (threads, make) }

        var secondsWaited: Double { guarded { waited } }

        private func guarded<Result>(_ body: () throws -> Result) rethrows -> Result {
            condition.lock()
            defer { condition.unlock() }
            return try body()
        }

        func prepare(_ numbers: [Int]) {
            guarded {
                let wanted = Set(numbers)
                made = made.filter { wanted.contains($0.key) }
                pending = numbers.filter { made[$0] == nil && !begun.contains($0) }[...]
                while threads < min(mostThreads, pending.count) { start() }
                condition.broadcast()
            }
        }

        func take(_ number: Int) throws -> Value {
            let start = ContinuousClock.now
            let ready = guarded { () -> Result<Value, any Error>? in
                while begun.contains(number) { condition.wait() }
                if made[number] == nil { pending.removeAll { $0 == number } }
                return made.removeValue(forKey: number)
            }
            let result = ready ?? Result { try make(number) }
            guarded { waited += (ContinuousClock.now - start) / .seconds(1) }
            return try result.get()
        }

        func end() {
            guarded {
                (isOver, pending) = (true, [])
                condition.broadcast()
                while threads > 0 { condition.wait() }
            }
        }

        private func start() {
            threads += 1
            let thread = Thread { [self] in
                while let number = next() {
                    let result = Parallel.$isInside.withValue(true) { Result { try make(number) } }
                    guarded {
                        begun.remove(number)
                        made[number] = result
                        condition.broadcast()
                    }
                }
            }
            thread.start()
        }

        /// The next number to work on, once there is one; nil in the end.
        private func next() -> Int? {
            guarded {
                while pending.isEmpty, !isOver { condition.wait() }
                guard let number = pending.popFirst() else {
                    threads -= 1
                    condition.broadcast()
                    return nil
                }
                begun.insert(number)
                return number
            }
        }
    }
}
