import CFITSIO
import Foundation
import Groundwork

/// Writes images as 32-bit floats without compression, which keeps every value and every NaN.
public enum FITSWriter {
    /// An image extension: a name of up to 68 characters (`EXTNAME`), the image, and its header.
    public typealias Extension = (name: String, image: Image, header: FITSHeader)

    /// Writes a FITS file with `image` in its primary unit and the extensions after it, each with `CHECKSUM` and `DATASUM`. The same arguments give
    /// the same bytes.
    ///
    /// Cards that tell how pixels were stored (shape, scaling, compression, checksums) are left out of the headers; all others are written as they
    /// were.
    /// - Throws: `Failure` (`.cannotWrite`) if the file exists and `overwrite` is false, or if it cannot be written.
    public static func write(
        _ image: Image, header: FITSHeader, extensions: [Extension] = [], to url: URL, overwrite: Bool = false
    ) throws {
        guard overwrite || !FileManager.default.fileExists(atPath: url.path) else {
            throw Failure(.cannotWrite, "exists already", at: url.path, remedy: "choose another name or allow overwriting")
        }
        try writeAtomically(to: url) { temporary in
            try? FileManager.default.removeItem(at: temporary)
            ffcmsg()  // fits_clear_errmsg
            var opened: UnsafeMutablePointer<fitsfile>?
            var status: CInt = 0
            ffdkinit(&opened, temporary.path, &status)  // fits_create_diskfile: the name is taken literally
            if let opened {
                append(image, header, to: opened, &status)
                for item in extensions {
                    var header = item.header.withoutStructure()
                    header.set("EXTNAME", .string(item.name))
                    append(item.image, header, to: opened, &status, isNamed: true)
                }
                ffclos(opened, &status)  // fits_close_file
            }
            guard status == 0 else {
                throw fitsFailure(
                    .cannotWrite, "cannot be written", status: status, at: url.path, remedy: "check that the folder is writable and has space")
            }
        }
    }

    /// Every cfitsio call is a no-op once `status` is set.
    private static func append(
        _ image: Image, _ header: FITSHeader, to file: UnsafeMutablePointer<fitsfile>, _ status: inout CInt, isNamed: Bool = false
    ) {
        var axes = [Int64(image.width), Int64(image.height)]
        ffcrimll(file, FLOAT_IMG, 2, &axes, &status)  // fits_create_imgll
        for card in isNamed ? header.cards : header.withoutStructure().cards {
            for record in records(card) { ffprec(file, record, &status) }  // fits_write_record
        }
        var first: [Int64] = [1, 1]
        image.pixels.withUnsafeBytes { pixels in
            let start = UnsafeMutableRawPointer(mutating: pixels.baseAddress)
            _ = ffppxll(file, TFLOAT, &first, Int64(image.pixels.count), start, &status)  // fits_write_pixll
        }
        writeChecksums(file, &status)
    }

    /// The records of a card; one whose keyword breaks the rules becomes a comment, since nothing may read such a file.
    private static func records(_ card: FITSCard) -> [String] {
        if FITSCard.isStandard(card.keyword) || card.keyword.hasPrefix("HIERARCH ") { return card.records }
        return card.records.map { String(("COMMENT " + $0).prefix(80)) }
    }

    /// As `fits_write_chksum` does (FITS Standard 4.0, appendix J), but without the time of writing in the comments.
    private static func writeChecksums(_ file: UnsafeMutablePointer<fitsfile>, _ status: inout CInt) {
        ffpkys(file, "CHECKSUM", "0000000000000000", "HDU checksum", &status)  // fits_write_key_str
        ffpkys(file, "DATASUM", "0", "data unit checksum", &status)
        var (dataSum, sum): (UInt, UInt) = (0, 0)
        ffrdef(file, &status)  // fits_set_hdustruc
        ffgcks(file, &dataSum, &sum, &status)  // fits_get_chksum
        ffmkys(file, "DATASUM", "\(dataSum)", "&", &status)  // fits_modify_key_str, "&" keeps the comment
        ffgcks(file, &dataSum, &sum, &status)
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 17) { buffer in
            buffer.initialize(repeating: 0)
            guard status == 0, let text = buffer.baseAddress else { return }
            ffesum(sum, 1, text)  // fits_encode_chksum
            ffmkys(file, "CHECKSUM", text, "&", &status)
        }
    }
}
