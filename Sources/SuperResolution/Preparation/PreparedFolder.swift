import Foundation
import Groundwork

/// The files of a folder that `sr prepare` writes.
///
/// Until all is there, crops stand in the hidden folder of ``PreparationStaging``; that or the manifest marks a folder as prepared.
package struct PreparedFolder: Sendable {
    package let url: URL

    package init(_ url: URL) { self.url = url }

    package var manifest: URL { url.appendingPathComponent("manifest.jsonl") }
    package var fingerprint: URL { url.appendingPathComponent("fingerprint.json") }
    package var configuration: URL { url.appendingPathComponent("config.yaml") }
    package var previews: URL { url.appendingPathComponent("previews") }

    package func part(_ part: PreparationPart) -> URL { url.appendingPathComponent(part.rawValue) }

    /// Refuses what would lose data: a place that is taken unless it may be overwritten or has a run to go on with, a folder to overwrite that was not
    /// prepared by this program, and one that holds an input.
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
        // What a run left that did not come to its first entry is no loss.
        guard try names(in: url).contains(where: { $0 != PreparationStaging.name }), !PreparationStaging.exists(in: url) else { return }
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
    /// - Parameters:
    ///   - crops: paths within this folder that stay.
    ///   - previews: names of pictures that stay.
    /// - Throws: `Failure` (`.cannotWrite`).
    func clear(but crops: [String], previews pictures: [String]) throws {
        try remove(in: url) { [manifest, fingerprint, configuration].map(\.lastPathComponent).contains($0) }
        let (crops, pictures) = (Set(crops), Set(pictures))
        for own in PreparationPart.allCases {
            try remove(in: part(own)) { FITSName.isFITS($0) && !crops.contains("\(own.rawValue)/\($0)") }
            try createFolder(part(own))
        }
        try remove(in: previews) { $0.hasSuffix(".png") && !pictures.contains($0) }
        if !pictures.isEmpty { try createFolder(previews) }
    }

    /// Moves a file to a path within this folder, or among the pictures if it is one, in place of one that is there.
    func move(_ file: URL, to path: String) throws {
        let target = (path.hasSuffix(".png") ? previews : url).appendingPathComponent(path)
        guard rename(file.path, target.path) == 0 else {
            throw Failure(.cannotWrite, "cannot be written", at: target.path, found: String(cString: strerror(errno)))
        }
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
