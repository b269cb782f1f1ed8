import Synchronization

/// Remarks that are to be made once, however often there is reason to.
public final class Advice: Sendable {
    private let given = Mutex<Set<String>>([])

    public init() {}

    /// Hands the remark to `give` unless it was given before.
    public func once(_ remark: String, _ give: (String) -> Void) {
        if given.withLock({ $0.insert(remark).inserted }) { give(remark) }
    }
}
