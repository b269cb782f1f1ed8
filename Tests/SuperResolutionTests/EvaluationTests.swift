import Foundation
import Groundwork
import SolarImage
import SuperResolution
import Testing

/// Evaluations of predictions that another program made.
@Suite struct EvaluationTests {
    @Test func whatCannotBeScoredIsNamed() throws {
        let outcome = try EvaluationExample.predictions.get()
        let warnings = try outcome.report().warnings
        let problems = [
            "small.fits": "64 × 32", "absent.fits": "no prediction", "damaged.fits": "FITS", "tiny.fits": "too small", "stray.fits": "no reference",
        ]
        #expect(outcome.failures.count == problems.count)
        #expect(outcome.failures.allSatisfy { $0.category == .badData })
        for (name, problem) in problems {
            let failure = outcome.failures.first { $0.description.contains("/\(name)") }
            #expect(failure?.description.contains(problem) == true, "\(name): \(outcome.failures)")
        }
        #expect(outcome.failures.allSatisfy { warnings.contains($0.description) })
    }

    @Test func theRestIsScored() throws {
        let outcome = try EvaluationExample.predictions.get()
        let (report, scores) = (try outcome.report(), try outcome.scores())
        #expect(scores.map { $0["file"] } == ["perfect.fits", "blurred.fits", "holes.fits"])
        #expect(scores.map { $0["region"] } == ["HARP 1", "HARP 2", "HARP 2"])
        #expect(scores.allSatisfy { $0["model"] == "other" && $0["grid"] == "CEA" && $0["width"] == "64" && $0["sample"] == "1" })
        #expect(report.models.map(\.name) == ["other"] && report.models[0].fileSHA256 == nil)
        #expect(report.data.maps == 3 && report.data.samples == 1 && report.options.samples == nil && report.options.seed == nil)
        for (key, value) in ["psnr": "inf", "rmse": "0.0", "unsigned_flux_error": "0.0", "lpips": "0.0", "power_ratio_nyquist": "1.0"] {
            #expect(scores[0][key] == value, "\(key) of a perfect prediction")
        }
        #expect(scores[1]["missing_fraction"] == "0.0" && scores[2]["missing_fraction"] == "0.25")
        #expect(report.warnings.contains { $0.contains("25 %") && $0.contains("other") })
        // Blocks have no net flux of their own, but lose structure.
        let (flux, error) = (scores[1]["net_flux_error"].flatMap(Double.init), scores[1]["rmse"].flatMap(Double.init))
        #expect(try #require(flux) < 1e-3)
        #expect(try #require(error) > 1)
    }

    /// Neither baselines nor differences, which need more than one competitor.
    @Test func allFilesAreWritten() throws {
        let outcome = try EvaluationExample.predictions.get()
        let files = ["cache", "curves.csv", "figures", "per-image.csv", "report.html", "report.json", "table.csv", "table.md", "table.tex"]
        #expect(try outcome.names() == files)
        // A picture of the first map of each of two regions; none of ensembles or training.
        let figures = [
            "box-plots", "errors-by-field", "errors-by-mu", "field-histogram", "fourier-amplitude", "radial-spectra", "side-by-side-1",
            "side-by-side-2",
        ]
        #expect(try outcome.names(in: "figures") == figures.flatMap { ["\($0).pdf", "\($0).png"] })
    }

    @Test func setsOfMapsAreComparedByTheirFeatures() throws {
        let outcome = try EvaluationExample.predictions.get()
        func features(_ field: Image) throws -> [Double] { try PerceptualDistance.bundled().features(of: field, clip: 3000).pooled }
        let truths = try [UInt64(1), 2, 3].map { try Truth(EvaluationExample.field($0)) }
        let predictions = try ["perfect_sr", "blurred", "holes"].map { try Magnetogram(reading: outcome.input("other/\($0).fits")).image }
        let own = try zip(predictions, truths).map { try features(Comparison($0, with: $1).prediction) }
        let other = try truths.map { try features($0.field) }
        let (ownSet, otherSet) = (try #require(FeatureDistribution(own)), try #require(FeatureDistribution(other)))
        let expected = ownSet.frechetDistance(to: otherSet)
        let found = try #require(try outcome.report().models[0].metrics["frechet"])
        #expect(expected > 0 && abs(found.mean / expected - 1) < 1e-6 && found.n == 1 && found.featureSpace?.contains("AlexNet") == true)
        #expect(try outcome.report().warnings.contains { $0.contains("3 maps in 256 dimensions") })
    }

    @Test func oneMapHasNoFrechetDistance() throws {
        try withTemporaryFolder { folder in
            func write(to part: String) throws -> [URL] {
                try ["map", "next"].map { try EvaluationExample.write($0, EvaluationExample.field(4), to: folder.appending(path: part)) }
            }
            let (maps, predictions) = (try write(to: "maps"), try write(to: "other"))
            var options = Evaluation.Options()
            (options.metrics, options.limit) = (["psnr", "fid", "field", "spectrum"], 1)
            let evaluation = try Evaluation(
                predictions: predictions, of: folder.appending(path: "other"), options: options, logger: .init(label: "test"))
            let outcome = try EvaluationExample(evaluation, maps: maps, to: folder.appending(path: "report"))
            let report = try outcome.report()
            // The prediction of the map beyond the limit does have a reference.
            #expect(outcome.failures.isEmpty && report.models[0].metrics["frechet"] == nil && report.models[0].metrics["psnr"]?.n == 1)
            #expect(report.warnings.contains { $0.contains("Fréchet distance is not defined for a single map") })
            #expect(try !outcome.text("table.md").contains("Fréchet") && !outcome.text("table.md").contains("SSIM"))

            // A perfect prediction has the curves of the truth.
            let lines = try outcome.text("curves.csv").split(separator: "\n")
            func curves(_ model: String) -> [Substring] {
                lines.filter { $0.hasPrefix("\(model),spectrum,") || $0.hasPrefix("\(model),histogram,") }.map { $0.dropFirst(model.count) }
            }
            #expect(curves("truth").count > 30 && curves("other") == curves("truth"))
        }
    }

    /// Three samples, 4 G below and 2 and 5 G above the truth: |x − y| is 11/3 G in the mean, |x − x'| of pairs 6 G.
    @Test func samplesOfPredictionsAreAnEnsemble() throws {
        try withTemporaryFolder { folder in
            let truth = EvaluationExample.field(6)
            let map = try EvaluationExample.write("map", truth, to: folder.appending(path: "maps"))
            let other = folder.appending(path: "other")
            try createFolder(other)
            let offsets: [Float] = [-4, 2, 5]
            let cube = FITSWriter.Cube(name: "SAMPLES", header: FITSHeader(), count: offsets.count) { index in
                truth.transformed { _, _, value in value + offsets[index] }
            }
            try FITSWriter.write(truth, header: FITSHeader(), cube: cube, to: other.appending(path: "map_sr.fits"))
            var options = Evaluation.Options()
            options.metrics = ["psnr", "calibration"]
            let evaluation = try Evaluation(predictions: fitsFiles(in: other), of: other, options: options, logger: .init(label: "test"))
            let outcome = try EvaluationExample(evaluation, maps: [map], to: folder.appending(path: "report"))
            let samples = try outcome.scores().map { $0["sample"] }
            #expect(outcome.failures.isEmpty && samples.prefix(3) == ["1", "2", "3"], "\(outcome.failures)")
            let score = try #require(try outcome.report().models[0].metrics["crps"]?.mean)
            #expect(abs(score - 2.0 / 3) < 1e-3, "\(score)")
        }
    }

    @Test func nothingToScoreIsAFailure() throws {
        try withTemporaryFolder { folder in
            let maps = try ["first", "second"].map { try EvaluationExample.write($0, EvaluationExample.field(5), to: folder.appending(path: "maps")) }
            var options = Evaluation.Options()
            options.metrics = ["psnr"]
            let evaluation = try Evaluation(predictions: [], of: folder.appending(path: "other"), options: options, logger: .init(label: "test"))
            let output = folder.appending(path: "report")
            let failure = try #require(throws: Failure.self) { try EvaluationExample(evaluation, maps: maps, to: output) }
            #expect(failure.category == .badData && failure.location == "the maps")
            for name in ["first.fits", "second.fits"] { #expect(failure.found?.contains(name) == true, "\(failure)") }
            // Of a single map it is the failure itself.
            let single = try #require(throws: Failure.self) { try EvaluationExample(evaluation, maps: [maps[1]], to: output) }
            #expect(single.category == .badData && single.location == maps[1].path && single.problem.contains("no prediction"), "\(single)")
            #expect(try FileManager.default.contentsOfDirectory(atPath: output.path) == ["cache"])
        }
    }

    @Test func namesMustTellMapsAndPredictionsApart() throws {
        try withTemporaryFolder { folder in
            let field = EvaluationExample.field(5)
            let maps = try ["a", "b"].map { try EvaluationExample.write("map", field, to: folder.appending(path: $0)) }
            let predictions = try ["map", "map_sr"].map { try EvaluationExample.write($0, field, to: folder.appending(path: "other")) }
            var options = Evaluation.Options()
            options.metrics = ["psnr"]
            let evaluation = try Evaluation(
                predictions: predictions, of: folder.appending(path: "other"), options: options, logger: .init(label: "test"))
            let output = folder.appending(path: "report")
            let clash = try #require(throws: Failure.self) { try EvaluationExample(evaluation, maps: maps, to: output) }
            #expect(clash.category == .usage && clash.problem.contains("map.fits"))
            let doubled = try #require(throws: Failure.self) { try EvaluationExample(evaluation, maps: [maps[0]], to: output) }
            #expect(doubled.category == .badData && doubled.found?.contains("map_sr.fits") == true, "\(doubled)")
        }
    }

    @Test func unknownMetricsAreRefused() throws {
        var options = Evaluation.Options()
        options.metrics = ["psnr", "psnrr"]
        let failure = try #require(throws: Failure.self) {
            try Evaluation(predictions: [], of: URL(filePath: "/nowhere"), options: options, logger: .init(label: "test"))
        }
        #expect(failure.category == .usage && failure.found == "psnrr")
    }
}
