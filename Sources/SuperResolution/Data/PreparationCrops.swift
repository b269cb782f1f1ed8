import Foundation
import SolarImage
import TensorCore

/// The place of a crop in its map.
public struct CropFrame: Sendable, Codable, Hashable {
    /// The lowest left pixel, from 0.
    public var x, y: Int
    public var width, height: Int

    public init(x: Int, y: Int, width: Int, height: Int) { (self.x, self.y, self.width, self.height) = (x, y, width, height) }

    /// Of the given size around a pixel, as near to it as the borders of a map allow where the crop is to begin at a multiple of `step` of the map's
    /// pixels.
    /// - Precondition: the map is at least as large.
    package init(width: Int, height: Int, around centre: SIMD2<Double>, in map: CropFrame, step: Int = 1) {
        func origin(_ centre: Double, _ size: Int, _ whole: Int) -> Int {
            let nearest = Int(((centre + 0.5 - Double(size) / 2) / Double(step)).rounded()) * step
            return max(0, min((whole - size) / step * step, nearest))
        }
        self.init(x: origin(centre.x, width, map.width), y: origin(centre.y, height, map.height), width: width, height: height)
    }

    /// The number of pixels in both.
    package func overlap(_ other: CropFrame) -> Int {
        max(0, min(x + width, other.x + other.width) - max(x, other.x)) * max(0, min(y + height, other.y + other.height) - max(y, other.y))
    }

    /// The centre, in pixels from 0; between two of them where the size is even.
    package var middle: SIMD2<Double> { SIMD2(Double(2 * x + width - 1), Double(2 * y + height - 1)) / 2 }

    package func contains(_ pixel: SIMD2<Double>) -> Bool {
        pixel.x >= Double(x) - 0.5 && pixel.y >= Double(y) - 0.5 && pixel.x < Double(x + width) - 0.5 && pixel.y < Double(y + height) - 0.5
    }
}

/// Finds places for crops in a map.
///
/// A map that is no larger than a crop along both axes is taken whole; of others crops have the crop size, or the map's own size along an axis where that
/// is smaller. They begin at multiples of the scale, lie within the map, have their centres where ``PreparationOptions/minimumMu`` allows, and at least
/// half of their pixels have a value. Fewer than asked for are found, or none, if there are no more such places.
package struct CropPlacement {
    private let width, height: Int
    private let columns, rows: Int
    private let geometry: MapGeometry?
    private let options: PreparationOptions

    /// - Parameter geometry: of the map as crops are taken from it; nil if nothing is known of it.
    package init(width: Int, height: Int, geometry: MapGeometry? = nil, options: PreparationOptions) {
        (self.width, self.height, self.geometry, self.options) = (width, height, geometry, options)
        // The low resolution of a pair has whole blocks.
        let step = options.lowResolution == .none ? 1 : options.scale
        (columns, rows) = (min(width / step * step, options.cropSize), min(height / step * step, options.cropSize))
    }

    /// The whole map, where it is no larger than a crop.
    package var whole: CropFrame? {
        width <= options.cropSize && height <= options.cropSize ? CropFrame(x: 0, y: 0, width: columns, height: rows) : nil
    }

    /// Whether a crop may be there as far as the header tells: by its centre's μ and the part of the disk in it.
    package func isAllowed(_ frame: CropFrame) -> Bool {
        if let mu = geometry?.mu(at: frame.middle), mu < options.minimumMu || mu <= 0 && options.minimumMu > 0 { return false }
        guard let disk = geometry?.disk else { return true }
        // Every 64th part of the rows will do.
        var (onDisk, looked) = (0, 0)
        for y in stride(from: frame.y, to: frame.y + frame.height, by: max(1, frame.height / 64)) {
            let dy = Double(y) - disk.centre.y
            let half = max(0, disk.radius * disk.radius - dy * dy).squareRoot()
            let (first, last) = (max(disk.centre.x - half, Double(frame.x)), min(disk.centre.x + half, Double(frame.x + frame.width - 1)))
            onDisk += max(0, Int(last.rounded(.down)) - Int(first.rounded(.up)) + 1)
            looked += frame.width
        }
        return 2 * onDisk >= looked
    }

    /// Places drawn at random, every one as likely as another, but where possible so that none overlaps those before, else with the least overlap of 64.
    /// - Parameter isFit: whether enough pixels have a value there.
    package func random(_ random: inout Random, isFit: (CropFrame) -> Bool) -> [CropFrame] {
        let (across, up) = ((width - columns) / options.scale + 1, (height - rows) / options.scale + 1)
        var frames: [CropFrame] = []
        while frames.count < min(options.cropsPerImage, across * up) {
            var best: (overlap: Int, frame: CropFrame)?
            for _ in 0..<64 {
                let frame = CropFrame(
                    x: random.integer(below: across) * options.scale, y: random.integer(below: up) * options.scale, width: columns, height: rows)
                guard !frames.contains(frame) else { continue }
                let overlap = frames.reduce(0) { $0 + $1.overlap(frame) }
                guard overlap < best?.overlap ?? .max, isAllowed(frame), isFit(frame) else { continue }
                best = (overlap, frame)
                if overlap == 0 { break }
            }
            guard let best else { break }
            frames.append(best.frame)
        }
        return frames
    }

    /// Places around the greatest unsigned flux, smoothed by a Gaussian of standard deviation ⅛ of the crop size, as far as the borders allow: the first
    /// around the greatest, each further one around the greatest whose crop overlaps none of those before.
    ///
    /// The flux is that of blocks with a side of 1/64 of the crop or less; pixels without a value have none.
    package func strongest(in image: Image) -> [CropFrame] {
        let block = (1...max(1, options.cropSize / 64 / options.scale)).last { options.cropSize % ($0 * options.scale) == 0 } ?? 1
        let side = block * options.scale
        let flux = BlockFlux(of: image, side: side)
        var strength = flux.smoothed(deviation: Double(options.cropSize) / 8 / Double(side))
        func origin(_ centre: Int, _ size: Int, _ whole: Int) -> Int { max(0, min(whole - size, centre - size / 2)) / side * side }
        var frames: [CropFrame] = []
        while frames.count < options.cropsPerImage {
            var best: (strength: Double, frame: CropFrame)?
            for index in strength.indices where strength[index] > best?.strength ?? -.infinity {
                let (x, y) = (index % flux.columns * side + side / 2, index / flux.columns * side + side / 2)
                let frame = CropFrame(x: origin(x, columns, width), y: origin(y, rows, height), width: columns, height: rows)
                if frames.allSatisfy({ $0.overlap(frame) == 0 }), 2 * flux.known(frame) >= columns * rows, isAllowed(frame) {
                    best = (strength[index], frame)
                } else {
                    strength[index] = -.infinity  // nor will it do later
                }
            }
            guard let best else { break }
            frames.append(best.frame)
        }
        return frames
    }

    /// Places around active regions, as far as the borders allow; regions out of the map, and those around which there is no such place, are passed over.
    /// - Parameters:
    ///   - centres: in pixels, in the order in which they are wanted.
    ///   - isFit: whether enough pixels have a value there.
    package func around(_ centres: [SIMD2<Double>], isFit: (CropFrame) -> Bool) -> [CropFrame] {
        let map = CropFrame(x: 0, y: 0, width: width, height: height)
        var frames: [CropFrame] = []
        for centre in centres where map.contains(centre) {
            if frames.count == options.cropsPerImage { break }
            let frame = CropFrame(width: columns, height: rows, around: centre, in: map, step: options.scale)
            if !frames.contains(frame), isAllowed(frame), isFit(frame) { frames.append(frame) }
        }
        return frames
    }
}

extension Image {
    /// Whether at least half of the pixels of a frame have a value.
    package func isMostlyKnown(_ frame: CropFrame) -> Bool {
        var known = 0
        pixels.withUnsafeBytes { bytes in
            for y in frame.y..<frame.y + frame.height {
                let start = y * width + frame.x, end = start + frame.width
                var counts = SIMD8<Int32>(repeating: 0)
                for index in stride(from: start, to: end - 7, by: 8) {
                    let values = bytes.loadUnaligned(fromByteOffset: 4 * index, as: SIMD8<Float>.self)
                    counts &+= SIMD8(repeating: 1).replacing(with: 0, where: values .!= values)
                }
                for index in end - frame.width % 8..<end where !pixels[index].isNaN { known += 1 }
                known += Int(counts.wrappedSum())
            }
        }
        return 2 * known >= frame.width * frame.height
    }
}

/// Σ|B| and the number of pixels with a value in square blocks of an image from pixel (0, 0) on; the last ones may be cut off by its borders.
private struct BlockFlux {
    let side: Int
    let columns, rows: Int
    private var flux: [Float]
    /// The number of pixels with a value in the blocks below and to the left of each block's lower left corner.
    private var counts: [Int]

    init(of image: Image, side: Int) {
        self.side = side
        (columns, rows) = ((image.width + side - 1) / side, (image.height + side - 1) / side)
        flux = Array(repeating: 0, count: columns * rows)
        counts = Array(repeating: 0, count: (columns + 1) * (rows + 1))
        var known = [Int32](repeating: 0, count: columns * rows)
        image.pixels.withUnsafeBufferPointer { pixels in
            for y in 0..<image.height {
                let line = y / side * columns
                for column in 0..<columns {
                    let start = y * image.width + column * side, end = y * image.width + min(image.width, (column + 1) * side)
                    var (sum, count) = (SIMD4<Float>(repeating: 0), SIMD4<Int32>(repeating: 0))
                    var index = start
                    while index + 4 <= end {
                        let values = SIMD4(pixels[index], pixels[index + 1], pixels[index + 2], pixels[index + 3])
                        let isKnown = values .== values
                        let bits = unsafeBitCast(values, to: SIMD4<UInt32>.self) & 0x7FFF_FFFF
                        sum += unsafeBitCast(bits, to: SIMD4<Float>.self).replacing(with: 0, where: .!isKnown)
                        count.replace(with: count &+ 1, where: isKnown)
                        index += 4
                    }
                    while index < end {
                        if pixels[index].isFinite {
                            sum[0] += abs(pixels[index])
                            count[0] += 1
                        }
                        index += 1
                    }
                    flux[line + column] += sum.sum()
                    known[line + column] += count.wrappedSum()
                }
            }
        }
        for row in 0..<rows {
            for column in 0..<columns {
                let upper = (row + 1) * (columns + 1) + column
                counts[upper + 1] = counts[upper] + counts[upper - columns] - counts[upper - columns - 1] + Int(known[row * columns + column])
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
        func along(_ values: [Double], count: Int, lines: Int, step: Int, lineStep: Int) -> [Double] {
            var result = values
            for line in 0..<lines {
                for place in 0..<count {
                    var sum = 0.0
                    for other in max(0, place - reach)...min(count - 1, place + reach) {
                        sum += kernel[other - place + reach] * values[line * lineStep + other * step]
                    }
                    result[line * lineStep + place * step] = sum
                }
            }
            return result
        }
        let across = along(flux.map(Double.init), count: columns, lines: rows, step: 1, lineStep: columns)
        return along(across, count: rows, lines: columns, step: columns, lineStep: 1)
    }
}
