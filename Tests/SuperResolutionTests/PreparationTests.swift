import Foundation
import Groundwork
import SolarImage
import SuperResolution
import Testing

@Suite struct PreparationTests {
    /// Inputs in a folder of their own; all gone afterwards.
    private func withFolder(_ body: (_ folder: URL) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "prepare-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder.appending(path: "in"), withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try body(folder)
    }

    private func cards(_ values: [String: FITSCard.Value]) -> FITSHeader {
        FITSHeader(values.sorted { $0.key < $1.key }.map { FITSCard($0.key, $0.value) })
    }

    /// A map of HMI as CEA maps are, with further cards.
    private func mapHeader(harp: Int? = nil, time: String? = "2012.03.06_14:24:00_TAI", _ others: [String: FITSCard.Value] = [:]) -> FITSHeader {
        var values: [String: FITSCard.Value] = [
            "CTYPE1": .string("CRLN-CEA"), "CTYPE2": .string("CRLT-CEA"), "CUNIT1": .string("degree"), "CUNIT2": .string("degree"),
            "CDELT1": .real(0.03), "CDELT2": .real(0.03), "CRPIX1": .real(40.5), "CRPIX2": .real(30.5), "CRVAL1": .real(301.25), "CRVAL2": .real(17),
            "TELESCOP": .string("SDO/HMI"), "QUALITY": .integer(0), "BUNIT": .string("Mx/cm^2"), "DATAMAX": .real(9),
        ]
        if let harp { values["HARPNUM"] = .integer(harp) }
        if let time { values["T_OBS"] = .string(time) }
        return cards(values.merging(others) { _, new in new })
    }

    @discardableResult private func write(_ name: String, in folder: URL, _ header: FITSHeader, _ image: Image) throws -> URL {
        let url = folder.appending(path: "in/\(name)")
        try FITSWriter.write(image, header: header, to: url)
        return url
    }

    private func survey(_ folder: URL, _ change: (inout PreparationOptions) -> Void = { _ in }) throws -> (PreparationSurvey, PreparationOptions) {
        var options = PreparationOptions()
        change(&options)
        return (try PreparationSurvey(of: try fitsFiles(in: folder.appending(path: "in")), options: options), options)
    }

    /// All inputs prepared, up to an interruption.
    private func prepare(
        _ files: [URL], _ options: PreparationOptions, to output: PreparedFolder, startsAnew: Bool = true, isCancelled: () -> Bool = { false }
    ) throws -> [PreparationPart: Int] {
        let staging = try PreparationStaging(in: output.url, files: files, options: options, startsAnew: startsAnew)
        let survey = try PreparationSurvey(of: files, options: options, staging: staging, isCancelled: isCancelled)
        return try Preparation(survey, options: options).write(staging, to: output, inputs: ["in"])
    }

    private func lines<Line: Decodable>(_ url: URL, _ type: Line.Type) throws -> [Line] {
        try String(contentsOf: url, encoding: .utf8).split(separator: "\n").compactMap { try? JSONDecoder().decode(type, from: Data($0.utf8)) }
    }

    @Test func unfitFilesAreLeftOutWithTheirReasons() throws {
        try withFolder { folder in
            let image = MetricFixture.spots(width: 64, height: 48)
            try write("a.fits", in: folder, mapHeader(harp: 1), image)
            try FileManager.default.copyItem(at: folder.appending(path: "in/a.fits"), to: folder.appending(path: "in/b.fits"))
            try write("c.fits", in: folder, mapHeader(harp: 2, ["QUALITY": .integer(-2_147_483_648)]), image)
            try write("d.fits", in: folder, mapHeader(harp: 3, ["QUALITY": .integer(0x10400)]), image)
            try write("e.fits", in: folder, mapHeader(harp: 4), MetricFixture.spots(width: 64, height: 31))
            try write("f.fits", in: folder, mapHeader(harp: 5), Image(width: 40, height: 40, repeating: .nan))
            try Data("no FITS".utf8).write(to: folder.appending(path: "in/g.fits"))
            try write("i.fits", in: folder, mapHeader(harp: 6, ["CDELT1": .real(0.12), "CDELT2": .real(0.12)]), image)
            try write("j.fits", in: folder, mapHeader(harp: 7, ["TELESCOP": .string("SOHO"), "INSTRUME": .string("MDI")]), image)
            try write("k.fits", in: folder, cards([:]), image)

            let (survey, _) = try survey(folder) {
                $0.qualityMask = 0x400
                $0.instrument = .hmi
            }
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
        try withFolder { folder in
            var number: Float = 0
            func add(_ name: String, harp: Int?, noaa: String? = nil, time: String? = "2012.03.06_14:24:00_TAI") throws {
                number += 1
                // Each map shows another part of the Sun.
                var others: [String: FITSCard.Value] = ["CRVAL1": .real(Double(20 * number))]
                if let noaa { others["NOAA_ARS"] = .string(noaa) }
                let header = mapHeader(harp: harp, time: time, others)
                try write(name, in: folder, header, Image(width: 40, height: 40, repeating: number))
            }
            try add("a.fits", harp: 1)
            try add("b.fits", harp: 2, noaa: "11429,11430")
            try add("c.fits", harp: 3, noaa: "11430")
            try add("d.fits", harp: nil)
            try add("e.fits", harp: nil, time: "2012.03.31_14:24:00_TAI")
            try add("f.fits", harp: nil, time: "2012.04.01_14:24:00_TAI")
            try add("g.fits", harp: nil, time: nil)
            try add("h.fits", harp: nil, time: nil)
            let survey = try survey(folder).0
            func groups(_ unit: PreparationOptions.SplitUnit) -> [String] {
                var options = PreparationOptions()
                options.splitBy = unit
                let split = Preparation(survey, options: options).split
                return split.groups.map { group in
                    group.map { survey.sources[split.items[$0].source].url.deletingPathExtension().lastPathComponent }.joined()
                }
            }
            #expect(groups(.region) == ["a", "bc", "d", "e", "f", "g", "h"])
            #expect(groups(.month) == ["abcde", "f", "g", "h"])
            #expect(groups(.file) == ["a", "b", "c", "d", "e", "f", "g", "h"])
        }
    }

    @Test func cropsHaveTheFieldAndTheGridOfTheirSource() throws {
        try withFolder { folder in
            let image = MetricFixture.spots(width: 150, height: 90).transformed { x, y, value in x == 0 && y < 9 ? .nan : value }
            let source = try write("map_HARP0077.fits", in: folder, mapHeader(harp: 77, ["BUNIT": .string("kG")]), image.transformed { $2 / 1000 })
            try Data("x".utf8).write(to: folder.appending(path: "in/zz.fits"))
            var options = PreparationOptions()
            (options.cropSize, options.cropsPerImage, options.previews) = (64, 3, true)
            let files = try fitsFiles(in: folder.appending(path: "in"))
            let output = PreparedFolder(folder.appending(path: "out"))
            #expect(try prepare(files, options, to: output) == [.train: 3])

            let whole = try Magnetogram(reading: source)
            let digest = try sha256(of: source)
            let crops = try lines(output.manifest, ManifestCrop.self)
            #expect(crops.count == 3)
            for line in crops {
                let crop = try Magnetogram(reading: output.url.appending(path: line.output))
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
            let rejected = try lines(output.manifest, ManifestRejection.self)
            #expect(rejected.map(\.source) == [folder.appending(path: "in/zz.fits").path])

            // Once more: nothing of the former run is left, and an equal run gives equal bytes.
            let first = try Data(contentsOf: output.url.appending(path: crops[0].output))
            try Data().write(to: output.part(.test).appending(path: "old.fits"))
            _ = try prepare(files, options, to: output)
            #expect(try Data(contentsOf: output.url.appending(path: crops[0].output)) == first)
            #expect(try fitsFiles(in: output.part(.test)).isEmpty)
        }
    }

    @Test func outputsNeverShareAName() throws {
        try withFolder { folder in
            try FileManager.default.createDirectory(at: folder.appending(path: "in/more"), withIntermediateDirectories: true)
            let one = try write("a.fits", in: folder, mapHeader(), Image(width: 40, height: 40, repeating: 1))
            let two = try write("more/A.fits", in: folder, mapHeader(), Image(width: 40, height: 40, repeating: 2))
            let output = PreparedFolder(folder.appending(path: "out"))
            _ = try prepare([one, two], PreparationOptions(), to: output)
            #expect(try lines(output.manifest, ManifestCrop.self).map(\.output) == ["train/a.fits", "train/A_2.fits"])
        }
    }

    @Test func otherPeoplesFoldersAreNotOverwritten() throws {
        try withFolder { folder in
            let input = try write("a.fits", in: folder, mapHeader(), Image(width: 40, height: 40, repeating: 1))
            func category(_ name: String, inputs: [URL] = [], overwrite: Bool) -> Failure.Category? {
                do {
                    try PreparedFolder(folder.appending(path: name)).check(inputs: inputs, overwrite: overwrite)
                    return nil
                } catch { return (error as? Failure)?.category }
            }
            #expect(category("new", overwrite: false) == nil)
            #expect(category("in", overwrite: false) == .cannotWrite && category("in", overwrite: true) == .cannotWrite)
            #expect(category("in", inputs: [input], overwrite: true) == .usage)
            #expect(category("in/a.fits", overwrite: true) == .cannotWrite)
            try Data().write(to: folder.appending(path: "in/manifest.jsonl"))
            #expect(category("in", overwrite: true) == nil)
        }
    }

    @Test func fingerprintHasTheStatisticsOfAllPixels() throws {
        let images = [MetricFixture.spots(width: 60, height: 50), MetricFixture.noise(width: 64, height: 64).transformed { 25 * $2 + Float($0) }]
        var fingerprint = FieldFingerprint()
        for (index, image) in images.enumerated() { fingerprint.add(image, arcsecPerPixel: 0.5 + Double(index) / 100, month: "2012-0\(4 - index)") }
        fingerprint.add(Image(width: 10, height: 10, repeating: .nan), arcsecPerPixel: nil, month: nil)

        struct Content: Decodable {
            var crops: Int, pixels: Int, mean: Double, months: [String], missingFraction: Double, standardDeviation: Double
            var unsignedPercentiles: [String: Double], fractionBelow: [String: Double], arcsecPerPixel: [Double]
        }
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let content = try decoder.decode(Content.self, from: JSONEncoder().encode(fingerprint))
        let values = images.flatMap { $0.pixels.map(Double.init) }
        let mean = values.reduce(0, +) / Double(values.count)
        let deviation = (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)).squareRoot()
        let sorted = values.map(abs).sorted()
        #expect(content.crops == 3 && content.pixels == values.count + 100 && content.months == ["2012-03", "2012-04"])
        #expect(abs(content.mean - mean) < 1e-9 * deviation && abs(content.standardDeviation / deviation - 1) < 1e-9)
        #expect(abs(content.missingFraction - 100 / Double(values.count + 100)) < 1e-12 && content.arcsecPerPixel == [0.5, 0.51])
        for (name, percent) in [("50", 50), ("90", 90), ("99", 99), ("99.9", 99.9), ("100", 100)] {
            let expected = sorted[max(0, Int((percent / 100 * Double(sorted.count)).rounded(.up)) - 1)]
            #expect(abs((content.unsignedPercentiles[name] ?? .nan) / expected - 1) < 2e-4)
        }
        for limit in [10.0, 50, 100, 300, 1000] {
            #expect(content.fractionBelow[String(format: "%g", limit)] == Double(sorted.count { $0 < limit }) / Double(sorted.count))
        }
    }

    /// A run that was interrupted goes on, does not read again what it had read, and ends with the same files.
    @Test func interruptedRunGoesOn() throws {
        try withFolder { folder in
            for name in ["a", "b", "c", "d"] {
                try write(
                    "\(name).fits", in: folder, mapHeader(harp: Int(name.utf8.first ?? 0)),
                    MetricFixture.spots(width: 70, height: 66).transformed { _, _, value in value + Float(name.utf8.first ?? 0) })
            }
            let files = try fitsFiles(in: folder.appending(path: "in"))
            var options = PreparationOptions()
            (options.cropSize, options.cropsPerImage) = (32, 2)
            let (whole, pieces) = (PreparedFolder(folder.appending(path: "whole")), PreparedFolder(folder.appending(path: "pieces")))
            let counts = try prepare(files, options, to: whole)
            var asked = 0
            #expect {
                _ = try prepare(files, options, to: pieces) {
                    asked += 1
                    return asked > 2
                }
            } throws: { ($0 as? Failure)?.category == .interrupted }
            #expect(!FileManager.default.fileExists(atPath: pieces.manifest.path) && PreparationStaging.exists(in: pieces.url))
            let staging = try PreparationStaging(in: pieces.url, files: files, options: options, startsAnew: false)
            #expect(!staging.finished.isEmpty && staging.finished.count < files.count)
            var others = options
            others.seed = 2
            #expect(throws: Failure.self) { try PreparationStaging(in: pieces.url, files: files, options: others, startsAnew: false) }
            #expect(try prepare(files, options, to: pieces, startsAnew: false) == counts)
            #expect(!PreparationStaging.exists(in: pieces.url))
            for line in try lines(whole.manifest, ManifestCrop.self) {
                #expect(try Data(contentsOf: whole.url.appending(path: line.output)) == Data(contentsOf: pieces.url.appending(path: line.output)))
            }
            #expect(try Data(contentsOf: whole.manifest) == Data(contentsOf: pieces.manifest))
            #expect(try Data(contentsOf: whole.fingerprint) == Data(contentsOf: pieces.fingerprint))
        }
    }
}
