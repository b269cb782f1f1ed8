import Foundation
import Groundwork
import SolarImage
import TensorCore

/// The image encoder of CLIP (Radford et al. 2021, *ICML*): a vision transformer whose class token is projected to the space that images and texts share.
///
/// OpenAI's networks are meant, of heads 64 channels wide and QuickGELU; others, of which no shape tells that they differ in this, come out wrong.
/// The weights are constants: nothing is recorded.
package struct CLIPImageEncoder: Sendable {
    /// What the shapes of the weights tell.
    package struct Configuration: Sendable, Equatable {
        /// Channels of a token, a multiple of 64.
        package var width: Int
        package var layers: Int
        /// Channels between the two linear maps that follow the attention of a layer.
        package var hidden: Int
        /// Width and height of a patch of the image in pixels: a token.
        package var patch: Int
        /// Patches along each side of the image.
        package var grid: Int
        /// Length of the embedding.
        package var dimensions: Int

        /// Width and height of the image in pixels.
        package var side: Int { patch * grid }

        /// The name of a published network, or a description.
        package var name: String {
            switch (width, layers) {
            case (768, 12): "CLIP ViT-B/\(patch)" + (side == 224 ? "" : "@\(side)px")
            case (1024, 24): "CLIP ViT-L/\(patch)" + (side == 224 ? "" : "@\(side)px")
            default: "CLIP vision transformer, \(layers) layers of width \(width), patches of \(patch) of \(side) pixels"
            }
        }
    }

    package let configuration: Configuration
    private let patches: Convolution
    private let classToken, positions, projection: Parameter
    private let firstNorm, lastNorm: LayerNorm
    private let layers: [Layer]
    private let inputScale, inputShift: Tensor

    /// Of the images that the networks were trained on, red, green and blue in [0, 1].
    private static let mean: [Float] = [0.48145466, 0.4578275, 0.40821073]
    private static let deviation: [Float] = [0.26862954, 0.26130258, 0.27577711]
    private static let headWidth = 64

    /// - Parameter file: weights under the names of Hugging Face's `CLIPVisionModelWithProjection`; other tensors, as those of the texts' encoder in a whole
    ///   `CLIPModel`, do not matter.
    /// - Throws: `Failure` (`.badData`) if the file holds no such encoder, or that lists all missing and mis-shaped tensors.
    package init(_ file: SafetensorsFile) throws {
        let store = ParameterStore.unfilled()
        self.init(try Configuration(shapes: file.shapes, at: file.url.path), in: store.root)
        try store.load(file, unused: { _ in true })
    }

    private init(_ configuration: Configuration, in scope: Scope) {
        self.configuration = configuration
        let width = configuration.width
        let network = scope / "vision_model"
        let embeddings = network / "embeddings"
        classToken = embeddings.parameter("class_embedding", [width], .constant(0))
        patches = Convolution(
            3, width, kernel: configuration.patch, stride: configuration.patch, padding: Padding(0), hasBias: false, in: embeddings / "patch_embedding")
        positions = (embeddings / "position_embedding").parameter("weight", [configuration.grid * configuration.grid + 1, width], .constant(0))
        // The name is misspelt in all published files.
        firstNorm = LayerNorm(width, in: network / "pre_layrnorm")
        layers = (0..<configuration.layers).map { index in
            Layer(width, hidden: configuration.hidden, heads: width / Self.headWidth, in: network / "encoder" / "layers" / "\(index)")
        }
        lastNorm = LayerNorm(width, in: network / "post_layernorm")
        projection = (scope / "visual_projection").parameter("weight", [configuration.dimensions, width], .constant(0))
        // From [−1, 1].
        inputScale = Tensor(shape: [3], values: Self.deviation.map { 0.5 / $0 })
        inputShift = Tensor(shape: [3], values: zip(Self.mean, Self.deviation).map { (0.5 - $0) / $1 })
    }

    /// The embedding of a field in Gauss, of length 1, `configuration.dimensions` values.
    ///
    /// The field is clipped at ±`clip`, taken as grey from 0 to 1, and squeezed to the network's square, antialiased, whatever its shape: nothing is cut off.
    package func callAsFunction(_ field: Image, clip: Float) -> [Double] {
        Tape.withoutRecording {
            let side = configuration.side
            let grey = Tensor(scaling: field, clip: clip)
            return embedding(resizeBicubic(grey, height: side, width: side, kernel: .antialiased) * inputScale + inputShift)
        }
    }

    /// - Parameter image: `[1, side, side, 3]`
    private func embedding(_ image: Tensor) -> [Double] {
        let (width, tokens) = (configuration.width, configuration.grid * configuration.grid + 1)
        let all = concatenate([classToken.value.reshaped(to: [1, 1, width]), patches(image).reshaped(to: [1, tokens - 1, width])], axis: 1)
        let x = layers.reduce(firstNorm(all + positions.value)) { $1($0) }
        let values = linear(lastNorm(x.sliced(axis: 1, range: 0..<1)), weight: projection.value).values.map(Double.init)
        let length = values.reduce(0) { $0 + $1 * $1 }.squareRoot()
        return values.map { $0 / length }
    }
}

/// Attention among the tokens, then a map of each token, both added to what came in.
private struct Layer: Sendable {
    private let attentionNorm, mapNorm: LayerNorm
    private let queries, keys, values, output: Linear
    private let widening, narrowing: Linear
    private let heads: Int

    init(_ width: Int, hidden: Int, heads: Int, in scope: Scope) {
        self.heads = heads
        let attention = scope / "self_attn"
        attentionNorm = LayerNorm(width, in: scope / "layer_norm1")
        queries = Linear(width, width, in: attention / "q_proj")
        keys = Linear(width, width, in: attention / "k_proj")
        values = Linear(width, width, in: attention / "v_proj")
        output = Linear(width, width, in: attention / "out_proj")
        mapNorm = LayerNorm(width, in: scope / "layer_norm2")
        widening = Linear(width, hidden, in: scope / "mlp" / "fc1")
        narrowing = Linear(hidden, width, in: scope / "mlp" / "fc2")
    }

    /// `[1, tokens, width]` → the same
    func callAsFunction(_ x: Tensor) -> Tensor {
        let normalized = attentionNorm(x)
        let packed = concatenate([queries(normalized), keys(normalized), values(normalized)], axis: -1)
        let attended = x + output(attention(queriesKeysValues: packed, heads: heads))
        // QuickGELU, y·σ(1.702 y).
        let wide = widening(mapNorm(attended))
        return attended + narrowing((wide * 1.702).silu() / 1.702)
    }
}

extension CLIPImageEncoder.Configuration {
    /// - Parameters:
    ///   - shapes: of all tensors of a file by name
    ///   - location: of the file
    /// - Throws: `Failure` (`.badData`) if these are not of an image encoder of CLIP. What single tensors lack is not found here: sizes that the file does
    ///   not tell are those of ViT-B/32.
    package init(shapes: [String: [Int]], at location: String) throws {
        let remedy = "give the safetensors of CLIP ViT-B/32 as Hugging Face's CLIPModel or CLIPVisionModelWithProjection has it"
        let layerPrefix = "vision_model.encoder.layers."
        let indices = shapes.keys.filter { $0.hasPrefix(layerPrefix) }.compactMap { Int($0.dropFirst(layerPrefix.count).prefix { $0 != "." }) }
        guard let last = indices.max(), (0..<256).contains(last) else {
            let names = shapes.keys.sorted()
            throw Failure(
                .badData, "the file holds no image encoder of CLIP", at: location,
                expected: "tensors such as vision_model.encoder.layers.0.self_attn.q_proj.weight",
                found: names.isEmpty ? "none" : names.prefix(5).joined(separator: ", ") + (names.count > 5 ? " and \(names.count - 5) more" : ""),
                remedy: remedy)
        }
        let file = TensorExtents(shapes: shapes) { $0 }
        layers = last + 1
        width =
            file.agreed(
                ("vision_model.embeddings.class_embedding", 0), ("vision_model.pre_layrnorm.weight", 0), ("vision_model.post_layernorm.weight", 0),
                ("vision_model.embeddings.patch_embedding.weight", 0), ("vision_model.embeddings.position_embedding.weight", 1)) ?? 768
        hidden = file.agreed(("\(layerPrefix)0.mlp.fc1.weight", 0), ("\(layerPrefix)0.mlp.fc1.bias", 0), ("\(layerPrefix)0.mlp.fc2.weight", 1)) ?? 3072
        patch =
            file.agreed(
                ("vision_model.embeddings.patch_embedding.weight", 2), ("vision_model.embeddings.patch_embedding.weight", 3)) ?? 32
        let positions = file.extent("vision_model.embeddings.position_embedding.weight", 0) ?? 50
        grid = Int(Double(max(0, positions - 1)).squareRoot().rounded())
        dimensions = file.extent("visual_projection.weight", 0) ?? 512
        guard width > 0, width % 64 == 0, min(hidden, patch, grid, dimensions) > 0, max(patch, grid) <= 4096, side <= 4096 else {
            throw Failure(
                .badData, "the image encoder cannot be built", at: location,
                expected: "a width that is a multiple of 64, and images of 1 to 4096 pixels a side",
                found: "width \(width), patches of \(patch) pixels, \(positions) positions", remedy: remedy)
        }
    }
}
