import Foundation
import Groundwork
import SolarImage
import SuperResolution
import Testing

@Suite struct PreparationTests {
    @Test func unfitFilesAreLeftOutWithTheirReasons() throws {
        try withPreparationFolder { folder in
            let image = MetricFixture.spots(width: 64, height: 48)
            try folder.write("a.fits", .map(harp: 1), image)
            try FileManager.default.copyItem(at: folder.input("a.fits"), to: folder.input("b.fits"))
            try folder.write("c.fits", .map(harp: 2, ["QUALITY": .integer(-2_147_483_648)]), image)
            try folder.write("d.fits", .map(harp: 3, ["QUALITY": .integer(0x10400)]), image)
            try folder.write("e.fits", .map(harp: 4), MetricFixture.spots(width: 64, height: 31))
            try folder.write("f.fits", .map(harp: 5), Image(width: 40, height: 40, repeating: .nan))
            try Data("no FITS".utf8).write(to: folder.input("g.fits"))
            try folder.write("i.fits", .map(harp: 6, ["CDELT1": .real(0.12), "CDELT2": .real(0.12)]), image)
            try folder.write("j.fits", .map(harp: 7, ["TELESCOP": .string("SOHO"), "INSTRUME": .string("MDI")]), image)
            try folder.write("k.fits", FITSHeader(), image)

            let survey = try folder.prepare(PreparationOptions { ($0.qualityMask, $0.instrument) = (0x400, .hmi) })
            #expect(survey.sources.map(\.url.lastPathComponent) == ["a.fits", "k.fits"])
            let reasons = Dictionary(uniqueKeysWithValues: survey.rejections.map { ($0.url.lastPathComponent, $0.reason) })
            let expected = [
                "b.fits": "a.fits", "c.fits": "0x80000000", "d.fits": "0x00000400", "e.fits": "64 × 31", "f.fits": "no pixel has a value",
                "g.fits": "FITS", "i.fits": "10 %", "j.fits": "of mdi",
            ]
            for (name, words) in expected { #expect(reasons[name]?.contains(words) == true, "\(name): \(reasons[name] ?? "taken")") }
            #expect(survey.rejections.filter { $0.failure != nil }.map(\.url.lastPathComponent) == ["f.fits", "g.fits"])
            #expect(survey.rejections.map(\.number) == survey.rejections.map(\.number).sorted())
            // A file that tells nothing is taken for what was asked for.
            let bare = survey.sources.first { $0.url.lastPathComponent == "k.fits" }
            #expect(bare?.instrument == .hmi && bare?.arcsecPerPixel == nil && bare?.time == nil)
        }
    }

    @Test func regionsStayTogether() throws {
        try withPreparationFolder { folder in
            var number: Float = 0
            func add(_ name: String, harp: Int?, noaa: String? = nil, time: String? = "2012.03.06_14:24:00_TAI", at longitude: Double? = nil) throws {
                number += 1
                var header = FITSHeader.map(harp: harp, time: time, noaa.map { ["NOAA_ARS": .string($0)] } ?? [:])
                if let longitude {
                    header.set("CRVAL1", .real(longitude))
                } else {
                    for stem in ["CTYPE", "CUNIT", "CDELT", "CRPIX", "CRVAL"] { for axis in 1...2 { header.remove("\(stem)\(axis)") } }
                }
                try folder.write(name, header, Image(width: 40, height: 40, repeating: number))
            }
            try add("a.fits", harp: 1)
            try add("b.fits", harp: 2, noaa: "11429,11430")
            try add("c.fits", harp: 3, noaa: "11430")
            try add("d.fits", harp: nil)
            try add("e.fits", harp: nil, time: "2012.03.31_14:24:00_TAI")
            try add("f.fits", harp: nil, time: "2012.04.01_14:24:00_TAI")
            try add("g.fits", harp: nil, time: nil)
            try add("h.fits", harp: nil, time: nil)
            // Maps are 1.2° wide.
            try add("i.fits", harp: 4, at: 100)
            try add("j.fits", harp: nil, time: "2012.03.07_14:24:00_TAI", at: 100.5)
            try add("k.fits", harp: nil, time: "2012.03.12_14:24:00_TAI", at: 110)
            let survey = try PreparationSurvey(of: folder.files(), options: PreparationOptions())
            func groups(_ unit: PreparationOptions.SplitUnit) -> [String] {
                let split = Preparation(survey, options: PreparationOptions { $0.splitBy = unit }).split
                func name(_ item: Int) -> String { survey.sources[split.items[item].source].url.deletingPathExtension().lastPathComponent }
                return split.groups.map { $0.map(name).joined() }
            }
            #expect(groups(.region) == ["a", "bc", "de", "f", "g", "h", "ij", "k"])
            #expect(groups(.month) == ["abcdeijk", "f", "g", "h"])
            #expect(groups(.file) == ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"])
        }
    }

    @Test func cropsHaveTheFieldAndTheGridOfTheirSource() throws {
        try withPreparationFolder { folder in
            let image = MetricFixture.spots(width: 150, height: 90).transformed { x, y, value in x == 0 && y < 9 ? .nan : value }
            let source = try folder.write("map_HARP0077.fits", .map(harp: 77, ["BUNIT": .string("kG")]), image.transformed { $2 / 1000 })
            try Data("x".utf8).write(to: folder.input("zz.fits"))
            let options = PreparationOptions { ($0.cropSize, $0.cropsPerImage, $0.previews) = (64, 3, true) }
            try folder.prepare(options)
            let output = folder.output

            let whole = try Magnetogram(reading: source)
            let digest = try sha256(of: source)
            let crops = try folder.crops()
            #expect(crops.count == 3 && crops.allSatisfy { $0.split == .train })
            for line in crops {
                let crop = try Magnetogram(reading: folder.crop(line))
                #expect(line.output == "train/map_HARP0077_x\(line.x)_y\(line.y).fits" && line.region == ["HARP 77"] && line.instrument == .hmi)
                #expect(line.sha256 == digest && line.time == "2012-03-06T14:23:26.000Z" && line.quality == 0)
                let expected = whole.image.cropped(x: line.x, y: line.y, width: 64, height: 64)
                #expect(crop.image.width == 64 && crop.image.height == 64 && crop.image.greatestDifference(from: expected) == 0)
                #expect(
                    crop.header.string("BUNIT") == "Gauss"
                        && crop.header.real("DATAMAX").map(Float.init) == crop.image.pixels.filter(\.isFinite).max())
                #expect(line.statistics == FieldStatistics(of: expected))
                let (a, b) = (try #require(crop.grid), try #require(whole.grid))
                for point in [SIMD2(0.0, 0.0), SIMD2(63.0, 20.0)] {
                    let there = b.pixel(at: a.plane(at: point)) - SIMD2(Double(line.x), Double(line.y)) - point
                    #expect(abs(there.x) < 1e-9 && abs(there.y) < 1e-9)
                }
                let history = crop.header.cards.filter { $0.keyword == "HISTORY" }.map(\.comment).joined(separator: " ")
                #expect(history.contains("sr \(programVersion) prepare: columns \(line.x) to \(line.x + 63)"))
                let picture = output.previews.appending(path: "map_HARP0077_x\(line.x)_y\(line.y).png")
                #expect(FileManager.default.fileExists(atPath: picture.path))
            }
            #expect(try folder.rejections().map(\.source) == [folder.input("zz.fits").path])

            // Once more: nothing of the former run is left, and an equal run gives equal bytes.
            let first = try folder.content()
            try Data().write(to: output.part(.test).appending(path: "old.fits"))
            try folder.prepare(options)
            #expect(try folder.content() == first && !PreparationStaging.exists(in: output.url))
        }
    }

    @Test func outputsNeverShareAName() throws {
        try withPreparationFolder { folder in
            try FileManager.default.createDirectory(at: folder.input("more"), withIntermediateDirectories: true)
            let one = try folder.write("a.fits", .map(), Image(width: 40, height: 40, repeating: 1))
            let two = try folder.write("more/A.fits", .map(), Image(width: 40, height: 40, repeating: 2))
            try folder.prepare(PreparationOptions(), files: [one, two])
            #expect(try folder.crops().map(\.output) == ["train/a.fits", "train/A_2.fits"])
        }
    }

    @Test func otherPeoplesFoldersAreNotOverwritten() throws {
        try withPreparationFolder { folder in
            let input = try folder.write("a.fits", .map(), Image(width: 40, height: 40, repeating: 1))
            func category(_ name: String, inputs: [URL] = [], overwrite: Bool) -> Failure.Category? {
                do {
                    try PreparedFolder(folder.url.appending(path: name)).check(inputs: inputs, overwrite: overwrite)
                    return nil
                } catch { return (error as? Failure)?.category }
            }
            #expect(category("new", overwrite: false) == nil)
            #expect(category("in", overwrite: false) == .cannotWrite && category("in", overwrite: true) == .cannotWrite)
            #expect(category("in", inputs: [input], overwrite: true) == .usage)
            #expect(category("in/a.fits", overwrite: true) == .cannotWrite)
            try Data().write(to: folder.input("manifest.jsonl"))
            #expect(category("in", overwrite: true) == nil)
        }
    }
}
