import Foundation
import SolarImage
import Testing

/// What astropy and sunpy computed, made by `Scripts/make-coordinate-fixtures.py`.
struct CoordinatesFixture: Decodable, Sendable {
    struct Observer: Decodable, Sendable {
        var distance: Double, latitude: Double, solarRadius: Double, carrington: Double, stonyhurst: Double
    }
    /// Pixels (from 0) with their world coordinates, the other kind of these (from the sky: Carrington; from a map: the sky) and μ.
    struct Header: Decodable, Sendable {
        var name: String, points: [[Double]], observer: Observer, world: [[Double]?], carrington: [[Double]?]?, sky: [[Double]?]?, mu: [Double?]

        var pixels: [SIMD2<Double>] { points.map { SIMD2($0[0], $0[1]) } }
    }
    struct CentralMeridian: Decodable, Sendable {
        var time: String, longitude: Double
    }
    struct Rotation: Decodable, Sendable {
        var days: Double, latitude: Double, sidereal: Double, synodic: Double, carrington: Double
    }
    struct Pair: Decodable, Sendable {
        var from: String, to: String, seconds: Double, points: [[Double]], pixels: [[Double]?]
    }
    struct Region: Decodable, Sendable {
        var longitude: Double, latitude: Double, time: String, sky: [Double]
    }
    var refused: [String: String], headers: [Header], centralMeridian: [CentralMeridian], rotation: [Rotation], pair: Pair, regions: [Region]

    static let expected: Result<CoordinatesFixture, any Error> = Result {
        try JSONDecoder().decode(CoordinatesFixture.self, from: Data(contentsOf: Fixture.url("Coordinates/expected.json")))
    }

    static func header(_ name: String) throws -> FITSHeader { try Fixture.header("Coordinates/\(name)") }

    static func time(_ header: FITSHeader) -> ObservationTime? { header.string("T_OBS").flatMap { ObservationTime($0) } }
}

/// Whether two angles in degrees agree, whatever turns lie between them.
func near(degrees a: Double, _ b: Double, _ tolerance: Double) -> Bool { abs((a - b).remainder(dividingBy: 360)) <= tolerance }
