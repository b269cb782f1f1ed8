import Foundation
import Groundwork

/// How FITS files are named, compressed or not.
package enum FITSName {
    /// As messages say it.
    package static let endings = ".fits, .fit or .fts, also with .gz or .fz behind"

    private static let plain = [".fits", ".fit", ".fts"]
    private static let unread = [".bz2", ".z", ".zip", ".xz", ".zst"]

    /// Whether a name ends as FITS files do and is not hidden.
    package static func isFITS(_ name: String) -> Bool { !name.hasPrefix(".") && stem(name) != name }

    /// Whether a name looks like that of a FITS file which is stored in a way that is not read.
    package static func isUnreadFITS(_ name: String) -> Bool {
        let lower = name.lowercased()
        let isPacked = plain.contains { plain in unread.contains { lower.hasSuffix(plain + $0) } }
        return !name.hasPrefix(".") && (isPacked || lower.hasSuffix(".imfits"))
    }

    /// A file's name without the ending of FITS files.
    package static func stem(_ name: String) -> String {
        var stem = name[...]
        let isPacked = ["gz", "fz"].contains { stem.lowercased().hasSuffix(".\($0)") }
        if isPacked { stem = stem.dropLast(3) }
        if let ending = plain.first(where: { stem.lowercased().hasSuffix($0) }) { return String(stem.dropLast(ending.count)) }
        // What fpack makes of a file without an ending; a .gz may be anything.
        return isPacked && name.lowercased().hasSuffix(".fz") ? String(stem) : name
    }
}

/// The FITS files of a folder, by name.
/// - Throws: `Failure` (`.missingInput`) if there is no such folder.
package func fitsFiles(in folder: URL) throws -> [URL] { try files(in: folder, FITSName.isFITS) }

/// Files of a folder that look like FITS files and are not read (``FITSName/isUnreadFITS(_:)``), by name.
/// - Throws: `Failure` (`.missingInput`) if there is no such folder.
package func unreadFITSFiles(in folder: URL) throws -> [URL] { try files(in: folder, FITSName.isUnreadFITS) }

private func files(in folder: URL, _ isWanted: (String) -> Bool) throws -> [URL] {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: folder.path, isDirectory: &isFolder), isFolder.boolValue else {
        let isFile = FileManager.default.fileExists(atPath: folder.path)
        throw Failure(isFile ? .badData : .missingInput, isFile ? "this is a file, not a folder" : "there is no such folder", at: folder.path)
    }
    do {
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter(isWanted).sorted()
        return names.map { folder.appendingPathComponent($0, isDirectory: false) }
    } catch {
        throw Failure(.badData, "the folder cannot be read", at: folder.path, found: error.localizedDescription)
    }
}
