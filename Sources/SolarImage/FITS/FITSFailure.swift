import CFITSIO
import Groundwork

/// cfitsio reports errors by a status and a stack of messages; this makes one `Failure` of both.
///
/// - Parameters:
///   - status: what the call returned, not 0.
///   - problem: one sentence without a full stop.
/// - Returns: a failure whose `found` is the status, its meaning and the messages, which are then cleared.
func fitsFailure(
    _ category: Failure.Category, _ problem: String, status: CInt, at location: String, expected: String? = nil, remedy: String? = nil
) -> Failure {
    let meaning = withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(FLEN_STATUS)) { buffer -> String in
        buffer.initialize(repeating: 0)
        guard let text = buffer.baseAddress else { return "" }
        ffgerr(status, text)  // fits_get_errstatus
        return String(cString: text)
    }
    var messages: [String] = []
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(FLEN_ERRMSG)) { buffer in
        buffer.initialize(repeating: 0)
        guard let text = buffer.baseAddress else { return }
        while ffgmsg(text) != 0 {  // fits_read_errmsg
            // It may quote what stands in the file where text should be: control characters could do anything to a terminal.
            let message = String(String(cString: text).unicodeScalars.map { (0x20...0x7E).contains($0.value) ? Character($0) : "?" })
            // The stack repeats the path, broken anywhere; the location says it already.
            let isNews = !message.isEmpty && !location.contains(message) && !messages.contains(message)
            if isNews, messages.count < 6 { messages.append(message) }
        }
    }
    return Failure(
        category, problem, at: location, expected: expected, found: (["cfitsio \(status), \(meaning)"] + messages).joined(separator: "; "),
        remedy: remedy)
}
