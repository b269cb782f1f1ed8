import Foundation
import Synchronization

/// Threads kept for parallel loops. Between loops they watch for the next one for a moment before they sleep: waking a sleeper takes as long as a
/// small loop.
final class WorkerPool: Sendable {
    static let shared = WorkerPool()

    private struct Work: @unchecked Sendable {
        let body: () -> Void
    }

    private struct State {
        /// What workers may join, and how many still.
        var work: Work?
        var seats = 0
        var threads = 0
    }

    private let state = Mutex(State())
    private let isBusy = Atomic<Bool>(false)
    /// Counts the loops, so that a worker sees a new one without taking the lock.
    private let loops = Atomic<Int>(0)
    /// Workers inside the present loop.
    private let active = Atomic<Int>(0)
    private let arrivals = Watch()
    private let departures = Watch()

    /// Calls `body` on the calling thread and on up to `workers` others at the same time, and returns when all calls have. While another loop has the
    /// pool, the caller works alone.
    func run(workers: Int, _ body: () -> Void) {
        guard !isBusy.exchange(true, ordering: .acquiring) else { return body() }
        withoutActuallyEscaping(body) { body in
            let missing = state.withLock { state in
                (state.work, state.seats) = (Work(body: body), workers)
                defer { state.threads = max(state.threads, workers) }
                return max(0, workers - state.threads)
            }
            for _ in 0..<missing { start() }
            loops.wrappingAdd(1, ordering: .sequentiallyConsistent)
            arrivals.wake(workers)
            body()
            state.withLock { $0.work = nil }
            departures.wait { active.load(ordering: .sequentiallyConsistent) == 0 }
        }
        isBusy.store(false, ordering: .releasing)
    }

    private func start() {
        let thread = Thread { [self] in
            var seen = 0
            while true {
                arrivals.wait { loops.load(ordering: .sequentiallyConsistent) != seen }
                seen = loops.load(ordering: .sequentiallyConsistent)
                guard join() else { continue }
                if active.wrappingSubtract(1, ordering: .sequentiallyConsistent).newValue == 0 { departures.wake(1) }
            }
        }
        thread.qualityOfService = .userInitiated
        thread.start()
    }

    /// Works on the present loop if a seat is left, and is then counted as active. Not inlined: on return no reference to the loop's body is left here.
    @inline(never) private func join() -> Bool {
        let work = state.withLock { state -> Work? in
            guard state.seats > 0, let work = state.work else { return nil }
            state.seats -= 1
            active.wrappingAdd(1, ordering: .relaxed)
            return work
        }
        work?.body()
        return work != nil
    }
}

/// Threads that wait for a condition which others bring about.
private final class Watch: Sendable {
    private let condition = NSCondition()
    private let sleepers = Atomic<Int>(0)

    /// Returns once the condition holds: watching for some 100 µs, then asleep until woken.
    func wait(until holds: () -> Bool) {
        let start = DispatchTime.now().uptimeNanoseconds
        while DispatchTime.now().uptimeNanoseconds - start < 100_000 {
            for _ in 0..<64 where holds() { return }
            sched_yield()  // where threads outnumber processors, another may be what is waited for
        }
        condition.lock()
        sleepers.wrappingAdd(1, ordering: .sequentiallyConsistent)
        while !holds() { condition.wait() }
        sleepers.wrappingSubtract(1, ordering: .sequentiallyConsistent)
        condition.unlock()
    }

    /// To be called after the condition came to hold.
    func wake(_ count: Int) {
        guard sleepers.load(ordering: .sequentiallyConsistent) > 0 else { return }
        condition.lock()
        for _ in 0..<count { condition.signal() }
        condition.unlock()
    }
}
