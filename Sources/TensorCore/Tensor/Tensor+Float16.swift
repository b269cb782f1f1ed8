import Groundwork
import VectorKernels

extension Tensor {
    /// The values in row-major order as bits of 16-bit floats (IEEE 754 binary16), rounded to nearest, ties to even; out of range becomes infinity.
    package var float16Bits: [UInt16] {
        [UInt16](unsafeUninitializedCapacity: count) { buffer, initialized in
            nonisolated(unsafe) let target = buffer
            Parallel.forEachBlock(of: count, size: elementwiseBlock) { block in
                convert_float_to_float16(block.count, pointer + block.lowerBound, target.baseAddress.map { $0 + block.lowerBound })
            }
            initialized = count
        }
    }
}
