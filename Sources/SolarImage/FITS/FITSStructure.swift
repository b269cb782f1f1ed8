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
        var text: [UInt8] = []
        text.reserveCapacity(12 * block)
        var position = start
        while text.count / 80 <= mostRecords {
            let first = text.count
            // What the file's last block lacks is blank.
            text.append(contentsOf: repeatElement(0x20, count: block))
            let count = text.withUnsafeMutableBytes { text in text.baseAddress.map { bytes.read(block, at: position, into: $0 + first) } ?? 0 }
            guard count > 0 else { return first == 0 ? .none : .endless(first / 80) }
            position += block
            if first == 0, !text.starts(with: "SIMPLE  =".utf8), !text.starts(with: "XTENSION=".utf8) {
                return text.allSatisfy { $0 == 0 || $0 == 0x20 } ? .none : .other
            }
            for column in stride(from: first, to: text.count, by: 80) where text[column] == UInt8(ascii: "E") {
                guard text[column..<column + 8].elementsEqual("END     ".utf8) else { continue }
                // Blank records before the end make room for more.
                text.removeLast(text.count - column)
                while text.last == 0x20 { text.removeLast() }
                return .header(FITSHeader(FITSCard.cards(inText: text)), dataStart: position)
            }
        }
        return .endless(text.count / 80)
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
    /// capitals from the first column on, an equals sign and a space before the value, and the value of a length that it has room for.
    private static func checkRecords(_ header: FITSHeader) throws(MalformedKeyword) {
        var keys = Set<UInt64>()
        for place in header.cards.indices {
            let stem = stem(of: header.cards[place])
            guard structural.contains(stem) else { continue }
            let card = header.cards[place], keyword = card.keyword, record = card.record
            guard !card.isLong, !card.hasSmallLetters, record.hasPrefix(keyword), record.utf8.dropFirst(8).starts(with: "= ".utf8) else {
                throw MalformedKeyword(keyword, "\(keyword.uppercased()) and its value in their columns")
            }
            if stem == columnName {
                // A name without quotes may have 70 characters, for which and whose end cfitsio 4.2.0 has 70 bytes.
                guard case .string(let name) = card.value, name.utf8.count <= 68 else { throw MalformedKeyword(keyword, "a name in quotes") }
            } else if numbers.contains(stem) {
                // What it cannot take for a number of its kind cfitsio 4.2.0 puts into a message with some 25 bytes left.
                let written = record.utf8.dropFirst(10).drop { $0 == 0x20 }.prefix { $0 != 0x20 && $0 != UInt8(ascii: "/") }
                let length = if case .string(let text) = card.value { text.utf8.count } else { written.count }
                let isReal = if case .real = card.value { reals.contains(stem) } else { false }
                guard isReal || length <= 22 else { throw MalformedKeyword(keyword, "a number of a few digits") }
            }
            if !keys.insert(card.key).inserted, header.card(keyword)?.value != card.value {
                throw MalformedKeyword(keyword, "the same value wherever it stands")
            }
        }
    }

    /// ``FITSCard/key`` of a card's keyword in capitals, without digits at its end and without HIERARCH before it.
    private static func stem(of card: FITSCard) -> UInt64 {
        let key = card.isLong && card.keyword.hasPrefix("HIERARCH ") ? FITSCard.key(String(card.keyword.dropFirst(9))) : card.key
        var (stem, isNumber): (UInt64, Bool) = (0, true)
        for shift in stride(from: UInt64(56), through: 0, by: -8) {
            let character = key >> shift & 0xFF
            if isNumber, character == 0 || (48...57).contains(character) { continue }
            isNumber = false
            stem |= ((97...122).contains(character) ? character - 32 : character) << shift
        }
        return stem
    }

    private static let columnName = FITSCard.key("TTYPE")
    /// Of real values, and all that are numbers.
    private static let reals = Set(["BSCALE", "BZERO", "TSCAL", "TZERO", "ZSCALE", "ZZERO", "ZVAL"].map(FITSCard.key))
    private static let numbers = reals.union(
        [
            "BITPIX", "NAXIS", "PCOUNT", "GCOUNT", "TFIELDS", "THEAP", "TNULL", "ZBITPIX", "ZNAXIS", "ZTILE", "ZDITHER", "BLANK", "ZBLANK",
        ].map(FITSCard.key))
    private static let structural = numbers.union(
        ["XTENSION", "GROUPS", "TFORM", "TTYPE", "ZIMAGE", "ZCMPTYPE", "ZNAME", "ZQUANTIZ"].map(FITSCard.key))
}
