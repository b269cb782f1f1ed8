import Foundation

/// The exact perspective of a sphere from a finite distance, on the plane tangent to the sky at the Sun's centre (Thompson 2006, A&A 449, 791,
/// equations 11 and 15, with the gnomonic projection of `HPLN-TAN`).
///
/// Lengths are in solar radii, angles in radians: x to the west, y to the north as the observer sees it, z towards the observer. In the plane, u and
/// v are the tangents x/(D − z) and y/(D − z). Pixels are counted from 0, centres at integers.
struct SyntheticView {
    /// The observer's distance D.
    let distance: Double
    /// A pixel's side.
    let step: Double
    /// The pixel of the centre of the disk.
    let centre: SIMD2<Double>
    private let (cosine, sine): (Double, Double)
    private let (cosineB, sineB): (Double, Double)
    private let longitude: Double

    init(_ observer: SyntheticObserver, _ camera: SyntheticCamera) {
        distance = observer.distance / SyntheticSun.radius
        step = camera.arcsecPerPixel * .pi / (180 * 3600)
        centre = camera.centre - 1
        (cosine, sine) = (cos(camera.rotation * .pi / 180), sin(camera.rotation * .pi / 180))
        (cosineB, sineB) = (cos(observer.latitude * .pi / 180), sin(observer.latitude * .pi / 180))
        longitude = observer.longitude * .pi / 180
    }

    /// The radius of the disk in pixels: the line of sight grazes the Sun where u² + v² = 1/(D² − 1).
    var diskRadius: Double { 1 / (distance * distance - 1).squareRoot() / step }

    /// u and v of a place on the detector.
    @inline(__always) func plane(_ x: Double, _ y: Double) -> (u: Double, v: Double) {
        let (dx, dy) = (x - centre.x, y - centre.y)
        return (step * (cosine * dx - sine * dy), step * (sine * dx + cosine * dy))
    }

    /// The point of the surface that is seen at u, v: the nearer of the two where the line of sight meets the sphere. Nil beyond the limb.
    @inline(__always) func surface(_ u: Double, _ v: Double) -> (x: Double, y: Double, z: Double)? {
        let square = u * u + v * v
        let discriminant = 1 - square * (distance * distance - 1)
        guard discriminant >= 0 else { return nil }
        let along = (distance - discriminant.squareRoot()) / (1 + square)
        return (along * u, along * v, distance - along)
    }

    /// Components of a point in the Sun's own axes: to the west and towards the observer's meridian in the equatorial plane, and to the north.
    @inline(__always) func heliographic(_ point: (x: Double, y: Double, z: Double)) -> (west: Double, meridian: Double, north: Double) {
        (point.x, point.z * cosineB - point.y * sineB, point.z * sineB + point.y * cosineB)
    }

    /// The components of a Carrington position in degrees in the same axes.
    func components(longitude: Double, latitude: Double) -> (west: Double, meridian: Double, north: Double) {
        let (angle, height) = (longitude * .pi / 180 - self.longitude, latitude * .pi / 180)
        return (cos(height) * sin(angle), cos(height) * cos(angle), sin(height))
    }

    /// The pixel that shows a Carrington position in degrees, and its z. A position with z < 1/D is hidden.
    func pixel(longitude: Double, latitude: Double) -> (place: SIMD2<Double>, z: Double) {
        let point = components(longitude: longitude, latitude: latitude)
        let y = point.north * cosineB - point.meridian * sineB, z = point.north * sineB + point.meridian * cosineB
        let (u, v) = (point.west / (distance - z) / step, y / (distance - z) / step)
        return (centre + SIMD2(cosine * u + sine * v, cosine * v - sine * u), z)
    }
}
