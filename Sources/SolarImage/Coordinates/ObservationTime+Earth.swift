import Foundation

extension ObservationTime {
    /// The Carrington longitude of the middle of the disk as seen from the centre of the Earth (L₀), in degrees, 0 to 360: where Stonyhurst longitudes,
    /// such as those of NOAA's region summaries, begin.
    ///
    /// The Sun's longitude by Meeus (Astronomical Algorithms, 2nd edition, chapter 25), the Sun's axis and prime meridian by the IAU (Archinal et al.
    /// 2018), 14.1844° a day, light time to the surface included, aberration not: the longitudes of sunpy, to 0.01° from 1990 to 2030. (Meeus's own
    /// chapter 29 is 0.01° to 0.06° off, for it counts aberration in.)
    public var centralMeridianLongitude: Double {
        let (earth, distance) = earth
        // The node of the Sun's equator on the Earth's, from which the prime meridian is counted; a quarter turn from there.
        let node = SIMD3(-sin(Pole.ascension), cos(Pole.ascension), 0)
        let quarter = SIMD3(
            -sin(Pole.declination) * cos(Pole.ascension), -sin(Pole.declination) * sin(Pole.ascension), cos(Pole.declination))
        let angle = atan2((earth * quarter).sum(), (earth * node).sum()) / degree
        let lightTime = (499.004784 * distance - 2.3218) / 86400  // days, from the surface
        return HeliographicAngle.from0(angle - 84.176 - 14.1844 * (days - lightTime))
    }

    /// The heliographic latitude of the middle of the disk as seen from the centre of the Earth (B₀), in degrees: sunpy's, to 0.01° from 1990 to 2030.
    public var subEarthLatitude: Double {
        let pole = SIMD3(cos(Pole.declination) * cos(Pole.ascension), cos(Pole.declination) * sin(Pole.ascension), sin(Pole.declination))
        return asin((earth.direction * pole).sum()) / degree
    }

    /// Days from 2000-01-01T12:00:00 TT, which is 32.184 s ahead of TAI.
    private var days: Double { (taiSeconds + 32.184 - 946_728_000) / 86400 }

    /// The direction of the Earth from the Sun along the axes of the equator of 2000, and the distance in astronomical units.
    private var earth: (direction: SIMD3<Double>, distance: Double) {
        let centuries = days / 36525
        let meanAnomaly = (357.52911 + centuries * (35999.05029 - 0.0001537 * centuries)) * degree
        let centre =
            (1.914602 - 0.004817 * centuries) * sin(meanAnomaly) + (0.019993 - 0.000101 * centuries) * sin(2 * meanAnomaly) + 0.000289
            * sin(3 * meanAnomaly)
        let meanLongitude = 280.46646 + centuries * (36000.76983 + 0.0003032 * centuries)
        let eccentricity = 0.016708634 - 0.000042037 * centuries
        let distance = 1.000001018 * (1 - eccentricity * eccentricity) / (1 + eccentricity * cos(meanAnomaly + centre * degree))
        // By the ecliptic of 2000, then by the equator.
        let longitude = (meanLongitude + centre + 180 - 1.396971 * centuries) * degree, obliquity = 23.4392911 * degree
        return (SIMD3(cos(longitude), sin(longitude) * cos(obliquity), sin(longitude) * sin(obliquity)), distance)
    }
}

private let degree = Double.pi / 180

/// The pole of the Sun, in radians on the sky.
private enum Pole {
    static let ascension = 286.13 * degree, declination = 63.87 * degree
}
