import Groundwork

extension Tensor {
    /// The place in row-major order of the first value that is NaN or whose magnitude is above `limit`, which is not negative; nil if there is none.
    package func firstIndex(exceeding limit: Float) -> Int? {
        // Of magnitudes the bits are in the order of the values, infinity and NaN behind all others.
        let bits = limit.bitPattern
        func magnitude(_ index: Int) -> UInt32 { pointer[index].bitPattern & 0x7FFF_FFFF }
        let blocks = (count + elementwiseBlock - 1) / elementwiseBlock
        func range(_ block: Int) -> Range<Int> { block * elementwiseBlock..<min(count, (block + 1) * elementwiseBlock) }
        let greatest = Parallel.map(blocks) { range($0).reduce(0 as UInt32) { max($0, magnitude($1)) } }
        guard let block = greatest.firstIndex(where: { $0 > bits }) else { return nil }
        return range(block).first { magnitude($0) > bits }
    }
}
