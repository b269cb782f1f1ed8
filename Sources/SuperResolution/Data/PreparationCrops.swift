import Foundation
import SolarImage
import TensorCore

/// The place of a crop in its map.
package struct CropFrame: Sendable, Equatable {
    /// The lowest left pixel, from 0.
    package var x, y: Int
    package var width, height: Int

    package init(x: Int, y: Int, width: Int, height: Int) { (self.x, self.y, self.width, self.height) = (x, y, width, height) }

    func overlaps(_ other: CropFrame) -> Bool {
        x < other.x + other.width && other.x < x + width && y < other.y + other.height && other.y < y + height
    }
}

extension Image {
    /// The crops to take from a map: the whole of it if it is no larger than a crop along both axes, else up to `cropsPerImage` of the crop size (or
    /// of the map's own size along an axis where it is smaller), in each of which at least half of the pixels have a value.
    ///
    /// - With ``PreparationOptions/Centre/random``: different places, which may overlap.
    /// - With ``PreparationOptions/Centre/strongest``: around the greatest unsigned flux, smoothed by a Gaussian of standard deviation ⅛ of the
    ///   crop size, as far as the borders allow; then around the greatest whose crop overlaps none of those before.
    /// - Returns: fewer than asked for, or none, if there are no more such places.
    package func cropFrames(_ options: PreparationOptions, _ random: inout Random) -> [CropFrame] {
        let (columns, rows) = (min(width, options.cropSize), min(height, options.cropSize))
        if columns == width, rows == height { return [CropFrame(x: 0, y: 0, width: width, height: height)] }
        switch options.centre {
        case .random: return randomFrames(columns, rows, options, &random)
        case .strongest: return strongestFrames(columns, rows, options)
        }
    }

    private func randomFrames(_ columns: Int, _ rows: Int, _ options: PreparationOptions, _ random: inout Random) -> [CropFrame] {
        let (across, up) = ((width - columns) / options.scale + 1, (height - rows) / options.scale + 1)
        var frames: [CropFrame] = []
        var failures = 0
        while frames.count < min(options.cropsPerImage, across * up), failures < 64 {
            let frame = CropFrame(
                x: random.integer(below: across) * options.scale, y: random.integer(below: up) * options.scale, width: columns, height: rows)
            if !frames.contains(frame), isMostlyKnown(frame) {
                frames.append(frame)
                failures = 0
            } else {
                failures += 1
            }
        }
        return frames
    }

    private func strongestFrames(_ columns: Int, _ rows: Int, _ options: PreparationOptions) -> [CropFrame] {
        let deviation = Double(options.cropSize) / 8
        var strength = Image(width: width, height: height, pixels: pixels.map(abs))
            .filtered { frequency in exp(-2 * .pi * .pi * deviation * deviation * frequency * frequency) }
        func frame(around x: Int, _ y: Int) -> CropFrame {
            func origin(_ centre: Int, _ size: Int, _ whole: Int) -> Int {
                max(0, min(whole - size, centre - size / 2)) / options.scale * options.scale
            }
            return CropFrame(x: origin(x, columns, width), y: origin(y, rows, height), width: columns, height: rows)
        }
        var frames: [CropFrame] = []
        while frames.count < options.cropsPerImage {
            var best: (strength: Float, frame: CropFrame)?
            for y in 0..<height {
                for x in 0..<width where strength[x, y] > best?.strength ?? -.infinity {
                    let candidate = frame(around: x, y)
                    if frames.contains(where: candidate.overlaps) {
                        strength[x, y] = .nan
                    } else {
                        best = (strength[x, y], candidate)
                    }
                }
            }
            guard let best, isMostlyKnown(best.frame) else { break }
            frames.append(best.frame)
        }
        return frames
    }

    private func isMostlyKnown(_ frame: CropFrame) -> Bool {
        var known = 0
        for y in frame.y..<frame.y + frame.height {
            for value in pixels[y * width + frame.x..<y * width + frame.x + frame.width] where value.isFinite { known += 1 }
        }
        return 2 * known >= frame.width * frame.height
    }
}
