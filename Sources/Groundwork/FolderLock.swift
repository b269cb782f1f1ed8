import Foundation

/// A folder that one process alone writes to as long as this lives; the system gives it free when the process ends, however it ends.
package final class FolderLock: Sendable {
    private let descriptor: CInt

    /// Takes the folder, which exists. On file systems whose folders cannot be locked, as some network's cannot, it is taken in any case.
    /// - Throws: `Failure` (`.cannotWrite`) if another process, or another of these, has it, or if it cannot be opened.
    package init(_ folder: URL) throws {
        let descriptor = open(folder.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw Failure(.cannotWrite, "the folder cannot be opened", at: folder.path, found: String(cString: strerror(errno)))
        }
        if flock(descriptor, LOCK_EX | LOCK_NB) != 0, errno == EWOULDBLOCK {
            close(descriptor)
            throw Failure(
                .cannotWrite, "another run writes to this folder", at: folder.path, remedy: "wait for its end, stop it, or choose another folder")
        }
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }
}
