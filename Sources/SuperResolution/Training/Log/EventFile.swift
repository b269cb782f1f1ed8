import Foundation
import Groundwork

/// A file of events for TensorBoard: TFRecords of the protocol buffer `Event` (tensorflow/core/util/event.proto), of which the fields that figures, pictures and
/// restarts need are written.
///
/// A run that is resumed writes another file. Its first event says that the session starts at a step, from which on TensorBoard drops what earlier files hold.
package struct EventFile {
    package enum Value {
        case scalar(tag: String, Double)
        case picture(tag: String, png: Data)
    }

    private let folder: URL
    /// The last step that counts of what was written before.
    private let lastStep: Int
    /// Nil until there is something to write.
    private var handle: FileHandle?

    private static let prefix = "events.out.tfevents."

    /// - Parameters:
    ///   - step: the last step done; 0 for a run that begins.
    init(in folder: URL, after step: Int) { (self.folder, lastStep) = (folder, step) }

    /// The files of events in a folder, in the order in which TensorBoard reads them.
    package static func files(in folder: URL) -> [URL] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return names.filter { $0.hasPrefix(prefix) }.sorted().map { folder.appendingPathComponent($0) }
    }

    /// - Throws: `Failure` (`.cannotWrite`)
    mutating func append(_ values: [Value], step: Int) throws {
        guard !values.isEmpty else { return }
        let now = Date().timeIntervalSince1970
        if handle == nil {
            handle = try create(at: now)
            try write(Self.version(at: now))
            if lastStep > 0 { try write(Self.start(at: now, step: lastStep + 1)) }
        }
        try write(Self.event(at: now, step: step, values))
    }

    /// Named as TensorFlow's writer does, after seconds, machine and process; later than any file that is there.
    private func create(at time: Double) throws -> FileHandle {
        let names = Self.files(in: folder).map { $0.lastPathComponent.dropFirst(Self.prefix.count) }
        let last = names.compactMap { Int($0.prefix(10)) }.max()
        let seconds = max(Int(time), last.map { $0 + 1 } ?? 0)
        let process = ProcessInfo.processInfo.processIdentifier
        let url = folder.appendingPathComponent(Self.prefix + String(format: "%010d", seconds) + ".\(hostName() ?? "host").\(process)")
        guard FileManager.default.createFile(atPath: url.path, contents: nil), let handle = FileHandle(forWritingAtPath: url.path) else {
            throw Failure(.cannotWrite, "cannot be written", at: url.path)
        }
        return handle
    }

    private func write(_ record: Data) throws {
        do {
            try handle?.write(contentsOf: record)
        } catch {
            throw Failure(.cannotWrite, "the file of events cannot be written", at: folder.path, found: error.localizedDescription)
        }
    }

    // MARK: - Events

    /// What every file begins with.
    package static func version(at time: Double) -> Data {
        record {
            $0.fixed64(1, time.bitPattern); $0.bytes(3, Data("brain.Event:2".utf8))
        }
    }

    /// That a session starts at a step: what was written of it and later ones counts no more.
    package static func start(at time: Double, step: Int) -> Data {
        record { event in
            event.fixed64(1, time.bitPattern)
            event.varint(2, UInt64(step))
            event.message(7) { $0.varint(1, 1) }
        }
    }

    package static func event(at time: Double, step: Int, _ values: [Value]) -> Data {
        record { event in
            event.fixed64(1, time.bitPattern)
            event.varint(2, UInt64(step))
            event.message(5) { summary in
                for value in values { summary.message(1) { $0.append(value) } }
            }
        }
    }

    /// A TFRecord: length and data, each behind a checksum.
    private static func record(_ body: (inout ProtocolBuffer) -> Void) -> Data {
        var buffer = ProtocolBuffer()
        body(&buffer)
        func littleEndian<Integer: FixedWidthInteger>(_ value: Integer) -> Data { withUnsafeBytes(of: value.littleEndian) { Data($0) } }
        let length = littleEndian(UInt64(buffer.data.count))
        return length + littleEndian(CRC32C.masked(length)) + buffer.data + littleEndian(CRC32C.masked(buffer.data))
    }
}

/// The wire format of protocol buffers, as far as events need it. Fields that are 0 are left out.
struct ProtocolBuffer {
    private(set) var data = Data()

    private mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            data.append(UInt8(rest & 0x7F) | 0x80)
            rest >>= 7
        }
        data.append(UInt8(rest))
    }

    mutating func varint(_ field: UInt64, _ value: UInt64) {
        guard value != 0 else { return }
        varint(field << 3)
        varint(value)
    }

    mutating func fixed64(_ field: UInt64, _ bits: UInt64) {
        guard bits != 0 else { return }
        varint(field << 3 | 1)
        withUnsafeBytes(of: bits.littleEndian) { data.append(contentsOf: $0) }
    }

    mutating func fixed32(_ field: UInt64, _ bits: UInt32) {
        varint(field << 3 | 5)
        withUnsafeBytes(of: bits.littleEndian) { data.append(contentsOf: $0) }
    }

    mutating func bytes(_ field: UInt64, _ bytes: Data) {
        varint(field << 3 | 2)
        varint(UInt64(bytes.count))
        data.append(bytes)
    }

    mutating func message(_ field: UInt64, _ body: (inout ProtocolBuffer) -> Void) {
        var inner = ProtocolBuffer()
        body(&inner)
        bytes(field, inner.data)
    }

    /// A value of a summary (tensorflow/core/framework/summary.proto).
    mutating func append(_ value: EventFile.Value) {
        switch value {
        case .scalar(let tag, let number):
            bytes(1, Data(tag.utf8))
            fixed32(2, Float(number).bitPattern)
        case .picture(let tag, let png):
            bytes(1, Data(tag.utf8))
            message(4) { image in
                // The size stands in the PNG's header, from byte 16 on.
                func side(at offset: Int) -> UInt64 { png.dropFirst(offset).prefix(4).reduce(0) { $0 << 8 | UInt64($1) } }
                image.varint(1, side(at: 20))
                image.varint(2, side(at: 16))
                image.varint(3, 3)
                image.bytes(4, png)
            }
        }
    }
}

/// The checksum of TFRecords: CRC-32C (Castagnoli's polynomial), rotated and offset so that checksums of checksums are none.
package enum CRC32C {
    private static let table: [UInt32] = (0..<256).map { index in
        (0..<8).reduce(UInt32(index)) { value, _ in value & 1 == 0 ? value >> 1 : value >> 1 ^ 0x82F6_3B78 }
    }

    package static func checksum(_ data: Data) -> UInt32 {
        ~data.reduce(~UInt32(0)) { crc, byte in crc >> 8 ^ table[Int(UInt8(truncatingIfNeeded: crc) ^ byte)] }
    }

    package static func masked(_ data: Data) -> UInt32 {
        let crc = checksum(data)
        return (crc >> 15 | crc << 17) &+ 0xA282_EAD8
    }
}
