import Foundation
import Groundwork

/// The bytes of a file in memory that is used again for the next, so that a file is read once for its digest and its images.
///
/// Not for use by two threads at a time, nor while a ``FITSFile`` of the former bytes is in use.
package final class FileBytes {
    /// Where the bytes begin, and how many there are: cfitsio keeps pointers to these.
    let start: UnsafeMutablePointer<UnsafeMutableRawPointer?>
    let count: UnsafeMutablePointer<Int>
    private var capacity = 0

    package init() {
        start = .allocate(capacity: 1)
        count = .allocate(capacity: 1)
        start.initialize(to: nil)
        count.initialize(to: 0)
    }

    deinit {
        start.pointee?.deallocate()
        start.deallocate()
        count.deallocate()
    }

    package var all: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: start.pointee, count: count.pointee) }

    /// Takes the bytes of a file in place of what there was.
    /// - Returns: false, and nothing is taken, if the file has more than `limit` bytes or is none.
    /// - Throws: `Failure`: `.missingInput` if there is no such file, `.badData` if it cannot be read.
    package func read(_ url: URL, limit: Int = 1 << 28) throws -> Bool {
        count.pointee = 0
        let descriptor = open(url.path, O_RDONLY)
        guard descriptor >= 0 else {
            if errno == ENOENT { throw Failure(.missingInput, "there is no such file", at: url.path, remedy: "check the path") }
            throw unreadable(url)
        }
        defer { close(descriptor) }
        var state = stat()
        guard fstat(descriptor, &state) == 0 else { throw unreadable(url) }
        let size = Int(state.st_size)
        guard state.st_mode & S_IFMT == S_IFREG, size <= limit else { return false }
        if size > capacity {
            start.pointee?.deallocate()
            start.pointee = .allocate(byteCount: size, alignment: 64)
            capacity = size
        }
        while count.pointee < size, let place = start.pointee {
            let got = Foundation.read(descriptor, place + count.pointee, size - count.pointee)
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else { throw unreadable(url) }
            if got == 0 { break }
            count.pointee += got
        }
        return true
    }

    private func unreadable(_ url: URL) -> Failure {
        Failure(.badData, "the file cannot be read", at: url.path, found: String(cString: strerror(errno)))
    }
}
