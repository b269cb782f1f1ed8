import Foundation

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

    /// The mean over blocks of `factor` × `factor` pixels from pixel (0, 0) on; columns and rows that fill no block are left out. NaN does not count;
    /// a block of nothing else is NaN.
    /// - Precondition: the image holds a block.
    package func binned(by factor: Int) -> Image {
        precondition(factor > 0 && width >= factor && height >= factor, "the image is smaller than a block")
        var result = Image(width: width / factor, height: height / factor, repeating: .nan)
        var sums = [Double](repeating: 0, count: result.width), counts = sums
        for row in 0..<result.height {
            for column in 0..<result.width { (sums[column], counts[column]) = (0, 0) }
            for y in row * factor..<(row + 1) * factor {
                for x in 0..<result.width * factor {
                    let value = pixels[y * width + x]
                    if value.isFinite {
                        sums[x / factor] += Double(value)
                        counts[x / factor] += 1
                    }
                }
            }
            for column in 0..<result.width where counts[column] > 0 { result[column, row] = Float(sums[column] / counts[column]) }
        }
        return result
    }

    /// Each pixel repeated to a block of `factor` × `factor`.
    package func replicated(by factor: Int) -> Image {
        precondition(factor > 0, "the factor must be positive")
        var pixels: [Float] = []
        pixels.reserveCapacity(width * height * factor * factor)
        for y in 0..<height {
            let row = self.pixels[y * width..<(y + 1) * width].flatMap { repeatElement($0, count: factor) }
            for _ in 0..<factor { pixels += row }
        }
        return Image(width: width * factor, height: height * factor, pixels: pixels)
    }
}
