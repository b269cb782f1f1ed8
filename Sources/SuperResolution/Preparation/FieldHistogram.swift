import Foundation
import SolarImage

/// Pixels counted by |B|, in classes of equal relative width 2⁻¹² from 2⁻⁷ G to 2¹⁷ G; the first has all below.
struct FieldHistogram: Sendable {
    /// The last counts pixels without a value, and those above.
    private var counts = [Int](repeating: 0, count: FieldHistogram.classCount)

    /// The leading 21 bits of a number are its class, but for the first one's.
    private static let first = Int32(Float(1.0 / 128).bitPattern >> 11), last = Int32(Float(131072).bitPattern >> 11)
    private static let classCount = Int(last - first) + 1

    /// Adds the pixels that have a value.
    mutating func add(_ image: Image) {
        image.pixels.withUnsafeBufferPointer { pixels in
            counts.withUnsafeMutableBufferPointer { counts in
                for value in pixels {
                    let index = Int32(truncatingIfNeeded: (value.bitPattern & 0x7FFF_FFFF) >> 11)
                    counts[Int(min(max(index, FieldHistogram.first), FieldHistogram.last) &- FieldHistogram.first)] &+= 1
                }
            }
        }
        counts[counts.count - 1] = 0
    }

    mutating func clear() {
        for index in counts.indices { counts[index] = 0 }
    }

    /// Classes and their counts in turn, as little-endian integers of 32 bits; those without pixels are left out.
    var data: Data {
        var pairs: [UInt32] = []
        for (index, count) in counts.enumerated() where count > 0 { pairs += [UInt32(index).littleEndian, UInt32(clamping: count).littleEndian] }
        return pairs.withUnsafeBytes { Data($0) }
    }

    /// Adds what ``data`` gave.
    mutating func add(_ data: Data) {
        data.withUnsafeBytes { bytes in
            for start in stride(from: 0, to: bytes.count - 7, by: 8) {
                let index = Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: start, as: UInt32.self)))
                guard counts.indices.contains(index) else { continue }
                counts[index] += Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: start + 4, as: UInt32.self)))
            }
        }
    }

    /// The middle of the class that has the pixel of that rank, from 1, by |B|; infinite if there are fewer.
    func value(rank: Int) -> Double {
        var left = rank
        for (index, count) in counts.enumerated() {
            left -= count
            if left <= 0 { return Double(Float(bitPattern: UInt32(index + Int(FieldHistogram.first)) << 11 | 1 << 10)) }
        }
        return .infinity
    }

    /// Pixels with |B| below a limit that is the lower bound of a class, as are all whole numbers from 1 to 4096.
    func count(below limit: Float) -> Int { counts.prefix(Int(Int32(limit.bitPattern >> 11) - FieldHistogram.first)).reduce(0, +) }
}
