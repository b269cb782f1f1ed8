import Foundation
import Groundwork

/// How far from the middle of the disk pixels lie.
extension WorldCoordinates {
    /// μ (see ``Observer``) at pixels: NaN beyond the limb, negative on the far side of the Sun in maps.
    /// - Throws: `Failure`: `.badData` for a map in Stonyhurst longitudes if the observer's is not known, `.other` if there is no memory.
    public func mu(at pixels: [SIMD2<Double>], from observer: Observer) throws -> [Double] {
        let sphere = Sphere(observer), meridian = try meridian(observer)
        return try world(at: pixels).map { point in
            frame == .helioprojective
                ? sphere.mu(sineSquared: Sphere.sineSquared(point)) : sphere.mu(atCarrington: SIMD2(point.x + meridian, point.y))
        }
    }

    /// μ at the centre of every pixel of an image: NaN beyond the limb, negative on the far side of the Sun in maps.
    ///
    /// In the tangent plane μ² = 1 − (D/R)² sin²α, with α the angle between pixel and Sun, needs neither wcslib nor sines.
    /// - Throws: as ``mu(at:from:)``.
    public func mu(width: Int, height: Int, from observer: Observer) throws -> Image {
        var image = Image(width: width, height: height, repeating: .nan)
        let sun = frame == .helioprojective && isTangential ? try pixels(at: [.zero]).first : nil
        if let sun, sun.x.isFinite {
            let sphere = Sphere(observer), unit = Double.pi / 180 / 3600
            let centre = grid.plane(at: sun) * unit
            for y in 0..<height {
                // The pixel (a, b, 1) and the Sun (c, d, 1): sin² is the square of the vector product over those of the lengths.
                let start = grid.plane(at: SIMD2(0, Double(y))) * unit, step = grid.stepX * unit
                let sunLength = 1 + centre.x * centre.x + centre.y * centre.y
                for x in 0..<width {
                    let (a, b) = (start.x + Double(x) * step.x, start.y + Double(x) * step.y)
                    let (p, q, r) = (b - centre.y, centre.x - a, a * centre.y - b * centre.x)
                    let sineSquared = (p * p + q * q + r * r) / ((1 + a * a + b * b) * sunLength)
                    image.pixels[y * width + x] = Float(sphere.mu(sineSquared: sineSquared))
                }
            }
            return image
        }
        for y in 0..<height {
            let row = try mu(at: (0..<width).map { SIMD2(Double($0), Double(y)) }, from: observer)
            for x in 0..<width { image.pixels[y * width + x] = Float(row[x]) }
        }
        return image
    }

    /// What to add to longitudes of maps for Carrington ones.
    private func meridian(_ observer: Observer) throws -> Double {
        guard frame == .stonyhurst else { return 0 }
        guard let meridian = observer.centralMeridianLongitude else {
            throw Failure(
                .badData, "the map counts longitudes from the Sun–Earth line, which is not known", at: "HGLN_OBS", expected: "degrees",
                found: "neither it nor the time of the observation", remedy: "take the keywords from the archive's file")
        }
        return meridian
    }
}
