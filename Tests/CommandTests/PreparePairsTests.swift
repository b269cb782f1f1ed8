import Foundation
import SolarImage
import SyntheticSun
import Testing

/// `sr prepare HMI --pairs MDI` on full disks of a synthetic Sun, half an hour apart, from SDO and from SOHO.
@Suite struct PreparePairsTests {
    /// 2010-09-01T00:00:00 TAI in seconds of atomic time.
    private static let epoch = 1_283_299_200.0
    private static let dipoles = [(115.0, 10.0, 1800.0), (155, -18, 1500)].map { longitude, latitude, peak in
        SyntheticSun.dipole(longitude: longitude, latitude: latitude, width: 1, peak: peak, separation: 7, tilt: -6)
    }

    /// Six hours from pair to pair.
    private static func disks(_ number: Int, hmi: Double, mdi: Double) -> (hmi: SyntheticDisk, mdi: SyntheticDisk) {
        let time = epoch + Double(number) * 6 * 3600
        let sun = SyntheticSun(spots: dipoles.flatMap(\.self), epoch: time)
        let sdo = SyntheticObserver(distance: 150.95e9, longitude: 120.3, latitude: 7.19)
        var soho = sdo.later(by: 1800)
        (soho.distance, soho.longitude, soho.latitude) = (0.99 * soho.distance, soho.longitude + 0.4, 7.05)
        return (
            SyntheticDisk(sun, from: sdo, by: .hmi(rotation: hmi, reduction: 1), at: time),
            SyntheticDisk(sun, from: soho, by: .mdi(rotation: mdi, reduction: 1), at: time + 1800)
        )
    }

    private struct Line: Decodable {
        let output: String, source: String, height: Int, x: Int, y: Int, pair: Pair

        struct Pair: Decodable {
            let source: String, correlation: Double
        }
    }

    /// The sum of a field of one sign over a square, and its centre in pixels.
    private static func spot(_ image: Image, sign: Float, x: Int, y: Int, side: Int) -> (sum: Double, centre: SIMD2<Double>) {
        var (sum, moment) = (0.0, SIMD2(0.0, 0.0))
        for row in y..<y + side {
            for column in x..<x + side {
                let value = Double(max(0, sign * image[column, row]))
                sum += value
                moment += value * SIMD2(Double(column), Double(row))
            }
        }
        return (sum, moment / sum)
    }

    /// Whichever way the two disks are turned, both fields of a pair have their spots in the same places, north up, with the same flux.
    @Test func pairsAreAlignedAndUpright() throws {
        let turns: [(hmi: Double, mdi: Double)] = [0, 179.93, 180.013, 3.1].flatMap { [($0, 0), ($0, 180)] }
        try withFolder { folder in
            for name in ["hmi", "mdi"] {
                try FileManager.default.createDirectory(at: folder.appendingPathComponent(name), withIntermediateDirectories: true)
            }
            var partners: [String: (name: String, disk: SyntheticDisk)] = [:]
            for (number, (hmi, mdi)) in turns.enumerated() {
                let pair = Self.disks(number, hmi: hmi, mdi: mdi)
                try pair.hmi.write(to: folder.appendingPathComponent("hmi/\(pair.hmi.fileName)"))
                try pair.mdi.write(to: folder.appendingPathComponent("mdi/\(pair.mdi.fileName)"))
                partners[pair.hmi.fileName] = (pair.mdi.fileName, pair.mdi)
            }
            #expect(partners.count == turns.count)
            let output = folder.appendingPathComponent("out")
            let result = try sr([
                "prepare", folder.appendingPathComponent("hmi").path, "--pairs", folder.appendingPathComponent("mdi").path, "--max-time-difference",
                "60", "--centre", "strongest", "--crop-size", "1024", "--crops-per-image", "2", "--split-by", "file", "--split", "1,0,0", "--quiet",
                "--output", output.path,
            ])
            try #require(result.status == 0 && result.errors.isEmpty, "\(result)")
            let manifest = try String(contentsOf: output.appendingPathComponent("manifest.jsonl"), encoding: .utf8)
            let lines = try manifest.split(separator: "\n").map { try JSONDecoder().decode(Line.self, from: Data($0.utf8)) }
            try #require(lines.count == 2 * turns.count)
            for line in lines {
                let partner = try #require(partners[URL(fileURLWithPath: line.source).lastPathComponent])
                #expect(line.pair.source.hasSuffix(partner.name) && line.pair.correlation > 0.9999)
                let file = try FITSFile(reading: output.appendingPathComponent(line.output))
                let high = try file.firstImage(), low = try #require(try file.image(named: "LR"))
                try #require(high.image.width == 1024 && low.image.width == 256)
                try check(high, low.image, of: partner.disk, "\(line.output)")
            }
        }
    }

    private func check(_ high: FITSImage, _ low: Image, of disk: SyntheticDisk, _ name: String) throws {
        let known = low.pixels.indices.filter { low.pixels[$0].isFinite }
        var centres: [SIMD2<Double>] = []
        for sign: Float in [1, -1] {
            let peak = try #require(known.max { sign * low.pixels[$0] < sign * low.pixels[$1] })
            // Five standard deviations around the greatest field, in whole pixels of MDI's.
            let side = 85, (x, y) = (peak % low.width - side / 2, peak / low.width - side / 2)
            try #require(x >= 0 && y >= 0 && x + side <= low.width && y + side <= low.height, "\(name): \(peak)")
            let coarse = Self.spot(low, sign: sign, x: x, y: y, side: side)
            let fine = Self.spot(high.image, sign: sign, x: 4 * x, y: 4 * y, side: 4 * side)
            let offset = (coarse.centre + 0.5) * 4 - 0.5 - fine.centre
            #expect(max(abs(offset.x), abs(offset.y)) < 0.1, "\(name): \(offset)")
            #expect(abs(fine.sum / 16 / coarse.sum - 1) < 0.005, "\(name): \(fine.sum / 16), \(coarse.sum)")
            // Where the world coordinates say, north up; the camera's own place turned upright.
            let spots = Self.dipoles.flatMap(\.self).filter { Float($0.peak) * sign > 0 }
            func number(_ keyword: String) throws -> Double { try #require(high.header.real(keyword), "\(keyword)") }
            let step = try number("CDELT1")
            let place = (fine.centre + 1 - SIMD2(try number("CRPIX1"), try number("CRPIX2"))) * step
            let distances = try spots.map { spot in
                let turn = abs(disk.camera.rotation) > 90 ? -1.0 : 1
                let arcsec = turn * disk.camera.arcsecPerPixel * ((try #require(disk.pixel(of: spot))) - disk.limb.centre)
                return ((arcsec - place) * (arcsec - place)).sum().squareRoot()
            }
            #expect(distances.min() ?? 99 < 1 && abs(step * 4 - disk.camera.arcsecPerPixel) < 1e-9, "\(name): \(distances)")
            #expect(abs(high.header.real("CROTA2") ?? 0) < 1e-9)
            centres.append(fine.centre)
        }
        // The leading spot, to the west, is positive.
        #expect(centres[0].x > centres[1].x + 150, "\(name): \(centres)")
    }
}
