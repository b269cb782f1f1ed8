import Foundation
import Groundwork

/// The bytes of a file in memory that is used again for the next, so that a file is read once for its digest and its images.
///
/// Not for use by two threads at a time, nor while a ``FITSFile`` of the former bytes is in use.
package final class FileBytes {
    /// Where the bytes begin, and how many there are with the zeros that fill the last block: cfitsio keeps pointers to these.
    let start: UnsafeMutablePointer<UnsafeMutableRawPointer?>
    let filledCount: UnsafeMutablePointer<Int>
    /// Without those zeros.
    private(set) var count = 0
    private(set) var capacity = 0

    package init() {
        start = .allocate(capacity: 1)
        filledCount = .allocate(capacity: 1)
        start.initialize(to: nil)
        filledCount.initialize(to: 0)
    }

    deinit {
        free(start.pointee)
        start.deallocate()
        filledCount.deallocate()
    }

    package var all: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: start.pointee, count: count) }

    /// Takes the bytes of a file in place of what there was.
    /// - Returns: false, and nothing is taken, if the file has more than `limit` bytes or is none.
    /// - Throws: `Failure`: `.missingInput` if there is no such file, `.badData` if it cannot be read.
    package func read(_ url: URL, limit: Int = FileBytes.limit) throws -> Bool {
        setCount(0)
        let descriptor = open(url.path, O_RDONLY)
        guard descriptor >= 0 else {
            if errno == ENOENT { throw FITSFile.missing(url) }
            throw FileBytes.unreadable(url)
        }
        defer { close(descriptor) }
        var state = stat()
        guard fstat(descriptor, &state) == 0 else { throw FileBytes.unreadable(url) }
        let size = Int(state.st_size)
        guard state.st_mode & S_IFMT == S_IFREG, size <= limit else { return false }
        try reserve(size, for: url)
        var read = 0
        while read < size, let place = start.pointee {
            let got = Foundation.read(descriptor, place + read, size - read)
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else { throw FileBytes.unreadable(url) }
            if got == 0 { break }
            read += got
        }
        setCount(read)
        return true
    }

    /// The largest file that is taken into memory as a whole if nothing else is said.
    package static let limit = 1 << 28

    static func unreadable(_ url: URL) -> Failure {
        Failure(.badData, "the file cannot be read", at: url.path, found: String(cString: strerror(errno)))
    }
}

extension FileBytes {
    /// Makes room for `size` bytes and the rest of the last block; those there are stay.
    /// - Throws: `Failure` (`.badData`) if there is no memory for a file of that size.
    func reserve(_ size: Int, for url: URL) throws {
        let needed = FITSStructure.wholeBlocks(size)
        guard needed > capacity else { return }
        guard let grown = realloc(start.pointee, needed) else {
            throw Failure(
                .badData, "there is no memory for the file", at: url.path, found: "\(size) bytes or more", remedy: "use a machine with more of it")
        }
        start.pointee = grown
        capacity = needed
    }

    /// Tells how many bytes there are, and fills the last block.
    /// - Precondition: there is room for them.
    func setCount(_ count: Int) {
        let filled = FITSStructure.wholeBlocks(count)
        precondition(filled <= capacity, "\(count) bytes in memory for \(capacity)")
        if let place = start.pointee { memset(place + count, 0, filled - count) }
        (self.count, filledCount.pointee) = (count, filled)
    }
}
