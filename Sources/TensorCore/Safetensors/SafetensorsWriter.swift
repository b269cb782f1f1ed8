import Foundation
import Groundwork

/// Writes tensors as `.safetensors`, in the order given, with text metadata.
///
/// - Parameter type: `.float32`, or `.float16` for half the size at about three decimal digits; single values stay
///   `.float32`, for they may be counts.
/// - Throws: `Failure` (`.cannotWrite`). The file appears whole or not at all.
public func writeSafetensors(
    _ tensors: [(name: String, tensor: Tensor)], metadata: [String: String] = [:], type: SafetensorsFile.ElementType = .float32, to url: URL
) throws {
    precondition(type == .float32 || type == .float16, "writeSafetensors: format \(type) is for reading alone")
    var header: [String: Any] = metadata.isEmpty ? [:] : ["__metadata__": metadata]
    var offset = 0
    let types = tensors.map { type.stored($0.tensor) }
    for ((name, tensor), type) in zip(tensors, types) {
        let size = tensor.count * type.size
        header[name] = ["dtype": type.rawValue, "shape": tensor.shape, "data_offsets": [offset, offset + size]] as [String: Any]
        offset += size
    }
    precondition(header.count == tensors.count + (metadata.isEmpty ? 0 : 1), "writeSafetensors: two tensors have the same name")
    // Sorted keys: the same tensors give the same bytes.
    var json = try JSONSerialization.data(withJSONObject: header, options: [.sortedKeys, .withoutEscapingSlashes])
    json.append(Data(repeating: UInt8(ascii: " "), count: (8 - json.count % 8) % 8))
    try writeAtomically(to: url) { temporary in
        var data = Data(capacity: 8 + json.count + offset)
        withUnsafeBytes(of: UInt64(json.count).littleEndian) { data.append(contentsOf: $0) }
        data.append(json)
        for ((_, tensor), type) in zip(tensors, types) {
            if type == .float16 {
                tensor.float16Bits.withUnsafeBytes { data.append(contentsOf: $0) }
            } else {
                data.append(contentsOf: UnsafeRawBufferPointer(start: tensor.pointer, count: tensor.count * type.size))
            }
        }
        do {
            try data.write(to: temporary)
        } catch {
            throw Failure(.cannotWrite, "cannot be written", at: url.path, found: error.localizedDescription)
        }
    }
}

extension SafetensorsFile.ElementType {
    /// The format in which ``writeSafetensors(_:metadata:type:to:)`` writes a tensor where this is asked for.
    package func stored(_ tensor: Tensor) -> Self { tensor.shape.isEmpty ? .float32 : self }
}
