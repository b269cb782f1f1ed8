import Foundation

/// Removes from a folder the temporary files of ``writeAtomically(to:_:)`` whose processes were killed while they wrote, or could not remove them. Those of processes that
/// live, under whatever name, stay.
/// - Parameter ofOtherComputers: whether those that another computer's processes wrote go, too: where no other process may write now.
package func removeLeftovers(in folder: URL, ofOtherComputers: Bool = false) {
    for name in (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? [] {
        guard let writer = writer(ofTemporary: name) else { continue }
        let isGone = writer.isHere ? kill(writer.process, 0) != 0 && errno == ESRCH : ofOtherComputers
        if isGone { unlink(folder.appendingPathComponent(name).path) }
    }
}

/// The process that made a temporary file of this name, `.partial-PID-N-RANDOM-HOST` or, formerly, one without the host or `.….PID-N.partial`, and whether it is one of
/// this computer, as far as the name tells; nil for another name.
private func writer(ofTemporary name: String) -> (process: pid_t, isHere: Bool)? {
    let own = name.wholeMatch(of: /\.partial-([0-9]+)-[0-9]+-[0-9a-f]+(-.+)?/)
    let match = own?.1 ?? name.wholeMatch(of: /\..+\.([0-9]+)(?:-[0-9]+)?\.partial/)?.1
    guard let process = match.flatMap({ pid_t($0) }), process > 0 else { return nil }
    return (process, own?.2.map { $0.dropFirst() == hostName() ?? "" } ?? true)
}
