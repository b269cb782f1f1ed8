import Foundation
import Groundwork

/// A tensor under the name that it has in a file. Where the file's layout is not memory's, it is made each time it is asked for, and not kept.
package struct NamedTensor {
    package let name: String
    /// On disk.
    package let shape: [Int]
    /// Whether ``tensor`` is a copy rather than what is in memory anyway.
    package let isCopied: Bool
    private let make: () -> Tensor

    package var tensor: Tensor { make() }

    package init(_ name: String, _ tensor: Tensor) {
        (self.name, shape, isCopied) = (name, tensor.shape, false)
        make = { tensor }
    }

    /// - Parameter make: gives a tensor of this shape, the same at each call.
    package init(_ name: String, copying shape: [Int], _ make: @escaping () -> Tensor) {
        (self.name, self.shape, isCopied, self.make) = (name, shape, true, make)
    }

    /// The same under a name that begins with `prefix`.
    package func prefixed(_ prefix: String) -> NamedTensor { NamedTensor(name: prefix + name, shape: shape, isCopied: isCopied, make: make) }

    private init(name: String, shape: [Int], isCopied: Bool, make: @escaping () -> Tensor) {
        (self.name, self.shape, self.isCopied, self.make) = (name, shape, isCopied, make)
    }
}

/// Writes tensors as `.safetensors`, in the order given, with text metadata.
///
/// - Parameter type: `.float32`, or `.float16` for half the size at about three decimal digits; single values stay
///   `.float32`, for they may be counts.
/// - Throws: `Failure` (`.cannotWrite`). The file appears whole or not at all.
public func writeSafetensors(
    _ tensors: [(name: String, tensor: Tensor)], metadata: [String: String] = [:], type: SafetensorsFile.ElementType = .float32, to url: URL
) throws {
    try writeSafetensors(of: tensors.map { NamedTensor($0.name, $0.tensor) }, metadata: metadata, type: type, to: url)
}

/// The same, of tensors that are made when it is their turn: beside what is in memory anyway one of them is there at a time.
package func writeSafetensors(
    of tensors: [NamedTensor], metadata: [String: String] = [:], type: SafetensorsFile.ElementType = .float32, to url: URL
) throws {
    precondition(type == .float32 || type == .float16, "writeSafetensors: format \(type) is for reading alone")
    var header: [String: Any] = metadata.isEmpty ? [:] : ["__metadata__": metadata]
    var offset = 0
    for tensor in tensors {
        let type = type.stored(tensor.shape)
        let size = tensor.shape.reduce(type.size, *)
        header[tensor.name] = ["dtype": type.rawValue, "shape": tensor.shape, "data_offsets": [offset, offset + size]] as [String: Any]
        offset += size
    }
    precondition(header.count == tensors.count + (metadata.isEmpty ? 0 : 1), "writeSafetensors: two tensors have the same name")
    // Sorted keys: the same tensors give the same bytes.
    var json = try JSONSerialization.data(withJSONObject: header, options: [.sortedKeys, .withoutEscapingSlashes])
    json.append(Data(repeating: UInt8(ascii: " "), count: (8 - json.count % 8) % 8))
    try writeAtomically(to: url) { temporary in
        do {
            let file = try OutputFile(temporary)
            try withUnsafeBytes(of: UInt64(json.count).littleEndian) { try file.write($0) }
            try json.withUnsafeBytes { try file.write($0) }
            for tensor in tensors { try tensor.tensor.withBytes(as: type.stored(tensor.shape)) { try file.write($0) } }
        } catch var failure as Failure {
            failure.location = url.path
            throw failure
        }
    }
}

extension SafetensorsFile.ElementType {
    /// The format in which ``writeSafetensors(_:metadata:type:to:)`` writes a tensor of this shape where this is asked for.
    package func stored(_ shape: [Int]) -> Self { shape.isEmpty ? .float32 : self }
}

extension Tensor {
    /// The bytes of the values in row-major order as `.float32` or `.float16`.
    package func withBytes<Result>(as type: SafetensorsFile.ElementType, _ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        if type == .float16 { return try float16Bits.withUnsafeBytes(body) }
        return try withExtendedLifetime(self) { try body(UnsafeRawBufferPointer(start: pointer, count: count * MemoryLayout<Float>.stride)) }
    }
}
