import Synchronization

/// A value that is computed when it is first asked for, and once only, whichever thread asks.
public final class Memo<Value: Sendable>: Sendable {
    private let value = Mutex<Value?>(nil)

    public init() {}

    /// The value, by `make` if there is none yet; others who ask meanwhile wait.
    public func callAsFunction(_ make: () throws -> Value) rethrows -> Value {
        try value.withLock { value in
            if let value { return value }
            let made = try make()
            value = made
            return made
        }
    }
}
