import Foundation
import Groundwork

/// The bytes of a FITS file: those of a plain file, read where they are asked for, or those in memory of a file that was unpacked, or whose last
/// block is not filled.
final class FITSBytes {
    /// Where they are: a file descriptor that is closed in the end, or memory.
    enum Place { case file(CInt), memory(FileBytes) }

    let place: Place
    /// Without what may fill the last block.
    let length: Int
    /// Whether the bytes are all that could be unpacked of a file whose end is missing.
    private(set) var isCutShort = false

    private init(_ place: Place, length: Int) { (self.place, self.length) = (place, length) }

    deinit { if case .file(let descriptor) = place { close(descriptor) } }

    /// Copies up to `count` bytes from `offset` on.
    /// - Returns: how many there were: fewer at the end of the file, or if it cannot be read.
    /// - Precondition: `offset` and `count` are not negative.
    func read(_ count: Int, at offset: Int, into target: UnsafeMutableRawPointer) -> Int {
        precondition(offset >= 0 && count >= 0, "\(count) bytes from \(offset)")
        let wanted = min(count, max(0, length - offset))
        switch place {
        case .memory(let bytes):
            if wanted > 0, let start = bytes.start.pointee { memcpy(target, start + offset, wanted) }
            return wanted
        case .file(let descriptor):
            var read = 0
            while read < wanted {
                let got = pread(descriptor, target + read, wanted - read, off_t(offset + read))
                if got < 0, errno == EINTR { continue }
                guard got > 0 else { break }
                read += got
            }
            return read
        }
    }

    /// The ones' complement sum of the 32-bit words from `offset` on (FITS Standard 4.0, section 4.4.2.7); what is beyond the file counts as zeros.
    func sum(_ count: Int, from offset: Int) -> UInt32 {
        let size = 1 << 18
        var sum: UInt64 = 0
        withUnsafeTemporaryAllocation(of: UInt32.self, capacity: size / 4) { piece in
            guard let start = piece.baseAddress else { return }
            for first in stride(from: 0, to: count, by: size) {
                let got = read(min(size, count - first), at: offset + first, into: start)
                if got % 4 != 0 { memset(UnsafeMutableRawPointer(start) + got, 0, 4 - got % 4) }
                for index in 0..<(got + 3) / 4 { sum &+= UInt64(UInt32(bigEndian: start[index])) }  // 2³² words would fit
                if got < min(size, count - first) { break }
            }
        }
        while sum >> 32 != 0 { sum = (sum & 0xFFFF_FFFF) + sum >> 32 }
        return UInt32(sum)
    }
}

extension FITSBytes {
    /// The FITS file of that name, unpacked if it is compressed as a whole with gzip.
    /// - Parameter memory: the file's bytes, if they are in memory already.
    /// - Throws: `Failure` (`.badData`) if it is no regular file, compressed by another program, damaged, too large when unpacked, or no FITS file.
    static func open(_ url: URL, in memory: FileBytes?) throws -> FITSBytes {
        let bytes = try memory.map { FITSBytes(.memory($0), length: $0.count) } ?? plain(url)
        if bytes.starts(with: [0x1F, 0x8B]) {
            let unpacked = FileBytes()
            let isCutShort = try unpacked.inflate(bytes, of: url)
            let content = FITSBytes(.memory(unpacked), length: unpacked.count)
            content.isCutShort = isCutShort
            // Of less than a record all that can be said is that the rest is missing.
            if unpacked.count >= 80 || !isCutShort { try content.checkBeginning(of: url) }
            return content
        }
        try bytes.checkBeginning(of: url)
        guard memory == nil, bytes.length % FITSStructure.block != 0, bytes.length <= FileBytes.limit else { return bytes }
        // cfitsio reads whole blocks.
        let filled = FileBytes()
        return try filled.read(url) ? FITSBytes(.memory(filled), length: filled.count) : bytes
    }

    private static func plain(_ url: URL) throws -> FITSBytes {
        let descriptor = Foundation.open(url.path, O_RDONLY)
        guard descriptor >= 0 else { throw FileBytes.unreadable(url) }
        var state = stat()
        let isKnown = fstat(descriptor, &state) == 0
        let bytes = FITSBytes(.file(descriptor), length: Int(state.st_size))
        guard isKnown else { throw FileBytes.unreadable(url) }
        guard state.st_mode & S_IFMT == S_IFREG else {
            throw Failure(.badData, "is no regular file", at: url.path, expected: "a FITS file", remedy: "store the bytes in a file first")
        }
        return bytes
    }

    private func starts(with magic: [UInt8]) -> Bool {
        withUnsafeTemporaryAllocation(byteCount: magic.count, alignment: 1) { buffer in
            guard let start = buffer.baseAddress else { return false }
            return read(magic.count, at: 0, into: start) == magic.count && buffer.elementsEqual(magic)
        }
    }

    /// What programs begin their files with.
    private static let packers: [(magic: [UInt8], name: String)] = [
        ([0x1F, 0x9D], "compress (.Z)"), ([0x1F, 0xA0], "LZH"), ([0x1F, 0x1E], "pack"), (Array("PK\u{3}\u{4}".utf8), "zip"),
        (Array("BZh".utf8), "bzip2"), ([0xFD] + Array("7zXZ".utf8), "xz"), ([0x28, 0xB5, 0x2F, 0xFD], "zstd"),
    ]

    private func checkBeginning(of url: URL) throws {
        guard !starts(with: Array("SIMPLE  =".utf8)) else { return }
        if let packer = FITSBytes.packers.first(where: { starts(with: $0.magic) })?.name {
            throw Failure(
                .badData, "is compressed with \(packer)", at: url.path, expected: "a FITS file, plain or compressed with gzip",
                remedy: "unpack it first")
        }
        throw Failure(
            .badData, "cannot be read as FITS", at: url.path, expected: "a FITS file, which begins with SIMPLE  =",
            found: "\(length) bytes that begin otherwise", remedy: "check that it was fetched whole and is no web page or text")
    }
}
