/// A walk over a tile that was compressed with HCOMPRESS (White, Postman & Lattanzi 1992; FITS Standard 4.0, section 10.4.4), which finds out whether
/// its decoder stays within the tile's bytes and pixels.
///
/// The stream is a head of 25 bytes (two magic bytes; the lengths of the slow and the fast axis and the scale, 4 bytes each; the sum of the pixels, 8
/// bytes; the number of bit planes of three kinds of quadrants), the bit planes of the four quadrants of the H-transform, half a byte of zeros, and
/// from the next whole byte on the sign of each coefficient that is not zero. A bit plane is a quadtree of Huffman codes, or bits as they are.
final class HCompressStream {
    private let capacity: Int
    /// Four bits for each block of 2 × 2 of the level of the quadtree.
    private var codes: UnsafeMutablePointer<UInt8>
    private var finer: UnsafeMutablePointer<UInt8>
    /// The coefficients of each block of 2 × 2 in the quadrant that are not zero.
    private let found: UnsafeMutablePointer<UInt8>
    /// For each six bits the value of the code that they begin with, and its length times 16.
    private let huffman: [UInt8]

    /// - Parameter pixels: of the largest tile.
    init(pixels: Int) {
        // A quarter of the pixels is in a quadrant and a quarter of that are the blocks, each rounded up along both axes.
        capacity = pixels + 4
        codes = .allocate(capacity: capacity)
        finer = .allocate(capacity: capacity)
        found = .allocate(capacity: capacity)
        // The codes of the values 0 … 15, and their lengths in bits.
        let values: [(code: Int, length: Int)] = [
            (0b111110, 6), (0b000, 3), (0b001, 3), (0b1000, 4), (0b010, 3), (0b1001, 4), (0b11010, 5), (0b11011, 5), (0b011, 3), (0b11100, 5),
            (0b1010, 4), (0b11101, 5), (0b1011, 4), (0b11110, 5), (0b111111, 6), (0b1100, 4),
        ]
        var huffman = [UInt8](repeating: 0, count: 64)
        for (value, (code, length)) in values.enumerated() {
            for rest in 0..<1 << (6 - length) { huffman[code << (6 - length) | rest] = UInt8(length << 4 | value) }
        }
        self.huffman = huffman
    }

    deinit {
        codes.deallocate()
        finer.deallocate()
        found.deallocate()
    }

    /// Whether a stream holds a tile of `height` × `width` pixels (the fast axis is the width) in at most `planes` bit planes.
    /// - Parameter stream: `count` bytes with ``TileStreams/slack`` more behind them.
    func isTile(_ stream: UnsafePointer<UInt8>, count: Int, width: Int, height: Int, planes: Int) -> Bool {
        let head = 25
        func integer(_ place: Int) -> Int { Int(Int32(truncatingIfNeeded: TileStreams.bits(stream, 8 * place) >> 32)) }
        guard count > head, stream[0] == 0xDD, stream[1] == 0x99, width >= 2, height >= 2, integer(2) == height, integer(6) == width, integer(10) >= 0
        else { return false }
        let quadrants = [
            ((height + 1) / 2, (width + 1) / 2, stream[22]), ((height + 1) / 2, width / 2, stream[23]), (height / 2, (width + 1) / 2, stream[23]),
            (height / 2, width / 2, stream[24]),
        ]
        let end = 8 * count
        var place = 8 * head
        var signs = 0
        for (rows, columns, depth) in quadrants {
            guard depth <= planes, let more = quadrant(stream, &place, end, rows, columns, planes: Int(depth)) else { return false }
            signs += more
        }
        guard place + 4 <= end, TileStreams.bits(stream, place) >> 60 == 0 else { return false }
        return (place + 4 + 7) / 8 * 8 + signs <= end
    }

    /// Walks over the bit planes of a quadrant.
    /// - Returns: how many coefficients are not zero; nil if the stream ends before or makes no sense.
    private func quadrant(_ stream: UnsafePointer<UInt8>, _ place: inout Int, _ end: Int, _ rows: Int, _ columns: Int, planes: Int) -> Int? {
        let (high, wide) = ((rows + 1) / 2, (columns + 1) / 2), blocks = high * wide
        guard blocks <= capacity else { return nil }
        found.update(repeating: 0, count: blocks)
        for _ in 0..<planes {
            guard place + 4 <= end else { return nil }
            let kind = TileStreams.bits(stream, place) >> 60
            place += 4
            if kind == 0 {
                guard place + 4 * blocks <= end else { return nil }
                for block in 0..<blocks {
                    found[block] |= UInt8(TileStreams.bits(stream, place) >> 60)
                    place += 4
                }
            } else {
                guard kind == 15, readTree(stream, &place, end, rows, columns) else { return nil }
                for block in 0..<blocks { found[block] |= codes[block] }
            }
        }
        var count = 0
        for row in 0..<high {
            let below: UInt8 = 2 * row + 1 < rows ? 0b1111 : 0b1100
            for column in 0..<wide {
                let within = 2 * column + 1 < columns ? below : below & 0b1010
                count += (found[row * wide + column] & within).nonzeroBitCount
            }
        }
        return count
    }

    /// Reads a quadtree down to blocks of 2 × 2 coefficients, whose bits are in ``codes`` then.
    private func readTree(_ stream: UnsafePointer<UInt8>, _ place: inout Int, _ end: Int, _ rows: Int, _ columns: Int) -> Bool {
        let levels = Int.bitWidth - (max(rows, columns) - 1).leadingZeroBitCount
        return huffman.withUnsafeBufferPointer { huffman in
            func code() -> UInt8 {
                let entry = huffman[Int(TileStreams.bits(stream, place) >> 58)]
                place += Int(entry >> 4)
                return entry & 15
            }
            codes[0] = code()
            guard place <= end else { return false }
            for level in stride(from: levels - 1, to: 0, by: -1) {
                // The numbers of blocks whose side is 2^level coefficients, and of those twice as large.
                let side = 1 << level
                let (high, wide) = ((rows + side - 1) / side, (columns + side - 1) / side), half = (wide + 1) / 2
                for row in (0..<high).reversed() {
                    for column in (0..<wide).reversed() {
                        let bit = codes[row / 2 * half + column / 2] >> UInt8(3 - (2 * (row & 1) + column & 1)) & 1
                        if bit == 0 {
                            finer[row * wide + column] = 0
                        } else {
                            finer[row * wide + column] = code()
                            guard place <= end else { return false }
                        }
                    }
                }
                swap(&codes, &finer)
            }
            return true
        }
    }
}
