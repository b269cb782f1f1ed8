import CZlib
import Foundation
import Groundwork

extension FileBytes {
    /// Unpacks a file that was compressed as a whole with gzip, all its members one after the other (RFC 1952), in place of what there was. What
    /// follows the last member is ignored.
    /// - Returns: whether the file ends before a member does.
    /// - Throws: `Failure` (`.badData`) if the file is damaged, or larger than the largest image.
    func inflate(_ packed: FITSBytes, of url: URL) throws -> Bool {
        setCount(0)
        // No stream of DEFLATE grows more; and beside an image of 8 bytes a pixel there may be headers and small extensions.
        let limit = min(1032 * packed.length + 1 << 16, 8 * FITSFile.largestImage + 1 << 26)
        let inflater = try Inflater()
        let piece = UnsafeMutablePointer<UInt8>.allocate(capacity: FileBytes.piece)
        defer { piece.deallocate() }
        var offset = 0, produced = 0
        while true {
            if inflater.stream.pointee.avail_in == 0 {
                let got = packed.read(FileBytes.piece, at: offset, into: piece)
                guard got > 0 else {
                    setCount(produced)
                    return true
                }
                offset += got
                (inflater.stream.pointee.next_in, inflater.stream.pointee.avail_in) = (piece, UInt32(got))
            }
            if produced == capacity {
                guard capacity < limit else { throw tooLarge(url, limit) }
                try reserve(min(limit, max(4 * packed.length, 2 * capacity)), for: url)
            }
            guard let start = start.pointee else { return true }
            let room = min(capacity - produced, 1 << 30)
            inflater.stream.pointee.next_out = (start + produced).assumingMemoryBound(to: UInt8.self)
            inflater.stream.pointee.avail_out = UInt32(room)
            let status = CZlib.inflate(inflater.stream, Z_NO_FLUSH)
            produced += room - Int(inflater.stream.pointee.avail_out)
            switch status {
            case Z_OK, Z_BUF_ERROR: continue
            case Z_STREAM_END:
                // Bytes of the next member may lie in the next piece.
                let left = Int(inflater.stream.pointee.avail_in)
                if left < 2 {
                    offset -= left
                    inflater.stream.pointee.avail_in = 0
                    let got = packed.read(FileBytes.piece, at: offset, into: piece)
                    offset += got
                    (inflater.stream.pointee.next_in, inflater.stream.pointee.avail_in) = (piece, UInt32(got))
                }
                guard inflater.stream.pointee.avail_in >= 2, let next = inflater.stream.pointee.next_in, next[0] == 0x1F, next[1] == 0x8B else {
                    setCount(produced)
                    return false
                }
                inflateReset(inflater.stream)
            default:
                throw Failure(
                    .badData, "the compressed file is damaged", at: url.path, expected: "a file that gzip -t finds sound", remedy: "fetch it again")
            }
        }
    }

    private static let piece = 1 << 20

    private func tooLarge(_ url: URL, _ limit: Int) -> Failure {
        Failure(
            .badData, "the unpacked file is larger than allowed", at: url.path,
            expected: "at most \(limit) bytes, for an image of \(FITSFile.largestImage) pixels", found: "more",
            remedy: "cut out a part first, or allow it with --largest-image")
    }
}

/// A stream of gzip's to unpack.
final class Inflater {
    /// In a place of its own, since zlib keeps a pointer to it.
    let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)

    /// - Throws: `Failure` (`.other`) if there is no memory.
    init() throws {
        stream.initialize(to: z_stream())
        // 16 more than the size of the window: with gzip's header and check sum.
        guard inflateInit2_(stream, 15 + 16, ZLIB_VERSION, CInt(MemoryLayout<z_stream>.size)) == Z_OK else {
            throw Failure(.other, "there is no memory to unpack files")
        }
    }

    deinit {
        inflateEnd(stream)
        stream.deallocate()
    }

    /// The size of what a whole stream unpacks to; nil if it is damaged, ends too early or unpacks to more than `limit` bytes.
    /// - Parameter scratch: memory for what is unpacked, which is looked at no further.
    func size(of bytes: UnsafePointer<UInt8>, count: Int, limit: Int, scratch: UnsafeMutableBufferPointer<UInt8>) -> Int? {
        guard inflateReset(stream) == Z_OK, let input = UInt32(exactly: count), let room = UInt32(exactly: scratch.count) else { return nil }
        stream.pointee.next_in = UnsafeMutablePointer(mutating: bytes)
        stream.pointee.avail_in = input
        var size = 0
        while size <= limit {
            stream.pointee.next_out = scratch.baseAddress
            stream.pointee.avail_out = room
            let status = inflate(stream, Z_NO_FLUSH)
            size += Int(room - stream.pointee.avail_out)
            if status == Z_STREAM_END { return size <= limit ? size : nil }
            guard status == Z_OK else { return nil }
        }
        return nil
    }
}
