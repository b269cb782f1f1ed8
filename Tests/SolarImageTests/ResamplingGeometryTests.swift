import Foundation
import Groundwork
import SolarImage
import SyntheticSun
import Testing

/// From the pixels of MDI at SOHO to those of HMI at SDO, half an hour apart and half a degree aside.
@Suite struct ResamplingGeometryTests {
    private let epoch = 1_283_299_200.0
    private let sdo = SyntheticObserver(distance: 150.95e9, longitude: 120.3, latitude: 7.19)

    private var soho: SyntheticObserver {
        var observer = sdo.later(by: 1800)
        (observer.distance, observer.longitude, observer.latitude) = (observer.distance * 0.99, observer.longitude + 0.4, 7.05)
        return observer
    }

    private func view(_ camera: SyntheticCamera, _ observer: SyntheticObserver, at time: Double) throws -> ResamplingGeometry.View {
        var header = FITSHeader()
        for (keyword, text) in [("CTYPE1", "HPLN-TAN"), ("CTYPE2", "HPLT-TAN"), ("CUNIT1", "arcsec"), ("CUNIT2", "arcsec")] {
            header.set(keyword, .string(text))
        }
        let numbers = [
            ("CRPIX1", camera.centre.x), ("CRPIX2", camera.centre.y), ("CDELT1", camera.arcsecPerPixel), ("CDELT2", camera.arcsecPerPixel),
            ("CROTA2", camera.rotation), ("DSUN_OBS", observer.distance), ("CRLN_OBS", observer.longitude), ("CRLT_OBS", observer.latitude),
        ]
        for (keyword, number) in numbers { header.set(keyword, .real(number)) }
        return ResamplingGeometry.View(try WorldCoordinates(header), try Observer(header), ObservationTime(taiSeconds: time))
    }

    /// MDI's grid made four times finer, from a column and a row on.
    private func fine(x: Int = 0, y: Int = 0, rotation: Double = 3.1) -> SyntheticCamera {
        var camera = SyntheticCamera.mdi(rotation: rotation)
        camera.centre = (camera.centre - 0.5) * 4 + 0.5 - SIMD2(Double(x), Double(y))
        camera.arcsecPerPixel /= 4
        return camera
    }

    private func geometry(_ camera: SyntheticCamera, hmi: Double = 179.93) throws -> ResamplingGeometry {
        ResamplingGeometry(of: try view(camera, soho, at: epoch + 1800), in: try view(.hmi(rotation: hmi), sdo, at: epoch))
    }

    /// The synthetic Sun computes both places of a spot by its own geometry.
    @Test(arguments: [(0.0, 179.93), (3.1, 180.013), (180.013, 0)])
    func findsSpotsWhereTheSyntheticSunHasThem(_ rotations: (Double, Double)) throws {
        let sun = SyntheticSun(spots: SyntheticSun.network(count: 400, width: 1, peak: 1, seed: 3), epoch: epoch)
        let camera = fine(rotation: rotations.0)
        let geometry = try geometry(camera, hmi: rotations.1)
        let mdi = SyntheticDisk(sun, from: soho, by: camera, at: epoch + 1800),
            hmi = SyntheticDisk(sun, from: sdo, by: .hmi(rotation: rotations.1), at: epoch)
        var seen = 0
        for spot in sun.spots {
            guard let place = mdi.pixel(of: spot), let expected = hmi.pixel(of: spot) else { continue }
            let found = try #require(try geometry.places(of: [place]).first)
            // The synthetic Sun's own Carrington rotation, 14.18440 degrees a day, differs in the last digit.
            #expect(abs(found.x - expected.x) < 1e-3 && abs(found.y - expected.y) < 1e-3, "\(found) against \(expected)")
            seen += 1
        }
        #expect(seen > 150)
    }

    /// In the middle of the disk, at the limb, around the whole of a crop that the limb crosses, and off the disk.
    @Test(arguments: [(1536, 1536, 512, 512), (3840, 1700, 251, 517), (1900, 40, 300, 222), (3400, 3300, 640, 640)])
    func interpolatesPlacesWell(_ frame: (x: Int, y: Int, width: Int, height: Int)) throws {
        let geometry = try geometry(fine(x: frame.x, y: frame.y))
        let shift = SIMD2(1.3, -0.7)
        let places = try geometry.places(width: frame.width, height: frame.height, shift: shift)
        let exact = try geometry.places(
            of: (0..<frame.width * frame.height).map { SIMD2(Double($0 % frame.width), Double($0 / frame.width)) - shift })
        let errors = zip(places, exact).map { max(abs($0.x - $1.x), abs($0.y - $1.y)) }
        #expect(zip(places, exact).allSatisfy { $0.x.isNaN == $1.x.isNaN && $0.y.isNaN == $1.y.isNaN })
        let greatest = errors.lazy.filter(\.isFinite).max() ?? 0
        #expect(greatest < 3e-4)
        // Half of the third frame or less lies off the disk, and most of the last.
        #expect(exact.contains { $0.x.isNaN } == (frame.x != 1536) && errors.contains(where: \.isFinite))
    }

    @Test func seesNothingOffTheDisk() throws {
        let places = try geometry(fine()).places(width: 40, height: 24)
        #expect(places.count == 960 && places.allSatisfy { $0.x.isNaN && $0.y.isNaN })
    }

    @Test func refusesWhatGeometryCannotUse() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("x.fits")
            let disk = SyntheticDisk(SyntheticSun(spots: [], epoch: epoch), from: sdo, by: .mdi(reduction: 16), at: epoch, noise: 5)
            try disk.write(to: url)
            var map = try Magnetogram(reading: url)
            let view = try ResamplingGeometry.View(map)
            #expect(view.observer.distance == sdo.distance && view.time.taiSeconds == epoch)
            // 16 pixels of 1.986″ from 150.25 million km.
            #expect(abs(view.pixelSize - 23.146e6) < 1e4)
            map.time = nil
            #expect { try ResamplingGeometry.View(map) } throws: { ($0 as? Failure)?.location == "\(url.path), T_OBS" }
            map.time = view.time
            map.header.set("CTYPE1", .string("CRLN-CEA"))
            map.header.set("CTYPE2", .string("CRLT-CEA"))
            #expect { try ResamplingGeometry.View(map) } throws: { ($0 as? Failure)?.location == "\(url.path), CTYPE1" }
        }
    }
}
