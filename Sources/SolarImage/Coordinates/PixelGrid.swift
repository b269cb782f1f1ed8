import Foundation

/// How the pixels of an image lie on the sky or on the Sun: the linear part of the world coordinate system (Greisen & Calabretta 2002, A&A 395, 1061;
/// Thompson 2006, A&A 449, 791).
///
/// Pixels are counted from 0 here, `x` to the right and `y` upwards, with the centre of a pixel at its integers; `CRPIXn` counts from 1.
public struct PixelGrid: Sendable, Equatable {
    public enum Projection: Sendable, Equatable {
        /// Seen on the sky, in arcsec from the centre of the Sun (`HPLN-TAN`, `solar-x`).
        case helioprojective
        /// Mapped to cylindrical equal-area heliographic coordinates, in degrees (`CRLN-CEA`, `HGLN-CEA`), as SHARP and SMARP maps are.
        case cylindricalEqualArea
    }

    public let projection: Projection
    /// The pixel whose coordinates are ``referenceValue`` (`CRPIXn` − 1).
    public let referencePixel: SIMD2<Double>
    /// `CRVALn`: arcsec or degrees by ``projection``.
    public let referenceValue: SIMD2<Double>
    /// What one pixel to the right and one upwards add to the coordinates, in arcsec or degrees.
    public let stepX: SIMD2<Double>, stepY: SIMD2<Double>
    /// Metres from the observer to the centre of the Sun, if known.
    public let observerDistance: Double?
    /// Metres.
    public let solarRadius: Double
    /// Arcsec, if known.
    public let angularRadius: Double?

    static let arcsecPerRadian = 180 * 3600 / Double.pi

    /// Nil where ``init(checking:at:)`` would throw.
    public init?(_ header: FITSHeader) {
        guard let grid = try? PixelGrid(checking: header) else { return nil }
        self = grid
    }
}

extension PixelGrid {
    /// The angle in degrees, −180 to 180, from image up to solar north, counter-clockwise as `CROTA2`. About 180 for HMI full disks, whose north is
    /// down.
    public var rotation: Double { atan2(stepX.y, stepX.x) * 180 / .pi }

    /// The side of a pixel in arcsec. For a map: as it would appear in the centre of the disk, from one astronomical unit if the distance is not
    /// known.
    public var arcsecPerPixel: Double {
        switch projection {
        case .helioprojective: side
        case .cylindricalEqualArea:
            side * .pi / 180 * solarRadius / ((observerDistance ?? 149_597_870_691) - solarRadius) * PixelGrid.arcsecPerRadian
        }
    }

    /// The area of a pixel in cm²: on the Sun's surface for a map, projected onto the plane of the sky otherwise. Nil if the distance is needed and
    /// not known.
    public var pixelArea: Double? {
        switch projection {
        case .cylindricalEqualArea:
            let radius = solarRadius * 100
            return side * side * (Double.pi / 180 * radius) * (Double.pi / 180 * radius)
        case .helioprojective:
            guard let distance = observerDistance ?? angularRadius.map({ solarRadius / sin($0 / PixelGrid.arcsecPerRadian) }) else { return nil }
            let centimetres = distance * 100 / PixelGrid.arcsecPerRadian
            return side * side * centimetres * centimetres
        }
    }

    /// The centre of the disk (pixels from 0) and its radius in pixels. Nil for maps, and if the angular radius is not known.
    public var disk: (centre: SIMD2<Double>, radius: Double)? {
        guard projection == .helioprojective, let angularRadius else { return nil }
        return (pixel(at: -referenceValue), angularRadius / side)
    }

    /// Intermediate world coordinates of a pixel: arcsec or degrees in the plane of projection, from the reference point.
    package func plane(at pixel: SIMD2<Double>) -> SIMD2<Double> {
        let offset = pixel - referencePixel
        return offset.x * stepX + offset.y * stepY
    }

    /// The inverse of ``plane(at:)``.
    package func pixel(at plane: SIMD2<Double>) -> SIMD2<Double> {
        referencePixel + SIMD2(plane.x * stepY.y - plane.y * stepY.x, plane.y * stepX.x - plane.x * stepX.y) / determinant
    }

    /// Whether each pixel's centre lies on the disk, row by row. Nil where ``disk`` is.
    package func onDisk(width: Int, height: Int) -> [Bool]? {
        guard let disk else { return nil }
        var mask = [Bool](repeating: false, count: width * height)
        for y in 0..<height {
            let dy = Double(y) - disk.centre.y
            let half = disk.radius * disk.radius - dy * dy
            guard half >= 0 else { continue }
            let first = max(0, (disk.centre.x - half.squareRoot()).rounded(.up)),
                last = min(Double(width - 1), (disk.centre.x + half.squareRoot()).rounded(.down))
            if first <= last { for x in Int(first)...Int(last) { mask[y * width + x] = true } }
        }
        return mask
    }

    /// Negative where the image is mirrored.
    package var determinant: Double { stepX.x * stepY.y - stepX.y * stepY.x }

    private var side: Double { abs(determinant).squareRoot() }
}
