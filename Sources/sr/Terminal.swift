import Foundation
import Groundwork
import Logging
import Synchronization

/// Standard error, shared by the log and the progress line.
enum Terminal {
    static let isInteractive = isatty(STDERR_FILENO) == 1

    private static let hasOpenLine = Mutex(false)

    /// Writes a line; on a terminal it takes the place of the progress line.
    static func writeLine(_ text: String) {
        finishLine()
        StandardStream.note("\(text)\n")
    }

    /// Overwrites the last line of a terminal.
    static func rewriteLine(_ text: String) {
        hasOpenLine.withLock { $0 = true }
        StandardStream.note("\r\u{1B}[2K\(text)")
    }

    /// Clears the progress line, if one stands.
    static func finishLine() {
        let wasOpen = hasOpenLine.withLock { open in
            defer { open = false }
            return open
        }
        if wasOpen { StandardStream.note("\r\u{1B}[2K") }
    }

    /// Columns of the terminal, 80 if unknown.
    static var columns: Int {
        var size = winsize()
        return ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 ? Int(size.ws_col) : 80
    }
}

/// Writes log messages to standard error as plain lines.
struct TerminalLog: LogHandler {
    var logLevel: Logger.Level
    var metadata: Logger.Metadata = [:]

    init(logLevel: Logger.Level) { self.logLevel = logLevel }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let prefix = event.level >= .warning ? "\(event.level): " : ""
        Terminal.writeLine("\(prefix)\(event.message)")
    }
}

/// A progress line: on a terminal one that is rewritten, elsewhere a plain line every few seconds.
final class ProgressDisplay {
    private let title: String
    private let isShown: Bool
    private let start = ContinuousClock.now
    private var last: ContinuousClock.Instant?

    init(_ title: String, isShown: Bool) { (self.title, self.isShown) = (title, isShown) }

    /// - Parameters:
    ///   - fraction: done, 0 … 1
    ///   - detail: counts, rate and the main figure
    ///   - secondsLeft: if known better than from the fraction
    func update(_ fraction: Double, detail: String = "", secondsLeft: Double? = nil) {
        guard isShown else { return }
        let now = ContinuousClock.now
        let pause: Duration = Terminal.isInteractive ? .milliseconds(100) : .seconds(10)
        if let last, now - last < pause, fraction < 1 { return }
        last = now
        let elapsed = (now - start) / .seconds(1)
        let left = secondsLeft ?? (fraction > 0 ? elapsed / fraction * (1 - fraction) : .infinity)
        let percent = String(format: "%3d%%", Int(fraction * 100))
        let text = [detail, left.isFinite && fraction < 1 ? "ETA \(Self.clock(left))" : "", "elapsed \(Self.clock(elapsed))"].filter { !$0.isEmpty }
            .joined(separator: ", ")
        guard Terminal.isInteractive else { return Terminal.writeLine("\(title) \(percent) \(text)") }
        let room = max(10, min(30, Terminal.columns - title.count - text.count - 10))
        let filled = Int(Double(room) * min(1, max(0, fraction)))
        let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: room - filled)
        Terminal.rewriteLine(String("\(title) \(bar) \(percent) \(text)".prefix(Terminal.columns - 1)))
    }

    func finish() { if isShown { Terminal.finishLine() } }

    /// Hours, minutes and seconds.
    static func clock(_ seconds: Double) -> String {
        let total = Int(min(seconds, 1e9).rounded())
        return total >= 3600
            ? String(format: "%d:%02d:%02d", total / 3600, total / 60 % 60, total % 60) : String(format: "%d:%02d", total / 60, total % 60)
    }
}
