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
