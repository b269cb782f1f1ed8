import Foundation
import SolarImage
import TensorCore

/// Finds places for crops in a map.
///
/// A map that is no larger than a crop along both axes is taken whole; of others crops have the crop size, or the map's own size along an axis where that
/// is smaller. They begin at multiples of the scale, lie within the map, have their centres where ``PreparationOptions/minimumMu`` allows, and at least
/// half of their pixels have a value. Fewer than asked for are found, or none, if there are no more such places.
package struct CropPlacement {
    private let width, height: Int
    private let columns, rows: Int
    private let geometry: MapGeometry?
    private let regions: [SIMD2<Double>]
    private let random: Random
    private let options: PreparationOptions

    /// - Parameters:
    ///   - geometry: of the map; nil if nothing is known of it.
    ///   - regions: where it shows active regions, in pixels, in the order in which they are wanted.
    ///   - random: what random places are drawn by.
    package init(
        width: Int, height: Int, geometry: MapGeometry? = nil, regions: [SIMD2<Double>] = [], random: Random, options: PreparationOptions
    ) {
        (self.width, self.height, self.geometry, self.regions, self.random, self.options) = (width, height, geometry, regions, random, options)
        // The low resolution of a pair has whole blocks.
        let step = options.lowResolution == .none ? 1 : options.scale
        (columns, rows) = (min(width / step * step, options.cropSize), min(height / step * step, options.cropSize))
    }

    private var isWhole: Bool { width <= options.cropSize && height <= options.cropSize }

    /// Whether all pixels are needed to find places, or for the crop itself.
    var needsPixels: Bool { isWhole || options.centre == .strongest }

    /// The places that ``PreparationOptions/centre`` asks for.
    /// - Parameter image: the map; nil if its pixels are not known yet, to take them to have values all over.
    /// - Precondition: an image is given if ``needsPixels``.
    package func frames(in image: Image?) -> [CropFrame] {
        precondition(image != nil || !needsPixels, "the pixels are not known")
        let isFit = { (frame: CropFrame) in isAllowed(frame) && image?.isMostlyKnown(frame) ?? true }
        if isWhole {
            let whole = CropFrame(x: 0, y: 0, width: columns, height: rows)
            return isFit(whole) ? [whole] : []
        }
        switch options.centre {
        case .random: return randomFrames(isFit)
        case .strongest: return image.map(strongestFrames) ?? []
        case .noaa: return frames(around: regions, isFit)
        }
    }

    /// Places drawn at random, every one as likely as another, but where possible so that none overlaps those before, else with the least overlap of 64.
    private func randomFrames(_ isFit: (CropFrame) -> Bool) -> [CropFrame] {
        var random = random
        let (across, up) = ((width - columns) / options.scale + 1, (height - rows) / options.scale + 1)
        var frames: [CropFrame] = []
        while frames.count < min(options.cropsPerImage, across * up) {
            var best: (overlap: Int, frame: CropFrame)?
            for _ in 0..<64 {
                let frame = CropFrame(
                    x: random.integer(below: across) * options.scale, y: random.integer(below: up) * options.scale, width: columns, height: rows)
                guard !frames.contains(frame) else { continue }
                let overlap = frames.reduce(0) { $0 + $1.overlap(frame) }
                guard overlap < best?.overlap ?? .max, isFit(frame) else { continue }
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
    private func strongestFrames(in image: Image) -> [CropFrame] {
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
    private func frames(around centres: [SIMD2<Double>], _ isFit: (CropFrame) -> Bool) -> [CropFrame] {
        let map = CropFrame(x: 0, y: 0, width: width, height: height)
        var frames: [CropFrame] = []
        for centre in centres where map.contains(centre) {
            if frames.count == options.cropsPerImage { break }
            let frame = CropFrame(width: columns, height: rows, around: centre, in: map, step: options.scale)
            if !frames.contains(frame), isFit(frame) { frames.append(frame) }
        }
        return frames
    }

    /// Whether a crop may be there as far as the header tells: by its centre's μ and the part of the disk in it.
    private func isAllowed(_ frame: CropFrame) -> Bool {
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
}
