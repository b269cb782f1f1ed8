import Foundation
import Testing

/// `sr evaluate --predictions`: what another program made.
@Suite struct EvaluatePredictionsTests {
    private struct Folders {
        let references, predictions, output: URL

        /// With so many references, `map1.fits` and so on.
        init(in folder: URL, references count: Int) throws {
            (references, predictions) = (folder.appendingPathComponent("truth"), folder.appendingPathComponent("other"))
            output = folder.appendingPathComponent("report")
            try TestMap.writeHigh(to: references, count: count)
            try FileManager.default.createDirectory(at: predictions, withIntermediateDirectories: true)
        }

        /// Writes the reference of that number as a prediction, changed.
        func predict(_ number: Int, as name: String, side: Int = 64, change: (inout [Float]) -> Void = { _ in }) throws {
            try TestMap.write(to: predictions.appendingPathComponent(name), side: side, arcsec: 0.504, number: number) { image, _ in
                change(&image.pixels)
            }
        }

        func evaluate(_ options: String...) throws -> SRProcess.Result {
            try sr(
                [
                    "evaluate", "--predictions", predictions.path, "--references", references.path, "--metrics", "flux", "--output", output.path,
                    "--no-progress",
                ] + options)
        }
    }

    @Test func filesAreScoredByName() throws {
        try withFolder { folder in
            let folders = try Folders(in: folder, references: 2)
            try folders.predict(1, as: "map1.fits")
            try folders.predict(2, as: "map2_sr.fits") { pixels in pixels = pixels.map { 0.9 * $0 } }
            let result = try folders.evaluate("--quiet")
            #expect(result.status == 0 && result.errors.isEmpty, "\(result)")
            #expect(result.output.split(separator: "\n").first?.split(separator: " ").map(String.init) == ["other"], "\(result)")
            let report = try ReportFile(in: folders.output)
            #expect(report.models.map(\.name) == ["other"] && report.models.first?.digest == nil)
            #expect(report.data.maps == 2 && report.data.samples == 1 && report.options.samples == nil && report.options.sampler == nil)
            #expect(report.data.path == "\(folders.predictions.path) against \(folders.references.path)")
            #expect(abs((report.mean("other", "unsigned_flux_error_signed") ?? 0) + 5) < 1e-3, "10 % too little in one of two maps")
            // There is nothing to compare one entry with.
            let written = files(under: folders.output)
            #expect(written.contains("report.html") && !written.contains { $0.hasPrefix("differences") }, "\(written)")
        }
    }

    /// What does not fit is named, the rest is scored.
    @Test func misfitsAreNamed() throws {
        try withFolder { folder in
            let folders = try Folders(in: folder, references: 5)
            try folders.predict(1, as: "map1.fits")
            try folders.predict(3, as: "map3.fits", side: 32)
            try folders.predict(4, as: "map4.fits") { pixels in
                for index in 0..<1024 { pixels[index] = .nan }
            }
            try Data("no FITS".utf8).write(to: folders.predictions.appendingPathComponent("map5.fits"))
            try folders.predict(1, as: "extra.fits")
            let result = try folders.evaluate()
            #expect(result.status == 65 && result.output.contains("Unsigned flux error"), "\(result)")
            for (file, problem) in [
                ("map2.fits", "there is no prediction of this reference"), ("map3.fits", "expected 64 × 64 pixels, found 32 × 32"),
                ("map5.fits", "cannot be read as FITS"), ("extra.fits", "there is no reference for this prediction"),
            ] { #expect(result.errorLines.contains { $0.contains(file) && $0.contains(problem) }, "\(file): \(result)") }
            #expect(result.errors.contains("warning: other: up to 25 % of a map's pixels have no value"), "\(result)")

            let report = try ReportFile(in: folders.output)
            #expect(report.data.maps == 2 && report.metric("other", "unsigned_flux_error")?.n == 2)
            #expect(report.warnings.count == 5, "\(report.warnings)")
            let lines = try String(contentsOf: folders.output.appendingPathComponent("per-image.csv"), encoding: .utf8).split(separator: "\n")
            #expect(lines.count == 3 && lines[1].hasPrefix("other,map1.fits,") && lines[2].hasPrefix("other,map4.fits,"), "\(lines)")
            #expect(lines[1].hasSuffix(",0.0") && lines[2].hasSuffix(",0.25"), "the part without a value")
        }
    }

    /// Predictions are compared pixel by pixel, whatever their headers say; where these say otherwise, so does a warning.
    @Test func gridsThatDifferAreTold() throws {
        try withFolder { folder in
            let folders = try Folders(in: folder, references: 3)
            try folders.predict(1, as: "map1.fits")
            for (number, change) in [(2, ("CROTA2", 180.0)), (3, ("CDELT1", 0.6))] {
                try TestMap.write(to: folders.predictions.appendingPathComponent("map\(number).fits"), side: 64, arcsec: 0.504, number: number) {
                    $1.set(change.0, .real(change.1))
                }
            }
            let result = try folders.evaluate()
            #expect(result.status == 0, "\(result)")
            let told = result.errorLines.filter { $0.contains("lie elsewhere on the Sun") }
            #expect(told.count == 2 && told[0].contains("warning: map2.fits") && told[1].contains("warning: map3.fits"), "\(result)")
        }
    }

    @Test func withoutAnyMatchThereIsNoReport() throws {
        try withFolder { folder in
            let folders = try Folders(in: folder, references: 2)
            try folders.predict(1, as: "another.fits")
            let result = try folders.evaluate()
            #expect(result.status == 65 && result.output.isEmpty, "\(result)")
            #expect(result.errorLines.last?.contains("no map could be scored") == true, "\(result)")
            #expect(files(under: folders.output) == [])
        }
    }

    @Test func foldersThatHoldNothing() throws {
        try withFolder { folder in
            let folders = try Folders(in: folder, references: 1)
            expectRefusal(try folders.evaluate(), 65, [folders.predictions.path, "holds no FITS file"], output: folders.output)
            try FileManager.default.removeItem(at: folders.predictions)
            expectRefusal(try folders.evaluate(), 66, [folders.predictions.path, "there is no such"], output: folders.output)
            try FileManager.default.removeItem(at: folders.references)
            expectRefusal(try folders.evaluate(), 66, [folders.references.path, "there is no such"], output: folders.output)
        }
    }
}
