import Foundation
import Groundwork
import TensorCore

/// A digest of all that a safetensors file holds, in its own metadata: it tells when a bit has changed since the file was written.
private let digestKey = "sr.digest"

/// Writes tensors and metadata as ``TensorCore/writeSafetensors(_:metadata:type:to:)`` does, and with them their digest.
/// - Throws: `Failure` (`.cannotWrite`)
func writeWithDigest(
    _ tensors: [(name: String, tensor: Tensor)], metadata: [String: String], type: SafetensorsFile.ElementType = .float32, to url: URL
) throws {
    let lines = Parallel.map(tensors.count) { index in
        Result {
            let (name, tensor) = tensors[index]
            let type = type.stored(tensor)
            let values =
                type == .float16
                ? try tensor.float16Bits.withUnsafeBytes { try sha256(of: $0) }
                : try sha256(of: UnsafeRawBufferPointer(start: tensor.pointer, count: tensor.count * type.size))
            return line(name, type, tensor.shape, values)
        }
    }
    let sum = try digest(try lines.map { try $0.get() }, metadata)
    try writeSafetensors(tensors, metadata: metadata.merging([digestKey: sum]) { $1 }, type: type, to: url)
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
