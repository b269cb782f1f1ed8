/// Where an observer is.
package struct SyntheticObserver: Sendable, Equatable {
    /// Metres from the centre of the Sun.
    package var distance: Double
    /// The Carrington longitude and the latitude of the point on the Sun below the observer, in degrees (`CRLN_OBS`, `CRLT_OBS`).
    package var longitude: Double, latitude: Double

    package init(distance: Double, longitude: Double, latitude: Double) {
        (self.distance, self.longitude, self.latitude) = (distance, longitude, latitude)
    }

    /// The same observer `seconds` later, on a circular orbit of one year.
    package func later(by seconds: Double) -> SyntheticObserver {
        let rate = SyntheticSun.carringtonRate - 2 * .pi / (365.25 * 86400)
        let moved = (longitude - rate * seconds * 180 / .pi).truncatingRemainder(dividingBy: 360)
        return SyntheticObserver(distance: distance, longitude: moved < 0 ? moved + 360 : moved, latitude: latitude)
    }
}
