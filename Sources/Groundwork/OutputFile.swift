import Foundation

/// A file that is written from its beginning to its end, piece by piece.
package final class OutputFile {
    private let descriptor: CInt
    private let path: String

    /// Makes the file, or empties it.
    /// - Throws: `Failure` (`.cannotWrite`) if it cannot be opened.
    package init(_ url: URL) throws {
        path = url.path
        descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw Self.failure(at: path) }
    }

    deinit { close(descriptor) }

    /// - Throws: `Failure` (`.cannotWrite`), as where the disk is full.
    package func write(_ bytes: UnsafeRawBufferPointer) throws {
        var done = 0
        while done < bytes.count {
            let count = Foundation.write(descriptor, bytes.baseAddress?.advanced(by: done), bytes.count - done)
            if count < 0, errno == EINTR { continue }
            if count == 0 { errno = EIO }  // which sets none
            guard count > 0 else { throw Self.failure(at: path) }
            done += count
        }
    }

    private static func failure(at path: String) -> Failure {
        Failure(.cannotWrite, "cannot be written", at: path, found: String(cString: strerror(errno)), remedy: "check that its disk has space")
    }
}
