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

    /// Nil if the header lacks the scale (`CDELTn` or `CDi_j`), if it is zero, or if `CTYPEn` is none of the two projections.
    ///
    /// Rotation is taken from `PCi_j`, else `CDi_j`, else `CROTA2`. A missing `CUNITn` means arcsec on the sky (early MDI) and degrees in maps.
    public init?(_ header: FITSHeader) {
        let type = (header.string("CTYPE1") ?? "").uppercased()
        let unit = (header.string("CUNIT1") ?? "").lowercased()
        if type.hasSuffix("-CEA") {
            projection = .cylindricalEqualArea
        } else if type.hasPrefix("HPLN") || type.hasPrefix("SOLAR") || (type.isEmpty && unit.hasPrefix("arcsec")) {
            projection = .helioprojective
        } else {
            return nil
        }
        guard let units = PixelGrid.units(header, projection), let matrix = PixelGrid.matrix(header) else { return nil }
        (stepX, stepY) = (matrix.x * units, matrix.y * units)
        referencePixel = SIMD2(header.real("CRPIX1") ?? 0, header.real("CRPIX2") ?? 0) - 1
        referenceValue = SIMD2(header.real("CRVAL1") ?? 0, header.real("CRVAL2") ?? 0) * units
        observerDistance = header.observerDistance
        solarRadius = header.solarRadius
        angularRadius = header.angularRadius
        guard determinant.isFinite, determinant != 0 else { return nil }
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
    private var determinant: Double { stepX.x * stepY.y - stepX.y * stepY.x }

    private var side: Double { abs(determinant).squareRoot() }

    /// Factors from `CUNITn` to arcsec or degrees; nil for other units.
    private static func units(_ header: FITSHeader, _ projection: Projection) -> SIMD2<Double>? {
        var factors = SIMD2<Double>(1, 1)
        let toDegrees: [String: Double] = ["deg": 1, "arcmin": 1 / 60, "arcsec": 1 / 3600, "mas": 1 / 3.6e6, "rad": 180 / Double.pi]
        for axis in 0...1 {
            guard let unit = header.string("CUNIT\(axis + 1)")?.lowercased() else { continue }
            guard let degrees = toDegrees.first(where: { unit.hasPrefix($0.key) })?.value else { return nil }
            factors[axis] = projection == .helioprojective ? degrees * 3600 : degrees
        }
        return factors
    }

    /// The matrix from pixels to intermediate world coordinates, by columns.
    private static func matrix(_ header: FITSHeader) -> (x: SIMD2<Double>, y: SIMD2<Double>)? {
        func matrix(_ name: String, diagonal: Double) -> (x: SIMD2<Double>, y: SIMD2<Double>)? {
            let keys = ["1_1", "2_1", "1_2", "2_2"].map { header.real(name + $0) }
            guard keys.contains(where: { $0 != nil }) else { return nil }
            return (SIMD2(keys[0] ?? diagonal, keys[1] ?? 0), SIMD2(keys[2] ?? 0, keys[3] ?? diagonal))
        }
        let scale = header.real("CDELT1").map { SIMD2($0, header.real("CDELT2") ?? $0) }
        if let scale, let rotation = matrix("PC", diagonal: 1) { return (rotation.x * scale, rotation.y * scale) }
        if let full = matrix("CD", diagonal: 0) { return full }
        guard let scale else { return nil }
        let angle = (header.real("CROTA2") ?? 0) * .pi / 180
        return (SIMD2(cos(angle) * scale.x, sin(angle) * scale.x), SIMD2(-sin(angle) * scale.y, cos(angle) * scale.y))
    }
}
