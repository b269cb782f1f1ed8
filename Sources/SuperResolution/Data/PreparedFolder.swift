import Foundation
import Groundwork

/// The files of a folder that `sr prepare` writes.
///
/// The manifest is there from the first moment and grows with each crop, so that it marks a folder as prepared also after an interruption.
package struct PreparedFolder: Sendable {
    package let url: URL

    package init(_ url: URL) { self.url = url }

    package var manifest: URL { url.appendingPathComponent("manifest.jsonl") }
    package var fingerprint: URL { url.appendingPathComponent("fingerprint.json") }
    package var configuration: URL { url.appendingPathComponent("config.yaml") }
    package var previews: URL { url.appendingPathComponent("previews") }

    package func part(_ part: PreparationPart) -> URL { url.appendingPathComponent(part.rawValue) }

    /// Refuses what would lose data: a place that is taken unless it may be overwritten, a folder to overwrite that was not prepared by this program,
    /// and one that holds an input.
    /// - Throws: `Failure`: `.cannotWrite` or `.usage`.
    package func check(inputs: [URL], overwrite: Bool) throws {
        let own = url.resolvingSymlinksInPath().path + "/"
        if let input = inputs.first(where: { $0.resolvingSymlinksInPath().path.hasPrefix(own) }) {
            throw Failure(.usage, "the output folder holds an input", at: url.path, found: input.path, remedy: "choose another folder")
        }
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) else { return }
        guard isFolder.boolValue else { throw Failure(.cannotWrite, "the output is a file, not a folder", at: url.path) }
        guard access(url.path, W_OK) == 0 else { throw Failure(.cannotWrite, "the folder cannot be written to", at: url.path) }
        guard try !names(in: url).isEmpty else { return }
        guard overwrite else {
            throw Failure(.cannotWrite, "the output folder exists and is not empty", at: url.path, remedy: "choose another folder or add --overwrite")
        }
        guard FileManager.default.fileExists(atPath: manifest.path) else {
            throw Failure(
                .cannotWrite, "the folder was not written by `sr prepare`, so it is not overwritten", at: url.path,
                expected: manifest.lastPathComponent, found: "other files", remedy: "choose another folder")
        }
    }

    /// Makes the folders, and takes away former crops, pictures and descriptions.
    /// - Throws: `Failure` (`.cannotWrite`).
    package func create(withPreviews: Bool) throws {
        let crops = PreparationPart.allCases.map(part)
        for folder in crops { try remove(in: folder, where: isFITSName) }
        try remove(in: previews) { $0.hasSuffix(".png") }
        try remove(in: url) { [manifest, fingerprint, configuration].map(\.lastPathComponent).contains($0) }
        for folder in crops + (withPreviews ? [previews] : []) { try createFolder(folder) }
    }

    private func names(in folder: URL) throws -> [String] {
        do {
            return try FileManager.default.contentsOfDirectory(atPath: folder.path)
        } catch {
            throw Failure(.cannotWrite, "the folder cannot be read", at: folder.path, found: error.localizedDescription)
        }
    }

    private func remove(in folder: URL, where isFormer: (String) -> Bool) throws {
        guard FileManager.default.fileExists(atPath: folder.path) else { return }
        for name in try names(in: folder) where isFormer(name) {
            let file = folder.appendingPathComponent(name)
            do {
                try FileManager.default.removeItem(at: file)
            } catch {
                throw Failure(.cannotWrite, "a former file cannot be removed", at: file.path, found: error.localizedDescription)
            }
        }
    }
}
