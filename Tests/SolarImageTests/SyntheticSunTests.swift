import Foundation
import SolarImage
import SyntheticSun
import Testing

/// The synthetic full disks that other tests build upon, read as real ones are.
@Suite struct SyntheticSunTests {
    /// 2010-09-01 00:00 TAI.
    private let epoch = 1_283_299_200.0
    private let sdo = SyntheticObserver(distance: 150.95e9, longitude: 120.3, latitude: 7.19)

    private var sun: SyntheticSun {
        SyntheticSun(
            spots: SyntheticSun.dipole(longitude: 115, latitude: 18, width: 0.5, peak: 1800, separation: 6, tilt: -5)
                + SyntheticSun.dipole(longitude: 150, latitude: -12, width: 0.4, peak: 1200, separation: 5, tilt: 8),
            epoch: epoch)
    }

    /// SDO's view, and SOHO's from nearer by 1 % half an hour later.
    private func disk(_ instrument: SyntheticCamera.Instrument, noise: Double = 0) -> SyntheticDisk {
        if instrument == .hmi { return SyntheticDisk(sun, from: sdo, by: .hmi(), at: epoch, noise: noise) }
        var soho = sdo.later(by: 1800)
        soho.distance *= 0.99
        return SyntheticDisk(sun, from: soho, by: .mdi(rotation: 3.1), at: epoch + 1800, noise: noise)
    }

    @Test(arguments: [SyntheticCamera.Instrument.hmi, .mdi])
    func readsAsARealFile(_ instrument: SyntheticCamera.Instrument) throws {
        let disk = disk(instrument, noise: 8)
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent(disk.fileName)
            let field = try disk.write(to: url)
            let units = try FITSFile(reading: url).contents()
            let side = instrument == .hmi ? 4096 : 1024
            #expect(units.map(\.content) == [.image(axes: []), .image(axes: [side, side])])
            let read = try Magnetogram(reading: url)
            #expect(read.instrument == (instrument == .hmi ? .hmi : .mdi) && read.isFit && !read.isMap)
            #expect(read.image.width == side && read.image.height == side)
            #expect(read.time?.taiSeconds == disk.taiSeconds)
            // The slots are 12 and 96 minutes long; half an hour after midnight is nearest to midnight's.
            let slot = try #require(read.header.string("T_REC").flatMap { ObservationTime($0) })
            #expect(slot.taiSeconds == epoch)
            let start = try #require(read.header.string("DATE-OBS").flatMap { ObservationTime($0) })
            #expect(abs(disk.taiSeconds - start.taiSeconds - (instrument == .hmi ? 67.4 : 150)) < 1e-3, "UTC was 34 s behind TAI")

            let grid = try #require(read.grid), seen = try #require(grid.disk)
            #expect(abs(grid.rotation - disk.camera.rotation) < 1e-9 && grid.observerDistance == disk.observer.distance)
            #expect(abs(seen.centre.x - disk.limb.centre.x) < 1e-9 && abs(seen.centre.y - disk.limb.centre.y) < 1e-9)
            // The limb's angle in arcsec against its tangent.
            #expect(abs(seen.radius - disk.limb.radius) < 0.02)
            #expect(read.header.integer("CAR_ROT") == 2100)

            let pixels = read.image.pixels, limb = disk.limb
            let step = Float(disk.quantum) * 0.5001
            #expect(field.indices.allSatisfy { field[$0].isNaN ? pixels[$0].isNaN : abs(pixels[$0] - field[$0]) <= step + 2e-7 * abs(field[$0]) })
            #expect(
                field.indices.allSatisfy { index in
                    let (x, y) = (Double(index % side) - limb.centre.x, Double(index / side) - limb.centre.y)
                    return (x * x + y * y <= limb.radius * limb.radius) == field[index].isFinite
                }, "the limb bounds the data")
        }
    }

    @Test(arguments: [SyntheticCamera.Instrument.hmi, .mdi])
    func putsSpotsWhereGeometrySays(_ instrument: SyntheticCamera.Instrument) throws {
        let disk = disk(instrument)
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent(disk.fileName)
            try disk.write(to: url)
            let image = try Magnetogram(reading: url).image
            for spot in disk.sun.spots {
                let expected = try #require(disk.pixel(of: spot))
                let found = peak(of: spot.peak < 0 ? -1 : 1, in: image, near: expected)
                #expect(abs(found.x - expected.x) < 0.02 && abs(found.y - expected.y) < 0.02, "\(found) against \(expected)")
            }
        }
    }

    /// Where the logarithm of a Gaussian spot, a paraboloid, has its top.
    private func peak(of sign: Float, in image: Image, near place: SIMD2<Double>) -> SIMD2<Double> {
        let (x, y) = (Int(place.x.rounded()), Int(place.y.rounded())), arm = image.width > 2000 ? 3 : 1
        func height(_ dx: Int, _ dy: Int) -> Double { log(Double(sign * image[x + dx * arm, y + dy * arm])) }
        let slope = SIMD2(height(1, 0) - height(-1, 0), height(0, 1) - height(0, -1)) / 2
        let bend = SIMD2(height(1, 0) + height(-1, 0), height(0, 1) + height(0, -1)) - 2 * height(0, 0)
        let twist = (height(1, 1) + height(-1, -1) - height(1, -1) - height(-1, 1)) / 4
        let determinant = bend.x * bend.y - twist * twist
        let offset = SIMD2(twist * slope.y - bend.y * slope.x, twist * slope.x - bend.x * slope.y) / determinant
        return SIMD2(Double(x), Double(y)) + offset * Double(arm)
    }

    /// Two cases that need no spherical trigonometry: points on the equator seen from above it, and on the observer's meridian.
    @Test func agreesWithElementaryGeometry() throws {
        let camera = SyntheticCamera(.mdi, width: 1024, height: 1024, arcsecPerPixel: 2, rotation: 90, centre: SIMD2(500, 520))
        let radii = 214.0, step = 2 / 3600 * Double.pi / 180
        for angle in [-80.0, -30, 0, 45, 89] {
            let offset = sin(angle * .pi / 180) / (radii - cos(angle * .pi / 180)) / step
            var observer = SyntheticObserver(distance: radii * SyntheticSun.radius, longitude: 10, latitude: 0)
            // CROTA2 = 90 turns solar north to the right and west to the bottom: x' = y, y' = −x on the sky.
            let equator = try #require(SyntheticDisk(sun, from: observer, by: camera, at: epoch).pixel(longitude: 10 + angle, latitude: 0))
            #expect(abs(equator.x - 499) < 1e-9 && abs(equator.y - (519 - offset)) < 1e-9)
            observer.latitude = -7
            let meridian = try #require(SyntheticDisk(sun, from: observer, by: camera, at: epoch).pixel(longitude: 10, latitude: angle - 7))
            #expect(abs(meridian.x - (499 + offset)) < 1e-9 && abs(meridian.y - 519) < 1e-9)
        }
        let observer = SyntheticObserver(distance: radii * SyntheticSun.radius, longitude: 10, latitude: 0)
        let limb = acos(1 / radii) * 180 / .pi
        let disk = SyntheticDisk(sun, from: observer, by: camera, at: epoch)
        #expect(disk.pixel(longitude: 10 + limb - 1e-6, latitude: 0) != nil && disk.pixel(longitude: 10 + limb + 1e-6, latitude: 0) == nil)
    }

    /// The equator goes round by 14.1135° a day, latitude 30° by 13.5423°, Carrington's frame by 14.1844°, all sidereal.
    @Test func rotatesDifferentially() {
        #expect(abs(SyntheticSun.drift(latitude: 0, seconds: 86400) - (14.11346 - 14.18440)) < 2e-5)
        #expect(abs(SyntheticSun.drift(latitude: -30, seconds: 86400) - (13.54232 - 14.18440)) < 2e-5)
        let later = sdo.later(by: 86400)
        #expect(abs(sdo.longitude - later.longitude - 13.1988) < 1e-3, "the synodic rotation as the Earth sees it")
    }

    /// The flux of a spot through the plane of the sky is what both instruments see of it, and at the centre of the disk that of the spot.
    @Test func bothInstrumentsSeeTheSameFlux() throws {
        let spot = SyntheticSun.Spot(longitude: 120.3, latitude: 7.19, width: 0.4, peak: 1500)
        let sun = SyntheticSun(spots: [spot], epoch: epoch)
        var soho = sdo
        soho.distance *= 0.99
        func flux(_ observer: SyntheticObserver, _ camera: SyntheticCamera) -> Double {
            let sum = SyntheticDisk(sun, from: observer, by: camera, at: epoch).field().reduce(0.0) { $1.isNaN ? $0 : $0 + Double($1) }
            let side = camera.arcsecPerPixel / 3600 * .pi / 180 * (observer.distance - SyntheticSun.radius) * 100
            return sum * side * side
        }
        let hmi = flux(sdo, .hmi()), mdi = flux(soho, .mdi(rotation: 3.1))
        #expect(abs(hmi / mdi - 1) < 1e-5)
        #expect(abs(hmi / spot.flux - 1) < 1e-4)
    }

    @Test func seesLessOfARadialFieldTowardsTheLimb() throws {
        let spot = SyntheticSun.Spot(longitude: 180.3, latitude: 0, width: 1, peak: 1000)
        let observer = SyntheticObserver(distance: 150.95e9, longitude: 120.3, latitude: 0)
        let disk = SyntheticDisk(SyntheticSun(spots: [spot], epoch: epoch, isRadial: true), from: observer, by: .mdi(), at: epoch)
        let place = try #require(disk.pixel(of: spot))
        let value = disk.field()[Int(place.y.rounded()) * 1024 + Int(place.x.rounded())]
        // 60° from the disk's centre; parallax adds 0.23°.
        #expect(abs(Double(value) / 1000 - cos(60.23 * .pi / 180)) < 5e-3)
    }

    @Test func spoilsHeadersOnRequest() throws {
        let disk = SyntheticDisk(sun, from: sdo, by: .hmi(rotation: 0, reduction: 16), at: epoch)
        func header(_ overrides: [String: String?]) throws -> FITSHeader {
            try withTemporaryFolder { folder in
                let url = folder.appendingPathComponent("x.fits")
                try disk.write(to: url, overrides: overrides)
                return try FITSFile(reading: url).firstImage().header
            }
        }
        let spoiled = try header([
            "DSUN_OBS": nil, "CRPIX1": "'nan'", "RSUN_REF": "0", "BUNIT": "'km/s'", "QUALITY": "-2147483648", "PC1_1": "0.5", "CROTA2": "nan",
        ])
        #expect(!spoiled.contains("DSUN_OBS") && spoiled.string("CRPIX1") == "nan" && spoiled.real("CRPIX1") == nil && spoiled.real("RSUN_REF") == 0)
        #expect(spoiled.string("BUNIT") == "km/s" && spoiled.quality == 0x8000_0000 && spoiled.real("PC1_1") == 0.5 && spoiled.real("CROTA2") == nil)
        #expect(spoiled.integer("ZNAXIS1") == 256 && spoiled.real("CDELT1") == 0.504276 * 16)
        let whole = try header([:])
        #expect(whole.contains("DSUN_OBS") && whole.real("CRPIX1") == disk.camera.centre.x && whole.real("CRPIX2") == disk.camera.centre.y)
    }

    @Test func repeatsItsNoiseAndKeepsToTheFrame() {
        var camera = SyntheticCamera.mdi(reduction: 8)
        camera.centre = SIMD2(-20, 60)
        let sun = SyntheticSun(spots: SyntheticSun.network(count: 200, width: 1.5, peak: 100, seed: 5), epoch: epoch)
        func field(seed: UInt64, noise: Double = 10) -> [Float] {
            SyntheticDisk(sun, from: sdo, by: camera, at: epoch, noise: noise, seed: seed).field()
        }
        let once = field(seed: 1), other = field(seed: 2), bare = field(seed: 1, noise: 0)
        #expect(once.map(\.bitPattern) == field(seed: 1).map(\.bitPattern), "the same bits again")
        let differences = zip(once, bare).filter { $0.0.isFinite }.map { Double($0 - $1) }
        let variance = differences.reduce(0) { $0 + $1 * $1 } / Double(differences.count)
        #expect(differences.count > 1000 && abs(variance.squareRoot() - 10) < 0.5)
        #expect(abs(differences.reduce(0, +)) / Double(differences.count) < 1)
        #expect(zip(once, other).contains { $0.isFinite && $0 != $1 })
        #expect(once.contains(where: \.isNaN) && bare.contains { $0 != 0 && $0.isFinite })
    }
}
