import Foundation
import Groundwork
import SolarImage
import TensorCore

extension MetricGroup {
    /// LPIPS of fields scaled to [−1, 1]; undefined where the truth holds no data at all. Masked pixels are 0 in both fields.
    static let perceptualDistance = MetricGroup(
        name: "lpips", metrics: [Metric(key: "lpips", name: "LPIPS", better: .lower, decimals: 3)],
        scoring: .eachSample { comparison, options in
            guard comparison.truth.validCount > 0 else { return [:] }
            return ["lpips": try PerceptualDistance.bundled().distance(comparison.prediction, comparison.truth.field, clip: options.clip)]
        })
}

/// LPIPS, the learned perceptual distance of images (Zhang et al. 2018, *CVPR*), version 0.1 with AlexNet: the sum over five features of the
/// weighted distance of their directions.
///
/// The weights are constants, so that it serves as a loss as well as a measure; those that come with the program are 16-bit, which changes a distance by
/// less than 10⁻⁴.
package struct PerceptualDistance: Sendable {
    /// The network whose features are compared.
    package let features: AlexNetFeatures
    /// For each feature the weights of its channels.
    private let weights: [Tensor]

    /// - Parameter file: what ``AlexNetFeatures/init(_:)`` takes, and `lin{0…4}.model.1.weight`.
    /// - Throws: `Failure` (`.badData`) if a tensor is missing or of another shape.
    package init(_ file: SafetensorsFile) throws {
        features = try AlexNetFeatures(file)
        weights = try AlexNetFeatures.channels.enumerated().map { index, channels in
            try file.tensor(named: "lin\(index).model.1.weight", shape: [1, channels, 1, 1]).reshaped(to: [channels])
        }
    }

    /// The distance with the weights that come with the program, read once.
    /// - Throws: `Failure` if the program was built without them or they are damaged.
    package static func bundled() throws -> PerceptualDistance { try shared.get() }

    private static let shared = Result {
        try PerceptualDistance(
            SafetensorsFile(reading: Bundle.module.bundleURL.appendingPathComponent("Resources/LPIPS/alexnet-v0.1.safetensors")))
    }

    /// The distance of each image to its counterpart; at least 0, some tenths for images that look unlike.
    ///
    /// - Parameters:
    ///   - a, b: `[batch, height, width, channels]` of equal height and width, 3 channels or, grey, 1, in [−1, 1]; both sides at least
    ///     ``AlexNetFeatures/minimumSide``
    /// - Returns: `[batch]`
    package func callAsFunction(_ a: Tensor, _ b: Tensor) -> Tensor {
        var (x, y) = (features.input(a), features.input(b))
        var sum = Tensor(zeros: [x.shape[0]])
        for (stage, weight) in weights.enumerated() {
            (x, y) = (features.stage(stage, x), features.stage(stage, y))
            sum = sum + featureDistance(x, y, weight: weight)
        }
        return sum
    }

    /// The distance of two fields in Gauss, clipped at ±`clip` and divided by it.
    /// - Throws: `Failure` (`.badData`) if the fields are too small for the network.
    package func distance(_ a: Image, _ b: Image, clip: Float) throws -> Double {
        let side = AlexNetFeatures.minimumSide
        guard min(a.width, a.height) >= side else {
            throw Failure(
                .badData, "the map is too small for LPIPS", expected: "at least \(side) × \(side) pixels", found: "\(a.width) × \(a.height)",
                remedy: "choose other metrics, or larger maps")
        }
        func scaled(_ image: Image) -> Tensor {
            Tensor(shape: [1, image.height, image.width, 1], values: image.pixels.map { Float(normalized($0, clip: clip)) })
        }
        return Double(self(scaled(a), scaled(b)).item)
    }
}
