/// Walks over the compressed pixels of a tile that find out, without making the pixels, whether a decoder stays within the tile's bytes and fills its
/// pixels: cfitsio's do not ask.
///
/// All take a stream of `count` bytes with ``slack`` more bytes behind it that may be read, whatever they hold.
enum TileStreams {
    /// Bytes behind a stream that are read, but not heeded.
    static let slack = 16

    /// The 64 bits from bit `place` on, at least the first 57 of them; the others are zeros.
    @inline(__always)
    static func bits(_ stream: UnsafePointer<UInt8>, _ place: Int) -> UInt64 {
        UInt64(bigEndian: UnsafeRawPointer(stream + place >> 3).loadUnaligned(as: UInt64.self)) << UInt64(place & 7)
    }

    /// Whether a stream of Rice's code (FITS Standard 4.0, section 10.4.1) holds `pixels` pixels.
    ///
    /// The first pixel stands uncoded before blocks of `blockSize` differences. Each block begins with a code in 3, 4 or 5 bits: 0 for differences that
    /// are all zero, the largest for differences of full width, else one more than the number of low bits of each difference, whose high bits are as
    /// many zeros before a one.
    /// - Parameters:
    ///   - blockSize: pixels in a block, at least 1.
    ///   - width: bytes of a pixel, 1, 2 or 4.
    static func isRice(_ stream: UnsafePointer<UInt8>, count: Int, pixels: Int, blockSize: Int, width: Int) -> Bool {
        let (codeWidth, full) = width == 1 ? (3, 7) : width == 2 ? (4, 15) : (5, 26)
        let end = 8 * count
        var place = 8 * width
        var left = pixels
        while left > 0 {
            guard place + codeWidth <= end else { return false }
            let code = Int(bits(stream, place) >> UInt64(64 - codeWidth))
            place += codeWidth
            var rest = min(blockSize, left)
            left -= rest
            if code == 0 { continue }
            if code >= full {
                guard code == full else { return false }
                place += 8 * width * rest
                continue
            }
            while rest > 0 {
                guard place < end else { return false }
                var window = bits(stream, place)
                let known = 64 - place & 7
                var used = 0
                while rest > 0 {
                    let step = window.leadingZeroBitCount + code
                    guard used + step <= known, step < 64 else { break }
                    window &<<= UInt64(step)
                    used += step
                    rest -= 1
                }
                if used == 0 {
                    // A pixel longer than what is known at once.
                    let zeros = window.leadingZeroBitCount
                    if zeros < known {
                        used = zeros + code
                        rest -= 1
                    } else {
                        used = known
                    }
                }
                place += used
            }
        }
        return place <= end
    }

    /// Whether a line list of PLIO's (FITS Standard 4.0, section 10.4.3) describes `pixels` pixels.
    ///
    /// A list of 16-bit words: its length is the third word or, where that is negative, in the fourth and fifth, with the second telling where the
    /// instructions begin. An instruction is four bits of what to do and twelve of how often or by how much.
    static func isPLIO(_ stream: UnsafePointer<UInt8>, count: Int, pixels: Int) -> Bool {
        let words = count / 2
        func word(_ index: Int) -> Int { Int(Int16(truncatingIfNeeded: Int(stream[2 * index]) << 8 | Int(stream[2 * index + 1]))) }
        guard words >= 3 else { return false }
        var (first, length) = (3, word(2))
        if length <= 0 {
            guard words >= 5 else { return false }
            (first, length) = (word(1), word(4) << 15 + word(3))
        }
        guard first >= 3, length <= words else { return false }
        var described = 0
        var index = first
        while index < length, described < pixels {
            let instruction = word(index)
            switch instruction >> 12 {
            case 0, 4, 5: described += instruction & 4095
            case 1: index += 1  // the word after it is of the value
            case 2, 3: break
            case 6, 7: described += 1
            default: return false
            }
            index += 1
        }
        return described == pixels && index <= length
    }
}
