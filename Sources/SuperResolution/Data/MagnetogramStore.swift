import Foundation
import Groundwork
import Logging
import SolarImage

/// The fields of magnetograms, read when they are asked for and kept until their memory is full; then those go that were not used for longest.
///
/// Several threads may ask at a time; a file is read by one of them, and the others wait for it. What is given does not depend on what is kept.
package final class MagnetogramStore: @unchecked Sendable {
    /// A magnetogram and, in a pair, its low resolution on HMI's scale of Gauss; NaN off the disk and where data are missing, and in all of a file whose pixels
    /// cannot be used.
    struct Fields: Sendable {
        let high: Image
        let low: Image?

        var bytes: Int { 4 * (high.pixels.count + (low?.pixels.count ?? 0)) }

        /// The first 16 digits of ``Image/pixelDigest()``, of a pair followed by those of the low resolution.
        func digest() throws -> String { try [high, low].compactMap { try $0?.pixelDigest().prefix(16) }.joined() }
    }

    private struct Kept {
        let fields: Fields
        /// When it was last asked for, counted in questions.
        var use: Int
    }

    /// Of kept fields, at most.
    package let memory: MemorySize
    private let logger: Logger
    /// Guards all below.
    private let condition = NSCondition()
    private var kept: [String: Kept] = [:]
    private var bytes = 0
    private var uses = 0
    private var reading: Set<String> = []
    /// What the pixels of files must be, by ``Fields/digest()``: those that they were when first read.
    private var digests: [String: String] = [:]
    /// Why the pixels of files cannot be used.
    private var reasons: [String: String] = [:]
    private var remarked: Set<String> = []

    /// - Parameter memory: a quarter of what the process may have unless told otherwise.
    package init(memory: MemorySize? = nil, logger: Logger) {
        self.memory = memory ?? MemorySize(bytes: Memory.limit / 4)
        self.logger = logger
    }

    /// Bytes of the fields that are kept now.
    package var keptBytes: Int { guarded { bytes } }

    /// The digest of a file's pixels; nil if they were never read.
    func digest(of entry: MagnetogramCollection.Entry) -> String? { guarded { digests[entry.url.path] } }

    /// Why the pixels of a file cannot be used; nil if they can be, or were not read yet.
    package func reason(against entry: MagnetogramCollection.Entry) -> String? { guarded { reasons[entry.url.path] } }

    /// Has the pixels of a file refused from now on unless their digest is this one.
    /// - Throws: `Failure` (`.badData`) if they were read already and their digest is another.
    func expect(_ digest: String, of entry: MagnetogramCollection.Entry) throws { try guarded { try note(digest, of: entry) } }

    /// A file whose pixels cannot be used counts for nothing, of which a warning tells once: among thousands that are read while a run goes on, one must not end it.
    /// - Throws: `Failure`: `.missingInput` or `.badData` if the file is gone or not what it was.
    func fields(of entry: MagnetogramCollection.Entry) throws -> Fields {
        let path = entry.url.path
        if let fields = guarded({ fieldsToKeep(path) }) { return fields }
        let result = Result { try read(entry) }
        return try guarded {
            reading.remove(path)
            condition.broadcast()
            let (fields, digest) = try result.get()
            try note(digest, of: entry)
            keep(fields, path)
            return fields
        }
    }

    /// What is kept of a file; nil if the caller is to read it.
    private func fieldsToKeep(_ path: String) -> Fields? {
        // Where cfitsio is not made for threads, one file at a time.
        while reading.contains(path) || !(FITSFile.allowsThreads || reading.isEmpty) { condition.wait() }
        uses += 1
        if let fields = kept[path]?.fields {
            kept[path]?.use = uses
            return fields
        }
        reading.insert(path)
        return nil
    }

    /// Takes a digest of a file's pixels down, which must be what it was before.
    private func note(_ digest: String, of entry: MagnetogramCollection.Entry) throws {
        let noted = digests[entry.url.path] ?? digest
        guard noted == digest else { throw Self.changed(entry, "pixels of one digest", "\(noted) and \(digest)") }
        digests[entry.url.path] = digest
    }

    private func keep(_ fields: Fields, _ path: String) {
        guard fields.bytes <= memory.bytes else { return }
        while bytes + fields.bytes > memory.bytes, let oldest = kept.min(by: { $0.value.use < $1.value.use }) {
            bytes -= oldest.value.fields.bytes
            kept[oldest.key] = nil
        }
        kept[path] = Kept(fields: fields, use: uses)
        bytes += fields.bytes
    }

    private func read(_ entry: MagnetogramCollection.Entry) throws -> (Fields, digest: String) {
        let opened = try MagnetogramFile(reading: entry.url, masksOffDisk: true)
        let header = try opened.file.headerDigest()
        guard header == entry.digest else { throw Self.changed(entry, "headers of the digest \(entry.digest)", header) }
        let fields: Fields
        do {
            let map = try opened.whole()
            for remark in map.remarks { warn(remark) }
            fields = Fields(high: map.image, low: try entry.pairScale == nil ? nil : opened.file.lowResolution()?.image)
        } catch let failure as Failure where failure.category == .badData {
            warn("left out: \(failure)")
            guarded { reasons[entry.url.path] = failure.description }
            fields = Fields(withoutDataOf: entry)
        }
        return (fields, try fields.digest())
    }

    private func warn(_ remark: String) {
        if guarded({ remarked.insert(remark).inserted }) { logger.warning("\(remark)") }
    }

    private static func changed(_ entry: MagnetogramCollection.Entry, _ expected: String, _ found: String) -> Failure {
        Failure(
            .badData, "the magnetogram is not what it was when training began", at: entry.url.path, expected: expected, found: found,
            remedy: "resume with the data that the run began with, or train on these in another run, from this one's model with --from")
    }

    private func guarded<Result>(_ body: () throws -> Result) rethrows -> Result {
        condition.lock()
        defer { condition.unlock() }
        return try body()
    }
}

extension MagnetogramStore.Fields {
    /// Those of a file whose pixels cannot be used.
    init(withoutDataOf entry: MagnetogramCollection.Entry) {
        func empty(_ scale: Int) -> Image { Image(width: entry.width / scale, height: entry.height / scale, repeating: .nan) }
        self.init(high: empty(1), low: entry.pairScale.map(empty))
    }
}

extension FITSFile {
    /// The SHA-256 of the headers in hexadecimal: ``headers``.
    /// - Throws: `Failure` if libcrypto cannot compute it.
    func headerDigest() throws -> String { try headers.withUnsafeBytes { try sha256(of: $0) } }
}
