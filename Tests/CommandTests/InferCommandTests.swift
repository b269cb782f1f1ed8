import Foundation
import SolarImage
import Testing

/// `sr infer` as a user runs it.
@Suite struct InferCommandTests {
    private static let side = 24

    @Test func gridIsRefinedAndOriginTold() throws {
        try withFolder { folder in
            let result = try inferLow(folder, "--seed", "5").firstImage()
            #expect(result.image.width == 4 * Self.side && result.image.height == 4 * Self.side)
            #expect(result.header.real("CRPIX1") == (10.25 - 0.5) * 4 + 0.5 && result.header.real("CRPIX2") == (-3.5 - 0.5) * 4 + 0.5)
            #expect(result.header.real("CDELT1") == 1.98 / 4 && result.header.real("CDELT2") == 1.98 / 4)
            #expect(result.header.real("CRVAL1") == 120 && result.header.real("CRVAL2") == -80)
            #expect(result.header.string("T_OBS") == "2001.03.29_12:48:02_TAI" && result.header.string("BUNIT") == "Gauss")
            let header = result.header
            #expect(header.string("SRMODEL") == "model.safetensors" && header.string("SRINPUT") == "low.fits" && header.real("SRGAIN") == 1.4)
            #expect(header.integer("SRSEED") == 5 && header.integer("SRSTEPS") == 2 && header.integer("SRSAMPLE") == 1)
            // The digest is the one that `evaluate` tells of the same file.
            let report = folder.appendingPathComponent("report")
            let models = try TinyModels.shared.get()
            let evaluation = try sr([
                "evaluate", models.maps.path, "--model", models.model.path, "--samples", "1", "--steps", "1", "--limit", "1", "--metrics", "psnr",
                "--output", report.path, "--quiet",
            ])
            #expect(evaluation.status == 0, "\(evaluation)")
            let json = try String(contentsOf: report.appendingPathComponent("report.json"), encoding: .utf8)
            let digest = try #require(json.firstMatch(of: /"file_sha256" : "([0-9a-f]{64})"/)?.1)
            #expect(header.string("SRMSHA") == String(digest))
        }
    }

    @Test func pixelsWithoutDataStayWithout() throws {
        func blank(_ image: inout Image, _: inout FITSHeader) {
            image[5, 7] = .nan
            for y in 20..<24 { for x in 0..<24 { image[x, y] = .nan } }
        }
        try withFolder { folder in
            func isBlank(_ x: Int, _ y: Int) -> Bool { (x / 4, y / 4) == (5, 7) || y >= 80 }
            let kept = try inferLow(folder, change: blank).firstImage().image
            let filled = try inferLow(folder, "--off-disk", "zero").firstImage().image
            for y in 0..<kept.height {
                for x in 0..<kept.width {
                    if isBlank(x, y) {
                        #expect(kept[x, y].isNaN && filled[x, y] == 0)
                    } else {
                        #expect(kept[x, y].isFinite && kept[x, y] == filled[x, y])
                    }
                }
            }
        }
    }

    @Test func keepsItsInputsBlockMeans() throws {
        try withFolder { folder in
            let result = try inferLow(folder, "--consistency", "exact", "--mdi-factor", "1").firstImage().image
            let low = try FITSFile(reading: folder.appendingPathComponent("low.fits")).firstImage().image
            for y in 0..<low.height {
                for x in 0..<low.width {
                    var sum = 0.0
                    for j in 0..<4 { for i in 0..<4 { sum += Double(result[4 * x + i, 4 * y + j]) } }
                    #expect(abs(sum / 16 - Double(low[x, y])) < 0.01)
                }
            }
        }
    }

    @Test func takesABundledModelByItsName() throws {
        try withFolder { folder in
            let result = try inferLow(folder, "--model", "corrdiff-hmi-small", "--crop", "0,0,16,16").firstImage()
            #expect(result.header.string("SRMODEL") == "corrdiff-hmi-small.safetensors")
            let unknown = try sr(["infer", folder.appendingPathComponent("low.fits").path, "--model", "corrdiff", "--output", folder.path])
            #expect(unknown.status == 66 && unknown.errors.contains("there is no such file"), "\(unknown)")
        }
    }

    @Test func cropsHaveTheirOwnGrid() throws {
        try withFolder { folder in
            let result = try inferLow(folder, "--crop", "4,8,12,16").firstImage()
            #expect(result.image.width == 48 && result.image.height == 64)
            #expect(result.header.real("CRPIX1") == (10.25 - 0.5 - 4) * 4 + 0.5 && result.header.real("CRPIX2") == (-3.5 - 0.5 - 8) * 4 + 0.5)
        }
    }

    @Test func seedAloneDecides() throws {
        try withFolder { folder in
            func pixels(_ options: String...) throws -> Image {
                _ = try inferLow(folder, "--samples", "2", "--tile", "16", "--overlap", "8", options[0], options[1], options[2], options[3])
                return try FITSFile(reading: folder.appendingPathComponent("low_sr.fits")).firstImage().image
            }
            let first = try pixels("--seed", "3", "--threads", "1")
            #expect(try pixels("--seed", "3", "--threads", "2") == first)
            #expect(try pixels("--seed", "4", "--threads", "1") != first)
        }
    }

    @Test(
        arguments: [
            (["--steps", "2", "--sampler", "dpm-solver++"], "dpm-solver++", 2, nil), (["--steps", "3", "--sampler", "ddim"], "ddim", 3, 0),
            (["--steps", "2", "--sampler", "ddim", "--eta", "0.25"], "ddim", 2, 0.25), ([], "dpm-solver++", 20, nil),
            (["--sampler", "ddpm"], "ddpm", 1000, nil),
        ] as [([String], String, Int, Double?)])
    func samplersAreTold(_ options: [String], _ sampler: String, _ steps: Int, _ eta: Double?) throws {
        let model = try TinyModels.shared.get().model
        try withFolder { folder in
            let input = folder.appendingPathComponent("low.fits")
            try TestMap.writeLow(to: input, side: 16)
            let result = try sr(["infer", input.path, "--model", model.path, "--output", folder.path, "--quiet"] + options)
            #expect(result.status == 0 && result.errors.isEmpty, "\(result)")
            let written = try FITSFile(reading: folder.appendingPathComponent("low_sr.fits")).firstImage()
            #expect(written.image.pixels.contains { $0 != 0 } && written.image.pixels.allSatisfy { $0.isFinite })
            #expect(written.header.string("SRSAMPLR") == sampler && written.header.integer("SRSTEPS") == steps && written.header.real("SRETA") == eta)
        }
    }

    @Test func batchesContinueAndShare() throws {
        let model = try TinyModels.shared.get().model
        try withFolder { folder in
            let input = folder.appendingPathComponent("in"), output = folder.appendingPathComponent("out")
            try FileManager.default.createDirectory(at: input, withIntermediateDirectories: true)
            // Names with characters that mean something to cfitsio or a shell.
            let names = ["a[1]", "b c", "d(x)+*", "é☀", "e"]
            for (index, name) in names.enumerated() {
                try TestMap.writeLow(to: input.appendingPathComponent("\(name).fits"), side: 16, number: index + 1)
            }
            let command = ["infer", input.path, "--model", model.path, "--steps", "1", "--output", output.path]
            let half = try sr(command + ["--shard", "1/2", "--no-progress"])
            let first = files(under: output).filter { $0.hasSuffix(".fits") }
            #expect(half.status == 0 && first == ["d(x)+*_sr.fits", "é☀_sr.fits"], "\(half), \(first)")
            let other = try sr(command + ["--shard", "2/2", "--preview"])
            #expect(other.status == 0 && !other.errors.contains("\u{1B}") && !other.errors.contains("\r"), "\(other)")
            let both = files(under: output)
            #expect(Set(both.filter { $0.hasSuffix(".fits") }) == Set(names.map { "\($0)_sr.fits" }) && both.contains("b c_sr.png"))
            // Which part a file is in does not depend on the others.
            try FileManager.default.removeItem(at: output)
            try FileManager.default.removeItem(at: input.appendingPathComponent("d(x)+*.fits"))
            #expect(try sr(command + ["--shard", "1/2", "--quiet"]).status == 0)
            #expect(files(under: output).filter { $0.hasSuffix(".fits") } == ["é☀_sr.fits"])
        }
    }

    @Test func namesMayBeginWithADash() throws {
        let model = try TinyModels.shared.get().model
        try withFolder { folder in
            try TestMap.writeLow(to: folder.appendingPathComponent("-x.fits"), side: 16)
            let result = try sr(["infer", "--model", model.path, "--steps", "1", "--output", "out", "--quiet", "--", "-x.fits"], in: folder)
            #expect(result.status == 0 && files(under: folder) == ["-x.fits", "-x_sr.fits", "config.yaml"], "\(result)")
        }
    }

    @Test func largerImagesAreRefused() throws {
        let model = try TinyModels.shared.get().model
        try withFolder { folder in
            try TestMap.writeLow(to: folder.appendingPathComponent("low.fits"), side: 16)
            func infer(_ side: String) throws -> SRProcess.Result {
                try SRProcess(
                    ["infer", "low.fits", "--model", model.path, "--steps", "1", "--largest-image", side, "--output", "out"], in: folder
                ).result()
            }
            expectRefusal(try infer("15"), 65, ["low.fits", "--largest-image"])
            #expect(try infer("16").status == 0)
        }
    }

    /// Values are what stands in the file, not what YAML makes of dates, numbers and words.
    @Test(arguments: ["2010-10-15", "0010", "1.10", "1e3", "on", "-dash"]) func namesInAFileAreText(_ name: String) throws {
        let model = try TinyModels.shared.get().model
        try withFolder { folder in
            try TestMap.writeLow(to: folder.appendingPathComponent("low.fits"), side: 16)
            try Data("steps: 1\nmodel: [\(model.path)]\noutput: \(name)\nquiet: yes\npreview: off\n".utf8)
                .write(to: folder.appendingPathComponent("c.yaml"))
            let result = try SRProcess(["infer", "low.fits", "--config", "c.yaml"], in: folder).result()
            #expect(result.status == 0 && result.errors.isEmpty, "\(result)")
            #expect(FileManager.default.fileExists(atPath: folder.appendingPathComponent("\(name)/low_sr.fits").path), "\(files(under: folder))")
        }
    }

    @Test func optionsMayStandInAFile() throws {
        let model = try TinyModels.shared.get().model
        try withFolder { folder in
            let input = folder.appendingPathComponent("low.fits")
            try TestMap.writeLow(to: input, side: 16)
            try Data("model: \(model.path)\nsteps: 1\nseed: 9\nquiet: true\noutput: \(folder.path)\n".utf8).write(
                to: folder.appendingPathComponent("c.yaml"))
            let result = try sr(["infer", input.path, "--config", folder.appendingPathComponent("c.yaml").path, "--seed", "8"])
            #expect(result.status == 0 && result.errors.isEmpty, "\(result)")
            let header = try FITSFile(reading: folder.appendingPathComponent("low_sr.fits")).firstImage().header
            #expect(header.integer("SRSTEPS") == 1 && header.integer("SRSEED") == 8)
        }
    }
}
