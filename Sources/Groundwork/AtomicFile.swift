import Foundation
import Synchronization

/// Tells temporary names of one process apart.
private let temporaryFiles = Atomic<Int>(0)

/// Writes a file so that a reader sees either the whole new content or the old one, never a part.
///
/// `body` writes to a temporary name in the same folder; the file is then synced to disk and renamed onto `url`.
/// Should `body` throw, the temporary file is removed and `url` is left as it was.
/// - Throws: `Failure` (`.cannotWrite`) if the folder cannot be written; whatever `body` throws.
public func writeAtomically(to url: URL, _ body: (_ temporary: URL) throws -> Void) throws {
    let folder = url.deletingLastPathComponent()
    let number = temporaryFiles.wrappingAdd(1, ordering: .relaxed).newValue
    // Not the file's own name, which may be as long as names can be; the last parts tell machines apart that share a folder.
    let temporary = folder.appendingPathComponent(
        ".partial-\(ProcessInfo.processInfo.processIdentifier)-\(number)-\(String(UInt32.random(in: 0...UInt32.max), radix: 16))"
            + (hostName().map { "-\($0)" } ?? ""))
    guard access(folder.path, W_OK) == 0 else { throw cannotWrite(url, errno) }
    do {
        try body(temporary)
        try sync(temporary)
        guard rename(temporary.path, url.path) == 0 else { throw cannotWrite(url, errno) }
        try syncFolder(of: url)
    } catch {
        unlink(temporary.path)
        throw error
    }
}

/// Writes `data` in the manner of ``writeAtomically(to:_:)``.
public func writeAtomically(_ data: Data, to url: URL) throws {
    try writeAtomically(to: url) { temporary in
        do { try data.write(to: temporary) } catch { throw cannotWrite(url, found: error.localizedDescription) }
    }
}

/// Writes `text` as UTF-8 in the manner of ``writeAtomically(to:_:)``.
public func writeAtomically(_ text: String, to url: URL) throws { try writeAtomically(Data(text.utf8), to: url) }

/// Creates a folder and those above it; one that exists already is rid of what killed processes left there.
/// - Throws: `Failure` (`.cannotWrite`).
public func createFolder(_ url: URL) throws {
    do {
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        removeLeftovers(in: url)
    } catch {
        throw Failure(.cannotWrite, "the folder cannot be created", at: url.path, found: error.localizedDescription)
    }
}

private func cannotWrite(_ url: URL, _ code: Int32) -> Failure {
    var failure = cannotWrite(url, found: String(cString: strerror(code)))
    if code == ENAMETOOLONG { failure.remedy = "choose a shorter name" }
    return failure
}

private func cannotWrite(_ url: URL, found: String) -> Failure {
    Failure(
        .cannotWrite, "cannot be written", at: url.path, found: found,
        remedy: "check that the folder exists, is writable and has space")
}

/// Makes the new name last; folders of some file systems cannot be synced.
private func syncFolder(of url: URL) throws {
    let descriptor = open(url.deletingLastPathComponent().path, O_RDONLY)
    guard descriptor >= 0 else { return }
    defer { close(descriptor) }
    if fsync(descriptor) != 0, [EIO, ENOSPC, EDQUOT].contains(errno) { throw cannotWrite(url, errno) }
}

private func sync(_ url: URL) throws {
    let descriptor = open(url.path, O_RDONLY)
    guard descriptor >= 0 else { throw cannotWrite(url, errno) }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 else { throw cannotWrite(url, errno) }
}
