import Groundwork

/// The table that holds the pixels of a tile-compressed image (FITS Standard 4.0, section 10.1), as its header describes it: one row for each tile,
/// with descriptors of where in the heap behind the table its bytes stand.
struct TileTable {
    enum Compression {
        /// With the pixels of a block, and the bytes of a pixel.
        case rice(blockSize: Int, width: Int)
        case gzip, plio
        /// With the most bit planes that integers of the decoder's kind hold.
        case hcompress(planes: Int)
        case none
    }

    /// A column of descriptors: where it stands in a row, whether its numbers have 64 bits, and the bytes of an element.
    struct Column {
        let offset: Int
        let isLong: Bool
        let type: Character
        var width: Int { TileTable.widths[type] ?? 1 }
    }

    let compression: Compression
    /// `BITPIX` of the image.
    let bits: Int
    /// The lengths of the image's axes and of a tile's.
    let axes: [Int], tile: [Int]
    let rows: Int, rowLength: Int
    /// Where the heap begins and ends, from the beginning of the data on.
    let heap: Range<Int>
    let compressed: Column
    /// Of tiles that would not be compressed as the others.
    let gzipped: Column?, uncompressed: Column?

    /// Nil if the unit is no such table.
    init?(_ header: FITSHeader) throws(MalformedKeyword) {
        guard let isCompressed = header.card("ZIMAGE")?.value, isCompressed != .logical(false) else { return nil }
        guard isCompressed == .logical(true) else { throw MalformedKeyword("ZIMAGE", "T or F") }
        let types = [8, 16, 32, 64, -32, -64]
        bits = try FITSStructure.integer("ZBITPIX", "8, 16, 32, 64, -32 or -64", in: header) { types.contains($0) }
        let axisCount = try FITSStructure.integer("ZNAXIS", "1 to 6", in: header) { (1...6).contains($0) }
        let lengths = 1...Int(Int32.max)
        var (axes, tile, tiles): ([Int], [Int], Int) = ([], [], 1)
        for axis in 1...axisCount {
            let length = try FITSStructure.integer("ZNAXIS\(axis)", "1 to \(lengths.upperBound)", in: header) { lengths.contains($0) }
            let side = try FITSStructure.integer("ZTILE\(axis)", "1 to \(lengths.upperBound)", in: header, default: axis == 1 ? length : 1) {
                lengths.contains($0)
            }
            axes.append(length)
            tile.append(side)
            tiles = try FITSStructure.product(tiles, (length - 1) / side + 1, "ZNAXIS\(axis)")
        }
        (self.axes, self.tile) = (axes, tile)
        compression = try TileTable.compression(header, bits: bits)
        rowLength = try FITSStructure.integer("NAXIS1", "the bytes of a row", in: header) { $0 >= 0 }
        rows = try FITSStructure.integer("NAXIS2", "\(tiles) rows, one for each tile", in: header) { $0 == tiles }
        let table = try FITSStructure.product(rows, rowLength, "NAXIS2")
        let end = table + (try FITSStructure.integer("PCOUNT", "0 or more", in: header, default: 0) { $0 >= 0 })
        let start = try FITSStructure.integer("THEAP", "\(table) to \(end)", in: header, default: table) { (table...end).contains($0) }
        heap = start..<end

        var columns: [String: Column] = [:]
        var offset = 0
        let fields = try FITSStructure.integer("TFIELDS", "1 to 999", in: header) { (1...999).contains($0) }
        for field in 1...fields {
            let form = try TileTable.form(header, "TFORM\(field)")
            let column = form.column(at: offset)
            offset += form.width
            guard offset <= rowLength else { throw MalformedKeyword("TFORM\(field)", "columns of \(rowLength) bytes, as NAXIS1 has it") }
            guard case .string(let text)? = header.card("TTYPE\(field)")?.value else { continue }
            let name = text.uppercased()
            switch name {
            case "COMPRESSED_DATA", "GZIP_COMPRESSED_DATA", "UNCOMPRESSED_DATA":
                let wanted: String =
                    if name == "UNCOMPRESSED_DATA" { "BIJKED" } else if case .plio = compression, name == "COMPRESSED_DATA" { "I" } else { "B" }
                guard let column, wanted.contains(column.type) else {
                    throw MalformedKeyword("TFORM\(field)", wanted.map { "1P\($0) or 1Q\($0)" }.joined(separator: ", "))
                }
                guard name == "UNCOMPRESSED_DATA" || (header.real("TSCAL\(field)") ?? 1) == 1 else { throw MalformedKeyword("TSCAL\(field)", "1") }
                guard name == "UNCOMPRESSED_DATA" || (header.real("TZERO\(field)") ?? 0) == 0 else { throw MalformedKeyword("TZERO\(field)", "0") }
                guard columns.updateValue(column, forKey: name) == nil else { throw MalformedKeyword("TTYPE\(field)", "one column \(name)") }
            case "ZSCALE", "ZZERO", "ZBLANK":
                guard form.isNumber else { throw MalformedKeyword("TFORM\(field)", "a number") }
            default: continue
            }
        }
        guard offset == rowLength else { throw MalformedKeyword("NAXIS1", "\(offset) bytes, the sum of the columns") }
        guard let compressed = columns["COMPRESSED_DATA"] else { throw MalformedKeyword("TTYPE1", "a column COMPRESSED_DATA") }
        self.compressed = compressed
        (gzipped, uncompressed) = (columns["GZIP_COMPRESSED_DATA"], columns["UNCOMPRESSED_DATA"])
    }

    private static func compression(_ header: FITSHeader, bits: Int) throws(MalformedKeyword) -> Compression {
        if let scale = header.real("ZSCALE"), scale == 0 { throw MalformedKeyword("ZSCALE", "a number other than 0") }
        if header.string("ZQUANTIZ")?.hasPrefix("SUBTRACTIVE") == true {
            // A place in a table of that many random numbers.
            _ = try FITSStructure.integer("ZDITHER0", "1 to 10000", in: header, default: 1) { (1...10000).contains($0) }
        }
        switch header.string("ZCMPTYPE") {
        case "RICE_1", "RICE_ONE":
            let block = "16 or 32", width = "1, 2, 4 or 8"
            // Some old files have them in the other order.
            let isSwapped = header.integer("ZVAL1").map { $0 < 16 } == true && header.integer("ZVAL2").map { $0 > 8 } == true
            let blockSize = try FITSStructure.integer(isSwapped ? "ZVAL2" : "ZVAL1", block, in: header) { [16, 32].contains($0) }
            let bytes = try FITSStructure.integer(isSwapped ? "ZVAL1" : "ZVAL2", width, in: header, default: 4) { [1, 2, 4, 8].contains($0) }
            return .rice(blockSize: blockSize, width: min(bytes, 4))
        case "GZIP_1", "GZIP_2": return .gzip
        case "PLIO_1": return .plio
        case "HCOMPRESS_1":
            guard header.real("ZVAL1") != nil else { throw MalformedKeyword("ZVAL1", "a number") }
            return .hcompress(planes: [8, 16].contains(bits) ? 31 : 63)
        case "NOCOMPRESS": return .none
        default: throw MalformedKeyword("ZCMPTYPE", "RICE_1, GZIP_1, GZIP_2, HCOMPRESS_1, PLIO_1 or NOCOMPRESS")
        }
    }
}

extension TileTable {
    /// The bytes of an element of each type that tables know (FITS Standard 4.0, table 18) but for bits.
    fileprivate static let widths: [Character: Int] = [
        "L": 1, "B": 1, "I": 2, "J": 4, "K": 8, "A": 1, "E": 4, "D": 8, "C": 8, "M": 16, "P": 8, "Q": 16,
    ]

    /// The value of `TFORMn`: how often an element stands in a row, its type, and what follows.
    private struct Form {
        let count: Int, type: Character, rest: String

        /// The bytes in a row.
        var width: Int { type == "X" ? (count + 7) / 8 : count * (TileTable.widths[type] ?? 0) }
        var isNumber: Bool { count == 1 && "BIJKED".contains(type) }

        /// The column if it is one of descriptors, one in each row.
        func column(at offset: Int) -> Column? {
            guard count == 1, "PQ".contains(type), let element = rest.first, TileTable.widths[element] != nil else { return nil }
            return Column(offset: offset, isLong: type == "Q", type: element)
        }
    }

    private static func form(_ header: FITSHeader, _ keyword: String) throws(MalformedKeyword) -> Form {
        let text = header.string(keyword)?.uppercased() ?? "", digits = text.prefix { $0.isNumber }
        guard let type = text.dropFirst(digits.count).first, type == "X" || widths[type] != nil, let count = digits.isEmpty ? 1 : Int(digits),
            (0..<1 << 40).contains(count)  // more is no row
        else { throw MalformedKeyword(keyword, "the type of a column") }
        return Form(count: count, type: type, rest: String(text.dropFirst(digits.count + 1)))
    }
}
