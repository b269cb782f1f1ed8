import CFITSIO
import Groundwork

/// What cfitsio reports by a status, as a `Failure`. Its stack of messages is left out: all threads share it, so that it may tell of another file.
///
/// - Parameters:
///   - status: what the call returned, not 0.
///   - problem: one sentence without a full stop.
/// - Returns: a failure whose `found` is the status and its meaning.
func fitsFailure(
    _ category: Failure.Category, _ problem: String, status: CInt, at location: String, expected: String? = nil, remedy: String? = nil
) -> Failure {
    let meaning = withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(FLEN_STATUS)) { buffer -> String in
        buffer.initialize(repeating: 0)
        guard let text = buffer.baseAddress else { return "" }
        ffgerr(status, text)  // fits_get_errstatus
        return String(cString: text)
    }
    return Failure(category, problem, at: location, expected: expected, found: "cfitsio \(status), \(meaning)", remedy: remedy)
}
