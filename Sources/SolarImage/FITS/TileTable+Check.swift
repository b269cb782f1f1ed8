import Groundwork

extension TileTable {
    /// Checks the compressed pixels of all tiles, so that cfitsio reads and writes nothing but them and their pixels.
    /// - Parameters:
    ///   - dataStart: where the table begins in the file.
    ///   - location: the file and the unit, to name in messages.
    /// - Throws: `Failure` (`.badData`) if those of a tile are damaged; `.other` if there is no memory.
    func check(_ bytes: FITSBytes, dataStart: Int, at location: String) throws {
        let checker = try TileChecker(self, bytes, heapStart: dataStart + heap.lowerBound)
        let some = max(1, 65536 / max(1, rowLength))
        let piece = UnsafeMutableRawPointer.allocate(byteCount: some * rowLength + 1, alignment: 16)
        defer { piece.deallocate() }
        for first in stride(from: 0, to: rows, by: some) {
            let count = min(some, rows - first)
            let isThere = bytes.read(count * rowLength, at: dataStart + first * rowLength, into: piece) == count * rowLength
            for row in 0..<count {
                guard isThere, checker.isSound(UnsafeRawPointer(piece + row * rowLength), shape: shape(first + row)) else {
                    throw Failure(
                        .badData, "the compressed pixels of tile \(first + row + 1) are damaged", at: location,
                        expected: "\(shape(first + row).map(String.init).joined(separator: " × ")) pixels", remedy: "fetch the file again")
                }
            }
        }
    }

    /// The lengths of the axes of the tile in that row: at the edge of the image it may be smaller than the others.
    private func shape(_ row: Int) -> [Int] {
        var rest = row
        return zip(axes, tile).map { length, side in
            let (quotient, index) = rest.quotientAndRemainder(dividingBy: (length - 1) / side + 1)
            rest = quotient
            return min(side, length - index * side)
        }
    }
}

/// What is needed to check one tile after the other.
private final class TileChecker {
    private let table: TileTable
    private let bytes: FITSBytes
    private let heapStart: Int
    private var stream = UnsafeMutablePointer<UInt8>.allocate(capacity: TileStreams.slack)
    private var capacity = 0
    private let inflater: Inflater?
    private let scratch = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: 1 << 17)
    private let hcompress: HCompressStream?

    init(_ table: TileTable, _ bytes: FITSBytes, heapStart: Int) throws {
        (self.table, self.bytes, self.heapStart) = (table, bytes, heapStart)
        let pixels = zip(table.axes, table.tile).map { min($0, $1) }.reduce(1, *)
        if case .hcompress = table.compression { hcompress = HCompressStream(pixels: pixels) } else { hcompress = nil }
        var isInflating = table.gzipped != nil
        if case .gzip = table.compression { isInflating = true }
        inflater = isInflating ? try Inflater() : nil
    }

    deinit {
        stream.deallocate()
        scratch.deallocate()
    }

    /// Whether the tile of that row and shape is sound.
    func isSound(_ row: UnsafeRawPointer, shape: [Int]) -> Bool {
        let pixels = shape.reduce(1, *)
        guard let (count, offset) = descriptor(table.compressed, row) else { return false }
        if count > 0 {
            guard let size = read(count, of: table.compressed, at: offset) else { return false }
            switch table.compression {
            case .rice(let blockSize, let width):
                return TileStreams.isRice(stream, count: size, pixels: pixels, blockSize: blockSize, width: width)
            case .gzip:
                let size = inflatedSize(size, limit: 8 * pixels)
                return [1, 2, 4, 8].contains { size == $0 * pixels }
            case .plio: return TileStreams.isPLIO(stream, count: size, pixels: pixels)
            case .hcompress(let planes):
                let width = shape[0]
                return hcompress?.isTile(stream, count: size, width: width, height: pixels / width, planes: planes) == true
            case .none: return size == pixels * abs(table.bits) / 8
            }
        }
        // A tile of floating-point numbers that is stored without loss: cfitsio asks for this column first.
        if let column = table.uncompressed {
            guard let (count, offset) = descriptor(column, row), count == pixels else { return false }
            return range(count, of: column, at: offset) != nil
        }
        guard let column = table.gzipped, table.bits < 0, let (count, offset) = descriptor(column, row), count > 0,
            let size = read(count, of: column, at: offset)
        else { return false }
        return inflatedSize(size, limit: 8 * pixels) == pixels * abs(table.bits) / 8
    }

    private func inflatedSize(_ size: Int, limit: Int) -> Int? {
        inflater?.size(of: stream, count: size, limit: limit, scratch: scratch)
    }

    /// How many elements a row's descriptor tells of, and where in the heap they are; nil if that is less than nothing.
    private func descriptor(_ column: TileTable.Column, _ row: UnsafeRawPointer) -> (count: Int, offset: Int)? {
        let place = row + column.offset
        if column.isLong {
            let count = Int(Int64(bigEndian: place.loadUnaligned(as: Int64.self)))
            let offset = Int(Int64(bigEndian: place.loadUnaligned(fromByteOffset: 8, as: Int64.self)))
            return count < 0 || offset < 0 ? nil : (count, offset)
        }
        let count = Int(Int32(bigEndian: place.loadUnaligned(as: Int32.self)))
        // Unsigned, since there are heaps of more than 2 GiB.
        let offset = Int(UInt32(bigEndian: place.loadUnaligned(fromByteOffset: 4, as: UInt32.self)))
        return count < 0 ? nil : (count, offset)
    }

    /// The bytes in the heap of so many elements; nil if they do not lie in it.
    private func range(_ count: Int, of column: TileTable.Column, at offset: Int) -> Range<Int>? {
        guard offset <= table.heap.count, count <= (table.heap.count - offset) / column.width else { return nil }
        return offset..<offset + count * column.width
    }

    /// Reads bytes of the heap.
    /// - Returns: how many; nil if they are not all there.
    private func read(_ count: Int, of column: TileTable.Column, at offset: Int) -> Int? {
        guard let range = range(count, of: column, at: offset) else { return nil }
        if range.count > capacity {
            stream.deallocate()
            capacity = max(range.count, 2 * capacity)
            stream = .allocate(capacity: capacity + TileStreams.slack)
        }
        let got = bytes.read(range.count, at: heapStart + range.lowerBound, into: stream)
        (stream + got).update(repeating: 0, count: TileStreams.slack)
        return got == range.count ? got : nil
    }
}
