import Foundation
import Groundwork

/// A keyword whose value cannot be.
struct MalformedKeyword: Error {
    let keyword: String
    /// What it should be.
    let expected: String

    init(_ keyword: String, _ expected: String) { (self.keyword, self.expected) = (keyword, expected) }
}

/// A check of the keywords that tell the shape of each unit of a FITS file, made before cfitsio sees them: it divides by some of them and allocates
/// by others without asking whether they make sense.
struct FITSStructure {
    /// A header and data unit.
    struct Unit {
        let header: FITSHeader
        /// Where its header and its data begin in the file.
        let start: Int, dataStart: Int
        /// The bytes of its data, without those that fill the last block.
        let size: Int
        /// If its pixels are compressed tile by tile.
        let tiles: TileTable?

        var content: FITSFile.Content {
            if let tiles { return .image(axes: tiles.axes) }
            guard header.string("XTENSION")?.hasSuffix("TABLE") != true else { return .table }
            return .image(axes: (0..<(header.integer("NAXIS") ?? 0)).map { header.integer("NAXIS\($0 + 1)") ?? 0 })
        }
    }

    /// Those before the first that makes no sense, whether or not the file holds all their data.
    private(set) var units: [Unit] = []
    /// The first unit whose structure makes no sense, with what is wrong. The units before it may be read.
    private(set) var damage: (hdu: Int, failure: Failure)?
    /// Whether the file holds all the data that its headers tell of.
    private(set) var isWhole = false

    /// Looks through a file.
    /// - Parameter path: to name in messages.
    init(of bytes: FITSBytes, at path: String) {
        var start = 0
        while start < bytes.length {
            let location = "\(path), HDU \(units.count)"
            switch FITSStructure.header(in: bytes, at: start) {
            case .none: return
            case .other:
                let failure = Failure(
                    .badData, "the header cannot be read", at: location, expected: "a header, which begins with XTENSION=", found: "other bytes",
                    remedy: "fetch the file again")
                damage = (units.count, failure)
                return
            case .endless(let records):
                isWhole = false
                let failure = Failure(
                    .badData, "the header has no end", at: location, expected: "a record END", found: "\(records) records without it",
                    remedy: "fetch the file again")
                damage = (units.count, failure)
                return
            case .header(let header, let dataStart):
                do throws(MalformedKeyword) {
                    let size = try FITSStructure.size(header)
                    units.append(Unit(header: header, start: start, dataStart: dataStart, size: size, tiles: try TileTable(header)))
                    isWhole = size <= bytes.length - dataStart
                    guard isWhole else { return }
                    start = dataStart + FITSStructure.wholeBlocks(size)
                } catch {
                    isWhole = false
                    let failure = Failure(
                        .badData, "the header makes no sense", at: "\(location), \(error.keyword)", expected: error.expected,
                        found: header.card(error.keyword)?.records.first ?? "nothing", remedy: "fetch the file again")
                    damage = (units.count, failure)
                    return
                }
            }
        }
    }
}

extension FITSStructure {
    /// The bytes of a block: headers and data begin with one.
    static let block = 2880

    /// The bytes of the blocks that hold so many bytes.
    static func wholeBlocks(_ bytes: Int) -> Int { (bytes + block - 1) / block * block }

    private enum Beginning {
        /// Zeros or blanks, which are no unit.
        case none
        /// Anything else that is no header.
        case other
        /// With the number of records.
        case endless(Int)
        case header(FITSHeader, dataStart: Int)
    }

    /// The header that begins at `start`.
    private static func header(in bytes: FITSBytes, at start: Int) -> Beginning {
        var records: [String] = []
        var position = start
        return withUnsafeTemporaryAllocation(byteCount: block, alignment: 8) { buffer in
            guard let place = buffer.baseAddress else { return .none }
            // What the file's last block lacks is blank.
            while records.count <= mostRecords {
                buffer.initializeMemory(as: UInt8.self, repeating: 0x20)
                guard bytes.read(block, at: position, into: place) > 0 else { break }
                position += block
                for column in stride(from: 0, to: block, by: 80) {
                    var last = column + 80
                    while last > column, buffer[last - 1] == 0x20 { last -= 1 }
                    let record = String(decoding: buffer[column..<last], as: UTF8.self)
                    if records.isEmpty, !record.hasPrefix("SIMPLE  =") && !record.hasPrefix("XTENSION=") {
                        return buffer.allSatisfy { $0 == 0 || $0 == 0x20 } ? .none : .other
                    }
                    if buffer[column] == UInt8(ascii: "E"), record == "END" || record.hasPrefix("END     ") {
                        // Blank records before the end make room for more.
                        records.removeLast(records.reversed().prefix { $0.isEmpty }.count)
                        return .header(FITSHeader(FITSCard.cards(from: records)), dataStart: position)
                    }
                    records.append(record)
                }
            }
            return .endless(records.count)
        }
    }

    /// More make no header; without a limit a huge file of anything would be read to its end.
    private static let mostRecords = 200_000

    /// The size of the data unit in bytes without what fills the last block (FITS Standard 4.0, equations 2 and 4), compressed or not.
    private static func size(_ header: FITSHeader) throws(MalformedKeyword) -> Int {
        try checkRecords(header)
        let bits = try integer("BITPIX", "8, 16, 32, 64, -32 or -64", in: header) { [8, 16, 32, 64, -32, -64].contains($0) }
        let axisCount = try integer("NAXIS", "0 to 999", in: header) { (0...999).contains($0) }
        let parameters = try integer("PCOUNT", "0 or more", in: header, default: 0) { $0 >= 0 }
        let isExtension = header.contains("XTENSION")
        let groups = try integer("GCOUNT", isExtension ? "1" : "1 or more", in: header, default: 1) { isExtension ? $0 == 1 : $0 >= 1 }
        if header.string("XTENSION")?.hasSuffix("TABLE") == true {
            _ = try integer("TFIELDS", "0 to 999", in: header) { (0...999).contains($0) }
        }
        if let scale = header.real("BSCALE"), scale == 0 { throw MalformedKeyword("BSCALE", "a number other than 0") }
        guard axisCount > 0 else { return 0 }
        var elements = 1
        for axis in 1...axisCount {
            let length = try integer("NAXIS\(axis)", "0 or more", in: header) { $0 >= 0 }
            if axis == 1, length == 0, header.logical("GROUPS") == true { continue }
            elements = try product(elements, length, "NAXIS\(axis)")
        }
        let (sum, isTooLong) = elements.addingReportingOverflow(parameters)
        guard !isTooLong else { throw MalformedKeyword("PCOUNT", "a number of bytes that a file can have") }
        return try product(product(sum, groups, "GCOUNT"), abs(bits) / 8, "NAXIS\(axisCount)")
    }

    /// - Throws: if the product is more than files can hold.
    static func product(_ a: Int, _ b: Int, _ keyword: String) throws(MalformedKeyword) -> Int {
        let (product, isTooLong) = a.multipliedReportingOverflow(by: b)
        guard !isTooLong, product < 1 << 60 else { throw MalformedKeyword(keyword, "lengths for which a file can have room") }
        return product
    }

    /// The value of a keyword that must be a whole number, and written as one.
    static func integer(
        _ keyword: String, _ expected: String, in header: FITSHeader, default absent: Int? = nil, _ isRight: (Int) -> Bool
    ) throws(MalformedKeyword) -> Int {
        guard let card = header.card(keyword) else {
            guard let absent else { throw MalformedKeyword(keyword, expected) }
            return absent
        }
        guard case .integer(let number) = card.value, isRight(number) else { throw MalformedKeyword(keyword, expected) }
        return number
    }

    /// Checks that cfitsio can but understand those records that tell of the structure as they are understood here: one card each, its keyword in
    /// capitals from the first column on, and an equals sign and a space before the value.
    private static func checkRecords(_ header: FITSHeader) throws(MalformedKeyword) {
        var values: [String: FITSCard.Value] = [:]
        func isDigit(_ character: UInt8) -> Bool { (48...57).contains(character) }
        for place in header.cards.indices {
            // Most others begin with other letters.
            guard let initial = header.cards[place].keyword.utf8.first, initials.contains(initial & 0xDF) else { continue }
            let card = header.cards[place], name = card.keyword.utf8.contains { $0 > 0x5A } ? card.keyword.uppercased() : card.keyword,
                keyword = card.isLong && name.hasPrefix("HIERARCH ") ? String(name.dropFirst(9)) : name
            let stem = keyword.utf8.last.map(isDigit) == true ? String(keyword.utf8.prefix { !isDigit($0) }) ?? keyword : keyword
            guard structural.contains(stem) else { continue }
            guard keyword == card.keyword,
                card.records.first?.hasPrefix(keyword + String(repeating: " ", count: max(0, 8 - keyword.utf8.count)) + "= ") == true
            else { throw MalformedKeyword(card.keyword, "\(keyword) and its value in their columns") }
            // A name without quotes may have 70 characters, for which and whose end cfitsio 4.2.0 has 70 bytes.
            if stem == "TTYPE" {
                guard case .string(let name) = card.value, name.utf8.count <= 68 else { throw MalformedKeyword(keyword, "a name in quotes") }
            }
            if let former = values.updateValue(card.value, forKey: keyword), former != card.value {
                throw MalformedKeyword(keyword, "the same value wherever it stands")
            }
        }
    }

    private static let structural: Set<String> = [
        "XTENSION", "BITPIX", "NAXIS", "PCOUNT", "GCOUNT", "GROUPS", "TFIELDS", "THEAP", "TFORM", "TTYPE", "TSCAL", "TZERO", "ZIMAGE", "ZCMPTYPE",
        "ZBITPIX", "ZNAXIS", "ZTILE", "ZNAME", "ZVAL", "ZQUANTIZ", "ZDITHER",
    ]
    private static let initials = Array(Set(structural.compactMap(\.utf8.first) + [UInt8(ascii: "H")]))
}
