import Foundation

/// Removes from a folder the temporary files of ``writeAtomically(to:_:)`` whose processes were killed while they wrote. Those of processes that live, under
/// whatever name, stay.
package func removeLeftovers(in folder: URL) {
    for name in (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? [] {
        guard let writer = writer(ofTemporary: name), kill(writer, 0) != 0, errno == ESRCH else { continue }
        unlink(folder.appendingPathComponent(name).path)
    }
}

/// The process that made a temporary file of this name, `.partial-PID-…` or, formerly, `.….PID-N.partial`; nil for another name.
private func writer(ofTemporary name: String) -> pid_t? {
    let match = name.wholeMatch(of: /\.partial-([0-9]+)-.+/)?.1 ?? name.wholeMatch(of: /\..+\.([0-9]+)(?:-[0-9]+)?\.partial/)?.1
    return match.flatMap { pid_t($0) }.flatMap { $0 > 0 ? $0 : nil }
}
