import Foundation
import Groundwork
import SolarImage
import SuperResolution
import Testing

/// Evaluations of models, beside which the baselines stand.
@Suite struct EvaluationModelTests {
    @Test func modelsAreTold() throws {
        let outcome = try EvaluationExample.models.get()
        let report = try outcome.report()
        let names = report.models.map(\.name)
        // The autoencoder's file has the name of a baseline: it gets another.
        #expect(names.prefix(6) == ["nearest", "bicubic", "bicubic-consistent", "kriging", "kriging-ensemble", "run"])
        #expect(names.count == 7 && Set(names).count == 7 && names[6].hasPrefix("bicubic"))
        #expect(report.models.map { $0.fileSHA256?.count } == [nil, nil, nil, nil, nil, 64, 64])
        #expect(outcome.failures.isEmpty && report.data.maps == 2 && report.data.samples == 2)
        #expect(report.options.samples == 2 && report.options.steps == 2 && report.options.sampler == .dpmSolver && report.options.eta == nil)
        let run = report.models[5].metrics
        #expect(run["training_hours"]?.mean == 1 && run["seconds_per_sample"]?.n == 2)
        #expect(run["parameters"]?.mean == Double(try Model(reading: outcome.input("run/model.safetensors")).parameterCount))
        #expect(report.models[0].metrics["parameters"] == nil && report.models[6].metrics["training_hours"] == nil)
        // Of an ensemble alone.
        #expect(report.models.map { $0.metrics["crps"]?.n } == [nil, nil, nil, nil, 2, 2, nil])
        #expect(report.statements.count == 2 && report.statements[0].hasPrefix("kriging-ensemble: ") && report.statements[1].hasPrefix("run: "))
        #expect(outcome.tables.split(separator: "\n")[0].split(separator: " ").map(String.init) == names)
        #expect(outcome.tables.contains(report.statements[0]))
        // The first model that is no baseline is what all others are compared with.
        #expect(try outcome.text("differences.md").contains("| Difference from run | nearest | bicubic |"))
    }

    @Test func eachIsScoredByWhatItMakesOfTheLowResolution() throws {
        let outcome = try EvaluationExample.models.get()
        let scores = try outcome.scores()
        let resolver = try SuperResolver(Model(reading: outcome.input("run/model.safetensors")))
        let autoencoder = try Model(reading: outcome.input("bicubic.safetensors"))
        let reconstruction = try outcome.report().models[6].name
        let groups = try MetricGroup.all.named(["psnr", "flux"])
        for number in 1...2 {
            let truth = try Truth(EvaluationExample.field(UInt64(number)))
            let low = truth.field.blockMean(by: 4)
            let kriging = Kriging(.exact, spectrum: .activeRegions)
            let ensemble = try KrigingEnsemble(kriging, from: low, seed: 1)
            let drawn = try (0..<2).map { try resolver.superResolve(low, options: SuperResolver.Options(steps: 2), sample: $0) }
            let expected: [String: [Image]] = [
                "nearest": [low.replicated(by: 4)], "bicubic": [low.bicubic(by: 4)],
                "bicubic-consistent": [low.bicubic(by: 4).consistent(with: low)], "kriging": [kriging.estimate(from: low)],
                "kriging-ensemble": (0..<2).map { ensemble.sample($0) }, "run": drawn,
                reconstruction: [try autoencoder.reconstruct(truth.field)],
            ]
            for (name, samples) in expected {
                let rows = scores.filter { $0["model"] == name && $0["file"] == "map\(number).fits" && $0["sample"] != "" }
                try #require(rows.count == samples.count)
                let direct = try Score.rows(model: name, file: "", samples: samples, truth: truth, groups: groups, options: EvaluationOptions())
                for (row, score) in zip(rows, direct) {
                    for key in ["psnr", "net_flux_error_signed"] {
                        let (found, expected) = (try #require(Double(row[key] ?? "")), try #require(score.values[key]))
                        #expect(abs(found - expected) < 1e-6, "\(key) of \(name), map \(number)")
                    }
                }
            }
        }
        // The ensemble has a line of its own.
        #expect(scores.filter { $0["sample"] == "" }.map { $0["model"] } == ["kriging-ensemble", "run", "kriging-ensemble", "run"])
        #expect(scores.count == 2 * (4 + 3 + 3 + 1))
    }

    /// Bicubic enlargement is scored as the models are: held to exact block means, to what MDI's observation of a pair tells, or not at all.
    @Test func baselinesAreHeldToTheInputAsModelsAre() throws {
        try withTemporaryFolder { folder in
            let model = folder.appending(path: "model.safetensors")
            try ModelsExample.model().write(to: model)
            let field = EvaluationExample.field(5)
            let low = field.blurred(by: PointSpreadFunction(width: 6.6), arcsecPerPixel: 1).blockMean(by: 4)
            let maps = folder.appending(path: "maps")
            try createFolder(maps)
            let (map, pair) = (maps.appending(path: "map.fits"), maps.appending(path: "pair.fits"))
            var header = FITSHeader()
            header.set("MDIFACT", .real(1))
            try FITSWriter.write(field, header: FITSHeader.map(harp: 1), to: map)
            try FITSWriter.write(field, header: FITSHeader.map(harp: 2), extensions: [("LR", low, header)], to: pair)
            let observation = LinearObservation(
                Observation(Instrument.mdi.usualConditions), arcsecPerPixel: try Magnetogram(reading: pair).arcsecPerPixel ?? 0.5)
            let means = field.blockMean(by: 4)
            let expected: [Consistency: [Image]] = [
                .auto: [means.bicubic(by: 4).consistent(with: means), low.bicubic(by: 4).consistent(with: low, by: observation)],
                .exact: [means.bicubic(by: 4).consistent(with: means), low.bicubic(by: 4).consistent(with: low)],
            ]
            for consistency in Consistency.allCases {
                let outcome = try EvaluationExample(
                    evaluation([model]) { $0.consistency = consistency }, maps: [map, pair], to: folder.appending(path: consistency.rawValue))
                let found = try outcome.scores().filter { $0["model"] == "bicubic-consistent" }.map { Double($0["psnr"] ?? "") }
                let direct = try (expected[consistency] ?? []).map { image in
                    try Score.rows(
                        model: "", file: "", samples: [image], truth: Truth(field), groups: MetricGroup.all.named(["psnr"]),
                        options: EvaluationOptions()
                    )[0].values["psnr"]
                }
                #expect(found.count == direct.count && zip(found, direct).allSatisfy { abs(($0 ?? 0) - ($1 ?? 1)) < 1e-6 }, "\(consistency)")
            }
        }
    }

    @Test func allFilesAreWritten() throws {
        let outcome = try EvaluationExample.models.get()
        #expect(
            try outcome.names() == [
                "cache", "curves.csv", "differences.csv", "differences.md", "differences.tex", "figures", "per-image.csv", "report.html",
                "report.json", "table.csv", "table.md", "table.tex",
            ])
        let figures = [
            "box-plots", "calibration", "errors-by-field", "errors-by-mu", "field-histogram", "fourier-amplitude", "learning-curves",
            "radial-spectra", "rank-histogram", "side-by-side-1", "side-by-side-2", "uncertainty-1-5", "uncertainty-1-6", "uncertainty-2-5",
            "uncertainty-2-6",
        ]
        #expect(try outcome.names(in: "figures") == figures.flatMap { ["\($0).pdf", "\($0).png"] })
        for (ending, begin) in [("png", [UInt8(0x89)] + Array("PNG".utf8)), ("pdf", Array("%PDF".utf8))] {
            for figure in figures {
                let data = try Data(contentsOf: outcome.folder.appending(path: "figures/\(figure).\(ending)"))
                #expect(data.starts(with: begin) && data.count > 1000, "\(figure).\(ending)")
            }
        }
    }

    @Test func progressGrowsToTheEnd() throws {
        let progress = try EvaluationExample.models.get().progress
        #expect(progress.count >= 10 && progress.first == 0 && progress.last == 1)
        #expect(zip(progress, progress.dropFirst()).allSatisfy { $0 <= $1 })
    }

    // MARK: - What goes wrong

    private func evaluation(_ models: [URL], _ change: (inout Evaluation.Options) -> Void = { _ in }) throws -> Evaluation {
        var options = Evaluation.Options()
        (options.metrics, options.samples, options.resolver.steps) = (["psnr"], 1, 2)
        change(&options)
        return try Evaluation(models: models, options: options, logger: .init(label: "test"))
    }

    private func refusal(_ models: [URL], _ resolver: SuperResolver.Options = .init(steps: 2)) throws -> Failure.Category {
        let failure = try #require(throws: Failure.self) { try evaluation(models) { $0.resolver = resolver } }
        return failure.category
    }

    @Test func modelsThatCannotBeUsedAreLeftOut() throws {
        try withTemporaryFolder { folder in
            let good = folder.appending(path: "good.safetensors"), damaged = folder.appending(path: "damaged.safetensors")
            let absent = folder.appending(path: "absent.safetensors")
            try ModelsExample.model().write(to: good)
            try writeAtomically("no model, but a text", to: damaged)
            #expect(try refusal([damaged]) == .badData)
            #expect(try refusal([damaged, damaged]) == .badData)
            #expect(try refusal([good, absent]) == .missingInput)
            #expect(try refusal([good], .init(sampler: .ddpm, steps: 2)) == .usage)

            let maps = try ["a", "b"].map { try EvaluationExample.write($0, EvaluationExample.field(6), to: folder.appending(path: "maps")) }
            let outcome = try EvaluationExample(evaluation([damaged, good]) { $0.limit = 1 }, maps: maps, to: folder.appending(path: "report"))
            #expect(outcome.failures.map { $0.location?.contains("damaged.safetensors") } == [true])
            let report = try outcome.report()
            #expect(report.models.map(\.name) == ["nearest", "bicubic", "bicubic-consistent", "kriging", "good"] && report.data.maps == 1)
            #expect(report.warnings.contains { $0.contains("damaged.safetensors") })
        }
    }

    @Test func whatWasScoredBeforeAnInterruptionIsKept() throws {
        try withTemporaryFolder { folder in
            let model = folder.appending(path: "model.safetensors")
            try ModelsExample.model().write(to: model)
            let map = try EvaluationExample.write("map", EvaluationExample.field(7), to: folder.appending(path: "maps"))
            let output = folder.appending(path: "report")
            func kept() -> Int {
                let names = try? FileManager.default.contentsOfDirectory(atPath: output.appending(path: "cache").path)
                return (names ?? []).count { $0.hasSuffix(".json") }
            }
            let failure = try #require(throws: Failure.self) {
                try EvaluationExample(evaluation([model]), maps: [map], to: output, isCancelled: { kept() >= 3 })
            }
            #expect(failure.category == .interrupted && kept() >= 3)
            #expect(try FileManager.default.contentsOfDirectory(atPath: output.path) == ["cache"])
        }
    }
}
