import Foundation
import Groundwork

/// Between the sky and the surface of the Sun, a sphere, as seen from a finite distance (Thompson 2006, A&A 449, 791).
///
/// Points on the sky are (longitude, latitude) in arcsec from the centre of the Sun, points on the Sun (Carrington longitude, latitude) in degrees. μ is
/// the cosine of the angle between the local vertical and the line of sight: 1 in the middle of the disk, 0 at the limb.
extension Observer {
    /// Where the line of sight meets the Sun, the longitude from 0 to 360; nil beyond the limb.
    public func carrington(at helioprojective: SIMD2<Double>) -> SIMD2<Double>? {
        let point = Sphere(self).carrington(at: helioprojective)
        return point.x.isNaN ? nil : point
    }

    /// The same for many points; NaN beyond the limb and where a point is NaN.
    public func carrington(at helioprojective: [SIMD2<Double>]) -> [SIMD2<Double>] {
        let sphere = Sphere(self)
        return helioprojective.map { sphere.carrington(at: $0) }
    }

    /// Where a point of the surface appears; nil if it is behind the limb.
    public func helioprojective(at carrington: SIMD2<Double>) -> SIMD2<Double>? {
        let point = Sphere(self).helioprojective(at: carrington)
        return point.x.isNaN ? nil : point
    }

    /// The same for many points; NaN behind the limb and where a point is NaN.
    public func helioprojective(at carrington: [SIMD2<Double>]) -> [SIMD2<Double>] {
        let sphere = Sphere(self)
        return carrington.map { sphere.helioprojective(at: $0) }
    }

    /// μ at a point of the sky; NaN beyond the limb.
    public func mu(at helioprojective: SIMD2<Double>) -> Double { Sphere(self).mu(sineSquared: Sphere.sineSquared(helioprojective)) }

    /// μ at a point of the surface; negative behind the limb.
    public func mu(atCarrington point: SIMD2<Double>) -> Double { Sphere(self).mu(atCarrington: point) }
}

/// An observer with what all points need.
///
/// Heliocentric axes, in solar radii: x to solar west, y to north, z to the observer.
struct Sphere {
    /// Solar radii from the centre of the Sun to the observer.
    let distance: Double
    let longitude: Double
    let sineLatitude: Double, cosineLatitude: Double

    private static let degree = Double.pi / 180
    private static let arcsec = Double.pi / 180 / 3600

    init(_ observer: Observer) {
        distance = observer.distance / observer.solarRadius
        longitude = observer.carringtonLongitude
        sineLatitude = sin(observer.latitude * Sphere.degree)
        cosineLatitude = cos(observer.latitude * Sphere.degree)
    }

    /// sin² of the angle between a line of sight and the centre of the Sun, without the loss of digits of 1 − cos².
    static func sineSquared(_ helioprojective: SIMD2<Double>) -> Double {
        let (x, y) = (sin(helioprojective.x * arcsec), sin(helioprojective.y * arcsec))
        return y * y + (1 - y * y) * x * x
    }

    /// By the law of sines, sin(angle at the surface) = D sin(angle at the observer). NaN beyond the limb.
    func mu(sineSquared: Double) -> Double {
        let square = 1 - distance * distance * sineSquared
        return square >= 0 ? square.squareRoot() : .nan
    }

    func mu(atCarrington point: SIMD2<Double>) -> Double { mu(at: heliocentric(point)) }

    private func mu(at point: SIMD3<Double>) -> Double {
        (distance * point.z - 1) / (1 + distance * distance - 2 * distance * point.z).squareRoot()
    }

    private func heliocentric(_ carrington: SIMD2<Double>) -> SIMD3<Double> {
        let (angle, latitude) = ((carrington.x - longitude) * Sphere.degree, carrington.y * Sphere.degree)
        let (toAxis, north) = (cos(latitude), sin(latitude))
        let towards = toAxis * cos(angle)
        return SIMD3(toAxis * sin(angle), north * cosineLatitude - towards * sineLatitude, north * sineLatitude + towards * cosineLatitude)
    }

    func carrington(at helioprojective: SIMD2<Double>) -> SIMD2<Double> {
        let (angleX, angleY) = (helioprojective.x * Sphere.arcsec, helioprojective.y * Sphere.arcsec)
        let (sineX, cosineX, sineY, cosineY) = (sin(angleX), cos(angleX), sin(angleY), cos(angleY))
        let mu = mu(sineSquared: sineY * sineY + cosineY * cosineY * sineX * sineX)
        let along = distance * cosineX * cosineY - mu  // from the observer to the surface
        // A line of sight that leaves the Sun behind meets it at a negative distance.
        guard along > 0 else { return SIMD2(.nan, .nan) }
        let (x, y) = (along * cosineY * sineX, along * sineY)
        // D − along cos cos, written so that near the limb no digits are lost.
        let z = distance * (sineY * sineY + cosineY * cosineY * sineX * sineX) + mu * cosineX * cosineY
        let north = y * cosineLatitude + z * sineLatitude, towards = z * cosineLatitude - y * sineLatitude
        let latitude = atan2(north, (x * x + towards * towards).squareRoot())
        return SIMD2(HeliographicAngle.from0(longitude + atan2(x, towards) / Sphere.degree), latitude / Sphere.degree)
    }

    func helioprojective(at carrington: SIMD2<Double>) -> SIMD2<Double> {
        let point = heliocentric(carrington)
        // Seen as long as μ ≥ 0.
        guard distance * point.z >= 1 else { return SIMD2(.nan, .nan) }
        let depth = distance - point.z
        return SIMD2(atan2(point.x, depth), atan2(point.y, (point.x * point.x + depth * depth).squareRoot())) / Sphere.arcsec
    }
}

/// Longitudes brought into their range, in degrees.
enum HeliographicAngle {
    /// From 0 up to 360.
    static func from0(_ degrees: Double) -> Double {
        if degrees >= 0, degrees < 360 { return degrees }
        let angle = degrees - (degrees / 360).rounded(.down) * 360
        return angle >= 360 ? 0 : angle  // a tiny negative one rounds to 360
    }

    /// From −180 up to 180.
    static func aroundZero(_ degrees: Double) -> Double {
        if degrees >= -180, degrees < 180 { return degrees }
        let angle = from0(degrees)
        return angle < 180 ? angle : angle - 360
    }
}
