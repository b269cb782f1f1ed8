import Foundation
import Groundwork
import SolarImage

/// Where the pixels of a magnetogram are on the Sun, as far as its header tells: what crops are placed and kept apart by.
package struct MapGeometry: Sendable {
    /// The centre of the disk (pixels from 0) and its radius in pixels; nil for maps, and if the header does not tell.
    package let disk: (centre: SIMD2<Double>, radius: Double)?
    package let arcsecPerPixel: Double?
    /// Whether the image is as seen on the sky with north at the bottom.
    package let isUpsideDown: Bool
    /// Whether it is mapped to heliographic coordinates.
    package let isMap: Bool
    package let time: ObservationTime?
    /// The file, for messages.
    private let location: String
    private let world: WorldCoordinates?
    private let observer: Observer?
    /// Why ``observer`` is not known.
    private let observerFailure: Failure?

    /// - Parameter location: the file, for messages.
    /// - Throws: `Failure` (`.badData`) if the header has keywords of world coordinates that contradict themselves or cannot be used, or if it says that
    ///   the radius of the Sun is not positive.
    package init(_ header: FITSHeader, time: ObservationTime?, at location: String) throws {
        for keyword in ["RSUN_REF", "RSUN_OBS", "R_SUN"] {
            guard let radius = header.real(keyword), radius <= 0 else { continue }
            throw Failure(
                .badData, "the solar radius is not positive", at: "\(location), \(keyword)", expected: "more than 0", found: "\(radius)",
                remedy: "correct the header")
        }
        (self.time, self.location) = (time, location)
        // A file that tells nothing is taken as it is; one that tells nonsense is not.
        world = header.hasGrid ? try WorldCoordinates(header, at: location) : nil
        let grid = world?.grid
        (disk, arcsecPerPixel) = (grid?.disk, grid?.arcsecPerPixel)
        isUpsideDown = grid?.isUpsideDown ?? false
        isMap = grid?.projection == .cylindricalEqualArea
        do {
            (observer, observerFailure) = (try Observer(header, time: time, at: location), nil)
        } catch let failure as Failure {
            (observer, observerFailure) = (nil, failure)
        }
    }

    /// μ at a pixel: 1 in the centre of the disk, 0 at the limb and beyond, negative on the far side in maps. Nil if the header does not tell.
    ///
    /// On the sky μ² = 1 − (sin α / sin α₀)², with α₀ the angle to the limb; pixels are proportional to the angles to 2·10⁻⁵.
    package func mu(at pixel: SIMD2<Double>) -> Double? {
        if let disk {
            let offset = (pixel - disk.centre) / disk.radius
            return max(0, 1 - (offset * offset).sum()).squareRoot()
        }
        guard let world, let observer, isMap else { return nil }
        return (try? world.mu(at: [pixel], from: observer))?.first.flatMap { $0.isFinite ? $0 : nil }
    }

    /// Carrington longitudes and latitudes of pixels in degrees, NaN beyond the limb. Nil if the header does not tell.
    package func carrington(at pixels: [SIMD2<Double>]) -> [SIMD2<Double>]? {
        guard let world, let points = try? world.world(at: pixels) else { return nil }
        switch world.frame {
        case .carrington: return points
        case .stonyhurst: return meridian.map { meridian in points.map { SIMD2($0.x + meridian, $0.y) } }
        case .helioprojective: return observer?.carrington(at: points)
        }
    }

    /// The pixels that show points of the Sun; NaN for those that are hidden. They need not lie in the image.
    /// - Throws: `Failure` (`.badData`) that names the file and the keyword which would have to be known.
    package func pixels(atCarrington points: [SIMD2<Double>]) throws -> [SIMD2<Double>] {
        guard let world else {
            throw Failure(
                .badData, "the header does not tell where on the Sun the pixels are", at: "\(location), CTYPE1", expected: "world coordinates",
                found: "none")
        }
        switch world.frame {
        case .carrington: return try world.pixels(at: points)
        case .stonyhurst:
            guard let meridian else { throw noTime }
            return try world.pixels(at: points.map { SIMD2($0.x - meridian, $0.y) })
        case .helioprojective:
            guard let observer else { throw observerFailure ?? noTime }
            return try world.pixels(at: observer.helioprojective(at: points))
        }
    }

    /// Where the active regions are that a catalogue has a report of within a day, moved with the Sun's surface from the time of the report.
    /// - Returns: in ascending order of the regions' numbers, with pixels as ``pixels(atCarrington:)`` gives them.
    /// - Throws: as ``pixels(atCarrington:)``; also if the time is not known.
    package func places(of catalogue: ActiveRegionCatalogue) throws -> [(position: ActiveRegionPosition, pixel: SIMD2<Double>)] {
        let known = catalogue.regions(at: try knownTime())
        let points = known.map { position, elapsed in
            SIMD2(
                position.longitude + position.time.centralMeridianLongitude
                    + SolarRotation.drift(latitude: position.latitude, seconds: elapsed, in: .carrington), position.latitude)
        }
        return zip(known, try pixels(atCarrington: points)).map { ($0.position, $1) }
    }

    /// ``time``, where there is no doing without it.
    /// - Throws: `Failure` (`.badData`) if it is not known.
    func knownTime() throws -> ObservationTime {
        guard let time else { throw noTime }
        return time
    }

    private var noTime: Failure {
        Failure(.badData, "the time of the observation is not known", at: "\(location), T_OBS", expected: "a time", found: "none")
    }

    /// The Carrington longitude that Stonyhurst longitudes count from.
    private var meridian: Double? { observer?.centralMeridianLongitude ?? time?.centralMeridianLongitude }
}
