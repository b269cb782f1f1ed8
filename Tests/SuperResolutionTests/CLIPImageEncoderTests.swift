import Foundation
import Groundwork
import SolarImage
import SuperResolution
import TensorCore
import Testing

@Suite struct CLIPImageEncoderTests {
    /// What `Scripts/make-frechet-fixtures.py` wrote.
    private struct Fixture: Decodable {
        struct Shape: Decodable {
            let name: String
            let shape: [Int]
        }

        struct Case: Decodable {
            let field: [[Float?]]
            let embedding: [Double]
        }

        let tensors: [Shape]
        let cases: [Case]
    }

    private let fixture: Fixture

    init() throws { fixture = try MetricFixture.load("clip.json") }

    /// The network of the script: its weights are hashed positions.
    private var weights: [(name: String, tensor: Tensor)] {
        fixture.tensors.enumerated().map { index, tensor in
            let count = tensor.shape.reduce(1, *)
            let isMatrix = tensor.shape.count > 1 && !tensor.name.contains("position")
            let bound = isMatrix ? 2 / Double(count / tensor.shape[0]).squareRoot() : 0.5
            let shift: Double = tensor.name.contains("norm") && tensor.name.hasSuffix("weight") ? 1 : 0
            let values = (0..<count).map { position -> Float in
                var x = UInt32(position) &+ UInt32(index) &* 1_000_003
                x = (x ^ x >> 16) &* 0x7FEB_352D
                x = (x ^ x >> 15) &* 0x846C_A68B
                x ^= x >> 16
                return Float((Double(x >> 8) / Double(1 << 23) - 1) * bound + shift)
            }
            return (tensor.name, Tensor(shape: tensor.shape, values: values))
        }
    }

    private func withFile<Result>(_ weights: [(name: String, tensor: Tensor)], _ body: (URL) throws -> Result) throws -> Result {
        var result: Result?
        try withTemporaryFolder { folder in
            let url = folder.appending(path: "clip.safetensors")
            try writeSafetensors(weights, to: url)
            result = try body(url)
        }
        return try #require(result)
    }

    private func failure(_ weights: [(name: String, tensor: Tensor)]) throws -> Failure {
        try withFile(weights) { url in try #require(throws: Failure.self) { try ImageFeatures.clip(reading: url) } }
    }

    private func encoder(_ weights: [(name: String, tensor: Tensor)]) throws -> CLIPImageEncoder {
        try withFile(weights) { try CLIPImageEncoder(SafetensorsFile(reading: $0)) }
    }

    // MARK: - Values

    @Test func embeddingsAgreeWithTransformers() throws {
        let features = try encoder(weights)
        #expect(features.configuration.dimensions == 16)
        #expect(features.configuration.name == "CLIP vision transformer, 3 layers of width 128, patches of 8 of 32 pixels")
        for example in fixture.cases {
            let found = features(MetricFixture.image(example.field), clip: 3000)
            #expect(found.count == 16)
            let error = zip(found, example.embedding).map { abs($0 - $1) }.max() ?? .infinity
            #expect(error < 1e-5, "\(error)")
        }
    }

    /// A file of a whole CLIPModel, with the positions' numbers that older ones have.
    @Test func furtherTensorsDoNotMatter() throws {
        let others: [(name: String, tensor: Tensor)] = [
            ("logit_scale", Tensor(4.6)), ("text_model.encoder.layers.11.mlp.fc1.bias", Tensor(zeros: [4])),
            ("text_projection.weight", Tensor(zeros: [16, 4])), ("vision_model.embeddings.position_ids", Tensor(zeros: [1, 17])),
        ]
        let field = MetricFixture.image(fixture.cases[0].field)
        let alone = try encoder(weights)
        let whole = try encoder(others + weights)
        #expect(alone(field, clip: 3000) == whole(field, clip: 3000))
    }

    /// Beyond the clip nothing counts; whatever records, the embedding is a constant.
    @Test func fieldsAreClipped() throws {
        let features = try encoder(weights)
        let field = MetricFixture.image(fixture.cases[0].field).transformed { x, y, value in x < 12 && y < 20 ? 500 : value }
        let stronger = field.transformed { x, y, value in x < 12 && y < 20 ? 900 : value }
        #expect(features(field, clip: 500) == features(stronger, clip: 500))
        #expect(features(field, clip: 3000) != features(stronger, clip: 3000))
    }

    // MARK: - What the shapes tell

    private func configuration(width: Int, layers: Int, patch: Int, positions: Int) throws -> CLIPImageEncoder.Configuration {
        try CLIPImageEncoder.Configuration(
            shapes: [
                "vision_model.embeddings.class_embedding": [width],
                "vision_model.embeddings.patch_embedding.weight": [width, 3, patch, patch],
                "vision_model.embeddings.position_embedding.weight": [positions, width],
                "vision_model.encoder.layers.\(layers - 1).mlp.fc1.weight": [4 * width, width],
                "visual_projection.weight": [512, width],
            ], at: "file")
    }

    @Test func publishedNetworksAreNamed() throws {
        let usual = try configuration(width: 768, layers: 12, patch: 32, positions: 50)
        #expect(usual.name == "CLIP ViT-B/32" && usual.side == 224 && usual.dimensions == 512)
        #expect(try configuration(width: 768, layers: 12, patch: 16, positions: 197).name == "CLIP ViT-B/16")
        #expect(try configuration(width: 1024, layers: 24, patch: 14, positions: 577).name == "CLIP ViT-L/14@336px")
    }

    @Test func networksThatCannotBeBuiltAreRefused() throws {
        for (width, patch, positions) in [(100, 8, 17), (0, 8, 17), (128, 0, 17), (128, 8, 1), (128, 5000, 17)] {
            let failure = try #require(throws: Failure.self) { try configuration(width: width, layers: 2, patch: patch, positions: positions) }
            #expect(failure.category == .badData && failure.found == "width \(width), patches of \(patch) pixels, \(positions) positions")
        }
    }

    // MARK: - Files

    @Test func missingAndMisshapedTensorsAreListed() throws {
        var damaged = weights.filter { !$0.name.hasSuffix("layers.1.mlp.fc2.bias") && $0.name != "visual_projection.weight" }
        let index = try #require(damaged.firstIndex { $0.name == "vision_model.pre_layrnorm.weight" })
        damaged[index].tensor = Tensor(zeros: [64])
        let failure = try failure(damaged)
        #expect(failure.category == .badData && failure.location?.hasSuffix("clip.safetensors") == true)
        #expect(
            failure.found == "vision_model.pre_layrnorm.weight has shape [64], not [128]; vision_model.encoder.layers.1.mlp.fc2.bias is missing; "
                + "visual_projection.weight is missing")
    }

    @Test func positionsThatFillNoSquareAreMisshaped() throws {
        let damaged = weights.map { ($0.name, $0.name.contains("position") ? Tensor(zeros: [16, 128]) : $0.tensor) }
        #expect(try failure(damaged).found == "vision_model.embeddings.position_embedding.weight has shape [16, 128], not [17, 128]")
    }

    @Test func otherFilesAreRefused() throws {
        let failure = try failure([("visual.conv1.weight", Tensor(zeros: [4, 3, 2, 2])), ("visual.proj", Tensor(zeros: [4, 2]))])
        #expect(failure.category == .badData && failure.problem == "the file holds no image encoder of CLIP")
        #expect(failure.found == "visual.conv1.weight, visual.proj")
        let missing = try #require(throws: Failure.self) { try ImageFeatures.clip(reading: URL(filePath: "/nowhere/clip.safetensors")) }
        #expect(missing.category == .missingInput)
    }
}
