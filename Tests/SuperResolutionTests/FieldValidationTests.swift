import Foundation
import SolarImage
import SuperResolution
import TensorCore
import Testing

/// Validation by the metrics of evaluations.
@Suite struct FieldValidationTests {
    private func withValidation(
        _ kind: ModelKind, _ change: (inout TrainingConfiguration) -> Void = { _ in },
        _ body: (FieldValidation, Model, MagnetogramCollection) throws -> Void
    ) throws {
        try withTemporaryFolder { folder in
            try TrainingExample.writeMaps(3, to: folder)
            var configuration = try TrainingExample.configuration(kind)
            change(&configuration)
            let collection = try TrainingExample.collection(folder)
            let model: Model =
                switch kind {
                case .ddpmResidual: try DiffusionTraining.model(configuration, autoencoder: nil, training: collection)
                default: ModelsExample.newModel(configuration)
                }
            try body(try #require(try FieldValidation(configuration, model: model, collection: collection)), model, collection)
        }
    }

    /// Against the formulas, on the crops that the seed draws.
    @Test func figuresOfARegression() throws {
        try withValidation(.enhance) { validation, model, collection in
            var random = Random(seed: 2, name: "fixed crops")
            var (psnr, flux, rmse) = (0.0, 0.0, 0.0)
            for _ in 0..<2 {
                let crop = collection.randomCrop(size: 32, &random)
                let truth = Image(try collection.fields([crop])), low = Image(try collection.lowResolution([crop], scale: 4))
                let result = try SuperResolver(model).superResolve(low, options: SuperResolver.Options())
                let (x, y) = (result.pixels.map(Double.init), truth.pixels.map(Double.init))
                func clipped(_ value: Double) -> Double { min(max(value / 3000, -1), 1) }
                let error = zip(x, y).reduce(0) { $0 + pow(clipped($1.0) - clipped($1.1), 2) } / Double(x.count)
                psnr += 10 * log10(4 / error) / 2
                rmse += (zip(x, y).reduce(0) { $0 + pow($1.0 - $1.1, 2) } / Double(x.count)).squareRoot() / 2
                let unsigned = (x.reduce(0) { $0 + abs($1) }, y.reduce(0) { $0 + abs($1) })
                flux += abs(100 * (unsigned.0 / unsigned.1 - 1)) / 2
            }
            let found = try validation.values()
            #expect(abs(try #require(found["psnr"]) - psnr) < 1e-3)
            #expect(abs(try #require(found["rmse"]) - rmse) < 1e-3 * rmse)
            #expect(abs(try #require(found["unsigned_flux_error"]) - flux) < 1e-3 * max(1, flux))
            for key in ["lpips", "power_ratio_nyquist", "power_ratio_band_2", "correlation_band_2"] { #expect(found[key] != nil, "\(key)") }
            #expect(found["spread_skill"] == nil && found["crps"] == nil, "one result has no spread")
        }
    }

    /// The same noise again and again; ensembles have a mean and a spread.
    @Test(arguments: [ModelKind.ddpmResidual, .corrdiff]) func figuresOfSamples(_ kind: ModelKind) throws {
        try withValidation(kind) { validation, _, _ in
            let found = try validation.values()
            #expect(try validation.values() == found)
            for key in ["psnr_mean", "crps", "spread_skill", "lpips", "unsigned_flux_error"] { #expect(found[key] != nil, "\(key)") }
            let score = try #require(validation.score)
            #expect(score(found).map { $0 > 0 && $0.isFinite } == true)
        }
    }

    @Test func figuresOfAnAutoencoder() throws {
        try withValidation(.vqgan) { validation, model, collection in
            let found = try validation.values()
            #expect(found["rmse"] != nil && found["lpips"] != nil && found["crps"] == nil)
            // Weights that give no finite field.
            for parameter in model.firstStageStore.parameters { parameter.value = Tensor(repeating: .nan, shape: parameter.value.shape) }
            #expect(try validation.values().isEmpty && validation.score.flatMap { $0([:]) } == nil)
        }
    }

    @Test func scoreIsTheDistanceOverBicubics() throws {
        let bicubic = ["rmse": 20.0, "psnr": 40, "power_ratio_nyquist": 0.5, "correlation_band_2": 0.6, "spread_skill": 0.0]
        func score(_ names: String...) -> ValidationScore { ValidationScore(names, bicubic: bicubic) }
        #expect(score("rmse", "power_ratio_nyquist")(bicubic) == 1)
        #expect(score("rmse", "psnr")(["rmse": 10, "psnr": 60]).map { abs($0 - (0.5 + 0.1) / 2) < 1e-12 } == true)
        #expect(score("rmse", "power_ratio_nyquist")(["rmse": 0, "power_ratio_nyquist": 1]) == 0)
        // Too much power is as far from the truth as too little.
        #expect(score("power_ratio_nyquist")(["power_ratio_nyquist": 2]).map { abs($0 - 1) < 1e-12 } == true)
        #expect(score("correlation_band_2")(["correlation_band_2": 0.8]).map { abs($0 - 0.5) < 1e-12 } == true)
        // Bicubic enlargement has no spread: the distance by itself.
        #expect(score("spread_skill")(["spread_skill": 0.5]).map { abs($0 - log(2)) < 1e-12 } == true)
        #expect(score("rmse")(["psnr": 40]) == nil)
        for model in ModelKind.allCases { #expect(Set(ValidationScore.usual(for: model)).isSubset(of: ValidationScore.names)) }
    }

    @Test func withoutCropsTheLossTells() throws {
        try withTemporaryFolder { folder in
            try TrainingExample.writeMaps(1, to: folder)
            var configuration = try TrainingExample.configuration(.enhance)
            configuration.validation.crops = 0
            let (model, collection) = (ModelsExample.newModel(configuration), try TrainingExample.collection(folder))
            #expect(try FieldValidation(configuration, model: model, collection: collection) == nil)
            (configuration.validation.crops, configuration.select) = (1, ["loss"])
            let validation = try #require(try FieldValidation(configuration, model: model, collection: collection))
            #expect(try validation.score == nil && validation.values()["psnr"] != nil)
        }
    }

    /// The log of a run has the figures, and the best weights are those of the best score, whatever the loss.
    @Test func theBestIsThatOfTheScore() throws {
        try withTemporaryFolder { folder in
            try TrainingExample.writeMaps(5, to: folder)
            var configuration = try TrainingExample.configuration(.ddpmResidual)
            (configuration.steps, configuration.validateEvery, configuration.saveEvery, configuration.select) = (20, 5, 10, ["lpips"])
            let run = try TrainingExample.run("run", in: folder)
            _ = try Trainer(configuration, data: folder, logger: .init(label: "test")).run(run, report: { _ in }, shouldStop: { false })
            let validations = try TrainingExample.log(run).filter { $0["validation_loss"] != nil }
            #expect(validations.map { $0["step"] } == [5, 10, 15, 20])
            let best = try #require(validations.min { ($0["validation_lpips"] ?? 9) < ($1["validation_lpips"] ?? 9) })
            #expect(try Double(Model(reading: run.model).training.steps) == best["step"])
            #expect(validations.allSatisfy { $0["validation_score"] != nil && $0["validation_psnr_mean"] != nil })
            let report = TrainingReport(of: run, configuration).lines
            #expect(report.contains { $0.hasPrefix("best: step \(Int(best["step"] ?? 0)), score") && $0.contains("lpips") }, "\(report)")
            #expect(report.contains { $0.contains("PSNR of the mean of samples") } && report.last?.contains("sr evaluate") == true, "\(report)")
        }
    }
}
