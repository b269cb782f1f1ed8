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
            return ["lpips": try comparison.perception(clip: options.clip).distance]
        })
}

/// What AlexNet sees in a prediction: LPIPS and the Fréchet distance ask for it both.
struct Perception: Sendable {
    /// LPIPS from the truth.
    let distance: Double
    /// ``PerceptualDistance/Features/pooled``.
    let pooled: [Double]
}

extension Truth {
    /// The truth's features by the bundled weights, computed once for all predictions.
    /// - Throws: `Failure` (`.badData`) if the map is too small for the network.
    func perceptualFeatures(clip: Float) throws -> PerceptualDistance.Features {
        try perceptualMemo { try PerceptualDistance.bundled().features(of: field, clip: clip) }
    }
}

extension Comparison {
    /// Computed once; the features themselves, which take much memory, are not kept.
    /// - Throws: `Failure` (`.badData`) if the map is too small for the network.
    func perception(clip: Float) throws -> Perception {
        try perceptionMemo {
            let network = try PerceptualDistance.bundled()
            let features = try network.features(of: prediction, clip: clip)
            return Perception(distance: network.distance(features, try truth.perceptualFeatures(clip: clip)), pooled: features.pooled)
        }
    }
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

    private static let shared = Result { try PerceptualDistance(SafetensorsFile(reading: bundledWeights)) }

    /// Their file.
    static let bundledWeights = Bundle.module.bundleURL.appendingPathComponent("Resources/LPIPS/alexnet-v0.1.safetensors")

    /// The distance of each image to its counterpart; at least 0, some tenths for images that look unlike.
    ///
    /// - Parameters:
    ///   - a, b: `[batch, height, width, channels]` of equal height and width, 3 channels or, grey, 1, in [−1, 1]; both sides at least
    ///     ``AlexNetFeatures/minimumSide``
    /// - Returns: `[batch]`
    package func callAsFunction(_ a: Tensor, _ b: Tensor) -> Tensor { distance(features.stages(a), features.stages(b)) }

    /// - Parameters:
    ///   - a, b: the five features
    /// - Returns: `[batch]`
    private func distance(_ a: [Tensor], _ b: [Tensor]) -> Tensor {
        weights.indices.reduce(Tensor(zeros: [a[0].shape[0]])) { $0 + featureDistance(a[$1], b[$1], weight: weights[$1]) }
    }
}

// MARK: - Of fields

extension PerceptualDistance {
    /// What the network sees in a field, computed once for all the fields that it is compared with.
    package struct Features: Sendable {
        /// The five features, `[1, height, width, channels]`.
        fileprivate let stages: [Tensor]

        /// The mean of the last feature over its pixels, 256 values: a description of the whole field.
        package var pooled: [Double] { AlexNetFeatures.pooled(stages).values.map(Double.init) }
    }

    /// The features of a field in Gauss without NaN, clipped at ±`clip` and divided by it. They take about 42 bytes a pixel.
    /// - Throws: `Failure` (`.badData`) if the field is too small for the network.
    package func features(of field: Image, clip: Float) throws -> Features {
        let side = AlexNetFeatures.minimumSide
        guard min(field.width, field.height) >= side else {
            throw Failure(
                .badData, "the map is too small for AlexNet, which LPIPS and the Fréchet distance ask", expected: "at least \(side) × \(side) pixels",
                found: "\(field.width) × \(field.height)", remedy: "choose other metrics, or larger maps")
        }
        return Features(stages: Tape.withoutRecording { features.stages(Tensor(scaling: field, clip: clip)) })
    }

    /// The distance of two fields of one size.
    package func distance(_ a: Features, _ b: Features) -> Double { Double(distance(a.stages, b.stages).item) }
}

extension Tensor {
    /// A field in Gauss clipped at ±`clip` and divided by it, `[1, height, width, 1]`.
    init(scaling field: Image, clip: Float) {
        self.init(shape: [1, field.height, field.width, 1], values: field.pixels.map { Float(normalized($0, clip: clip)) })
    }
}
