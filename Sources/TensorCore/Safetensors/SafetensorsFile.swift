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
    private let file: InputFile

    /// The tensors' names in the order of their bytes.
    public let names: [String]

    /// Reads and checks the header.
    /// - Throws: `Failure`: `.missingInput` if there is no such file, `.badData` if it is not a sound safetensors file.
    public init(reading url: URL) throws {
        self.url = url
        let file = try InputFile(url)
        let remedy = "the file is damaged or not safetensors; fetch or write it again"
        guard file.size >= 10 else {
            throw Failure(.badData, "not a safetensors file", at: url.path, expected: "at least 10 bytes", found: "\(file.size)", remedy: remedy)
        }
        var length: UInt64 = 0
        try withUnsafeMutableBytes(of: &length) { try file.read(at: 0, into: $0) }
        length = UInt64(littleEndian: length)
        let limit = min(file.size - 8, Self.largestHeader)
        guard length <= UInt64(limit) else {
            throw Failure(
                .badData, "not a safetensors file, or cut short", at: url.path, expected: "a header of at most \(limit) bytes",
                found: "a header length of \(length)", remedy: remedy)
        }
        let start = 8 + Int(length)
        var text = Data(count: Int(length))
        try text.withUnsafeMutableBytes { try file.read(at: 8, into: $0) }
        // JSON in another encoding than UTF-8 has bytes of 0.
        guard !text.contains(0), let header = try? JSONSerialization.jsonObject(with: text) as? [String: Any] else {
            throw Failure(.badData, "the safetensors header is not a JSON object", at: url.path, remedy: remedy)
        }
        if let name = text.withUnsafeBytes(repeatedKey) {
            throw Failure(.badData, "a name stands twice in the safetensors header", at: url.path, found: name, remedy: remedy)
        }
        metadata = header["__metadata__"] as? [String: String] ?? [:]
        var entries: [String: Entry] = [:]
        for (name, value) in header where name != "__metadata__" {
            entries[name] = try Self.entry(value, available: file.size - start, at: "\(url.path), tensor \(name)", remedy: remedy)
        }
        let ordered = entries.sorted {
            ($0.value.range.lowerBound, $0.value.range.upperBound, $0.key) < ($1.value.range.lowerBound, $1.value.range.upperBound, $1.key)
        }
        for (first, second) in zip(ordered, ordered.dropFirst()) where second.value.range.lowerBound < first.value.range.upperBound {
            throw Failure(.badData, "tensors \(first.key) and \(second.key) share bytes", at: url.path, remedy: remedy)
        }
        // As the format wants it: tensors lie side by side from the first byte to the last.
        let owned = ordered.reduce(0) { $0 + $1.value.range.count }
        guard owned == file.size - start else {
            throw Failure(
                .badData, "the file holds bytes that belong to no tensor", at: url.path, expected: "\(owned) bytes after the header",
                found: "\(file.size - start)", remedy: remedy)
        }
        self.file = file
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

    /// Goes through a tensor's bytes as they lie on disk, piece by piece.
    /// - Throws: `Failure` (`.badData`) if they cannot be read, and what `observe` throws.
    package func readBytes(of name: String, _ observe: (UnsafeRawBufferPointer) throws -> Void) throws {
        guard let entry = entries[name] else { return }
        try withUnsafeTemporaryAllocation(byteCount: Self.pieceSize, alignment: 64) { buffer in
            for start in stride(from: 0, to: entry.range.count, by: Self.pieceSize) {
                let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[..<min(Self.pieceSize, entry.range.count - start)])
                try file.read(at: entry.range.lowerBound + start, into: piece)
                try observe(UnsafeRawBufferPointer(piece))
            }
        }
    }

    /// What can be done about weights that are not finite.
    package static let weightsRemedy = "the file is damaged, or its training diverged; fetch it or train it again"

    /// A tensor of weights, all of them finite.
    /// - Parameters:
    ///   - remedy: what can be done where one is not.
    ///   - observe: is shown the bytes as they lie on disk, piece by piece.
    /// - Throws: `Failure` (`.badData`) if there is none of this name, or if a value is not finite as a 32-bit float.
    package func weights(
        named name: String, remedy: String = SafetensorsFile.weightsRemedy,
        observing observe: (UnsafeRawBufferPointer) throws -> Void = { _ in }
    ) throws -> Tensor {
        var flaw: Int?
        let tensor = try read(name) { bytes, tensor, range in
            if flaw == nil { flaw = tensor.firstIndex(exceeding: .greatestFiniteMagnitude, in: range) }
            try observe(bytes)
        }
        if let flaw {
            throw Failure(
                .badData, "the weights are not finite", at: "\(url.path), tensor \(name)", expected: "finite numbers",
                found: "\(tensor.pointer[flaw]) at place \(flaw) of \(tensor.count)", remedy: remedy)
        }
        return tensor
    }

    /// A tensor, converted to 32-bit floats.
    /// - Throws: `Failure` (`.badData`) if there is none of this name.
    public func tensor(named name: String) throws -> Tensor { try read(name) { _, _, _ in } }

    /// The bytes that the format allows a header.
    private static let largestHeader = 100_000_000

    /// Bytes that are read at a time, few enough for the second-level cache: what is done to them next finds them there.
    private static let pieceSize = 1 << 18

    /// Reads a tensor piece by piece.
    /// - Parameter each: is shown a piece's bytes, the tensor as far as it is read, and the places of the piece in it.
    private func read(_ name: String, _ each: (UnsafeRawBufferPointer, Tensor, Range<Int>) throws -> Void) throws -> Tensor {
        guard let entry = entries[name] else {
            throw Failure(
                .badData, "the tensor is missing", at: url.path, expected: name, found: "\(names.count) tensors of other names",
                remedy: "the file is of another kind or damaged; fetch or write it again")
        }
        let result = Tensor(uninitialized: entry.shape), target = result.pointer, type = entry.type
        var done = 0
        func convert<Element: BinaryInteger>(_ piece: UnsafeRawBufferPointer, _: Element.Type) {
            for (index, value) in piece.assumingMemoryBound(to: Element.self).enumerated() { target[done + index] = Float(value) }
        }
        try readBytes(of: name) { piece in
            guard let start = piece.baseAddress else { return }
            let range = done..<done + piece.count / type.size
            switch type {
            case .float32: UnsafeMutableRawPointer(target + done).copyMemory(from: start, byteCount: piece.count)
            case .float16: convert_float16_to_float(range.count, piece.assumingMemoryBound(to: UInt16.self).baseAddress, target + done)
            case .bfloat16: convert_bfloat16_to_float(range.count, piece.assumingMemoryBound(to: UInt16.self).baseAddress, target + done)
            case .float64:
                for (index, value) in piece.assumingMemoryBound(to: Double.self).enumerated() { target[done + index] = Float(value) }
            case .int64: convert(piece, Int64.self)
            case .int32: convert(piece, Int32.self)
            case .int16: convert(piece, Int16.self)
            case .int8: convert(piece, Int8.self)
            case .uint8, .boolean: convert(piece, UInt8.self)
            }
            try each(piece, result, range)
            done = range.upperBound
        }
        return result
    }
}
