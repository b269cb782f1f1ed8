import Foundation
import SolarImage

/// Σ|B| and the number of pixels with a value in square blocks of an image from pixel (0, 0) on; the last ones may be cut off by its borders.
struct BlockFlux {
    let side: Int
    let columns, rows: Int
    private var flux: [Float]
    /// The number of pixels with a value in the blocks below and to the left of each block's lower left corner.
    private var counts: [Int]

    init(of image: Image, side: Int) {
        self.side = side
        (columns, rows) = ((image.width + side - 1) / side, (image.height + side - 1) / side)
        (flux, counts) = ([], Array(repeating: 0, count: (columns + 1) * (rows + 1)))
        for row in 0..<rows {
            var (sums, known) = (Array(repeating: Float(0), count: columns), Array(repeating: Int32(0), count: columns))
            sums.withUnsafeMutableBufferPointer { sums in
                known.withUnsafeMutableBufferPointer { known in
                    for y in row * side..<min(image.height, (row + 1) * side) { BlockFlux.add(y, of: image, side: side, to: sums, known) }
                }
            }
            flux += sums
            for column in 0..<columns {
                let upper = (row + 1) * (columns + 1) + column
                counts[upper + 1] = counts[upper] + counts[upper - columns] - counts[upper - columns - 1] + Int(known[column])
            }
        }
    }

    /// Adds a row of pixels to the sums and counts of the blocks it passes through.
    private static func add(
        _ y: Int, of image: Image, side: Int, to sums: UnsafeMutableBufferPointer<Float>, _ known: UnsafeMutableBufferPointer<Int32>
    ) {
        image.pixels.withUnsafeBytes { bytes in
            for column in sums.indices {
                let start = y * image.width + column * side, end = y * image.width + min(image.width, (column + 1) * side)
                // Four at a time; a side is a multiple of the scale, which mostly is four.
                var (sum4, count4) = (SIMD4<Float>(repeating: 0), SIMD4<Int32>(repeating: 0))
                var index = start
                while index + 4 <= end {
                    let values = bytes.loadUnaligned(fromByteOffset: 4 * index, as: SIMD4<Float>.self), isMissing = values .!= values
                    let sizes = unsafeBitCast(unsafeBitCast(values, to: SIMD4<UInt32>.self) & 0x7FFF_FFFF, to: SIMD4<Float>.self)
                    sum4 += sizes.replacing(with: 0, where: isMissing)
                    count4 &+= SIMD4(repeating: 1).replacing(with: 0, where: isMissing)
                    index += 4
                }
                var (sum, count) = (sum4.sum(), count4.wrappedSum())
                while index < end {
                    let value = bytes.loadUnaligned(fromByteOffset: 4 * index, as: Float.self)
                    if !value.isNaN { (sum, count) = (sum + abs(value), count + 1) }
                    index += 1
                }
                sums[column] += sum
                known[column] += count
            }
        }
    }

    /// Pixels with a value in a frame that begins at a block and ends with one or at the border.
    func known(_ frame: CropFrame) -> Int {
        let (left, right) = (frame.x / side, (frame.x + frame.width + side - 1) / side)
        let (low, high) = (frame.y / side * (columns + 1), (frame.y + frame.height + side - 1) / side * (columns + 1))
        return counts[high + right] - counts[high + left] - counts[low + right] + counts[low + left]
    }

    /// The flux weighted by a Gaussian of that standard deviation in blocks, up to four of them away.
    func smoothed(deviation: Double) -> [Double] {
        let reach = Int((4 * deviation).rounded(.up))
        let kernel = (-reach...reach).map { exp(-0.5 * Double($0 * $0) / (deviation * deviation)) }
        /// Every line of `count` values is the weighted sum of lines about it.
        func mixed(_ lines: [Double], count: Int) -> [Double] {
            let last = lines.count / count - 1
            var result = [Double](repeating: 0, count: lines.count)
            result.withUnsafeMutableBufferPointer { result in
                lines.withUnsafeBufferPointer { lines in
                    for line in 0...last {
                        let sum = UnsafeMutableBufferPointer(rebasing: result[line * count..<(line + 1) * count])
                        for other in max(0, line - reach)...min(last, line + reach) {
                            let term = UnsafeBufferPointer(rebasing: lines[other * count..<(other + 1) * count]),
                                weight = kernel[other - line + reach]
                            for index in 0..<count { sum[index] += weight * term[index] }
                        }
                    }
                }
            }
            return result
        }
        func transposed(_ values: [Double], columns: Int) -> [Double] {
            let rows = values.count / columns
            return values.indices.map { values[$0 % rows * columns + $0 / rows] }
        }
        let across = mixed(transposed(flux.map(Double.init), columns: columns), count: rows)
        return mixed(transposed(across, columns: rows), count: columns)
    }
}
