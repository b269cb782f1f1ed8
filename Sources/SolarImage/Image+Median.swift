extension Image {
    /// The median of the pixels with data, of an even number of them the mean of the two in the middle; NaN if there are none.
    package var median: Float {
        let keys = pixels.lazy.filter { !$0.isNaN }.map(\.orderedBits)
        // Found in two passes, by the upper and by the lower half of the bits, without sorting.
        func histogram(_ bin: (UInt32) -> Int?) -> [Int] {
            var counts = [Int](repeating: 0, count: 1 << 16)
            for key in keys { if let bin = bin(key) { counts[bin] += 1 } }
            return counts
        }
        let upper = histogram { Int($0 >> 16) }
        let count = upper.reduce(0, +)
        guard count > 0 else { return .nan }
        /// The bin that holds the value of that rank, and its rank within the bin.
        func bin(ofRank rank: Int, in counts: [Int]) -> (bin: Int, rank: Int) {
            var (bin, rank) = (0, rank)
            while rank >= counts[bin] {
                rank -= counts[bin]
                bin += 1
            }
            return (bin, rank)
        }
        func value(ofRank rank: Int) -> Float {
            let high = bin(ofRank: rank, in: upper)
            let lower = histogram { Int($0 >> 16) == high.bin ? Int($0 & 0xFFFF) : nil }
            return Float(orderedBits: UInt32(high.bin) << 16 | UInt32(bin(ofRank: high.rank, in: lower).bin))
        }
        let middle = value(ofRank: count / 2)
        return count.isMultiple(of: 2) ? Float((Double(value(ofRank: count / 2 - 1)) + Double(middle)) / 2) : middle
    }

    /// The median absolute deviation from the median; NaN if no pixel has data.
    package var medianAbsoluteDeviation: Float {
        let median = median
        return Image(width: width, height: height, pixels: pixels.map { abs($0 - median) }).median
    }
}

extension Float {
    /// Bits that are in the order of the values they stand for.
    fileprivate var orderedBits: UInt32 { bitPattern >> 31 == 0 ? bitPattern | 1 << 31 : ~bitPattern }

    fileprivate init(orderedBits bits: UInt32) { self.init(bitPattern: bits >> 31 == 0 ? ~bits : bits & ~(1 << 31)) }
}
