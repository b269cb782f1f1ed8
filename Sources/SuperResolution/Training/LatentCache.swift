import Foundation
import Groundwork
import Logging
import Synchronization
import TensorCore

/// Latents of crops in a folder, so that runs of one seed, on the same data and by the same encoder, encode each crop once.
///
/// A file is named after the digest of all that its latents follow from, so it is never out of date. It appears whole or not at all, and holds a digest by
/// which damage to it is noticed. Where files exceed the limit, those go that were not used for longest. Several runs may share a folder.
package final class LatentCache: Sendable {
    private let folder: URL
    private let limit: MemorySize
    private let logger: Logger
    private let advice = Advice()
    /// Bytes in the folder, as counted last and added since.
    private let bytes: Mutex<Int>

    private static let pixelsKey = "sr.pixels"

    /// - Parameters:
    ///   - limit: of all files together.
    /// - Throws: `Failure` (`.cannotWrite`) if the folder cannot be made.
    package init(folder: URL, limit: MemorySize, logger: Logger) throws {
        try createFolder(folder)
        (self.folder, self.limit, self.logger) = (folder, limit, logger)
        bytes = Mutex(0)
        shrink(addedBytes: 0)
    }

    /// The latents under a key, or those that `make` gives, which are kept.
    /// - Parameters:
    ///   - parts: all that they follow from beside the pixels of the magnetogram.
    ///   - pixels: the digest of these pixels; nil if they were not read yet.
    /// - Returns: with the digest of the pixels that kept ones were made from; nil for new ones.
    func callAsFunction(
        _ parts: [String], pixels: String?, _ make: () throws -> (latents: LatentEncoder.Latents, pixels: String)
    ) throws -> (latents: LatentEncoder.Latents, pixels: String?) {
        let key = try Array(parts.joined(separator: "\n").utf8).withUnsafeBytes { try sha256(of: $0) }
        let file = folder.appendingPathComponent("\(key).safetensors")
        if let kept = try? read(file), pixels == nil || pixels == kept.pixels { return kept }
        let made = try make()
        do {
            try write(made.latents, made.pixels, to: file)
        } catch {
            advice.once("the latents of crops cannot be kept, and training goes on without: \(error)") { logger.warning("\($0)") }
        }
        return (made.latents, nil)
    }

    private func read(_ file: URL) throws -> (latents: LatentEncoder.Latents, pixels: String?) {
        let found = try SafetensorsFile(reading: file)
        try found.verifyDigest(of: "file of latents", remedy: "")
        let latents = (
            target: try found.tensor(named: "target"), condition: try found.tensor(named: "condition"),
            weights: try found.contains("weights") ? found.tensor(named: "weights") : nil
        )
        try? FileManager.default.setAttributes([.modificationDate: Date()], ofItemAtPath: file.path)
        return (latents, found.metadata[Self.pixelsKey])
    }

    private func write(_ latents: LatentEncoder.Latents, _ pixels: String, to file: URL) throws {
        let tensors = [("target", latents.target), ("condition", latents.condition)] + (latents.weights.map { [("weights", $0)] } ?? [])
        try writeWithDigest(tensors.map { NamedTensor($0, $1) }, metadata: [Self.pixelsKey: pixels], to: file)
        shrink(addedBytes: (try? file.resourceValues(forKeys: [.fileSizeKey]))?.fileSize ?? 0)
    }

    /// Removes what was not used for longest, down to nine tenths of the limit, where that may be exceeded.
    private func shrink(addedBytes: Int) {
        bytes.withLock { bytes in
            bytes += addedBytes
            guard addedBytes == 0 || bytes > limit.bytes else { return }
            let keys: Set<URLResourceKey> = [.contentModificationDateKey, .fileSizeKey]
            let all = (try? FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: Array(keys))) ?? []
            var files = all.filter { $0.pathExtension == "safetensors" }.map { url -> (url: URL, date: Date, size: Int) in
                let values = try? url.resourceValues(forKeys: keys)
                return (url, values?.contentModificationDate ?? .distantPast, values?.fileSize ?? 0)
            }
            bytes = files.reduce(0) { $0 + $1.size }
            guard bytes > limit.bytes else { return }
            files.sort { $0.date > $1.date }
            while bytes > limit.bytes / 10 * 9, let oldest = files.popLast() {
                unlink(oldest.url.path)
                bytes -= oldest.size
            }
        }
    }
}

extension Model {
    /// What its latents follow from beside the crops: the program, the encoder and its weights.
    /// - Throws: `Failure` if the running program cannot be read.
    func encoderIdentity() throws -> [String] {
        let weights = try firstStageStore.stateDictionary().map { name, tensor in
            "\(name) \(tensor.shape) \(try sha256(of: UnsafeRawBufferPointer(start: tensor.pointer, count: 4 * tensor.count)))"
        }
        let configurations: [Any?] = [description.normalization, description.system.autoencoder, corrdiff?.configuration]
        return try [programDigest(), "\(kind.isResidual) \(scale) \(factor)"] + configurations.map { "\($0 ?? "")" } + weights
    }
}
