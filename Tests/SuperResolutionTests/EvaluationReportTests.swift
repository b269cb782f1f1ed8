import Foundation
import Groundwork
import SolarImage
import SuperResolution
import Testing

@Suite struct EvaluationReportTests {
    private let metric = Metric(key: "flux_error", name: "Flux error", unit: "%", better: .lower, decimals: 1, isDeviation: true)
    private let ensembleMetric = Metric(key: "samples_seen", name: "Samples_seen", better: .higher, decimals: 0)
    private let infinite = Metric(key: "psnr", name: "PSNR", unit: "dB", better: .higher, decimals: 1)

    /// The first pixel's deviation, the number of samples, and a PSNR that is infinite.
    private var groups: [MetricGroup] {
        [
            MetricGroup(
                name: "flux", metrics: [metric], details: ["first"],
                scoring: .eachSample { comparison, _ in
                    let value = Double(comparison.prediction[0, 0])
                    return value == 99 ? [:] : ["flux_error": value, "first": value]
                }),
            MetricGroup(
                name: "calibration", metrics: [ensembleMetric], scoring: .ensemble { comparisons, _ in ["samples_seen": Double(comparisons.count)] }),
            MetricGroup(name: "psnr", metrics: [infinite], scoring: .eachSample { _, _ in ["psnr": .infinity] }),
            MetricGroup(name: "fid", metrics: [Metric(key: "frechet", name: "Fréchet", better: .lower, decimals: 2)], scoring: .wholeSet),
        ]
    }

    private func scores(model: String, _ maps: [(file: String, samples: [Float])]) throws -> [Score] {
        let truth = try Truth(Image(width: 32, height: 32, repeating: 0))
        return try maps.flatMap { map in
            try Score.rows(
                model: model, file: map.file, region: "11183", grid: "CEA", samples: map.samples.map { Image(width: 32, height: 32, repeating: $0) },
                truth: truth, groups: groups, options: EvaluationOptions())
        }
    }

    private func report() throws -> (EvaluationReport, [Score]) {
        let scores =
            try scores(model: "ldm, \"small\"", [("a.fits", [-2, 4]), ("b.fits", [-6, -6]), ("c.fits", [99])])
            + scores(model: "nearest", [("a.fits", [1]), ("b.fits", [99])])
        let report = EvaluationReport(
            models: [("ldm, \"small\"", "ab12"), ("nearest", nil)], scores: scores, groups: groups, path: "data/test", options: EvaluationOptions())
        return (report, scores)
    }

    @Test func samplesAreAveragedWithinAMapBeforeMapsAre() throws {
        let (report, _) = try report()
        let metrics = report.models[0].metrics
        #expect(metrics["flux_error"] == Summary(of: [3, 6]))
        #expect(metrics["flux_error"]?.mean == 4.5 && metrics["flux_error"]?.n == 2)
        #expect(abs((metrics["flux_error"]?.std ?? 0) - 2.1213203435596424) < 1e-12)
        #expect(metrics["flux_error_signed"]?.mean == -2.5)
        #expect(metrics["samples_seen"] == Summary(of: [2, 2, 1]))
        #expect(report.models[1].metrics["flux_error"]?.n == 1)
        #expect(report.data.maps == 3 && report.data.samples == 2 && report.data.maskedFraction == 0)
    }

    @Test func jsonHasTheContractedStructureAndStaysValid() throws {
        var (report, _) = try report()
        report.models[0].metrics["frechet"] = Summary(of: [0.5, 0.7], featureSpace: "AlexNet relu5")
        let text = try report.json()
        let json = try #require(JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
        #expect(Set(json.keys) == ["models", "data", "options", "warnings", "statements"])
        let models = try #require(json["models"] as? [[String: Any]])
        #expect(Set(models[1].keys) == ["name", "file_sha256", "metrics"])
        #expect(models[0]["file_sha256"] as? String == "ab12" && models[1]["file_sha256"] is NSNull)
        let metrics = try #require(models[0]["metrics"] as? [String: [String: Any]])
        #expect(Set(try #require(metrics["flux_error"]).keys) == ["mean", "std", "n"])
        #expect(metrics["psnr"]?["mean"] is NSNull && metrics["psnr"]?["n"] as? Int == 3)
        #expect(metrics["frechet"]?["feature_space"] as? String == "AlexNet relu5")
        let read = try JSONDecoder().decode(EvaluationReport.self, from: Data(text.utf8))
        #expect(read.models[0].metrics["flux_error"] == report.models[0].metrics["flux_error"])
        #expect(read.models[0].metrics["psnr"]?.mean.isNaN == true && read.options == report.options)
    }

    @Test func tables() throws {
        let (report, _) = try report()
        let table = EvaluationTable(report, metrics: groups.flatMap(\.metrics))
        #expect(
            table.table.text == """
                                ldm, "small"  nearest
                Flux error (%)     4.5 ± 2.1      1.0
                Samples_seen           2 ± 1    1 ± 0
                PSNR (dB)                  ∞        ∞

                """)
        #expect(
            table.table.markdown == """
                | Metric | ldm, "small" | nearest |
                |---|---:|---:|
                | Flux error (%) | 4.5 ± 2.1 | **1.0** |
                | Samples_seen | **2 ± 1** | 1 ± 0 |
                | PSNR (dB) | **∞** | **∞** |

                """)
        #expect(table.table.latex.contains("Flux error (\\%) & 4.5 $\\pm$ 2.1 & \\textbf{1.0} \\\\\n"))
        let lines = table.commaSeparated.split(separator: "\n")
        #expect(lines[0] == #"metric,name,unit,"ldm, ""small"" mean","ldm, ""small"" std","ldm, ""small"" n",nearest mean,nearest std,nearest n"#)
        #expect(lines[1] == "flux_error,Flux error,%,4.5,2.1213203435596424,2,1.0,,1")
    }

    /// Which columns of a row are bold.
    private func best(_ better: Metric.Better, decimals: Int, _ means: [Double?]) -> [Bool] {
        let metric = Metric(key: "key", name: "Name", better: better, decimals: decimals)
        var report = EvaluationReport(models: [], scores: [], groups: [], path: "", options: EvaluationOptions())
        report.models = means.enumerated().map { index, mean in
            EvaluationReport.Model(name: "\(index)", fileSHA256: nil, metrics: mean.map { ["key": Summary(of: [$0])] } ?? [:])
        }
        return EvaluationTable(report, metrics: [metric]).table.rows[0].dropFirst().map(\.isBold)
    }

    @Test func theBestAsPrintedIsBold() {
        #expect(best(.higher, decimals: 1, [1.04, 0.96, 0.94, nil, .nan]) == [true, true, false, false, false])
        #expect(best(.lower, decimals: 2, [1.04, 0.96, 0.94]) == [false, false, true])
        // Half of 1 is as far off as twice 1; a ratio of 0 is farthest.
        #expect(best(.nearestToOne, decimals: 2, [0.5, 2, 2.01, 0]) == [true, true, false, false])
        #expect(best(.nearest(0.8), decimals: 2, [0.7, 0.95, 1]) == [true, false, false])
        #expect(best(.neither, decimals: 2, [1, 2]) == [false, false])
        // One value alone is not the best of several.
        #expect(best(.lower, decimals: 1, [1.04]) == [false] && best(.lower, decimals: 1, [nil, 1.04, .nan]) == [false, false, false])
    }

    @Test func onePerImageLineAScore() throws {
        let (_, scores) = try report()
        let lines = EvaluationReport.perImage(scores, groups: groups).split(separator: "\n")
        #expect(
            lines[0]
                == "model,file,region,grid,width,height,sample,flux_error,flux_error_signed,first,samples_seen,psnr,masked_fraction,missing_fraction")
        #expect(lines[1] == #""ldm, ""small""",a.fits,11183,CEA,32,32,1,2.0,-2.0,-2.0,,inf,0.0,0.0"#)
        #expect(lines[3] == #""ldm, ""small""",a.fits,11183,CEA,32,32,,,,,2.0,,0.0,0.0"#)
        #expect(lines.count == 1 + 8 + 4)
    }

    @Test func writesAllFiles() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "evaluation-\(UUID().uuidString)")
        try createFolder(folder)
        defer { try? FileManager.default.removeItem(at: folder) }
        let (report, scores) = try report()
        let curves = EvaluationCurves(models: report.models.map(\.name), scores: scores, truths: [])
        let differences = DifferenceTable([], reference: "nearest")
        try report.write(to: folder, scores: scores, groups: groups, differences: differences, curves: curves)
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        #expect(
            names == [
                "curves.csv", "differences.csv", "differences.md", "differences.tex", "per-image.csv", "report.json", "table.csv", "table.md",
                "table.tex",
            ])
        #expect(throws: Failure.self) {
            try report.write(to: folder.appending(path: "absent"), scores: scores, groups: groups, curves: curves)
        }
    }
}
