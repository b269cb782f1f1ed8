import Foundation
import Groundwork

/// From where the Sun was seen.
public struct Observer: Sendable, Equatable {
    /// To the centre of the Sun, in metres.
    public let distance: Double
    /// Carrington longitude of the middle of the disk, in degrees, 0 to 360.
    public let carringtonLongitude: Double
    /// Heliographic latitude of the middle of the disk (B₀), in degrees.
    public let latitude: Double
    /// Longitude of the observer from the Sun–Earth line, in degrees, −180 to 180. Nil if neither the header nor the time tells.
    public let stonyhurstLongitude: Double?
    /// The radius of the surface observed, in metres.
    public let solarRadius: Double

    /// Reads the observer of an image.
    ///
    /// - Distance: `OBS_DIST` (astronomical units), which only early MDI files have (their `DSUN_OBS` is wrong), else `DSUN_OBS`.
    /// - Longitude: `CRLN_OBS`, else early MDI's `OBS_L0`, else `HGLN_OBS` from the Earth's longitude at that time. `HGLN_OBS`, else the Earth's
    ///   longitude, gives ``stonyhurstLongitude``.
    /// - Latitude: `CRLT_OBS`, else `HGLT_OBS` (the same angle), else `OBS_B0`.
    /// - Radius: `RSUN_REF`, else 696,000,000 m, with which both instruments' `RSUN_OBS` are computed.
    ///
    /// `RSUN_OBS` and `OBS_R0` do not stand in for the distance: some files have them from a fit to the limb.
    /// - Parameters:
    ///   - time: of the observation.
    ///   - location: the file, for messages.
    /// - Throws: `Failure` (`.badData`) that names the keyword which is missing or impossible: a radius that is not positive, a distance within the
    ///   Sun, a latitude beyond the poles.
    public init(_ header: FITSHeader, time: ObservationTime? = nil, at location: String? = nil) throws {
        func failure(_ problem: String, _ keyword: String, expected: String, found: String, remedy: String) -> Failure {
            Failure(.badData, problem, at: location.map { "\($0), \(keyword)" } ?? keyword, expected: expected, found: found, remedy: remedy)
        }
        func missing(_ what: String, _ keyword: String, _ expected: String) -> Failure {
            failure(
                "the header does not tell the observer's \(what)", keyword, expected: expected, found: header.card(keyword)?.value.text ?? "nothing",
                remedy: "take the keyword from the archive's file")
        }
        if let radius = header.real("RSUN_REF"), radius <= 0 {
            throw failure(
                "the solar radius is not positive", "RSUN_REF", expected: "metres, such as 696000000", found: "\(radius)", remedy: "correct it")
        }
        solarRadius = header.solarRadius
        guard let distance = header.observerDistance else {
            throw missing("distance", "DSUN_OBS", "metres from the centre of the Sun (DSUN_OBS), or astronomical units (OBS_DIST)")
        }
        guard distance > solarRadius else {
            throw failure(
                "the observer is within the Sun", header.real("OBS_DIST") == nil ? "DSUN_OBS" : "OBS_DIST",
                expected: "more than the solar radius of \(solarRadius) m", found: "\(distance) m", remedy: "correct it; DSUN_OBS is in metres")
        }
        self.distance = distance
        guard let latitude = header.real("CRLT_OBS") ?? header.real("HGLT_OBS") ?? header.real("OBS_B0") else {
            throw missing("latitude", "CRLT_OBS", "degrees (CRLT_OBS, HGLT_OBS or OBS_B0)")
        }
        guard abs(latitude) <= 90 else {
            throw failure("the observer's latitude is impossible", "CRLT_OBS", expected: "−90° to 90°", found: "\(latitude)", remedy: "correct it")
        }
        self.latitude = latitude
        let stonyhurst = header.real("HGLN_OBS"), earth = time?.centralMeridianLongitude
        guard let longitude = header.real("CRLN_OBS") ?? header.real("OBS_L0") ?? stonyhurst.flatMap({ angle in earth.map { $0 + angle } }) else {
            throw missing("longitude", "CRLN_OBS", "degrees (CRLN_OBS or OBS_L0, or HGLN_OBS with the time of the observation)")
        }
        carringtonLongitude = HeliographicAngle.from0(longitude)
        stonyhurstLongitude = (stonyhurst ?? earth.map { longitude - $0 }).map(HeliographicAngle.aroundZero)
    }

    /// - Precondition: `distance` > `solarRadius` > 0.
    package init(
        distance: Double, carringtonLongitude: Double, latitude: Double, stonyhurstLongitude: Double? = nil, solarRadius: Double = 696_000_000
    ) {
        precondition(solarRadius > 0 && distance > solarRadius, "an observer at \(distance) m does not see a Sun of \(solarRadius) m")
        self.distance = distance
        self.carringtonLongitude = carringtonLongitude
        self.latitude = latitude
        self.stonyhurstLongitude = stonyhurstLongitude
        self.solarRadius = solarRadius
    }

    /// The angle from the centre of the disk to the limb, asin(R/D), in arcsec.
    public var angularRadius: Double { asin(solarRadius / distance) * PixelGrid.arcsecPerRadian }

    /// The Carrington longitude of the central meridian as seen from Earth, in degrees, 0 to 360: what Stonyhurst longitudes count from. Nil where
    /// ``stonyhurstLongitude`` is.
    public var centralMeridianLongitude: Double? { stonyhurstLongitude.map { HeliographicAngle.from0(carringtonLongitude - $0) } }
}

extension Magnetogram {
    /// Where its pixels are.
    /// - Throws: as ``WorldCoordinates/init(_:at:)``.
    public func worldCoordinates() throws -> WorldCoordinates { try WorldCoordinates(header, at: source.path) }

    /// From where it was taken.
    /// - Throws: as ``Observer/init(_:time:at:)``.
    public func observer() throws -> Observer { try Observer(header, time: time, at: source.path) }
}
