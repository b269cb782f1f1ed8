import Foundation
import Groundwork

/// A check of the keywords that tell the shape of each unit of a FITS file, made before cfitsio sees them: it divides by some of them and allocates
/// by others without asking whether they make sense.
struct FITSStructure {
    /// The first unit whose structure makes no sense, with what is wrong. The units before it may be read.
    private(set) var damage: (hdu: Int, failure: Failure)?

    /// Looks through a file. One that is compressed as a whole (gzip) is not looked into: its own check sum guards it.
    init(of url: URL) {
        guard let file = try? FileHandle(forReadingFrom: url) else { return }
        defer { try? file.close() }
        var hdu = 0
        var start: UInt64 = 0
        while let (header, dataStart) = FITSStructure.header(in: file, at: start) {
            if let (keyword, expected) = FITSStructure.nonsense(in: header) {
                damage = (
                    hdu,
                    Failure(
                        .badData, "the header makes no sense", at: "\(url.path), HDU \(hdu), \(keyword)", expected: expected,
                        found: header.card(keyword)?.records.first ?? "nothing", remedy: "fetch the file again")
                )
                return
            }
            // The next unit begins after this one's data, filled up to a whole block.
            guard let bytes = FITSStructure.dataSize(header), let end = Int(exactly: dataStart)?.addingReportingOverflow(bytes), !end.overflow else {
                return
            }
            start = (UInt64(end.partialValue) + 2879) / 2880 * 2880
            hdu += 1
        }
    }

    /// The size of the data unit in bytes without padding (FITS Standard 4.0, equation 2), compressed or not; nil if it overflows.
    static func dataSize(_ header: FITSHeader) -> Int? {
        var elements = 1
        let axisCount = header.integer("NAXIS") ?? 0
        guard (1...999).contains(axisCount) else { return axisCount == 0 ? 0 : nil }
        for axis in 1...axisCount {
            let (product, overflow) = elements.multipliedReportingOverflow(by: header.integer("NAXIS\(axis)") ?? 0)
            guard !overflow, product >= 0 else { return nil }
            elements = product
        }
        let (sum, tooLong) = elements.addingReportingOverflow(max(0, header.integer("PCOUNT") ?? 0))
        let (bytes, overflow) = sum.multipliedReportingOverflow(by: abs(header.integer("BITPIX") ?? 8) / 8)
        return tooLong || overflow ? nil : bytes
    }

    /// The header that begins at `start`, and where its data begin; nil if there is none.
    private static func header(in file: FileHandle, at start: UInt64) -> (FITSHeader, UInt64)? {
        guard (try? file.seek(toOffset: start)) != nil else { return nil }
        var records: [String] = []
        var position = start
        while let block = try? file.read(upToCount: 2880), block.count == 2880 {
            position += 2880
            for column in stride(from: 0, to: 2880, by: 80) {
                let record = String(decoding: block[block.startIndex + column..<block.startIndex + column + 80], as: UTF8.self)
                if records.isEmpty, !record.hasPrefix("SIMPLE  =") && !record.hasPrefix("XTENSION=") { return nil }
                if record.hasPrefix("END     ") { return (FITSHeader(FITSCard.cards(from: records)), position) }
                records.append(record)
            }
        }
        return nil
    }

    /// A keyword whose value cannot be, and what it should be.
    private static func nonsense(in header: FITSHeader) -> (keyword: String, expected: String)? {
        let types = [8, 16, 32, 64, -32, -64]
        func check(_ keyword: String, _ expected: String, required: Bool = true, _ isRight: (Int) -> Bool) -> (String, String)? {
            guard header.contains(keyword) || required else { return nil }
            return header.integer(keyword).map(isRight) == true ? nil : (keyword, expected)
        }
        if let found = check("BITPIX", "8, 16, 32, 64, -32 or -64", types.contains) ?? check("NAXIS", "0 to 999", (0...999).contains) { return found }
        for axis in 0..<(header.integer("NAXIS") ?? 0) {
            if let found = check("NAXIS\(axis + 1)", "0 or more", { $0 >= 0 }) { return found }
        }
        if let found = check("PCOUNT", "0 or more", required: false, { $0 >= 0 }) { return found }
        guard header.logical("ZIMAGE") == true else { return nil }

        if let found = check("ZBITPIX", "8, 16, 32, 64, -32 or -64", types.contains) ?? check("ZNAXIS", "1 to 6", (1...6).contains) { return found }
        var tiles = 1
        for axis in 1...(header.integer("ZNAXIS") ?? 1) {
            let keyword = "ZNAXIS\(axis)", tile = "ZTILE\(axis)"
            let found =
                check(keyword, "1 to 2147483647", (1...Int(Int32.max)).contains)
                ?? check(tile, "1 to 2147483647", required: false, (1...Int(Int32.max)).contains)
            if let found { return found }
            guard let length = header.integer(keyword) else { return (keyword, "a length") }
            let tileLength = header.integer(tile) ?? (axis == 1 ? length : 1)
            let (product, overflow) = tiles.multipliedReportingOverflow(by: (length - 1) / tileLength + 1)
            guard !overflow else { return (keyword, "a length") }
            tiles = product
        }
        if let found = check("NAXIS2", "\(tiles) rows, one for each tile", { $0 == tiles }) { return found }
        for parameter in 1...9 where header.contains("ZNAME\(parameter)") {
            let found: (String, String)? =
                switch header.string("ZNAME\(parameter)") {
                case "BLOCKSIZE": check("ZVAL\(parameter)", "16 or 32", [16, 32].contains)
                case "BYTEPIX": check("ZVAL\(parameter)", "1, 2, 4 or 8", [1, 2, 4, 8].contains)
                default: nil
                }
            if let found { return found }
        }
        return nil
    }
}
