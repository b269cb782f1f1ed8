import Foundation
import Groundwork
import SolarImage
import Testing

@Suite struct HeliographicTests {
    @Test func readsObserversAsSunpyDoes() throws {
        for expected in try CoordinatesFixture.expected.get().headers {
            let header = try CoordinatesFixture.header(expected.name)
            let observer = try Observer(header, time: CoordinatesFixture.time(header))
            let from = expected.observer
            #expect(near(observer.distance, from.distance, 1e-10) && observer.solarRadius == from.solarRadius, "\(expected.name)")
            #expect(abs(observer.latitude - from.latitude) < 1e-9, "\(expected.name)")
            // From HGLN_OBS alone the longitude is as good as the Earth's.
            let tolerance = expected.name == "hmi-stonyhurst-observer" ? 0.01 : 1e-9
            #expect(near(degrees: observer.carringtonLongitude, from.carrington, tolerance), "\(expected.name)")
            // Where the header gives HGLN_OBS, that stands.
            let stonyhurst = header.real("HGLN_OBS") ?? from.stonyhurst
            #expect(near(degrees: try #require(observer.stonyhurstLongitude), stonyhurst, 0.01), "\(expected.name)")
        }
    }

    /// To 10⁻⁶ degrees on the Sun, 10⁻⁶ arcsec on the sky, μ to 10⁻⁹; within 0.1 % of the limb, where a digit on the sky is three on the Sun, to 10⁻⁵.
    @Test func agreesWithSunpy() throws {
        for expected in try CoordinatesFixture.expected.get().headers {
            let header = try CoordinatesFixture.header(expected.name)
            let coordinates = try WorldCoordinates(header), world = try coordinates.world(at: expected.pixels)
            let here = expected.observer
            let observer = Observer(
                distance: here.distance, carringtonLongitude: here.carrington, latitude: here.latitude, stonyhurstLongitude: 0.04,
                solarRadius: here.solarRadius)
            let mu = try coordinates.mu(at: expected.pixels, from: observer)
            for index in world.indices {
                let name = "\(expected.name), \(expected.pixels[index])"
                if let all = expected.carrington {
                    let found = observer.carrington(at: world[index])
                    #expect((found == nil) == (all[index] == nil), "\(name)")
                    if let found, let value = all[index] {
                        let tolerance = mu[index] < 0.045 ? 1e-5 : 1e-6
                        #expect(near(degrees: found.x, value[0], tolerance) && abs(found.y - value[1]) < tolerance, "\(name): \(found), \(value)")
                        let back = try #require(observer.helioprojective(at: found))
                        #expect(abs(back.x - world[index].x) < 1e-6 && abs(back.y - world[index].y) < 1e-6, "\(name)")
                    }
                } else if let value = expected.sky?[index], let cosine = expected.mu[index] {
                    let meridian = coordinates.frame == .stonyhurst ? here.carrington - 0.04 : 0
                    let found = observer.helioprojective(at: SIMD2(world[index].x + meridian, world[index].y))
                    #expect((found != nil) == (cosine >= 0), "\(name)")
                    if let found { #expect(abs(found.x - value[0]) < 1e-6 && abs(found.y - value[1]) < 1e-6, "\(name): \(found), \(value)") }
                }
                if let value = expected.mu[index] {
                    #expect(abs(mu[index] - value) < (value < 0.045 ? 1e-6 : 1e-9), "\(name): \(mu[index]), \(value)")
                } else {
                    #expect(mu[index].isNaN, "\(name)")
                }
            }
        }
    }

    @Test func findsTheLimb() throws {
        let observer = Observer(distance: 1.49e11, carringtonLongitude: 350, latitude: 0)
        #expect(near(observer.angularRadius, asin(6.96e8 / 1.49e11) * 180 / .pi * 3600))
        let inside = observer.angularRadius - 1e-6
        #expect(observer.carrington(at: SIMD2(observer.angularRadius + 1e-6, 0)) == nil)
        let limb = try #require(observer.carrington(at: SIMD2(inside, 0)))
        #expect(near(degrees: limb.x, 350 + acos(6.96e8 / 1.49e11) * 180 / .pi, 0.01) && limb.x < 90, "west is to the right, longitudes wrap at 360")
        #expect(abs(observer.mu(at: .zero) - 1) < 1e-15 && observer.mu(at: SIMD2(inside, 0)) < 1e-4)
        #expect(observer.mu(at: SIMD2(0, observer.angularRadius + 1)).isNaN)
        // From a finite distance less than half of the Sun is seen.
        #expect(observer.helioprojective(at: SIMD2(350 + 89.7, 0)) != nil)
        #expect(observer.helioprojective(at: SIMD2(350 + 89.8, 0)) == nil && observer.helioprojective(at: SIMD2(170, 0)) == nil)
        #expect(observer.mu(atCarrington: SIMD2(170, 0)) == -1)
        #expect(observer.carrington(at: [SIMD2(2000, 0), .zero, SIMD2(.nan, 0)]).map(\.x.isNaN) == [true, false, true])
        #expect(observer.helioprojective(at: [SIMD2(170, 0), SIMD2(350, 0), SIMD2(.nan, 0)]).map(\.y.isNaN) == [true, false, true])
        #expect(observer.carrington(at: SIMD2(648_000, 0)) == nil, "behind the observer")
    }

    /// The row-wise map of μ is that of single pixels, for planes that touch the sky at the Sun and elsewhere, other projections, and maps.
    @Test(arguments: ["mdi-early", "hmi-resampled", "mdi-magnetogram", "sky-poles", "sky-arc", "hmi-pc", "hmi-turned-3.1", "map-stonyhurst", "smarp"])
    func mapsMu(_ name: String) throws {
        var header = try CoordinatesFixture.header(name)
        var (width, height) = (try #require(header.integer("NAXIS1")), try #require(header.integer("NAXIS2")))
        if width > 1000 {
            header.binGrid(by: 64)
            (width, height) = (width / 64, height / 64)
        }
        let coordinates = try WorldCoordinates(header), observer = try Observer(header)
        let map = try coordinates.mu(width: width, height: height, from: observer)
        let pixels = (0..<width * height).map { SIMD2(Double($0 % width), Double($0 / width)) }
        var seen = 0
        for (index, mu) in try coordinates.mu(at: pixels, from: observer).enumerated() {
            // A pixel whose centre is on the limb may go either way.
            if map.pixels[index].isNaN || mu.isNaN {
                #expect((map.pixels[index].isNaN && mu.isNaN) || abs(mu) < 1e-4 || abs(map.pixels[index]) < 1e-4)
            } else {
                #expect(abs(Double(map.pixels[index]) - mu) < 1e-6, "\(pixels[index]): \(map.pixels[index]), \(mu)")
                seen += 1
            }
        }
        #expect(seen > 100)
    }

    @Test func needsTheMeridianOfStonyhurstMaps() throws {
        let header = try CoordinatesFixture.header("map-stonyhurst"), coordinates = try WorldCoordinates(header)
        let known = try Observer(header)
        #expect(known.stonyhurstLongitude == 0.04 && known.centralMeridianLongitude == 202.957214 - 0.04)
        var bare = header
        bare.remove("HGLN_OBS")
        let unknown = try Observer(bare)
        expectFailure(.badData, "HGLN_OBS") { _ = try coordinates.mu(at: [.zero], from: unknown) }
    }

    @Test(arguments: [
        ("DSUN_OBS", nil, "DSUN_OBS"), ("DSUN_OBS", FITSCard.Value.string("nan"), "'nan'"), ("DSUN_OBS", .real(0), "0.0"),
        ("DSUN_OBS", .real(-1.5e11), "-150000000000.0"), ("DSUN_OBS", .real(1.5e8), "within the Sun"), ("RSUN_REF", .real(0), "RSUN_REF"),
        ("RSUN_REF", .integer(-696_000_000), "RSUN_REF"), ("CRLN_OBS", nil, "CRLN_OBS"), ("CRLT_OBS", nil, "CRLT_OBS"),
        ("CRLT_OBS", .real(95), "95.0"),
    ])
    func refusesObservers(_ keyword: String, _ value: FITSCard.Value?, _ named: String) throws {
        var header = try CoordinatesFixture.header("hmi-turned-180")
        if let value { header.set(keyword, value) } else { header.remove(keyword) }
        expectFailure(.badData, "disk.fits, \(keyword)", named) {
            _ = try Observer(header, time: ObservationTime("2010-10-15T00:00:00"), at: "disk.fits")
        }
    }

    @Test func readsEarlyObservers() throws {
        let header = try CoordinatesFixture.header("mdi-early"), observer = try Observer(header)
        #expect(near(observer.distance, 0.9743059749992 * 149_597_870_691), "its DSUN_OBS is one astronomical unit")
        #expect(observer.carringtonLongitude == 130.8892913991 && observer.latitude == -6.028967775337 && observer.stonyhurstLongitude == nil)
        #expect(abs(observer.angularRadius - 984.9524) < 0.02, "OBS_R0")
    }

    @Test func findsTheCentralMeridian() throws {
        for expected in try CoordinatesFixture.expected.get().centralMeridian {
            let time = try #require(ObservationTime(expected.time))
            #expect(near(degrees: time.centralMeridianLongitude, expected.longitude, 0.01), "\(expected.time)")
        }
    }

    @Test func rotatesAsSunpyDoes() throws {
        for expected in try CoordinatesFixture.expected.get().rotation {
            let (latitude, seconds) = (expected.latitude, expected.days * 86400)
            #expect(abs(SolarRotation.drift(latitude: latitude, seconds: seconds, in: .sidereal) - expected.sidereal) < 1e-6)
            #expect(abs(SolarRotation.drift(latitude: latitude, seconds: seconds, in: .synodic) - expected.synodic) < 1e-6)
            #expect(abs(SolarRotation.drift(latitude: latitude, seconds: seconds, in: .carrington) - expected.carrington) < 1e-6)
            let moved = SolarRotation.rotated([SIMD2(359.5, latitude), SIMD2(.nan, latitude)], by: seconds)
            #expect(near(degrees: moved[0].x, 359.5 + expected.carrington, 1e-6) && moved[0].y == latitude && (0..<360).contains(moved[0].x))
            #expect(moved[1].x.isNaN)
        }
    }

    /// From a pixel of MDI over the Sun to that of HMI, turned by 180° and an hour later.
    @Test func findsThePixelOfAnotherInstrument() throws {
        let pair = try CoordinatesFixture.expected.get().pair
        let (from, to) = (try CoordinatesFixture.header(pair.from), try CoordinatesFixture.header(pair.to))
        let seconds = try #require(CoordinatesFixture.time(to)).taiSeconds - #require(CoordinatesFixture.time(from)).taiSeconds
        #expect(abs(seconds - pair.seconds) < 1e-6)
        let sky = try WorldCoordinates(from).world(at: pair.points.map { SIMD2($0[0], $0[1]) })
        let later = SolarRotation.rotated(try Observer(from).carrington(at: sky), by: seconds)
        let pixels = try WorldCoordinates(to).pixels(at: Observer(to).helioprojective(at: later))
        for (pixel, expected) in zip(pixels, pair.pixels) {
            let expected = try #require(expected)
            #expect(abs(pixel.x - expected[0]) < 1e-5 && abs(pixel.y - expected[1]) < 1e-5, "\(pixel), \(expected)")
        }
    }

    /// Regions by their Stonyhurst positions of the day before, on MDI's sky, to 0.2 arcsec, which is 0.01° in the middle of the disk.
    @Test func findsRegions() throws {
        let header = try CoordinatesFixture.header("mdi-2010"), observer = try Observer(header)
        let time = try #require(CoordinatesFixture.time(header))
        for region in try CoordinatesFixture.expected.get().regions {
            let start = try #require(ObservationTime(region.time))
            let point = SIMD2(region.longitude + start.centralMeridianLongitude, region.latitude)
            let moved = SolarRotation.rotated([point], by: time.taiSeconds - start.taiSeconds)[0]
            let sky = try #require(observer.helioprojective(at: moved))
            #expect(abs(sky.x - region.sky[0]) < 0.2 && abs(sky.y - region.sky[1]) < 0.2, "\(sky), \(region.sky)")
        }
    }
}
