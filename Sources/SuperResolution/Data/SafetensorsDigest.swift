import Foundation
import Groundwork
import TensorCore

/// A digest of all that a safetensors file holds, in its own metadata: it tells when a bit has changed since the file was written.
private let digestKey = "sr.digest"

/// Writes tensors and metadata as ``TensorCore/writeSafetensors(_:metadata:type:to:)`` does, and with them their digest.
/// - Throws: `Failure` (`.cannotWrite`)
func writeWithDigest(
    _ tensors: [NamedTensor], metadata: [String: String], type: SafetensorsFile.ElementType = .float32, to url: URL
) throws {
    func digested(_ tensor: NamedTensor) throws -> String {
        let type = type.stored(tensor.shape)
        return line(tensor.name, type, tensor.shape, try tensor.tensor.withBytes(as: type) { try sha256(of: $0) })
    }
    // Copies are made one after the other, so that few are in memory at a time.
    let copied = tensors.filter { $0.isCopied || type == .float16 }, others = tensors.filter { !($0.isCopied || type == .float16) }
    let lines = try copied.map(digested) + Parallel.map(others.count) { index in Result { try digested(others[index]) } }.map { try $0.get() }
    let sum = try digest(lines, metadata)
    try writeSafetensors(of: tensors, metadata: metadata.merging([digestKey: sum]) { $1 }, type: type, to: url)
}

extension SafetensorsFile {
    /// Whether the file tells its digest; those of other programs and of earlier versions of this one do not.
    var hasDigest: Bool { metadata[digestKey] != nil }

    /// Makes sure that tensors and metadata are those that were written, where the file tells.
    /// - Parameters:
    ///   - what: what the file is, such as "checkpoint".
    ///   - remedy: what can be done without it.
    /// - Throws: `Failure` (`.badData`) if they are not.
    func verifyDigest(of what: String, remedy: String) throws {
        guard let expected = metadata[digestKey] else { return }
        let lines = Parallel.map(names.count) { index in
            Result {
                let name = names[index]
                let values = try (bytes(of: name) ?? Data()).withUnsafeBytes { try sha256(of: $0) }
                return line(name, type(of: name) ?? .float32, shape(of: name) ?? [], values)
            }
        }
        let found = try digest(try lines.map { try $0.get() }, metadata.filter { $0.key != digestKey })
        guard found == expected else {
            throw Failure(
                .badData, "the \(what) is damaged", at: url.path, expected: "contents of the digest \(expected)", found: found, remedy: remedy)
        }
    }
}

private func line(_ name: String, _ type: SafetensorsFile.ElementType, _ shape: [Int], _ values: String) -> String {
    "\(name) \(type.rawValue) \(shape) \(values)\n"
}

/// The SHA-256 of the lines in their order as text, and of metadata likewise.
private func digest(_ lines: [String], _ metadata: [String: String]) throws -> String {
    let text = lines.sorted().joined() + metadata.map { "\($0.key) = \($0.value)\n" }.sorted().joined()
    return try Array(text.utf8).withUnsafeBytes { try sha256(of: $0) }
}
