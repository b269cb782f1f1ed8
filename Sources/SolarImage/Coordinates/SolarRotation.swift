import Foundation

/// How the surface turns, faster at the equator than near the poles: the rate of magnetic features (Snodgrass 1983, ApJ 270, 288, as given by Beck 2000
/// and by sunpy's `snodgrass`), 2.851 − 0.343 sin²(latitude) − 0.474 sin⁴(latitude) µrad/s.
public enum SolarRotation {
    /// Against what longitudes are counted.
    public enum Frame: Sendable {
        /// The stars.
        case sidereal
        /// The Carrington system, which turns by 14.1844° a day.
        case carrington
        /// The Earth, by the 0.9856° that it moves on average in a day.
        case synodic
    }

    /// Degrees by which a feature at a latitude in degrees moves to solar west; less than 0 where it stays behind, and for negative durations.
    public static func drift(latitude: Double, seconds: Double, in frame: Frame) -> Double {
        let sine = sin(latitude * .pi / 180)
        return drift(sineSquared: sine * sine, seconds: seconds, in: frame)
    }

    /// Where features are `seconds` later, as (Carrington longitude, latitude) in degrees, the longitude from 0 to 360. NaN stays NaN.
    public static func rotated(_ carrington: [SIMD2<Double>], by seconds: Double) -> [SIMD2<Double>] {
        carrington.map { point in
            SIMD2(HeliographicAngle.from0(point.x + drift(latitude: point.y, seconds: seconds, in: .carrington)), point.y)
        }
    }

    private static func drift(sineSquared: Double, seconds: Double, in frame: Frame) -> Double {
        let rate = 2.851e-6 + sineSquared * (-0.343e-6 - 0.474e-6 * sineSquared)
        let frameRate =
            switch frame {
            case .sidereal: 0.0
            case .carrington: 14.1844
            case .synodic: 0.9856
            }
        return (rate * 180 / .pi - frameRate / 86400) * seconds
    }
}
