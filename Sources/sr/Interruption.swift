import Foundation
import Synchronization

/// Notes interrupt and termination signals, so that work can stop in order; a second one ends the program at once.
enum Interruption {
    private static let count = Atomic<Int>(0)

    /// Catches signals from now on.
    static func watch() {
        for number in [SIGINT, SIGTERM] {
            signal(number) { _ in
                // Nothing but atomics and _exit is safe here.
                if Interruption.count.wrappingAdd(1, ordering: .relaxed).oldValue > 0 { _exit(130) }
            }
        }
    }

    static var isRequested: Bool { count.load(ordering: .relaxed) > 0 }
}
