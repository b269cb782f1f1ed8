import Foundation

/// Standard output, of which nothing may be lost without a word, and standard error, without which work goes on.
package enum StandardStream {
    /// To be called before anything is opened or written.
    ///
    /// A stream that is closed would lend its number to the next file that is opened, and what is meant for it would be written there: in its place comes one
    /// that takes nothing. A reader that goes away does not end the program.
    package static func prepare() {
        signal(SIGPIPE, SIG_IGN)
        for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) == -1 {
            _ = open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY)
        }
    }

    /// Writes to standard output.
    /// - Throws: `Failure` (`.cannotWrite`) if not all can be written. If nobody reads it any longer the program ends as others do (SIGPIPE).
    package static func output(_ text: String) throws {
        let code = write(text, to: STDOUT_FILENO, waits: true)
        guard code != EPIPE else {
            signal(SIGPIPE, SIG_DFL)
            raise(SIGPIPE)
            return
        }
        guard code == 0 else {
            throw Failure(
                .cannotWrite, "standard output cannot be written", found: String(cString: strerror(code)),
                remedy: "check that its disk has space and that it is open")
        }
    }

    /// Writes to standard error; what it does not take is lost.
    package static func note(_ text: String) { _ = write(text, to: STDERR_FILENO, waits: false) }

    /// - Parameter waits: as long as it takes for room, rather than a second.
    /// - Returns: 0 or what went wrong
    private static func write(_ text: String, to descriptor: CInt, waits: Bool) -> CInt {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
            if count > 0 {
                bytes = bytes.dropFirst(count)
                continue
            }
            switch errno {
            case EINTR: continue
            case EAGAIN:
                var room = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                if poll(&room, 1, waits ? -1 : 1000) == 0 { return EAGAIN }
            case let code: return code == 0 ? EIO : code
            }
        }
        return 0
    }
}
