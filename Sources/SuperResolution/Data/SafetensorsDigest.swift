import Foundation
import Groundwork
import Synchronization
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
    func verifyDigest(of what: String, remedy: String) throws { try VerifiedTensors(self).verify(of: what, remedy: remedy) }
}

/// Tensors of a file whose digest is computed while they are read, so that its bytes are gone through once.
final class VerifiedTensors: Sendable {
    private let file: SafetensorsFile
    /// What the digest is made of, by the names of the tensors that were read.
    private let lines = Mutex<[String: String]>([:])

    init(_ file: SafetensorsFile) { self.file = file }

    /// As ``TensorCore/SafetensorsFile/weights(named:remedy:observing:)``, on any thread.
    func weights(named name: String, remedy: String = SafetensorsFile.weightsRemedy) throws -> Tensor {
        guard file.hasDigest else { return try file.weights(named: name, remedy: remedy) }
        var digest = try SHA256()
        let tensor = try file.weights(named: name, remedy: remedy) { try digest.update($0) }
        let line = line(of: name, try digest.finish())
        lines.withLock { $0[name] = line }
        return tensor
    }

    /// Makes sure that all of the file is what was written, where it tells; what was not read yet is read for that.
    /// - Throws: `Failure` (`.badData`) if it is not.
    func verify(of what: String, remedy: String) throws {
        guard let expected = file.metadata[digestKey] else { return }
        let known = lines.withLock { $0 }, others = file.names.filter { known[$0] == nil }
        let rest = try Parallel.map(others.count) { index in
            Result {
                var digest = try SHA256()
                try file.readBytes(of: others[index]) { try digest.update($0) }
                return line(of: others[index], try digest.finish())
            }
        }.map { try $0.get() }
        let found = try digest(known.values + rest, file.metadata.filter { $0.key != digestKey })
        guard found == expected else {
            throw Failure(
                .badData, "the \(what) is damaged", at: file.url.path, expected: "contents of the digest \(expected)", found: found, remedy: remedy)
        }
    }

    private func line(of name: String, _ digest: String) -> String {
        SuperResolution.line(name, file.type(of: name) ?? .float32, file.shape(of: name) ?? [], digest)
    }
}

private func line(_ name: String, _ type: SafetensorsFile.ElementType, _ shape: [Int], _ values: String) -> String {
    "\(name) \(type.rawValue) \(shape) \(values)\n"
}

/// The SHA-256 of the lines in their order as text, and of metadata likewise.
private func digest(_ lines: [String], _ metadata: [String: String]) throws -> String {
    let text = lines.sorted().joined() + metadata.map { "\($0.key) = \($0.value)\n" }.sorted().joined()
    return try sha256(ofText: text)
}
