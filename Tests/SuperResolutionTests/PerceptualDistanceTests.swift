import Foundation
import Groundwork
import SolarImage
import SuperResolution
import TensorCore
import Testing

@Suite struct PerceptualDistanceTests {
    private let file: SafetensorsFile
    private let distance: PerceptualDistance

    init() throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        file = try SafetensorsFile(reading: folder.appending(path: "Fixtures/Metrics/perceptual.safetensors"))
        distance = try PerceptualDistance.bundled()
    }

    /// An 8-bit picture as [1, height, width, 3] in [−1, 1].
    private func picture(_ name: String) throws -> Tensor {
        let picture = try file.tensor(named: "image.\(name)")
        return picture.reshaped(to: [1] + picture.shape) / 127.5 - 1
    }

    /// The values are of the published 32-bit weights, the bundled ones have 16 bits.
    @Test func picturesScoreAsWithThePublishedWeights() throws {
        let reference = try picture("reference")
        for name in ["p0", "p1"] {
            let found = distance(reference, try picture(name))
            #expect(found.shape == [1])
            #expect(abs(found.item - (try file.tensor(named: "distance.\(name)").item)) < 1e-4, "\(name)")
        }
        #expect(distance(reference, reference).item == 0)
    }

    @Test func analyticFieldsScoreAsWithThePublishedWeights() throws {
        func field(_ amplitude: Float, _ phase: Float) -> Tensor {
            Tensor(shape: [1, 64, 64, 1], values: (0..<4096).map { amplitude * sin(0.3 * Float($0 % 64) + phase) * cos(0.2 * Float($0 / 64)) })
        }
        #expect(abs(distance(field(1, 0), field(0.8, 0.1)).item - (try file.tensor(named: "distance.waves").item)) < 1e-6)
    }

    @Test func valuesAndGradientsAgreeWithPyTorch() throws {
        let (a, b) = (Parameter(try file.tensor(named: "grey.a")), Parameter(try file.tensor(named: "grey.b")))
        let expected = try file.tensor(named: "grey.distance")
        expectClose(distance(a.value, b.value), expected, "distance", tolerance: 1e-5)
        let factors = Tensor(shape: [2], values: [1, -2])
        let (value, gradients) = valueWithGradient(at: [a, b]) { (distance(a.tensor, b.tensor) * factors).sum() }
        #expect(abs(value.item - (expected.values[0] - 2 * expected.values[1])) < 1e-5)
        expectClose(gradients[a], try file.tensor(named: "grey.gradient.a"), "gradient of a", tolerance: 1e-4)
        expectClose(gradients[b], try file.tensor(named: "grey.gradient.b"), "gradient of b", tolerance: 1e-4)
        // As a loss: the target without a gradient of its own.
        let alone = valueWithGradient(at: [a]) { (distance(a.tensor, b.value) * factors).sum() }.gradients
        expectClose(alone[a], try file.tensor(named: "grey.gradient.a"), "gradient of a alone", tolerance: 1e-4)
    }

    @Test func smallestColourPictureAgreesWithPyTorch() throws {
        let (a, b) = (try file.tensor(named: "colour.a"), try file.tensor(named: "colour.b"))
        #expect(a.shape[1] == AlexNetFeatures.minimumSide)
        expectClose(distance(a, b), try file.tensor(named: "colour.distance"), "distance", tolerance: 1e-5)
    }

    @Test func pooledFeaturesAgreeWithPyTorch() throws {
        let pooled = distance.features.pooled(try file.tensor(named: "grey.a"))
        #expect(pooled.shape == [2, 256])
        expectClose(pooled, try file.tensor(named: "grey.pooled"), "pooled features", tolerance: 1e-5)
    }

    // MARK: - Of fields

    private func score(_ prediction: Image, _ truth: Truth) throws -> Double? {
        try Score.rows(
            model: "model", file: "file", samples: [prediction], truth: truth, groups: MetricGroup.all.named(["lpips"]),
            options: EvaluationOptions())[0].values["lpips"]
    }

    @Test func fieldsScoreAsPyTorchDoes() throws {
        let fixture: FieldMetricTests.Fixture = try MetricFixture.load("fields.json")
        let (truth, prediction) = (MetricFixture.image(fixture.truth), MetricFixture.image(fixture.prediction))
        let found = try #require(try score(prediction, Truth(truth)))
        #expect(abs(found - Double(try file.tensor(named: "fields").item)) < 1e-6)
        #expect(try score(truth, Truth(truth)) == 0)
        // Beyond ±3000 G nothing counts.
        let strong = truth.transformed { x, y, value in x < 40 && y < 40 ? 3000 : value }
        #expect(try score(strong.transformed { _, _, value in value == 3000 ? 4000 : value }, Truth(strong)) == 0)
    }

    @Test func maskedPixelsDoNotCount() throws {
        let fixture: FieldMetricTests.Fixture = try MetricFixture.load("fields.json")
        let truth = try Truth(MetricFixture.image(fixture.truth).transformed { x, _, value in x < 20 ? .nan : value })
        let prediction = MetricFixture.image(fixture.prediction)
        let found = try #require(try score(prediction, truth))
        #expect(found > 0)
        #expect(try score(prediction.transformed { x, _, value in x < 20 ? .infinity : value }, truth) == found)
        #expect(try score(prediction, Truth(prediction.transformed { _, _, _ in .nan })) == nil)
    }

    @Test func smallFieldsAreRefused() throws {
        let small = Image(width: 40, height: 30, repeating: 1)
        let failure = try #require(throws: Failure.self) { try score(small, Truth(small, factor: 2, trimmedToMultiplesOf: 2)) }
        #expect(failure.category == .badData && failure.expected == "at least 31 × 31 pixels" && failure.found == "40 × 30")
        #expect(
            try score(
                Image(width: 31, height: 31, repeating: 1), Truth(Image(width: 31, height: 31, repeating: 0), factor: 1, trimmedToMultiplesOf: 1))
                != nil)
    }

    // MARK: - Files

    @Test func otherWeightsAreRefused() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("weights.safetensors")
            try writeSafetensors([("features.0.weight", Tensor(zeros: [64, 3, 7, 7]))], to: url)
            let failure = try #require(throws: Failure.self) { try PerceptualDistance(SafetensorsFile(reading: url)) }
            #expect(
                failure.category == .badData && failure.expected == "shape [64, 3, 11, 11]" && failure.location?.contains("features.0.weight") == true
            )
            try writeSafetensors([("other", Tensor(0))], to: url)
            #expect(throws: Failure.self) { try PerceptualDistance(SafetensorsFile(reading: url)) }
        }
    }

    /// What lies beside the bundled models is none.
    @Test func theWeightsAreNoModel() {
        #expect(!BundledModels.files().contains { $0.name.contains("alexnet") })
    }
}
