import Foundation

/// A Sun with magnetic spots at known places, for tests of what reads, registers and pairs full disks.
///
/// The field is a scalar on the surface, a sum of round spots, carried along by differential rotation: a point keeps its value while it drifts in
/// longitude at the rate of its latitude. Positions are Carrington longitudes and latitudes in degrees. Nothing here uses the code under test.
package struct SyntheticSun: Sendable {
    /// A spot of one polarity: `peak` · exp(−c²/2σ²) at the chord c from its centre (in solar radii), with σ = `width`, so a Gaussian in distance.
    package struct Spot: Sendable, Equatable {
        /// Degrees; where it is at ``SyntheticSun/epoch``.
        package var longitude: Double, latitude: Double
        /// The standard deviation in heliocentric degrees.
        package var width: Double
        /// Gauss, signed.
        package var peak: Double

        package init(longitude: Double, latitude: Double, width: Double, peak: Double) {
            (self.longitude, self.latitude, self.width, self.peak) = (longitude, latitude, width, peak)
        }

        /// The integral of the spot over the Sun's surface in Mx: 2πσ²R²·peak·(1 − exp(−2/σ²)).
        package var flux: Double {
            let sigma = width * .pi / 180, radius = SyntheticSun.radius * 100
            return 2 * .pi * sigma * sigma * radius * radius * peak * (1 - exp(-2 / (sigma * sigma)))
        }
    }

    /// The radius in metres, `RSUN_REF` of both instruments.
    package static let radius = 696_000_000.0

    package var spots: [Spot]
    /// Seconds of atomic time since 1970-01-01T00:00:00 TAI at which the spots lie where their longitudes say.
    package var epoch: Double
    /// Whether the spots are a radial field, of which an observer sees the line-of-sight part (times the cosine of the angle between the line of
    /// sight and the vertical). Else every observer sees the same scalar.
    package var isRadial: Bool

    package init(spots: [Spot], epoch: Double, isRadial: Bool = false) {
        (self.spots, self.epoch, self.isRadial) = (spots, epoch, isRadial)
    }
}

extension SyntheticSun {
    /// A dipole: two spots of opposite polarity `separation` degrees apart, the leading (western) one with the field `peak`. `tilt` is the direction
    /// of the leading spot as seen from the middle, in degrees from west towards north.
    package static func dipole(
        longitude: Double, latitude: Double, width: Double, peak: Double, separation: Double, tilt: Double = 0
    ) -> [Spot] {
        [(0.0, peak), (180.0, -peak)].map { turn, peak in
            // The point half the separation away along a great circle.
            let distance = separation / 2 * .pi / 180, start = latitude * .pi / 180, direction = (tilt + turn) * .pi / 180
            let sine = sin(start) * cos(distance) + cos(start) * sin(distance) * sin(direction)
            let west = atan2(sin(distance) * cos(direction), cos(start) * cos(distance) - sin(start) * sin(distance) * sin(direction))
            return Spot(longitude: longitude + west * 180 / .pi, latitude: asin(sine) * 180 / .pi, width: width, peak: peak)
        }
    }

    /// `count` spots all over the Sun with fields of −`peak` to `peak`, the same for the same seed: something to correlate everywhere.
    package static func network(count: Int, width: Double, peak: Double, seed: UInt64) -> [Spot] {
        (0..<count).map { index in
            let numbers = (0..<3).map { Double(mixed(seed, UInt64(3 * index + $0)) >> 11) / Double(1 << 53) }
            return Spot(
                longitude: 360 * numbers[0], latitude: asin(2 * numbers[1] - 1) * 180 / .pi, width: width, peak: peak * (2 * numbers[2] - 1))
        }
    }

    /// Degrees of Carrington longitude by which a point drifts in `seconds`: Snodgrass's rate for magnetic features (Snodgrass 1983, ApJ 270, 288;
    /// the coefficients of sunpy's `snodgrass`) less Carrington's, both sidereal.
    package static func drift(latitude: Double, seconds: Double) -> Double {
        let sine = sin(latitude * .pi / 180)
        return drift(squaredSine: sine * sine, seconds: seconds) * 180 / .pi
    }

    /// Radians; of the squared sine of latitude.
    static func drift(squaredSine: Double, seconds: Double) -> Double {
        (2.851e-6 + squaredSine * (-0.343e-6 + squaredSine * -0.474e-6) - carringtonRate) * seconds
    }

    /// Radians a second; a sidereal rotation takes 25.38 days.
    static let carringtonRate = 2 * Double.pi / (25.38 * 86400)

    /// Well-mixed bits of two numbers (Steele et al. 2014, SplitMix64).
    static func mixed(_ seed: UInt64, _ index: UInt64) -> UInt64 {
        var bits = seed &* 0xD134_2543_DE82_EF95 &+ index &* 0x9E37_79B9_7F4A_7C15
        bits = (bits ^ (bits >> 30)) &* 0xBF58_476D_1CE4_E5B9
        bits = (bits ^ (bits >> 27)) &* 0x94D0_49BB_1331_11EB
        return bits ^ (bits >> 31)
    }
}
