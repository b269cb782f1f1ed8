import Foundation
import SolarImage

/// What part of the Sun a crop shows: a rectangle about its centre, along the parallel and the meridian there, in the plane that touches the Sun.
package struct CropFootprint: Sendable, Codable, Equatable {
    /// Carrington longitude and latitude of the centre in degrees.
    package let longitude: Double, latitude: Double
    /// Half the extent to west and to north in solar radii.
    package let halfWidth: Double, halfHeight: Double

    /// The longest time, in seconds, over which the Sun's surface is taken to show the same thing: 14 days, a passage over the disk.
    package static let lifetime = 14 * 86400.0

    package init(longitude: Double, latitude: Double, halfWidth: Double, halfHeight: Double) {
        (self.longitude, self.latitude, self.halfWidth, self.halfHeight) = (longitude, latitude, halfWidth, halfHeight)
    }

    /// Of a frame in a magnetogram, by 9 × 9 of its points. Nil if they have no coordinates, or not one of them is on the Sun.
    package init?(_ frame: CropFrame, in geometry: MapGeometry) {
        let steps = 8
        let lattice = (0...steps).flatMap { j in
            (0...steps).map { i in
                SIMD2(
                    Double(frame.x) - 0.5 + Double(i * frame.width) / Double(steps),
                    Double(frame.y) - 0.5 + Double(j * frame.height) / Double(steps))
            }
        }
        guard let points = geometry.carrington(at: [frame.middle] + lattice)?.filter({ $0.x.isFinite && $0.y.isFinite }), let centre = points.first
        else { return nil }
        let places = points.map { CropFootprint.offset(longitude: $0.x - centre.x, latitude: $0.y, from: centre.y) }
        self.init(
            longitude: centre.x, latitude: centre.y, halfWidth: places.reduce(0) { max($0, abs($1.x)) },
            halfHeight: places.reduce(0) { max($0, abs($1.y)) })
    }

    /// Whether two crops show a common part of the Sun, the other taken `seconds` after this: the rectangles meet when either has turned with the Sun to
    /// the time of the other.
    package func meets(_ other: CropFootprint, after seconds: Double) -> Bool {
        turned(seconds, meets: other) || other.turned(-seconds, meets: self)
    }

    private func turned(_ seconds: Double, meets other: CropFootprint) -> Bool {
        let (width, height) = (halfWidth + other.halfWidth, halfHeight + other.halfHeight)
        // The distance in the plane is the sine of the arc, and the arc no shorter than the difference of latitudes.
        if sin(abs(latitude - other.latitude) * .pi / 180) > width + height { return false }
        let moved = longitude + SolarRotation.drift(latitude: latitude, seconds: seconds, in: .carrington)
        guard let offset = CropFootprint.nearOffset(longitude: moved - other.longitude, latitude: latitude, from: other.latitude) else {
            return false
        }
        return abs(offset.x) <= width && abs(offset.y) <= height
    }

    /// A point at a difference of longitude, seen in the plane that touches the Sun at a latitude: to west and to north, in solar radii.
    private static func offset(longitude: Double, latitude: Double, from centre: Double) -> SIMD2<Double> {
        nearOffset(longitude: longitude, latitude: latitude, from: centre) ?? SIMD2(1, 1)
    }

    /// The same; nil for the far half of the Sun.
    private static func nearOffset(longitude: Double, latitude: Double, from centre: Double) -> SIMD2<Double>? {
        let degree = Double.pi / 180
        let (a, b, c) = (longitude * degree, latitude * degree, centre * degree)
        let toAxis = cos(b) * cos(a)
        guard sin(b) * sin(c) + toAxis * cos(c) > 0 else { return nil }
        return SIMD2(cos(b) * sin(a), sin(b) * cos(c) - toAxis * sin(c))
    }
}
