import Foundation
import Groundwork
import VectorKernels

/// A `.safetensors` file opened for reading: names, shapes, metadata, and tensors as 32-bit floats.
///
/// The format is a header length (8 bytes, little endian), a JSON header and the tensors' bytes; the header is checked whole against
/// the file's size before any tensor is read.
public struct SafetensorsFile: Sendable {
    /// Number formats on disk, by the names of the format.
    public enum ElementType: String, Sendable {
        case float64 = "F64", float32 = "F32", float16 = "F16", bfloat16 = "BF16"
        case int64 = "I64", int32 = "I32", int16 = "I16", int8 = "I8", uint8 = "U8", boolean = "BOOL"

        /// Bytes of one element.
        public var size: Int {
            switch self {
            case .float64, .int64: 8
            case .float32, .int32: 4
            case .float16, .bfloat16, .int16: 2
            case .int8, .uint8, .boolean: 1
            }
        }
    }

    private struct Entry: Sendable {
        let type: ElementType
        let shape: [Int]
        let range: Range<Int>
    }

    public let url: URL
    /// The text entries under `__metadata__`.
    public let metadata: [String: String]
    private let entries: [String: Entry]
    private let data: Data

    /// The tensors' names in the order of their bytes.
    public let names: [String]

    /// Reads and checks the header.
    /// - Throws: `Failure`: `.missingInput` if there is no such file, `.badData` if it is not a sound safetensors file.
    public init(reading url: URL) throws {
        self.url = url
        guard FileManager.default.fileExists(atPath: url.path) else { throw Failure(.missingInput, "there is no such file", at: url.path) }
        do {
            data = try Data(contentsOf: url, options: .mappedIfSafe)
        } catch {
            throw Failure(.badData, "the file cannot be read", at: url.path, found: error.localizedDescription)
        }
        let remedy = "the file is damaged or not safetensors; fetch or write it again"
        guard data.count >= 10 else {
            throw Failure(.badData, "not a safetensors file", at: url.path, expected: "at least 10 bytes", found: "\(data.count)", remedy: remedy)
        }
        let length = data.prefix(8).reversed().reduce(0 as UInt64) { $0 << 8 | UInt64($1) }
        guard length <= UInt64(data.count - 8) else {
            throw Failure(
                .badData, "not a safetensors file, or cut short", at: url.path, expected: "a header of at most \(data.count - 8) bytes",
                found: "a header length of \(length)", remedy: remedy)
        }
        let start = 8 + Int(length)
        // JSON in another encoding than UTF-8 has bytes of 0.
        guard !data[8..<start].contains(0), let header = try? JSONSerialization.jsonObject(with: data[8..<start]) as? [String: Any] else {
            throw Failure(.badData, "the safetensors header is not a JSON object", at: url.path, remedy: remedy)
        }
        if let name = data[8..<start].withUnsafeBytes(repeatedKey) {
            throw Failure(.badData, "a name stands twice in the safetensors header", at: url.path, found: name, remedy: remedy)
        }
        metadata = header["__metadata__"] as? [String: String] ?? [:]
        var entries: [String: Entry] = [:]
        for (name, value) in header where name != "__metadata__" {
            entries[name] = try Self.entry(value, available: data.count - start, at: "\(url.path), tensor \(name)", remedy: remedy)
        }
        let ordered = entries.sorted {
            ($0.value.range.lowerBound, $0.value.range.upperBound, $0.key) < ($1.value.range.lowerBound, $1.value.range.upperBound, $1.key)
        }
        for (first, second) in zip(ordered, ordered.dropFirst()) where second.value.range.lowerBound < first.value.range.upperBound {
            throw Failure(.badData, "tensors \(first.key) and \(second.key) share bytes", at: url.path, remedy: remedy)
        }
        // As the format wants it: tensors lie side by side from the first byte to the last.
        let owned = ordered.reduce(0) { $0 + $1.value.range.count }
        guard owned == data.count - start else {
            throw Failure(
                .badData, "the file holds bytes that belong to no tensor", at: url.path, expected: "\(owned) bytes after the header",
                found: "\(data.count - start)", remedy: remedy)
        }
        self.entries = entries.mapValues { Entry(type: $0.type, shape: $0.shape, range: $0.range.lowerBound + start..<$0.range.upperBound + start) }
        names = ordered.map(\.key)
    }

    private static func entry(_ value: Any, available: Int, at location: String, remedy: String) throws -> Entry {
        guard let fields = value as? [String: Any], let shape = fields["shape"] as? [Int], let offsets = fields["data_offsets"] as? [Int],
            let name = fields["dtype"] as? String
        else { throw Failure(.badData, "the header entry lacks dtype, shape or data_offsets", at: location, remedy: remedy) }
        guard let type = ElementType(rawValue: name) else {
            throw Failure(
                .badData, "unknown number format", at: location, expected: "F32, F16, BF16, F64 or an integer type", found: name,
                remedy: "convert the file to one of these formats")
        }
        var bytes = type.size
        for extent in shape {
            let (product, overflow) = bytes.multipliedReportingOverflow(by: extent)
            guard extent >= 0, !overflow else { throw Failure(.badData, "impossible shape", at: location, found: "\(shape)", remedy: remedy) }
            bytes = product
        }
        guard offsets.count == 2, offsets[0] >= 0, offsets[0] <= offsets[1], offsets[1] <= available, offsets[1] - offsets[0] == bytes else {
            throw Failure(
                .badData, "the tensor's bytes do not fit its shape or the file", at: location,
                expected: "\(bytes) bytes within the file's \(available)", found: "offsets \(offsets)", remedy: remedy)
        }
        return Entry(type: type, shape: shape, range: offsets[0]..<offsets[1])
    }

    public func contains(_ name: String) -> Bool { entries[name] != nil }

    /// The shape on disk; nil if there is no such tensor.
    public func shape(of name: String) -> [Int]? { entries[name]?.shape }

    /// The shapes on disk of all tensors by name.
    public var shapes: [String: [Int]] { entries.mapValues(\.shape) }

    /// The number format on disk; nil if there is no such tensor.
    public func type(of name: String) -> ElementType? { entries[name]?.type }

    /// A tensor's bytes as they lie on disk; nil if there is no such tensor.
    package func bytes(of name: String) -> Data? { entries[name].map { data[$0.range] } }

    /// A tensor of weights, all of them finite.
    /// - Parameter remedy: what can be done where one is not.
    /// - Throws: `Failure` (`.badData`) if there is none of this name, or if a value is not finite as a 32-bit float.
    package func weights(
        named name: String, remedy: String = "the file is damaged, or its training diverged; fetch it or train it again"
    ) throws -> Tensor {
        let tensor = try tensor(named: name)
        if let index = tensor.firstIndex(exceeding: .greatestFiniteMagnitude) {
            throw Failure(
                .badData, "the weights are not finite", at: "\(url.path), tensor \(name)", expected: "finite numbers",
                found: "\(tensor.pointer[index]) at place \(index) of \(tensor.count)",
                remedy: remedy)
        }
        return tensor
    }

    /// A tensor, converted to 32-bit floats.
    /// - Throws: `Failure` (`.badData`) if there is none of this name.
    public func tensor(named name: String) throws -> Tensor {
        guard let entry = entries[name] else {
            throw Failure(
                .badData, "the tensor is missing", at: url.path, expected: name, found: "\(names.count) tensors of other names",
                remedy: "the file is of another kind or damaged; fetch or write it again")
        }
        let result = Tensor(uninitialized: entry.shape)
        let count = result.count
        // The header's length is arbitrary, so the bytes need not be aligned: they are copied before they are read as numbers.
        func read<Element>(_: Element.Type, _ convert: (UnsafePointer<Element>) -> Void) {
            let buffer = UnsafeMutableBufferPointer<Element>.allocate(capacity: max(1, count))
            defer { buffer.deallocate() }
            _ = data[entry.range].copyBytes(to: buffer)
            if let base = buffer.baseAddress { convert(base) }
        }
        func inBlocks(_ convert: (_ start: Int, _ count: Int) -> Void) {
            Parallel.forEachBlock(of: count, size: elementwiseBlock) { convert($0.lowerBound, $0.count) }
        }
        let target = result.pointer
        let type = entry.type
        switch type {
        case .float32:
            data.withUnsafeBytes { bytes in
                guard let source = bytes.baseAddress?.advanced(by: entry.range.lowerBound) else { return }
                inBlocks { memcpy(target + $0, source + $0 * type.size, $1 * type.size) }
            }
        case .float16: read(UInt16.self) { source in inBlocks { convert_float16_to_float($1, source + $0, target + $0) } }
        case .bfloat16: read(UInt16.self) { source in inBlocks { convert_bfloat16_to_float($1, source + $0, target + $0) } }
        case .float64: read(Double.self) { for index in 0..<count { target[index] = Float($0[index]) } }
        case .int64: read(Int64.self) { for index in 0..<count { target[index] = Float($0[index]) } }
        case .int32: read(Int32.self) { for index in 0..<count { target[index] = Float($0[index]) } }
        case .int16: read(Int16.self) { for index in 0..<count { target[index] = Float($0[index]) } }
        case .int8: read(Int8.self) { for index in 0..<count { target[index] = Float($0[index]) } }
        case .uint8, .boolean: read(UInt8.self) { for index in 0..<count { target[index] = Float($0[index]) } }
        }
        return result
    }
}
