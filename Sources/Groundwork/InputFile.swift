import Foundation

/// A file that is read piece by piece, from any place and by any thread, without a copy of it in memory.
package final class InputFile: Sendable {
    private let descriptor: CInt
    private let path: String
    /// In bytes, when it was opened.
    package let size: Int

    /// - Throws: `Failure`: `.missingInput` if there is no such file, `.badData` if it cannot be read.
    package init(_ url: URL) throws {
        path = url.path
        // A pipe would keep who opens it waiting for a writer.
        descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            throw errno == ENOENT ? Failure(.missingInput, "there is no such file", at: path) : Self.failure(at: path)
        }
        var state = stat()
        guard fstat(descriptor, &state) == 0, state.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw Failure(.badData, "the file cannot be read", at: path, expected: "a file", found: "a folder, a pipe or a device")
        }
        size = Int(state.st_size)
    }

    deinit { close(descriptor) }

    /// Fills a place in memory with the bytes from `offset` on.
    /// - Throws: `Failure` (`.badData`) if they cannot be read, or the file has become shorter.
    package func read(at offset: Int, into place: UnsafeMutableRawBufferPointer) throws {
        var done = 0
        while done < place.count {
            let count = pread(descriptor, place.baseAddress?.advanced(by: done), place.count - done, off_t(offset + done))
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Self.failure(at: path) }
            guard count > 0 else {
                throw Failure(
                    .badData, "the file was cut while it was read", at: path, expected: "\(size) bytes", found: "\(offset + done)",
                    remedy: "try again")
            }
            done += count
        }
    }

    private static func failure(at path: String) -> Failure {
        Failure(.badData, "the file cannot be read", at: path, found: String(cString: strerror(errno)))
    }
}
