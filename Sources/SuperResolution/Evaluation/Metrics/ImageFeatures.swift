import Foundation
import Groundwork
import SolarImage
import TensorCore

/// A network that describes a whole field by one vector, for Fréchet distances.
package enum ImageFeatures: Sendable {
    /// The last features of AlexNet, by the bundled weights, averaged over the pixels: ``PerceptualDistance/Features/pooled``.
    case alexNet
    /// The embedding of CLIP.
    case clip(CLIPImageEncoder)

    /// Those of the weights that come with the program.
    /// - Throws: `Failure` if the program was built without them or they are damaged.
    package static func bundled() throws -> ImageFeatures {
        _ = try PerceptualDistance.bundled()
        return .alexNet
    }

    /// Those of CLIP with the weights of a file.
    /// - Throws: `Failure`: `.missingInput`, or what ``CLIPImageEncoder/init(_:)`` throws.
    package static func clip(reading file: URL) throws -> ImageFeatures { .clip(try CLIPImageEncoder(SafetensorsFile(reading: file))) }

    /// The name of the space that the vectors lie in; distances compare within one space alone.
    package var name: String {
        switch self {
        case .alexNet: "AlexNet relu5, mean over pixels"
        case .clip(let encoder): encoder.configuration.name
        }
    }

    /// The length of a vector.
    package var dimensions: Int {
        switch self {
        case .alexNet: AlexNetFeatures.channels[AlexNetFeatures.channels.count - 1]
        case .clip(let encoder): encoder.configuration.dimensions
        }
    }

    /// The vector of a prediction, clipped at ±`clip` Gauss.
    /// - Throws: `Failure` (`.badData`) if the map is too small for the network.
    package func callAsFunction(_ comparison: Comparison, clip: Float) throws -> [Double] {
        switch self {
        case .alexNet: try comparison.perception(clip: clip).pooled
        case .clip(let encoder): encoder(comparison.prediction, clip: clip)
        }
    }

    /// The vector of the truth.
    /// - Throws: `Failure` (`.badData`) if the map is too small for the network.
    package func callAsFunction(_ truth: Truth, clip: Float) throws -> [Double] {
        switch self {
        case .alexNet: try truth.perceptualFeatures(clip: clip).pooled
        case .clip(let encoder): encoder(truth.field, clip: clip)
        }
    }
}
