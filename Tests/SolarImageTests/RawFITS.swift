import Foundation
import SolarImage

/// A FITS file by its records, where `FITSWriter` would write another.
struct RawFITS {
    private var bytes = Data()

    /// Adds a header and data unit: an image of 32-bit floats, or none.
    mutating func add(_ cards: [String], side: Int = 0, value: Float = 1) {
        let first = bytes.isEmpty ? "SIMPLE  =                    T" : "XTENSION= 'IMAGE   '"
        var structure = [FITSCard("BITPIX", .integer(-32)), FITSCard("NAXIS", .integer(side > 0 ? 2 : 0))]
        if side > 0 { structure += [FITSCard("NAXIS1", .integer(side)), FITSCard("NAXIS2", .integer(side))] }
        if !bytes.isEmpty { structure += [FITSCard("PCOUNT", .integer(0)), FITSCard("GCOUNT", .integer(1))] }
        append(
            ([first] + structure.flatMap(\.records) + cards + ["END"]).map { $0.padding(toLength: 80, withPad: " ", startingAt: 0) }.joined().utf8,
            filler: 0x20)
        if side > 0 {
            let word = withUnsafeBytes(of: value.bitPattern.bigEndian) { Data($0) }
            append((0..<side * side).flatMap { _ in word }, filler: 0)
        }
    }

    private mutating func append(_ content: some Collection<UInt8>, filler: UInt8) {
        bytes.append(contentsOf: content)
        bytes.append(contentsOf: repeatElement(filler, count: (2880 - bytes.count % 2880) % 2880))
    }

    func write(to url: URL) throws { try bytes.write(to: url) }

    /// Cards of a helioprojective grid and an instrument.
    static let described = [
        "TELESCOP= 'SOHO    '", "INSTRUME= 'MDI     '", "BUNIT   = 'Gauss   '", "CTYPE1  = 'HPLN-TAN'", "CTYPE2  = 'HPLT-TAN'",
        "CUNIT1  = 'arcsec  '",
        "CUNIT2  = 'arcsec  '", "CRPIX1  =                 4.5", "CRPIX2  =                 4.5", "CRVAL1  =                  10",
        "CRVAL2  =                  20",
        "CDELT1  =                1.98", "CDELT2  =                1.98", "HISTORY of the primary unit",
    ]
}
