import Groundwork

/// How a low-resolution field is made from a high-resolution one: the mean over every block of pixels that hold data.
package enum BlockMean {
    /// The means over blocks of `factor` × `factor` pixels from pixel (0, 0) of `height` rows of `width`.
    ///
    /// NaN pixels are left out of their block's mean; a block of NaN alone is NaN (numpy's `nanmean`). Columns and rows beyond the last whole block are
    /// dropped.
    /// - Parameter target: `height / factor` rows of `width / factor`.
    package static func compute(
        _ source: UnsafePointer<Float>, width: Int, height: Int, factor: Int, into target: UnsafeMutablePointer<Float>
    ) {
        let (columns, rows) = (width / factor, height / factor)
        Parallel.forEachBlock(of: rows, size: 16) { block in
            for y in block {
                for x in 0..<columns {
                    var (sum, count) = (0.0, 0)
                    for j in 0..<factor {
                        let start = (y * factor + j) * width + x * factor
                        for i in start..<start + factor where !source[i].isNaN {
                            sum += Double(source[i])
                            count += 1
                        }
                    }
                    target[y * columns + x] = count == 0 ? .nan : Float(sum / Double(count))
                }
            }
        }
    }
}

extension Image {
    /// The ``BlockMean`` of blocks of `factor` × `factor` pixels.
    /// - Returns: `[height / factor, width / factor]`.
    /// - Precondition: the image holds at least one block.
    package func blockMean(by factor: Int) -> Image {
        precondition(factor > 0 && width >= factor && height >= factor, "an image of \(width) × \(height) has no block of \(factor) × \(factor)")
        var result = Image(width: width / factor, height: height / factor, repeating: 0)
        pixels.withUnsafeBufferPointer { source in
            result.pixels.withUnsafeMutableBufferPointer { target in
                guard let source = source.baseAddress, let target = target.baseAddress else { return }
                BlockMean.compute(source, width: width, height: height, factor: factor, into: target)
            }
        }
        return result
    }
}
