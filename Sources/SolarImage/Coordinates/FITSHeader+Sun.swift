import Foundation

/// How far and how large the Sun is.
extension FITSHeader {
    /// The distance of the observer from the centre of the Sun in metres. Nil if the header has none.
    ///
    /// Early MDI files put the astronomical unit into `DSUN_OBS` whatever the distance, and the true one, in astronomical units, into `OBS_DIST`.
    package var observerDistance: Double? {
        (real("OBS_DIST").map { $0 * 149_597_870_691 } ?? real("DSUN_OBS")).flatMap { $0 > 0 ? $0 : nil }
    }

    /// The radius of the Sun in metres that the file was made with: `RSUN_REF`, or 696,000,000 m as HMI and MDI use.
    package var solarRadius: Double {
        real("RSUN_REF").flatMap { $0 > 0 ? $0 : nil } ?? 696_000_000
    }

    /// The angular radius of the Sun in arcsec: `RSUN_OBS`, early MDI's `OBS_R0`, or from radius and distance. Nil if the header has none of them.
    package var angularRadius: Double? {
        if let radius = real("RSUN_OBS") ?? real("OBS_R0"), radius > 0 { return radius }
        return observerDistance.flatMap { $0 > solarRadius ? asin(solarRadius / $0) * PixelGrid.arcsecPerRadian : nil }
    }
}
