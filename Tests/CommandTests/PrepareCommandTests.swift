import Foundation
import SolarImage
import SyntheticSun
import Testing

/// `sr prepare` as a user runs it.
@Suite struct PrepareCommandTests {
    private func run(_ arguments: String...) throws -> SRProcess.Result { try sr(["prepare"] + arguments) }

    private func run(options: [String]) throws -> SRProcess.Result { try sr(["prepare"] + options) }

    /// A folder `in` with three maps of different regions, beside which tests write.
    private func withMaps(_ body: (_ folder: URL, _ input: String) throws -> Void) throws {
        try withFolder { folder in
            try FileManager.default.createDirectory(at: folder.appending(path: "in"), withIntermediateDirectories: true)
            for harp in 1...3 {
                var header = FITSHeader()
                header.set("HARPNUM", .integer(harp))
                header.set("TELESCOP", .string("SDO/HMI"))
                header.set("T_OBS", .string("2012.03.0\(harp)_00:00:00_TAI"))
                let pixels = (0..<48 * 40).map { Float($0 % 97 * harp) }
                try FITSWriter.write(
                    Image(width: 48, height: 40, pixels: pixels), header: header, to: folder.appending(path: "in/map\(harp).fits"))
            }
            try body(folder, folder.appending(path: "in").path)
        }
    }

    private func exists(_ folder: URL, _ path: String) -> Bool { FileManager.default.fileExists(atPath: folder.appending(path: path).path) }

    @Test func preparesAndRefusesToDoSoTwice() throws {
        try withMaps { folder, input in
            let output = folder.appending(path: "out").path
            let first = try run(input, "--output", output, "--quiet")
            #expect(first.status == 0 && first.errors.isEmpty && first.output.isEmpty, "\(first.errors)")
            for part in ["train", "validation", "test"] {
                #expect(try FileManager.default.contentsOfDirectory(atPath: "\(output)/\(part)").count == 1)
            }
            for name in ["manifest.jsonl", "fingerprint.json", "config.yaml"] { #expect(exists(folder, "out/\(name)")) }
            let second = try run(input, "--output", output)
            #expect(second.status == 73 && second.errors.contains("--overwrite"))
            #expect(try run(input, "--output", output, "--overwrite").status == 0)
        }
    }

    /// Each header or field that misleads is a line of the manifest; the others go on.
    @Test func whatMisleadsIsLeftOut() throws {
        try withFolder { folder in
            let (input, bad) = (folder.appending(path: "in"), folder.appending(path: "bad"))
            try TestMap.writeHigh(to: input)
            try FileManager.default.createDirectory(at: bad, withIntermediateDirectories: true)
            let cases: [(name: String, words: String, change: @Sendable (inout Image, inout FITSHeader) -> Void)] = [
                ("fill", "no solar magnetic field", { image, _ in image[2, 3] = -1e30 }),
                ("all", "no solar magnetic field", { image, _ in image.pixels = image.pixels.map { _ in 1e15 } }),
                ("twice", "contradictory keywords", { $1.append(FITSCard("CDELT1", .real(2))) }),
                ("half", "CDELT2", { $1.remove("CDELT2") }), ("linear", "LINEAR", { $1.set("CTYPE1", .string("LINEAR")) }),
                ("distorted", "distorted", { $1.set("PV1_1", .real(0.1)) }),
            ]
            for item in cases {
                for place in [input, bad] {
                    try TestMap.write(to: place.appending(path: "\(item.name).fits"), side: 64, arcsec: 0.504, number: 9, change: item.change)
                }
            }
            let result = try run(input.path, "--output", folder.appending(path: "out").path)
            #expect(result.status == 65, "\(result)")
            let manifest = try String(contentsOf: folder.appending(path: "out/manifest.jsonl"), encoding: .utf8).split(separator: "\n")
            #expect(manifest.count { $0.contains("\"output\"") } == 3)
            for item in cases {
                #expect(
                    manifest.contains { $0.contains("/\(item.name).fits") && $0.contains("\"rejected\"") && $0.contains(item.words) }, "\(item.name)")
            }
            let none = try run(bad.path, "--output", folder.appending(path: "none").path)
            #expect(none.status == 65 && none.errors.contains("no file can be prepared") && !exists(folder, "none"), "\(none)")
        }
    }

    @Test func saysWhereThereIsNoTime() throws {
        try withFolder { folder in
            for (name, date) in [("a", "2012-03-06"), ("b", "2012-03-06 at noon"), ("c", "6-Mar-2012 14:23")] {
                try TestMap.write(to: folder.appending(path: "\(name).fits"), side: 64, arcsec: 0.504, number: 1) { image, header in
                    header.remove("T_OBS")
                    header.set("DATE-OBS", .string(date))
                    image[0, 0] = Float(name.utf8.first ?? 0)
                }
            }
            let result = try run(folder.path, "--check")
            #expect(
                result.status == 0 && result.errors.contains("no time that can be read in header or name: \(folder.path)/a.fits and 1 more"),
                "\(result)")
        }
    }

    @Test func itsOwnConfigurationGivesTheSameCrops() throws {
        try withMaps { folder, input in
            let options = [
                "--crop-size", "32", "--crops-per-image", "2", "--seed", "9", "--quality-mask", "0x10400", "--split-by", "file", "--centre",
                "strongest",
            ]
            let first = try run(options: [input, "--output", folder.appending(path: "one").path] + options)
            let second = try run(
                input, "--output", folder.appending(path: "two").path, "--config", folder.appending(path: "one/config.yaml").path)
            #expect(first.status == 0 && second.status == 0, "\(first.errors)\(second.errors)")
            for name in ["manifest.jsonl", "config.yaml", "fingerprint.json"] {
                #expect(try Data(contentsOf: folder.appending(path: "one/\(name)")) == Data(contentsOf: folder.appending(path: "two/\(name)")))
            }
            try Data("quality-mask: 10400\n".utf8).write(to: folder.appending(path: "number.yaml"))
            #expect(try run(input, "--check", "--config", folder.appending(path: "number.yaml").path).status == 78)
            try Data("crop-sice: 64\n".utf8).write(to: folder.appending(path: "wrong.yaml"))
            let wrong = try run(input, "--check", "--config", folder.appending(path: "wrong.yaml").path)
            #expect(wrong.status == 78 && wrong.errors.contains("crop-size"))
        }
    }

    @Test func checkReportsAndWritesNothing() throws {
        try withMaps { folder, input in
            let before = try FileManager.default.subpathsOfDirectory(atPath: folder.path)
            let result = try run(input, "--check", "--output", folder.appending(path: "out").path)
            #expect(
                result.status == 0 && result.output.contains("3 to prepare") && result.output.contains("HARP 2")
                    && result.output.contains("validation"))
            #expect(try FileManager.default.subpathsOfDirectory(atPath: folder.path) == before)
        }
    }

    @Test func goesOnPastABadFile() throws {
        try withMaps { folder, input in
            try Data("no FITS".utf8).write(to: folder.appending(path: "in/bad.fits"))
            let result = try run(input, "--output", folder.appending(path: "out").path)
            #expect(result.status == 65 && result.errors.contains("1 of 4 files failed") && result.errors.contains("bad.fits"))
            let manifest = try String(contentsOf: folder.appending(path: "out/manifest.jsonl"), encoding: .utf8)
            #expect(manifest.split(separator: "\n").count == 4 && manifest.contains("\"rejected\""))
        }
    }

    @Test func exitStatusesAreThoseOfTheContract() throws {
        try withMaps { folder, input in
            let output = folder.appending(path: "out").path
            try FileManager.default.createDirectory(at: folder.appending(path: "empty"), withIntermediateDirectories: true)
            try Data("a text".utf8).write(to: folder.appending(path: "text"))
            #expect(try run(folder.appending(path: "none").path, "--output", output).status == 66)
            #expect(try run(folder.appending(path: "empty").path, "--output", output).status == 65)
            #expect(try run(folder.appending(path: "text").path, "--output", output).status == 65)
            #expect(try run(input, "--output", folder.appending(path: "text/out").path).status == 73)
            #expect(try run(input, "--output", input, "--overwrite").status == 64)
            #expect(try run(input).status == 64)
            for options in [
                ["--split", "1"], ["--crop-size", "10"], ["--centre", "noaa"], ["--centre", "north"], ["--quality-mask", "xyz"], ["--registered"],
                ["--simulate", "hmi"],
                ["--min-mu", "2"], ["--max-time-difference", "4"], ["--min-correlation", "0.5"], ["--mdi-factor", "1.3"], ["--mdi-blur", "3"],
                ["--mdi-noise", "9"], ["--simulate", "mdi", "--min-correlation", "0.5"], ["--simulate", "mdi", "--pairs", input],
                ["--simulate", "mdi", "--mdi-noise", "-1"], ["--simulate", "mdi", "--mdi-factor", "0"],
                ["--pairs", input, "--mdi-noise", "9"], ["--pairs", input, "--min-correlation", "3"],
                ["--pairs", input, "--max-time-difference", "-1"],
                ["--pairs", input, "--registered", "--max-time-difference", "4"],
            ] {
                #expect(try run(options: [input, "--output", output] + options).status == 64, "\(options)")
            }
            #expect(try run(input, "--output", output, "--regions", folder.appending(path: "none").path).status == 66)
            #expect(try run(input, "--output", output, "--regions", folder.appending(path: "text").path).status == 65)
            #expect(try run(input, "--output", output, "--pairs", folder.appending(path: "none").path).status == 66)
            #expect(try run(input, "--output", output, "--registered", "--pairs", folder.appending(path: "none").path).status == 66)
            #expect(try run(input, "--output", output, "--simulate", "mdi").status == 65, "nothing tells how large a pixel is")
            #expect(!exists(folder, "out"))
        }
    }

    /// Twelve MDI disks, of a day each.
    private func withDisks(_ body: (_ folder: URL, _ arguments: [String]) throws -> Void) throws {
        try withFolder { folder in
            try FileManager.default.createDirectory(at: folder.appending(path: "in"), withIntermediateDirectories: true)
            let start = SyntheticObserver(distance: 1.48e11, longitude: 100, latitude: 5)
            let sun = SyntheticSun(spots: SyntheticSun.network(count: 40, width: 2, peak: 300, seed: 2), epoch: 1.28e9)
            for day in 0..<12 {
                let time = Double(day) * 86400
                let disk = SyntheticDisk(sun, from: start.later(by: time), by: .mdi(), at: 1.28e9 + time, noise: 10, seed: UInt64(day))
                try disk.write(to: folder.appending(path: "in/\(day).fits"))
            }
            // Pictures take the most time.
            try body(
                folder, ["prepare", folder.appending(path: "in").path, "--crop-size", "256", "--crops-per-image", "3", "--previews", "--no-progress"])
        }
    }

    private func content(_ folder: URL) throws -> [String: Data] {
        let paths = try FileManager.default.subpathsOfDirectory(atPath: folder.path).filter { path in
            var isFolder: ObjCBool = false
            return FileManager.default.fileExists(atPath: folder.appending(path: path).path, isDirectory: &isFolder) && !isFolder.boolValue
        }
        return try Dictionary(uniqueKeysWithValues: paths.map { ($0, try Data(contentsOf: folder.appending(path: $0))) })
    }

    @Test func goesOnAfterItWasKilledOrInterrupted() throws {
        try withDisks { folder, arguments in
            let whole = folder.appending(path: "whole"), output = folder.appending(path: "out")
            #expect(try sr(arguments + ["--output", whole.path]).status == 0)
            let expected = try content(whole)
            #expect(expected.count == 2 * 36 + 3)

            for signal in [SIGKILL, SIGINT] {
                let process = try SRProcess(arguments + ["--output", output.path, "--threads", "1"])
                // Until two files more are in the journal.
                let journal = output.appending(path: ".partial/journal.jsonl")
                func lines() -> Int { (try? String(contentsOf: journal, encoding: .utf8))?.split(separator: "\n").count ?? 0 }
                let before = lines()
                while process.isRunning, lines() < max(1, before) + 2 { usleep(2000) }
                process.send(signal)
                let result = try process.result()
                #expect(result.status == (signal == SIGINT ? 130 : -Int(SIGKILL)), "\(result)")
                if signal == SIGINT { #expect(result.errors.contains("run the same command again to go on")) }
                #expect(!FileManager.default.fileExists(atPath: output.appending(path: "manifest.jsonl").path))
            }
            let others = try sr(arguments + ["--output", output.path, "--seed", "3"])
            expectRefusal(others, 73, ["unfinished", "seed: 1", "seed: 3", "--overwrite"])
            let last = try sr(arguments + ["--output", output.path])
            #expect(last.status == 0 && last.errors.contains("of 12 files were already read"), "\(last)")
            #expect(try content(output) == expected)

            // What is finished is replaced only on demand, and stands until the new crops are complete.
            #expect(try sr(arguments + ["--output", output.path]).status == 73)
            let anew = try SRProcess(arguments + ["--output", output.path, "--threads", "1", "--overwrite", "--seed", "3"])
            while anew.isRunning, !FileManager.default.fileExists(atPath: output.appending(path: ".partial").path) { usleep(1000) }
            anew.send(SIGKILL)
            _ = try anew.result()
            #expect(try content(output).filter { !$0.key.hasPrefix(".partial") } == expected)
            #expect(try sr(arguments + ["--output", output.path, "--overwrite"]).status == 0)
            #expect(try content(output) == expected)
        }
    }

    @Test func preparesPairsAndRegions() throws {
        try withFolder { folder in
            let input = folder.appending(path: "in"), time = 1_287_136_800.0
            try FileManager.default.createDirectory(at: input, withIntermediateDirectories: true)
            let midnight = ObservationTime(taiSeconds: 1_287_100_834)
            let observer = SyntheticObserver(distance: 1.49e11, longitude: ObservationTime(taiSeconds: time).centralMeridianLongitude, latitude: 5.9)
            let spot = SyntheticSun.Spot(longitude: midnight.centralMeridianLongitude - 20, latitude: 10, width: 1.5, peak: 1500)
            try SyntheticDisk(SyntheticSun(spots: [spot], epoch: midnight.taiSeconds), from: observer, by: .hmi(reduction: 8), at: time, noise: 5)
                .write(to: input.appending(path: "disk.fits"))
            let table = folder.appending(path: "regions.csv")
            try Data("date,noaa_region,location\n2010-10-15,11112,N10E20\n".utf8).write(to: table)
            let output = folder.appending(path: "out")
            try Data("regions: [\(table.path)]\n".utf8).write(to: folder.appending(path: "options.yaml"))
            let result = try sr([
                "prepare", "--config", folder.appending(path: "options.yaml").path, input.path, "--centre", "noaa", "--crop-size", "64", "--simulate",
                "mdi",
                "--mdi-noise", "8", "--output", output.path,
            ])
            #expect(result.status == 0, "\(result)")
            let manifest = try String(contentsOf: output.appending(path: "manifest.jsonl"), encoding: .utf8)
            for text in ["\"NOAA 11112\"", "\"simulated\"", "\"turned\":true", "\"mdi_factor\":1.4"] { #expect(manifest.contains(text), "\(text)") }
            let configuration = try String(contentsOf: output.appending(path: "config.yaml"), encoding: .utf8)
            #expect(configuration.contains("simulate: mdi") && configuration.contains("mdi-noise: 8.0") && configuration.contains("regions: ["))
            let again = folder.appending(path: "again")
            #expect(try sr(["prepare", input.path, "--config", output.appending(path: "config.yaml").path, "--output", again.path]).status == 0)
            #expect(try content(again) == content(output))
            let check = try sr(["prepare", input.path, "--check", "--centre", "noaa", "--regions", table.path])
            #expect(check.status == 0 && check.output.contains("NOAA 11112"), "\(check)")
        }
    }
}
