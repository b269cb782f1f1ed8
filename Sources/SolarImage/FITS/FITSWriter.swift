import CFITSIO
import Foundation
import Groundwork

/// Writes images as 32-bit floats without compression, which keeps every value and every NaN.
public enum FITSWriter {
    /// An image extension: a name of up to 68 characters (`EXTNAME`), the image, and its header.
    public typealias Extension = (name: String, image: Image, header: FITSHeader)

    /// An image extension with a third axis, whose planes are asked for one after the other as they are written: one alone need be in memory.
    public struct Cube {
        /// `EXTNAME`, up to 68 characters.
        public var name: String
        /// With the world coordinates of all three axes (``FITSHeader/stackGrid(_:)``).
        public var header: FITSHeader
        /// How many planes there are, at least 1.
        public var count: Int
        /// The plane of that number from 0; all of one size.
        public var plane: (_ index: Int) throws -> Image

        /// - Precondition: there is a plane.
        public init(name: String, header: FITSHeader, count: Int, plane: @escaping (_ index: Int) throws -> Image) {
            precondition(count > 0, "a cube of \(count) planes")
            (self.name, self.header, self.count, self.plane) = (name, header, count, plane)
        }
    }

    /// Writes a FITS file with `image` in its primary unit, the extensions after it and the cube, if there is one, at the end, each with `CHECKSUM` and
    /// `DATASUM`. The same arguments give the same bytes.
    ///
    /// Cards that tell how pixels were stored (shape, scaling, compression, checksums) are left out of the headers; all others are written as they
    /// were, `WCSAXES` first.
    /// - Throws: `Failure` (`.cannotWrite`) if the file exists and `overwrite` is false, or if it cannot be written; whatever the cube throws.
    public static func write(
        _ image: Image, header: FITSHeader, extensions: [Extension] = [], cube: Cube? = nil, to url: URL, overwrite: Bool = false
    ) throws {
        guard overwrite || !FileManager.default.fileExists(atPath: url.path) else {
            throw Failure(.cannotWrite, "exists already", at: url.path, remedy: "choose another name or allow overwriting")
        }
        try writeAtomically(to: url) { try create(image, header: header, extensions: extensions, cube: cube, at: $0, named: url) }
    }

    /// Writes the same file at `url` at once, in place of one that is there. The disk begins to take it, but is not waited for: for many files that are
    /// made safe together afterwards.
    /// - Parameter name: the file to name in messages, by default `url`.
    /// - Throws: `Failure` (`.cannotWrite`); whatever the cube throws. Then a part of the file may be left.
    package static func create(
        _ image: Image, header: FITSHeader, extensions: [Extension] = [], cube: Cube? = nil, at url: URL, named name: URL? = nil
    ) throws {
        unlink(url.path)
        _ = FITSFile.isReady
        var opened: UnsafeMutablePointer<fitsfile>?
        var status: CInt = 0
        ffdkinit(&opened, url.path, &status)  // fits_create_diskfile: the name is taken literally
        if let opened {
            defer { ffclos(opened, &status) }  // fits_close_file
            append(image, header, to: opened, &status)
            for item in extensions { append(item.image, item.header, named: item.name, to: opened, &status) }
            if let cube { try append(cube, to: opened, &status) }
        }
        guard status == 0 else {
            throw fitsFailure(
                .cannotWrite, "cannot be written", status: status, at: (name ?? url).path, remedy: "check that the folder is writable and has space")
        }
        #if os(Linux)
            let descriptor = open(url.path, O_RDONLY)
            if descriptor >= 0 {
                posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED)  // begins to store what the disk has not
                close(descriptor)
            }
        #endif
    }

    /// Every cfitsio call is a no-op once `status` is set.
    private static func append(
        _ image: Image, _ header: FITSHeader, named name: String? = nil, to file: UnsafeMutablePointer<fitsfile>, _ status: inout CInt
    ) {
        appendHeader(header, named: name, axes: [image.width, image.height], to: file, &status)
        writeChecksums(file, dataSum: writePixels(image, to: file, &status), &status)
    }

    private static func append(_ cube: Cube, to file: UnsafeMutablePointer<fitsfile>, _ status: inout CInt) throws {
        var sum: UInt = 0, size = (0, 0)
        for index in 0..<cube.count where status == 0 {
            let image = try cube.plane(index)
            precondition(index == 0 || size == (image.width, image.height), "planes of different sizes in a cube")
            size = (image.width, image.height)
            if index == 0 { appendHeader(cube.header, named: cube.name, axes: [image.width, image.height, cube.count], to: file, &status) }
            sum = writePixels(image, plane: index, adding: sum, to: file, &status)
        }
        writeChecksums(file, dataSum: sum, &status)
    }

    private static func appendHeader(
        _ header: FITSHeader, named name: String?, axes: [Int], to file: UnsafeMutablePointer<fitsfile>, _ status: inout CInt
    ) {
        var axes = axes.map(Int64.init), header = header.withoutStructure().withAxesFirst()
        if let name { header.set("EXTNAME", .string(name)) }
        ffcrimll(file, FLOAT_IMG, CInt(axes.count), &axes, &status)  // fits_create_imgll
        for card in header.cards {
            for record in records(card) { ffprec(file, record, &status) }  // fits_write_record
        }
    }

    /// Writes the pixels of the data unit's plane of that number, in pieces so large that cfitsio hands them on at once: by its own 29 kB at a time it takes
    /// twice as long.
    /// - Returns: `sum` and, in ones' complement, its words of 32 bits; the zeros that fill the data unit up to a whole block add nothing.
    private static func writePixels(
        _ image: Image, plane: Int = 0, adding sum: UInt = 0, to file: UnsafeMutablePointer<fitsfile>, _ status: inout CInt
    ) -> UInt {
        let size = min(image.pixels.count, 1 << 18), offset = 4 * plane * image.pixels.count
        var sum = UInt64(sum)
        withUnsafeTemporaryAllocation(of: UInt32.self, capacity: size) { piece in
            image.pixels.withUnsafeBufferPointer { pixels in
                for start in stride(from: 0, to: pixels.count, by: size) {
                    let count = min(size, pixels.count - start)
                    for index in 0..<count {
                        let word = pixels[start + index].bitPattern
                        piece[index] = word.bigEndian
                        sum &+= UInt64(word)  // nearly 2³² pixels would fit
                    }
                    ffpextn(file, Int64(offset + 4 * start), Int64(4 * count), piece.baseAddress, &status)  // fits_write_ext
                }
            }
        }
        while sum >> 32 != 0 { sum = (sum & 0xFFFF_FFFF) + sum >> 32 }
        return UInt(sum)
    }

    /// The records of a card; one whose keyword breaks the rules becomes a comment, since nothing may read such a file.
    private static func records(_ card: FITSCard) -> [String] {
        if FITSCard.isStandard(card.keyword) || card.keyword.hasPrefix("HIERARCH ") { return card.records }
        return card.records.map { String(("COMMENT " + $0).prefix(80)) }
    }

    /// As `fits_write_chksum` does (FITS Standard 4.0, appendix J), but without the time of writing in the comments and without reading the pixels again.
    private static func writeChecksums(_ file: UnsafeMutablePointer<fitsfile>, dataSum: UInt, _ status: inout CInt) {
        ffpkys(file, "CHECKSUM", "0000000000000000", "HDU checksum", &status)  // fits_write_key_str
        ffpkys(file, "DATASUM", "\(dataSum)", "data unit checksum", &status)
        ffrdef(file, &status)  // fits_set_hdustruc
        var (start, end): (Int64, Int64) = (0, 0)
        ffghadll(file, &start, &end, nil, &status)  // fits_get_hduaddrll
        ffmbyt(file, start, 0, &status)  // to the header's first byte
        var sum = dataSum
        ffcsum(file, CLong((end - start) / 2880), &sum, &status)  // adds blocks to the sum
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 17) { buffer in
            buffer.initialize(repeating: 0)
            guard status == 0, let text = buffer.baseAddress else { return }
            ffesum(sum, 1, text)  // fits_encode_chksum
            ffmkys(file, "CHECKSUM", text, "&", &status)  // fits_modify_key_str, "&" keeps the comment
        }
    }
}
