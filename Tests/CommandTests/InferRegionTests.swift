import Foundation
import SolarImage
import SyntheticSun
import Testing

/// `sr infer --centre-on`: crops around NOAA's regions on MDI's full disks.
@Suite struct InferRegionTests {
    /// 2010-10-15T00:00:00 UTC in seconds of atomic time.
    private static let midnight = 1_287_100_834.0
    /// The longitude of the central meridian then, by sunpy 7.0.5 (`sun.L0`).
    private static let meridian = 203.38953

    /// Latitudes and longitudes that the table below gives.
    private static let spots = [(-18.0, 10.0), (17, -63)].map { latitude, longitude in
        SyntheticSun.Spot(longitude: meridian + longitude, latitude: latitude, width: 0.7, peak: 1500)
    }

    private static func disk(rotation: Double, hours: Double = 6, side: Int = 1024, centre: SIMD2<Double> = SIMD2(512.58, 512.17)) -> SyntheticDisk {
        let sun = SyntheticSun(spots: spots, epoch: midnight)
        let observer = SyntheticObserver(distance: 147.6e9, longitude: meridian + 0.3, latitude: 5.9).later(by: hours * 3600)
        let camera = SyntheticCamera(.mdi, width: side, height: side, arcsecPerPixel: 1.986008, rotation: rotation, centre: centre)
        return SyntheticDisk(sun, from: observer, by: camera, at: midnight + hours * 3600)
    }

    private static func writeTable(to folder: URL) throws -> String {
        let url = folder.appendingPathComponent("regions.csv")
        let rows = ["date,noaa_region,location,size", "2010-10-15,1112,S18W10,20", "2010-10-15,11113,N17E63,100", "2010-10-15,11119,N05W110,0"]
        try Data((rows + ["2010-10-18,11120,N05W10,0", ""]).joined(separator: "\r\n").utf8).write(to: url)
        return url.path
    }

    private func infer(_ input: URL, _ options: [String]) throws -> SRProcess.Result {
        let folder = input.deletingLastPathComponent()
        let regions = try Self.writeTable(to: folder), model = try TinyModels.shared.get().model.path
        return try sr(
            ["infer", input.path, "--model", model, "--steps", "1", "--output", folder.path, "--regions", regions, "--crop-size", "48", "--quiet"]
                + options)
    }

    /// The region is in the middle, to half an input pixel, whichever way the disk is turned, six hours after the report.
    @Test(arguments: [(0.0, 0, "11112"), (180.013, 0, "1112"), (179.93, 1, "11113"), (3.1, 1, "AR11113")])
    func regionIsInTheMiddle(_ rotation: Double, _ index: Int, _ number: String) throws {
        try withFolder { folder in
            let disk = Self.disk(rotation: rotation), input = folder.appendingPathComponent("disk.fits")
            try disk.write(to: input)
            let result = try infer(input, ["--centre-on", number, "--consistency", "exact", "--mdi-factor", "1"])
            try #require(result.status == 0 && result.errors.isEmpty, "\(result)")
            let made = try FITSFile(reading: folder.appendingPathComponent("disk_sr.fits")).firstImage()
            #expect(made.image.width == 192 && made.image.height == 192)
            let place = try #require(disk.pixel(of: Self.spots[index])), camera = disk.camera.centre
            // The grid tells which pixels of the disk these are.
            for (keyword, centre, expected) in [("CRPIX1", camera.x, place.x), ("CRPIX2", camera.y, place.y)] {
                let start = centre - 0.5 - (try #require(made.header.real(keyword)) - 0.5) / 4
                #expect(abs(start - start.rounded()) < 1e-6 && abs(start + 23.5 - expected) < 0.51, "\(keyword): \(start), \(expected)")
            }
            // And so do the pixels.
            var (sum, moment) = (0.0, SIMD2(0.0, 0.0))
            for y in 0..<192 {
                for x in 0..<192 where abs(made.image[x, y]) > 300 {
                    sum += Double(made.image[x, y])
                    moment += Double(made.image[x, y]) * SIMD2(Double(x), Double(y))
                }
            }
            #expect(sum > 0 && abs(moment.x / sum - 95.5) < 4 && abs(moment.y / sum - 95.5) < 4, "\(moment / sum)")
            let history = made.header.cards.filter { $0.keyword == "HISTORY" }.map(\.comment).joined(separator: " ")
            #expect(history.contains("48 x 48 around NOAA \(index == 0 ? 11112 : 11113)"), "\(history)")
        }
    }

    /// Where the image ends, so does the crop.
    @Test func cropStaysInTheImage() throws {
        try withFolder { folder in
            let place = try #require(Self.disk(rotation: 0).pixel(of: Self.spots[1])), input = folder.appendingPathComponent("part.fits")
            let centre = SIMD2(512.58, 512.17) - SIMD2(place.x.rounded(), place.y.rounded()) + SIMD2(10, 54)
            try Self.disk(rotation: 0, side: 64, centre: centre).write(to: input)
            let result = try infer(input, ["--centre-on", "11113"])
            try #require(result.status == 0, "\(result)")
            let header = try FITSFile(reading: folder.appendingPathComponent("part_sr.fits")).firstImage().header
            #expect(header.real("CRPIX1") == (centre.x - 0.5) * 4 + 0.5 && header.real("CRPIX2") == (centre.y - 0.5 - 16) * 4 + 0.5)
            let whole = try infer(input, ["--centre-on", "11113", "--crop-size", "100", "--overwrite"])
            #expect(whole.status == 0, "\(whole)")
            #expect(try FITSFile(reading: folder.appendingPathComponent("part_sr.fits")).firstImage().image.width == 256)
            let out = try infer(input, ["--centre-on", "11112", "--overwrite"])
            expectRefusal(out, 65, ["part.fits: NOAA 11112 is out of the image", "64 × 64 pixels", "S18W10 on 2010-10-15"])
        }
    }

    private static let withoutGrid = Dictionary(
        ["CTYPE", "CUNIT", "CRPIX", "CRVAL", "CDELT", "CROTA"].flatMap { ["\($0)1", "\($0)2"] }.map { ($0, String?.none) }
    ) { $1 }

    @Test(
        arguments: [
            ("11119", [:], ["NOAA 11119 is behind the limb", "N05W110 on 2010-10-15"]),
            ("11120", [:], ["not reported within a day", "one of NOAA 11112, NOAA 11113, NOAA 11119", "nearest report of 2010-10-18"]),
            ("11121", [:], ["not reported within a day", "found no report of it", "--regions"]),
            ("11112", ["DSUN_OBS": nil], ["disk.fits, DSUN_OBS", "the observer's distance"]),
            ("11112", ["CTYPE1": nil, "CUNIT1": nil], ["disk.fits, CTYPE1", "no world coordinates"]),
            ("11112", withoutGrid, ["disk.fits, CTYPE1", "where on the Sun"]),
            ("11112", ["T_OBS": nil, "T_REC": nil, "DATE-OBS": nil], ["disk.fits, T_OBS", "time of the observation is not known"]),
        ] as [(String, [String: String?], [String])])
    func regionsThatCannotBeFound(_ number: String, _ overrides: [String: String?], _ words: [String]) throws {
        try withFolder { folder in
            let input = folder.appendingPathComponent("disk.fits"), output = folder.appendingPathComponent("out")
            try Self.disk(rotation: 180.013).write(to: input, overrides: overrides)
            expectRefusal(try infer(input, ["--centre-on", number, "--output", output.path]), 65, words, output: output)
        }
    }

    /// In a batch the other files are done. Lists in a configuration file do not swallow the inputs.
    @Test func batchesGoOn() throws {
        try withFolder { folder in
            let inputs = folder.appendingPathComponent("in"), output = folder.appendingPathComponent("out")
            try FileManager.default.createDirectory(at: inputs, withIntermediateDirectories: true)
            try Self.disk(rotation: 0).write(to: inputs.appendingPathComponent("a.fits"))
            try Self.disk(rotation: 0, hours: 96).write(to: inputs.appendingPathComponent("b.fits"))
            let model = try TinyModels.shared.get().model.path, configuration = folder.appendingPathComponent("c.yaml")
            try Data("centre-on: 11112\nregions: [\(try Self.writeTable(to: folder))]\n".utf8).write(to: configuration)
            let result = try sr([
                "infer", "--config", configuration.path, "--model", model, "--steps", "1", "--crop-size", "16", "--output", output.path, inputs.path,
            ])
            #expect(result.status == 65 && result.errors.contains("b.fits: NOAA 11112 was not reported within a day"), "\(result)")
            #expect(result.errors.contains("a report near 2010-10-19") || result.errors.contains("one of NOAA 11120"), "\(result)")
            #expect(files(under: output) == ["a_sr.fits", "config.yaml"])
            let none = try sr(["infer", inputs.path, "--centre-on", "11112", "--regions", "nowhere.csv", "--output", output.path])
            expectRefusal(none, 66, ["nowhere.csv", "there is no such file"])
        }
    }
}
