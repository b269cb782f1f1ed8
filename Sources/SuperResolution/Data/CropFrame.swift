import Foundation
import SolarImage

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

    /// The same pixels as counted from the lowest left one of another frame.
    func within(_ other: CropFrame) -> CropFrame { CropFrame(x: x - other.x, y: y - other.y, width: width, height: height) }

    package func contains(_ pixel: SIMD2<Double>) -> Bool {
        pixel.x >= Double(x) - 0.5 && pixel.y >= Double(y) - 0.5 && pixel.x < Double(x + width) - 0.5 && pixel.y < Double(y + height) - 0.5
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
