import Foundation
import Synchronization

/// Notes signals that ask for an end, so that work can stop in order.
enum Interruption {
    private static let isNoted = Atomic<Bool>(false)
    private static let demands = Atomic<Int>(0)

    /// Catches signals from now on: Ctrl-C and termination, of which a second one ends the program at once; and the end of a terminal, batch systems' warnings
    /// and the limit of processor time, which may come again and again while work is saved.
    static func watch() {
        // Nothing but atomics and _exit is safe in handlers, not even to set up the atomics.
        isNoted.store(false, ordering: .relaxed)
        demands.store(0, ordering: .relaxed)
        for number in [SIGINT, SIGTERM] {
            signal(number) { _ in
                Interruption.isNoted.store(true, ordering: .relaxed)
                if Interruption.demands.wrappingAdd(1, ordering: .relaxed).oldValue > 0 { _exit(130) }
            }
        }
        for number in [SIGHUP, SIGUSR1, SIGUSR2, SIGXCPU] {
            let former = signal(number) { _ in Interruption.isNoted.store(true, ordering: .relaxed) }
            // Under nohup the end of a terminal is of no concern.
            if number == SIGHUP, unsafeBitCast(former, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self) { signal(number, SIG_IGN) }
        }
        // A file that becomes larger than it may is then an error of writing like any other.
        signal(SIGXFSZ, SIG_IGN)
    }

    static var isRequested: Bool { isNoted.load(ordering: .relaxed) }
}
