import TensorCore

/// The paper's U-Net (Ramunno et al. 2025, its published code's "palette" network): group normalisation with one group, GELU, bilinear upsampling,
/// self-attention at three levels, time added per channel.
package struct PaperUNet: DenoisingNetwork {
    package struct Configuration: Sendable, Codable, Equatable {
        /// Base width: 128 in latent space, 8 in pixel space.
        package var width: Int
        /// Self-attention after each level, as in latent space.
        package var hasAttention: Bool

        private enum CodingKeys: String, CodingKey {
            case width
            case hasAttention = "has_attention"
        }

        package init(width: Int, hasAttention: Bool) { (self.width, self.hasAttention) = (width, hasAttention) }
    }

    /// conv3×3, norm, GELU, conv3×3, norm; in the residual form GELU(x + that).
    package struct DoubleConvolution {
        private let conv1, conv2: Convolution
        private let norm1, norm2: GroupNorm
        private let isResidual: Bool

        package init(_ inputs: Int, _ outputs: Int, middle: Int? = nil, isResidual: Bool = false, in scope: Scope) {
            let place = scope / "double_conv"
            let middle = middle ?? outputs
            conv1 = Convolution(inputs, middle, kernel: 3, hasBias: false, in: place / "0")
            norm1 = GroupNorm(middle, groups: 1, in: place / "1")
            conv2 = Convolution(middle, outputs, kernel: 3, hasBias: false, in: place / "3")
            norm2 = GroupNorm(outputs, groups: 1, in: place / "4")
            self.isResidual = isResidual
        }

        /// - Parameters:
        ///   - x: `[batch, height, width, inputs]`
        ///   - offset: `[batch, outputs]`, added to every pixel
        /// - Returns: `[batch, height, width, outputs]`
        package func callAsFunction(_ x: Tensor, offset: Tensor? = nil) -> Tensor {
            let hidden = conv2(norm1(conv1(x), activation: .gelu))
            return isResidual ? norm2(hidden, offset: offset, residual: x, activation: .gelu) : norm2(hidden, offset: offset)
        }
    }

    /// Two double convolutions, then the time embedding added to every pixel.
    private struct Stage {
        let first, second: DoubleConvolution
        let time: Linear

        init(_ inputs: Int, _ outputs: Int, middle: Int, blocks: (Scope, Scope), time scope: Scope) {
            first = DoubleConvolution(inputs, inputs, isResidual: true, in: blocks.0)
            second = DoubleConvolution(inputs, outputs, middle: middle, in: blocks.1)
            time = Linear(PaperUNet.timeChannels, outputs, in: scope / "1")
        }

        func callAsFunction(_ x: Tensor, time embedding: Tensor) -> Tensor { second(first(x), offset: time(embedding)) }
    }

    /// Max-pool by 2, then a stage.
    package struct Down {
        private let stage: Stage

        package init(_ inputs: Int, _ outputs: Int, in scope: Scope) {
            let place = scope / "maxpool_conv"
            stage = Stage(inputs, outputs, middle: outputs, blocks: (place / "1", place / "2"), time: scope / "emb_layer")
        }

        /// - Parameter time: `[batch, 256]` after its SiLU
        package func callAsFunction(_ x: Tensor, time: Tensor) -> Tensor { stage(maxPool2d(x), time: time) }
    }

    /// Bilinear upsampling by 2, the skip connection before it, then a stage.
    package struct Up {
        private let stage: Stage

        package init(_ inputs: Int, _ outputs: Int, in scope: Scope) {
            let place = scope / "conv"
            stage = Stage(inputs, outputs, middle: inputs / 2, blocks: (place / "0", place / "1"), time: scope / "emb_layer")
        }

        package func callAsFunction(_ x: Tensor, skip: Tensor, time: Tensor) -> Tensor {
            stage(concatenate([skip, upsampleBilinear(x, scale: 2)], axis: -1), time: time)
        }
    }

    /// Attention over all pixels and a feed-forward part, each added to its input.
    package struct SelfAttention {
        private let norm, feedForwardNorm: LayerNorm
        private let inputWeight, inputBias: Parameter
        private let projection, feedForward1, feedForward2: Linear

        package init(_ channels: Int, in scope: Scope) {
            let attention = scope / "mha"
            // PyTorch's MultiheadAttention starts its packed projection by Glorot's rule and its biases at zero.
            inputWeight = attention.parameter("in_proj_weight", [3 * channels, channels], .uniform(bound: (6 / Float(4 * channels)).squareRoot()))
            inputBias = attention.parameter("in_proj_bias", [3 * channels], .constant(0))
            projection = Linear(channels, channels, in: attention / "out_proj")
            norm = LayerNorm(channels, in: scope / "ln")
            feedForwardNorm = LayerNorm(channels, in: scope / "ff_self" / "0")
            feedForward1 = Linear(channels, channels, in: scope / "ff_self" / "1")
            feedForward2 = Linear(channels, channels, in: scope / "ff_self" / "3")
        }

        /// `[batch, height, width, channels]` → the same
        package func callAsFunction(_ x: Tensor) -> Tensor {
            let tokens = x.reshaped(to: [x.shape[0], x.shape[1] * x.shape[2], x.shape[3]])
            let packed = linear(norm(tokens), weight: inputWeight.tensor, bias: inputBias.tensor)
            let attended = projection(attention(queriesKeysValues: packed, heads: 4)) + tokens
            return (feedForward2(feedForward1(feedForwardNorm(attended)).gelu()) + attended).reshaped(to: x.shape)
        }
    }

    /// Channels of the time embedding.
    fileprivate static let timeChannels = 256

    private let input: DoubleConvolution
    private let downs: [Down]
    private let bottleneck: [DoubleConvolution]
    private let ups: [Up]
    private let attentions: [SelfAttention]
    private let output: Convolution
    package let divisor = 8

    /// - Parameter channels: of the field and, as many again, of its condition.
    package init(_ configuration: Configuration, channels: Int, in scope: Scope) {
        let w = configuration.width
        input = DoubleConvolution(2 * channels, w, in: scope / "inc")
        downs = zip([w, 2 * w, 4 * w], [2 * w, 4 * w, 4 * w]).enumerated().map { Down($1.0, $1.1, in: scope / "down\($0 + 1)") }
        bottleneck = zip([4 * w, 8 * w, 8 * w], [8 * w, 8 * w, 4 * w]).enumerated().map { DoubleConvolution($1.0, $1.1, in: scope / "bot\($0 + 1)") }
        ups = zip([8 * w, 4 * w, 2 * w], [2 * w, w, w]).enumerated().map { Up($1.0, $1.1, in: scope / "up\($0 + 1)") }
        let attended = configuration.hasAttention ? [2 * w, 4 * w, 4 * w, 2 * w, w] : []
        attentions = attended.enumerated().map { SelfAttention($1, in: scope / "sa\($0 + 1)") }
        output = Convolution(w, channels, kernel: 1, in: scope / "outc")
    }

    /// Names in published state dictionaries that the network never uses: a sixth attention and a class embedding.
    package static func isUnused(_ name: String) -> Bool { name.hasPrefix("sa6.") || name.hasPrefix("label_emb.") }

    package func callAsFunction(_ noisy: Tensor, condition: Tensor, timesteps: [Int]) -> Tensor {
        let time = timeEmbedding(timesteps, channels: Self.timeChannels).silu()
        func attend(_ index: Int, _ x: Tensor) -> Tensor { attentions.isEmpty ? x : attentions[index](x) }
        let x1 = input(concatenate([noisy, condition], axis: -1))
        let x2 = attend(0, downs[0](x1, time: time))
        let x3 = attend(1, downs[1](x2, time: time))
        var x = attend(2, downs[2](x3, time: time))
        for block in bottleneck { x = block(x) }
        x = attend(3, ups[0](x, skip: x3, time: time))
        x = attend(4, ups[1](x, skip: x2, time: time))
        return output(ups[2](x, skip: x1, time: time))
    }
}
