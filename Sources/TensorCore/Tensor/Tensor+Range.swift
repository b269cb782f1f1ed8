import Groundwork

extension Tensor {
    /// The place in row-major order of the first value that is NaN or whose magnitude is above `limit`, which is not negative; nil if there is none.
    /// - Parameter places: those that are looked at; nil for all.
    package func firstIndex(exceeding limit: Float, in places: Range<Int>? = nil) -> Int? {
        // Of magnitudes the bits are in the order of the values, infinity and NaN behind all others.
        let (bits, places) = (limit.bitPattern, places ?? 0..<count)
        func magnitude(_ index: Int) -> UInt32 { pointer[index].bitPattern & 0x7FFF_FFFF }
        let blocks = (places.count + elementwiseBlock - 1) / elementwiseBlock
        func range(_ block: Int) -> Range<Int> {
            places.lowerBound + block * elementwiseBlock..<min(places.upperBound, places.lowerBound + (block + 1) * elementwiseBlock)
        }
        let greatest = Parallel.map(blocks) { range($0).reduce(0 as UInt32) { max($0, magnitude($1)) } }
        guard let block = greatest.firstIndex(where: { $0 > bits }) else { return nil }
        return range(block).first { magnitude($0) > bits }
    }
}
