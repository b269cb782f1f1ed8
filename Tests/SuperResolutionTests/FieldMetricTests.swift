import Foundation
import Groundwork
import SolarImage
import SuperResolution
import Testing

@Suite struct FieldMetricTests {
    struct Fixture: Decodable {
        let truth, prediction: [[Float?]]
        let expected, expectedFromColumn20: [String: Double]
    }

    let truth: Image
    let prediction: Image
    let fixture: Fixture
    let options = EvaluationOptions()

    init() throws {
        fixture = try MetricFixture.load("fields.json")
        truth = MetricFixture.image(fixture.truth)
        prediction = MetricFixture.image(fixture.prediction)
    }

    private func values(of prediction: Image, _ truth: Image, pixelArea: Double? = nil) throws -> [String: Double] {
        let rows = try Score.rows(
            model: "model", file: "file", samples: [prediction], truth: Truth(truth, pixelArea: pixelArea), groups: MetricGroup.all,
            options: options)
        #expect(rows.count == 1)
        return rows[0].values
    }

    @Test func metricsEqualTheReferencePrograms() throws {
        let values = try values(of: prediction, truth)
        for (key, expected) in fixture.expected {
            let value = try #require(values[key], "\(key)")
            #expect(abs(value - expected) < 1e-6 * max(1, abs(expected)), "\(key)")
            if key.hasSuffix("_signed") { #expect(values[String(key.dropLast(7))] == abs(value)) }
        }
    }

    /// As far as the middle of the map and windows do not matter.
    @Test func aMapMaskedAlongAnEdgeScoresAsTheMapCutThere() throws {
        let masked = truth.transformed { x, _, value in x < 20 ? .nan : value }
        let scored = try values(of: prediction, masked)
        for (key, expected) in fixture.expectedFromColumn20 where !["_ratio", "correlation", "central"].contains(where: key.contains) {
            let value = try #require(scored[key], "\(key)")
            #expect(abs(value - expected) < 1e-6 * max(1, abs(expected)), "\(key)")
        }
        // What the prediction holds under the mask is of no consequence.
        #expect(try values(of: prediction.transformed { x, _, value in x < 20 ? .infinity : value }, masked) == scored)
        #expect(abs(try Truth(masked).maskedFraction - 20.0 / 96) < 1e-12)
    }

    @Test func anEqualPredictionIsPerfect() throws {
        let values = try values(of: truth, truth)
        #expect(values["psnr"] == .infinity)
        #expect(abs(try #require(values["ssim"]) - 1) < 1e-12)
        for key in ["unsigned_flux_error", "net_flux_error", "ar_size_error"] { #expect(values[key] == 0) }
        for key in ["power_ratio_nyquist", "power_ratio_2arcsec"] { #expect(values[key] == 1) }
    }

    @Test func fluxInMaxwellNeedsThePixelArea() throws {
        #expect(try values(of: prediction, truth)["unsigned_flux_mx"] == nil)
        let uniform = Image(width: 32, height: 32, repeating: -50)
        let values = try values(of: uniform.transformed { _, _, _ in 25 }, uniform, pixelArea: 1e15)
        #expect(values["truth_unsigned_flux_mx"] == 50 * 1024 * 1e15 && values["truth_net_flux_mx"] == -50 * 1024 * 1e15)
        #expect(values["unsigned_flux_error_signed"] == -50 && values["net_flux_error_signed"] == 150)
    }

    @Test func whatIsUndefinedIsLeftOut() throws {
        let nothing = Image(width: 64, height: 32, repeating: 0)
        let zero = try values(of: nothing, nothing)
        for key in ["unsigned_flux_error", "ar_size_error", "power_ratio_nyquist"] { #expect(zero[key] == nil) }
        let masked = try values(of: nothing, Image(width: 64, height: 32, repeating: .nan))
        #expect(masked["psnr"] == nil && masked["ssim"] == nil)
        let truth = try Truth(Image(width: 64, height: 32, repeating: .nan))
        #expect(truth.maskedFraction == 1 && truth.validCount == 0)
    }

    @Test func missingPredictionsCountAsZeroAndAreReported() throws {
        let truth = Image(width: 32, height: 32, repeating: 100)
        let comparison = try Comparison(truth.transformed { x, _, value in x < 8 ? .nan : value }, with: Truth(truth))
        #expect(comparison.missingFraction == 0.25 && comparison.prediction[0, 0] == 0)
    }

    @Test func sizesMustAgree() throws {
        let truth = try Truth(truth)
        #expect(truth.field.width == 96 && truth.field.height == 64 && truth.lowResolution.width == 24)
        let whole = try Comparison(prediction, with: truth).prediction
        let trimmed = prediction.cropped(x: 0, y: 0, width: 96, height: 64)
        #expect(try Comparison(trimmed, with: truth).prediction == whole && whole == trimmed)
        // One that begins elsewhere may be as large as the map is when trimmed.
        #expect(throws: Failure.self) { try Comparison(prediction.cropped(x: 1, y: 2, width: 98, height: 66), with: truth) }
        #expect(throws: Failure.self) { try Comparison(Image(width: 128, height: 64, repeating: 0), with: truth) }
        #expect(throws: Failure.self) { try Comparison(Image(width: 16, height: 16, repeating: 0), with: truth) }
        #expect(throws: Failure.self) { try Truth(self.truth, lowResolution: Image(width: 12, height: 64, repeating: 0)) }
        #expect(throws: Failure.self) { try Truth(Image(width: 40, height: 31, repeating: 0)) }
    }

    struct Regions: Decodable {
        struct Mask: Decodable {
            let rows: [String]
            let size: Int
            let central: Int
        }
        let masks: [Mask]
    }

    @Test func activeRegionSizeEqualsOpenCV() throws {
        let regions: Regions = try MetricFixture.load("regions.json")
        #expect(regions.masks.count == 50)
        for (index, mask) in regions.masks.enumerated() {
            // Strong pixels of both signs, one of them at the threshold itself.
            let pixels = mask.rows.joined().enumerated().map { $1 == "#" ? ($0.isMultiple(of: 2) ? Float(300) : -900) : [299.9, -250, .nan][$0 % 3] }
            let image = Image(width: mask.rows[0].count, height: mask.rows.count, pixels: pixels)
            let size = image.activeRegionSize(threshold: 300)
            #expect(size.total == mask.size && size.central == mask.central, "mask \(index): \(size)")
        }
    }

    @Test func groupsAreChosenByName() throws {
        #expect(try MetricGroup.all.named(["flux", "psnr"]).map(\.name) == ["psnr", "flux"])
        #expect(throws: Failure.self) { try MetricGroup.all.named(["psnr", "psnrr"]) }
        let keys = Set(MetricGroup.all.flatMap(\.metrics).map(\.key))
        let contracted = [
            "psnr", "ssim", "lpips", "frechet", "unsigned_flux_error", "net_flux_error", "ar_size_error", "power_ratio_nyquist",
            "power_ratio_2arcsec",
            "power_ratio_band_1", "power_ratio_band_4", "correlation_band_1", "correlation_band_4", "quiet_std_ratio", "psnr_mean", "spread_skill",
            "coverage_50", "coverage_80", "crps", "std_fine", "std_coarse",
        ]
        #expect(keys.isSuperset(of: contracted))
    }
}
