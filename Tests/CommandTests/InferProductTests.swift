import Foundation
import SolarImage
import SyntheticSun
import Testing

/// What `sr infer` tells of a product in its header, and does with products.
@Suite struct InferProductTests {
    /// What an archive's file has beside the grid.
    private static func archived(_: inout Image, _ header: inout FITSHeader) {
        for (keyword, text) in [
            ("DATE", "2012-02-28T00:05:04.000"), ("CONTENT", "MDI Full Disk 96m Magnetogram"), ("ORIGIN", "SOI Science Support Center"),
            ("DRMS_ID", "mdi.fd_M_96m_lev182:37516:data"), ("PRIMARYK", "T_REC"), ("RUNTIME", "2010.11.05_21:17:20.000_UTC"),
        ] { header.set(keyword, .string(text)) }
        for (keyword, value) in [
            ("RECNUM", 37516), ("DATAVALS", 576), ("MISSVALS", 0), ("TOTVALS", 576), ("CADENCE", 5760), ("WCSAXES", 2),
        ] { header.set(keyword, .integer(value)) }
        for (keyword, value) in [("DATAMAX", 9e9), ("TOT_FLUX", 9e9)] { header.set(keyword, .real(value)) }
    }

    /// The primary unit, and those with a name.
    private func units(_ file: FITSFile, _ names: [String]) throws -> [FITSImage] {
        try [file.firstImage()] + names.map { try #require(try file.image(named: $0)) }
    }

    @Test func everyUnitTellsHowItWasMade() throws {
        try withFolder { folder in
            let before = Date()
            let file = try inferLow(
                folder, "--samples", "2", "--seed", "7", "--tile", "16", "--overlap", "4", "--consistency", "exact", change: Self.archived)
            let low = try FITSFile(reading: folder.appendingPathComponent("low.fits")).firstImage().image
            for (unit, sample) in zip(try units(file, ["MEAN", "STD", "STD_FINE", "FINE"]), [nil, "mean", "std", "std_fine", "fine"]) {
                let header = unit.header
                for (keyword, text) in [
                    ("SRVERS", "0.1.0"), ("SRMODEL", "model.safetensors"), ("SRINPUT", "low.fits"), ("SRINREC", "mdi.fd_M_96m_lev182:37516:data"),
                    ("SRSAMPLR", "dpm-solver++"), ("SRCONSIS", "exact"), ("SROFFDSK", "nan"), ("SRSAMPLE", sample),
                    ("CONTENT", "MDI Full Disk 96m Magnetogram, super-resolved 4 times"),
                ] { #expect(header.string(keyword) == text, "\(keyword)") }
                for (keyword, number) in [("SRSEED", 7), ("SRNSAMP", 2), ("SRSTEPS", 2), ("SRTILE", 16), ("SROVERLP", 4)] {
                    #expect(header.integer(keyword) == number, "\(keyword)")
                }
                #expect(header.real("SRGAIN") == 1.4 && header.string("SRMSHA")?.count == 64 && header.string("SRINSHA")?.count == 64)
                // What was true of the input's record.
                for keyword in ["RECNUM", "DRMS_ID", "PRIMARYK", "RUNTIME", "ORIGIN", "CADENCE"] { #expect(!header.contains(keyword), "\(keyword)") }
                let text = try #require(header.string("DATE"))
                let date = try #require(ISO8601DateFormatter().date(from: text + "Z"))
                #expect(date >= before - 1 && date <= Date() + 1)
                #expect(header.cards.first { $0.keyword.hasPrefix("WCSAXES") || $0.keyword.hasPrefix("CRPIX") }?.keyword == "WCSAXES")
                #expect(header.cards.count { $0.keyword == "HISTORY" } <= 4)
                let isField = sample == nil || sample == "mean"
                #expect(header.contains("TOT_FLUX") == isField && header.contains("DATAVALS") == isField && header.contains("SRRESID") == isField)
                guard isField else { continue }
                #expect(header.integer("DATAVALS") == 9216 && header.integer("MISSVALS") == 0 && header.integer("TOTVALS") == 9216)
                #expect(header.real("DATAMAX").map(Float.init) == unit.image.pixels.max())
                let means = unit.image.blockMean(by: 4).pixels
                let residual = zip(means, low.pixels).map { abs($0 - $1 / 1.4) }.max() ?? .nan
                #expect(abs(Float(try #require(header.real("SRRESID"))) - residual) < 1e-3 && residual < 1e-2)
            }
        }
    }

    /// What fitsverify reports of early MDI's and SMARP's files, and what describes their pixels rather than the product's.
    @Test func whatIsNotSoOfTheProductGoes() throws {
        try withFolder { folder in
            let header = try inferLow(folder) { _, header in
                header.set("DATE-OBS", .string("2002/03/31"))
                header.set("BLD_VERS", .undefined)
                header.set("ARS_QUAL", .undefined, comment: "(MISSING)")
                header.set("NOAA_AR", .integer(11087))
                for keyword in ["USFLUXL", "R_VALUE", "MTOT", "NPIX"] { header.set(keyword, .real(1)) }
                for keyword in ["CRVAL1", "CRVAL2"] { header.remove(keyword) }
                header.addComment("what is said stays")
            }.firstImage().header
            for keyword in ["BLD_VERS", "ARS_QUAL", "USFLUXL", "R_VALUE", "MTOT", "NPIX"] { #expect(!header.contains(keyword), "\(keyword)") }
            #expect(header.string("DATE-OBS") == "2002-03-31" && header.integer("NOAA_AR") == 11087 && header.real("CRVAL1") == 0)
            #expect(header.cards.contains { $0.comment == "what is said stays" } && header.cards.contains { $0.keyword == "HISTORY" })
        }
    }

    /// MDI's input is compared with what MDI would make of the result, unless block means were asked for.
    @Test func theResidualIsThatOfTheObservation() throws {
        try withFolder { folder in
            func residual(_ consistency: String) throws -> (Double, Image) {
                let unit = try inferLow(folder, "--consistency", consistency).firstImage()
                return (try #require(unit.header.real("SRRESID")), unit.image)
            }
            let low = { try FITSFile(reading: folder.appendingPathComponent("low.fits")).firstImage().image }
            for consistency in ["auto", "exact"] {
                let (found, image) = try residual(consistency)
                let observed = consistency == "exact" ? image : image.blurred(by: Instrument.mdi.usualConditions.psf, arcsecPerPixel: 1.98 / 4)
                let expected = zip(observed.blockMean(by: 4).pixels, try low().pixels).map { abs($0 - $1 / 1.4) }.max() ?? .nan
                #expect(abs(Float(found) - expected) < 1e-3 + 1e-4 * expected, "\(consistency)")
            }
        }
    }

    /// Dates apart, the same work gives the same bytes; the date too may be given.
    @Test func bytesAreReproducible() throws {
        let model = try TinyModels.shared.get().model
        try withFolder { folder in
            let input = folder.appendingPathComponent("low.fits"), output = folder.appendingPathComponent("low_sr.fits")
            try TestMap.writeLow(to: input, side: 16)
            func bytes(_ threads: String) throws -> Data {
                let result = try sr(
                    [
                        "infer", input.path, "--model", model.path, "--steps", "1", "--threads", threads, "--output", folder.path, "--overwrite",
                        "--quiet",
                    ],
                    environment: ["SOURCE_DATE_EPOCH": "1291680000"])
                try #require(result.status == 0, "\(result)")
                return try Data(contentsOf: output)
            }
            let first = try bytes("1")
            #expect(try FITSFile(reading: output).firstImage().header.string("DATE") == "2010-12-07T00:00:00")
            #expect(try bytes("2") == first)
        }
    }

    /// In a file of several images the reader needs to know which it was.
    @Test func extensionsAreNamed() throws {
        let model = try TinyModels.shared.get().model
        try withFolder { folder in
            let inputs = ["rice-int32-blank.fits", "float64.fits"].map { fixture("SolarImage/\($0)").path }
            let result = try sr(["infer"] + inputs + ["--model", model.path, "--steps", "1", "--output", folder.path, "--quiet"])
            #expect(result.status == 0, "\(result)")
            for (name, told) in [("rice-int32-blank", ["sr: input is HDU 1 (MAGNETOGRAM)"]), ("float64", [])] {
                let header = try FITSFile(reading: folder.appendingPathComponent("\(name)_sr.fits")).firstImage().header
                #expect(header.cards.map(\.comment).filter { $0.contains("input is HDU") } == told, "\(name)")
            }
        }
    }

    @Test func productsAreNotDividedTwice() throws {
        let model = try TinyModels.shared.get().model
        try withFolder { folder in
            let product = try inferLow(folder, "--consistency", "exact", "--crop", "0,0,8,8").firstImage()
            let path = folder.appendingPathComponent("low_sr.fits").path, output = folder.appendingPathComponent("again")
            let command = ["infer", path, "--model", model.path, "--steps", "1", "--consistency", "exact", "--output", output.path, "--quiet"]
            expectRefusal(
                try sr(command), 65, ["low_sr.fits, SRVERS", "super-resolved already", "a product of model.safetensors", "--force"], output: output)
            let forced = try sr(command + ["--force"])
            try #require(forced.status == 0, "\(forced)")
            let again = try FITSFile(reading: output.appendingPathComponent("low_sr_sr.fits")).firstImage()
            #expect(again.image.width == 128 && again.header.real("SRGAIN") == 1.4 && again.header.cards.count { $0.keyword == "SRGAIN" } == 1)
            #expect(!again.header.contains("SRCROP") && again.header.string("SRINPUT") == "low_sr.fits")
            let difference = zip(again.image.blockMean(by: 4).pixels, product.image.pixels).map { abs($0 - $1) }.max() ?? .nan
            #expect(difference < 1e-2, "\(difference)")
        }
    }

    /// As the low resolution of pairs either.
    @Test func productsOfMDIPairAsTheyAre() throws {
        let model = try TinyModels.shared.get().model
        try withFolder { folder in
            let (hmi, mdi) = (folder.appendingPathComponent("hmi"), folder.appendingPathComponent("mdi"))
            for place in [hmi, mdi] { try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true) }
            let name = "map_20010329_124800_AR9393.fits", partner = mdi.appendingPathComponent(name)
            try TestMap.write(to: hmi.appendingPathComponent(name), side: 96, arcsec: 0.495)
            func factor(_ output: String) throws -> Double? {
                let output = folder.appendingPathComponent(output)
                let result = try sr([
                    "prepare", hmi.path, "--pairs", mdi.path, "--registered", "--min-correlation=-1", "--crop-size", "96", "--split", "1,0,0",
                    "--split-by", "file", "--quiet", "--output", output.path,
                ])
                try #require(result.status == 0, "\(result)")
                let crop = try #require(files(under: output.appendingPathComponent("train")).first)
                return try FITSFile(reading: output.appendingPathComponent("train/\(crop)")).image(named: "LR")?.header.real("MDIFACT")
            }
            try TestMap.write(to: partner, side: 96, arcsec: 0.495, telescope: "SOHO", instrument: "MDI")
            #expect(try factor("measured") == 1.4)
            try FileManager.default.removeItem(at: partner)
            let low = folder.appendingPathComponent("low.fits")
            try TestMap.writeLow(to: low)
            let result = try sr(["infer", low.path, "--model", model.path, "--steps", "1", "--output", folder.path, "--quiet"])
            try #require(result.status == 0, "\(result)")
            try FileManager.default.moveItem(at: folder.appendingPathComponent("low_sr.fits"), to: partner)
            #expect(try factor("product") == 1)
        }
    }

    // MARK: - The limb

    private static let solarCentre = SIMD2(512.58, 512.17)

    /// A part of MDI's disk across the limb.
    private func writePart(to url: URL, x: Int, y: Int, side: Int, rotation: Double = 0) throws {
        let epoch = 1_287_100_834.0
        let sun = SyntheticSun(spots: [SyntheticSun.Spot(longitude: 203, latitude: 5, width: 8, peak: 900)], epoch: epoch)
        let camera = SyntheticCamera(
            .mdi, width: side, height: side, arcsecPerPixel: 1.986008, rotation: rotation, centre: Self.solarCentre - SIMD2(Double(x), Double(y)))
        try SyntheticDisk(sun, from: SyntheticObserver(distance: 147.6e9, longitude: 203.4, latitude: 5.9), by: camera, at: epoch).write(to: url)
    }

    /// Not by the coarse pixels: every finer pixel on the disk has a value, none beyond has.
    @Test(arguments: [(0, 480, 0.0), (130, 130, 0), (840, 820, 180.013)]) func limbIsDrawnOnTheFineGrid(_ x: Int, _ y: Int, _ rotation: Double) throws
    {
        let model = try TinyModels.shared.get().model
        try withFolder { folder in
            let input = folder.appendingPathComponent("part.fits")
            try writePart(to: input, x: x, y: y, side: 64, rotation: rotation)
            let result = try sr([
                "infer", input.path, "--model", model.path, "--steps", "1", "--samples", "2", "--keep-samples", "--output", folder.path, "--quiet",
            ])
            try #require(result.status == 0, "\(result)")
            let file = try FITSFile(reading: folder.appendingPathComponent("part_sr.fits"))
            for unit in try units(file, ["MEAN", "STD", "STD_FINE", "FINE"]) {
                func number(_ keyword: String) throws -> Double { try #require(unit.header.real(keyword)) }
                let (centreX, centreY) = (try number("CRPIX1") - 1, try number("CRPIX2") - 1), radius = try number("RSUN_OBS") / number("CDELT1")
                var (wrong, off) = (0, 0)
                for row in 0..<256 {
                    for column in 0..<256 {
                        let isOff = hypot(Double(column) - centreX, Double(row) - centreY) > radius
                        off += isOff ? 1 : 0
                        wrong += isOff == unit.image[column, row].isNaN ? 0 : 1
                    }
                }
                #expect(wrong == 0 && off > 4000 && off < 60000, "\(unit.name ?? "primary"): \(wrong) of \(off)")
            }
        }
    }

    /// Data that are missing on the disk stay missing, whole blocks of them, next to the limb too.
    @Test func missingDataAreNotTheLimb() throws {
        let model = try TinyModels.shared.get().model
        try withFolder { folder in
            let (whole, input) = (folder.appendingPathComponent("whole.fits"), folder.appendingPathComponent("part.fits"))
            try writePart(to: whole, x: 0, y: 480, side: 64)
            var map = try FITSFile(reading: whole).firstImage()
            let edge = try #require((0..<64).first { !map.image[$0, 40].isNaN })
            for x in 0..<64 where x < edge + 3 { map.image[x, 40] = .nan }
            map.image[60, 10] = .nan
            try FITSWriter.write(map.image, header: map.header, to: input)
            let result = try sr(["infer", input.path, "--model", model.path, "--steps", "1", "--output", folder.path, "--quiet"])
            try #require(result.status == 0, "\(result)")
            let image = try FITSFile(reading: folder.appendingPathComponent("part_sr.fits")).firstImage().image
            for y in 40..<44 { for x in 240..<244 { #expect(image[x, y].isNaN) } }
            for y in 160..<164 {
                for x in 4 * edge..<4 * (edge + 3) { #expect(image[x, y].isNaN) }
                #expect(!image[4 * (edge + 3), y].isNaN)
            }
            #expect(!image[244, 40].isNaN && !image[239, 40].isNaN)
        }
    }

    // MARK: - Going on

    @Test func continuesWhatIsFinishedWithTheseSettings() throws {
        let model = try TinyModels.shared.get().model
        try withFolder { folder in
            let input = folder.appendingPathComponent("in"), output = folder.appendingPathComponent("out")
            try FileManager.default.createDirectory(at: input, withIntermediateDirectories: true)
            for name in ["a", "b"] { try TestMap.writeLow(to: input.appendingPathComponent("\(name).fits"), side: 16, number: name == "a" ? 1 : 2) }
            func run(_ options: String...) throws -> SRProcess.Result {
                try sr(
                    ["infer", input.path, "--model", model.path, "--steps", "1", "--output", output.path, "--continue", "--no-progress"] + options)
            }
            func bytes(_ name: String) throws -> Data { try Data(contentsOf: output.appendingPathComponent("\(name)_sr.fits")) }
            #expect(try run().status == 0)
            let (a, b) = (try bytes("a"), try bytes("b"))
            // Finished; a picture that is missing is made, of the result.
            let again = try run("--preview")
            #expect(again.status == 0 && again.errors.components(separatedBy: "skipped, finished").count == 3, "\(again)")
            #expect(try bytes("a") == a && bytes("b") == b && files(under: output).filter { $0.hasSuffix(".png") } == ["a_sr.png", "b_sr.png"])
            // Other settings, another input, something else: told, and made anew only if that is allowed.
            for (option, word) in [
                (["--seed", "2"], "SRSEED 1, not 2"), (["--consistency", "off"], "SRCONSIS auto, not off"), (["--tile", "32"], "SRTILE 64, not 32"),
                (["--samples", "2"], "SRNSAMP 1, not 2"), (["--mdi-factor", "1.5"], "SRGAIN 1.4, not 1.5"),
                (["--off-disk", "zero"], "SROFFDSK nan, not zero"),
            ] {
                let result = try sr(
                    ["infer", input.path, "--model", model.path, "--steps", "1", "--output", output.path, "--continue", "--no-progress"] + option)
                #expect(result.status == 65 && result.errors.contains("2 of 2 files failed") && result.errors.contains(word), "\(result)")
            }
            #expect(try bytes("a") == a && bytes("b") == b)
            try FileManager.default.removeItem(at: input.appendingPathComponent("a.fits"))
            try TestMap.writeLow(to: input.appendingPathComponent("a.fits"), side: 16, number: 5)
            try Data("something".utf8).write(to: output.appendingPathComponent("b_sr.fits"))
            let changed = try run()
            #expect(changed.status == 65 && changed.errors.contains("SRINSHA") && changed.errors.contains("it is no FITS image"), "\(changed)")
            let anew = try run("--overwrite")
            #expect(anew.status == 0 && !anew.errors.contains("skipped"), "\(anew)")
            #expect(try bytes("a") != a && FITSFile(reading: output.appendingPathComponent("b_sr.fits")).firstImage().image.width == 64)
        }
    }

    @Test func interruptionListsWhatFailedBefore() throws {
        let model = try TinyModels.shared.get().model
        try withFolder { folder in
            let broken = folder.appendingPathComponent("a.fits"), output = folder.appendingPathComponent("out")
            try Data("no FITS".utf8).write(to: broken)
            try TestMap.writeLow(to: folder.appendingPathComponent("b.fits"), side: 16)
            try TestMap.writeLow(to: folder.appendingPathComponent("c.fits"), side: 96)
            let process = try SRProcess([
                "infer", folder.path, "--model", model.path, "--sampler", "ddpm", "--output", output.path, "--no-progress",
            ])
            while process.isRunning, !FileManager.default.fileExists(atPath: output.appendingPathComponent("b_sr.fits").path) { usleep(2000) }
            process.send(SIGINT)
            let result = try process.result()
            #expect(result.status == 130 && result.errorLines.last?.contains("a.fits: cannot be read as FITS") == true, "\(result)")
            #expect(result.errors.contains("interrupted") && result.errors.contains("1 of 3 files failed:"), "\(result)")
        }
    }

    /// The configuration beside the results gives them again.
    @Test func configurationIsSaved() throws {
        let models = try TinyModels.shared.get()
        try withFolder { folder in
            let input = folder.appendingPathComponent("low.fits"), first = folder.appendingPathComponent("first"),
                second = folder.appendingPathComponent("second")
            try TestMap.writeLow(to: input, side: 16)
            let options = [
                "--model", models.model.path, "--steps", "2", "--sampler", "ddim", "--eta", "0.5", "--seed", "9", "--samples", "2", "--fine-order",
                "3",
            ]
            #expect(
                try sr(["infer", input.path, "--output", first.path, "--quiet", "--off-disk", "zero", "--primary", "mean"] + options).status == 0)
            let again = try sr([
                "infer", input.path, "--config", first.appendingPathComponent("config.yaml").path, "--output", second.path, "--quiet",
            ])
            #expect(again.status == 0, "\(again)")
            func product(_ folder: URL) throws -> FITSImage { try FITSFile(reading: folder.appendingPathComponent("low_sr.fits")).firstImage() }
            let (one, other) = (try product(first), try product(second))
            #expect(one.image == other.image)
            func keywords(_ unit: FITSImage) -> [FITSCard] { unit.header.cards.filter { $0.keyword.hasPrefix("SR") } }
            #expect(keywords(one) == keywords(other) && keywords(one).count > 18)

            let report = folder.appendingPathComponent("report")
            let evaluation = try sr(
                [
                    "evaluate", models.maps.path, "--metrics", "psnr", "--limit", "1", "--tile", "16", "--overlap", "4", "--output", report.path,
                    "--quiet",
                ]
                    + ["--model", models.model.path, "--steps", "1", "--samples", "1"])
            #expect(evaluation.status == 0, "\(evaluation)")
            #expect(try ReportFile(in: report).options.tile == 16)
            let perImage = try Data(contentsOf: report.appendingPathComponent("per-image.csv"))
            let repeated = try sr([
                "evaluate", models.maps.path, "--config", report.appendingPathComponent("config.yaml").path, "--output", second.path, "--quiet",
            ])
            #expect(repeated.status == 0, "\(repeated)")
            #expect(try Data(contentsOf: second.appendingPathComponent("per-image.csv")) == perImage)
        }
    }
}
