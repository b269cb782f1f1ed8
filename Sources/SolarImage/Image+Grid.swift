import Groundwork

extension Image {
    /// The part of `width` × `height` pixels that begins at column `x` and row `y`, both from 0.
    /// - Precondition: it lies within the image.
    package func cropped(x: Int, y: Int, width: Int, height: Int) -> Image {
        precondition(
            x >= 0 && y >= 0 && width > 0 && height > 0 && x + width <= self.width && y + height <= self.height, "the crop exceeds the image")
        if width == self.width, height == self.height { return self }
        var pixels: [Float] = []
        pixels.reserveCapacity(width * height)
        for row in y..<y + height { pixels += self.pixels[row * self.width + x..<row * self.width + x + width] }
        return Image(width: width, height: height, pixels: pixels)
    }

    /// The mean over every block of `factor` × `factor` pixels from pixel (0, 0): how a low-resolution map is made from a high-resolution one.
    ///
    /// NaN pixels are left out of their block's mean; a block of NaN alone is NaN. Columns and rows beyond the last whole block are dropped.
    /// - Returns: `[height / factor, width / factor]`.
    /// - Precondition: the image holds at least one block.
    package func blockMean(by factor: Int) -> Image {
        precondition(factor > 0 && width >= factor && height >= factor, "an image of \(width) × \(height) has no block of \(factor) × \(factor)")
        let (columns, rows) = (width / factor, height / factor)
        var result = Image(width: columns, height: rows, repeating: 0)
        pixels.withUnsafeBufferPointer { source in
            result.pixels.withUnsafeMutableBufferPointer { target in
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
        return result
    }

    /// Every pixel repeated `factor` times along both axes (nearest-neighbour enlargement).
    package func replicated(by factor: Int) -> Image {
        precondition(factor > 0, "an image cannot be enlarged \(factor) times")
        var result = Image(width: width * factor, height: height * factor, repeating: 0)
        let columns = result.width
        pixels.withUnsafeBufferPointer { source in
            result.pixels.withUnsafeMutableBufferPointer { target in
                Parallel.forEachBlock(of: height * factor, size: 64) { block in
                    for y in block {
                        var position = y * columns
                        for x in 0..<width {
                            let value = source[y / factor * width + x]
                            for _ in 0..<factor {
                                target[position] = value
                                position += 1
                            }
                        }
                    }
                }
            }
        }
        return result
    }
}
