import Foundation
import Groundwork
import SolarImage
import SuperResolution
import SyntheticSun

/// A synthetic Sun seen by HMI from SDO and half an hour later by MDI from SOHO, which is 1 % nearer and half a degree aside.
struct SyntheticPair {
    static let epoch = 1_283_299_200.0
    var hmi: SyntheticDisk, mdi: SyntheticDisk

    /// - Parameters:
    ///   - rotations: `CROTA2` of HMI and MDI.
    ///   - reduction: how many times fewer pixels both have.
    ///   - minutes: from HMI's exposure to MDI's.
    init(
        _ spots: [SyntheticSun.Spot], rotations: (Double, Double) = (179.93, 0), reduction: Int = 1, minutes: Double = 30,
        noise: (Double, Double) = (0, 0)
    ) {
        let sun = SyntheticSun(spots: spots, epoch: Self.epoch)
        let sdo = SyntheticObserver(distance: 150.95e9, longitude: 120.3, latitude: 7.19)
        var soho = sdo.later(by: minutes * 60)
        (soho.distance, soho.longitude, soho.latitude) = (soho.distance * 0.99, soho.longitude + 0.4, 7.05)
        hmi = SyntheticDisk(sun, from: sdo, by: .hmi(rotation: rotations.0, reduction: reduction), at: Self.epoch, noise: noise.0, seed: 1)
        mdi = SyntheticDisk(
            sun, from: soho, by: .mdi(rotation: rotations.1, reduction: reduction), at: Self.epoch + minutes * 60, noise: noise.1, seed: 2)
    }

    /// Writes both disks and reads them; MDI's is turned north up.
    func read(hmi hmiOverrides: [String: String?] = [:], mdi mdiOverrides: [String: String?] = [:]) throws -> (high: Magnetogram, low: Magnetogram) {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("sr-pair-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let (high, low) = (folder.appendingPathComponent(hmi.fileName), folder.appendingPathComponent(mdi.fileName))
        try hmi.write(to: high, overrides: hmiOverrides)
        try mdi.write(to: low, overrides: mdiOverrides)
        let map = try Magnetogram(reading: low)
        return (try Magnetogram(reading: high), abs(mdi.camera.rotation) > 90 ? map.turned() : map)
    }

    /// Where MDI's image shows a spot once it is turned north up: pixels from 0.
    func place(of spot: SyntheticSun.Spot) -> SIMD2<Double>? {
        let last = SIMD2(Double(mdi.camera.width - 1), Double(mdi.camera.height - 1))
        return mdi.pixel(of: spot).map { abs(mdi.camera.rotation) > 90 ? last - $0 : $0 }
    }

    /// Coordinates in MDI's image, in pixels of the grid made four times finer.
    static func fine(_ place: SIMD2<Double>) -> SIMD2<Double> { (place + 0.5) * 4 - 0.5 }

    /// A frame of the finer grid around a place in MDI's image.
    static func frame(around place: SIMD2<Double>, side: Int) -> CropFrame {
        CropFrame(x: Int(place.x) * 4 - side / 2, y: Int(place.y) * 4 - side / 2, width: side, height: side)
    }
}

extension Magnetogram {
    /// Where the logarithm of a Gaussian spot, a paraboloid, has its top.
    func peak(near place: SIMD2<Double>, arm: Int) -> SIMD2<Double> {
        let (x, y) = (Int(place.x.rounded()), Int(place.y.rounded())), sign: Float = image[x, y] < 0 ? -1 : 1
        func height(_ dx: Int, _ dy: Int) -> Double { log(Double(sign * image[x + dx * arm, y + dy * arm])) }
        let slope = SIMD2(height(1, 0) - height(-1, 0), height(0, 1) - height(0, -1)) / 2
        let bend = SIMD2(height(1, 0) + height(-1, 0), height(0, 1) + height(0, -1)) - 2 * height(0, 0)
        let twist = (height(1, 1) + height(-1, -1) - height(1, -1) - height(-1, 1)) / 4
        let determinant = bend.x * bend.y - twist * twist
        let offset = SIMD2(twist * slope.y - bend.y * slope.x, twist * slope.x - bend.x * slope.y) / determinant
        return SIMD2(Double(x), Double(y)) + offset * Double(arm)
    }

    /// The integral of the field over the Sun's surface within `radius` degrees of a Carrington position, in Mx, by the header alone: a pixel covers
    /// R² cos(latitude) times the determinant of how heliographic coordinates change from side to side of it.
    func flux(around position: (longitude: Double, latitude: Double), radius: Double) throws -> Double {
        let coordinates = try worldCoordinates(), observer = try observer(), degree = Double.pi / 180
        func surface(_ offset: SIMD2<Double>) throws -> [SIMD2<Double>] {
            let pixels = image.pixels.indices.map { SIMD2(Double($0 % image.width), Double($0 / image.width)) }
            return observer.carrington(at: try coordinates.world(at: pixels.map { $0 + offset / 2 }))
        }
        let sides = try [SIMD2(1.0, 0), SIMD2(-1, 0), SIMD2(0, 1), SIMD2(0, -1)].map(surface), centres = try surface(.zero)
        let radiusSquared = observer.solarRadius * observer.solarRadius * 1e4 * degree * degree
        return image.pixels.indices.reduce(0) { sum, index in
            let latitude = centres[index].y * degree, centre = position.latitude * degree
            let cosine = sin(latitude) * sin(centre) + cos(latitude) * cos(centre) * cos((centres[index].x - position.longitude) * degree)
            guard image.pixels[index].isFinite, cosine >= cos(radius * degree) else { return sum }
            var (a, b) = (sides[0][index] - sides[1][index], sides[2][index] - sides[3][index])
            (a.x, b.x) = (remainder(a.x, 360), remainder(b.x, 360))
            let area = abs(a.x * b.y - a.y * b.x) * cos(latitude) * radiusSquared
            return area.isFinite ? sum + Double(image.pixels[index]) * area : sum
        }
    }
}
