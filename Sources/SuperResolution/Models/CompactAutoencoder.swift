import TensorCore

/// The autoencoder of the presets `small` and `tiny`, in the style of VQGAN (Esser et al. 2021) but small and local.
///
/// Pixel unshuffling by `patch`, then levels of residual blocks that halve the size, a middle block, and the same way back. Norms are per pixel
/// and there is no attention, so each latent sees its neighbourhood alone and tiles agree exactly.
///
/// With a transform these networks start at zero and only add to it: latents are the coarsest cosine coefficients of a block of f × f pixels, which lose
/// nothing but the finest structure, and fields what these give. So training begins with what no training is needed for.
package struct CompactAutoencoder: Autoencoder {
    package struct Configuration: Sendable, Codable, Equatable {
        /// Pixels per side of the blocks that become channels before the first convolution.
        package var patch: Int
        /// Channels at the finest level.
        package var width: Int
        /// Channels of each level as multiples of the width, from fine to coarse; each level but the last halves the size.
        package var multipliers: [Int]
        package var latentChannels: Int
        /// Codes of the codebook; 0 for continuous latents.
        package var codebookSize: Int
        /// Whether decoding replaces each latent by its nearest code.
        package var decodesQuantized: Bool
        /// Whether encoder and decoder add to a ``BlockTransform``.
        package var hasTransform: Bool { transform ?? false }
        /// The same, as files tell it; those from before there was one do not speak of it, and are written again as they were.
        private var transform: Bool?

        private enum CodingKeys: String, CodingKey {
            case patch, width, multipliers
            case latentChannels = "latent_channels"
            case codebookSize = "codebook_size"
            case decodesQuantized = "decodes_quantized"
            case transform = "has_transform"
        }

        package init(
            patch: Int, width: Int, multipliers: [Int], latentChannels: Int, codebookSize: Int, decodesQuantized: Bool, hasTransform: Bool
        ) {
            (self.patch, self.width, self.multipliers, self.latentChannels) = (patch, width, multipliers, latentChannels)
            (self.codebookSize, self.decodesQuantized, transform) = (codebookSize, decodesQuantized, hasTransform)
        }

        /// Image pixels per latent along each axis, the paper's f.
        package var factor: Int { patch << (multipliers.count - 1) }

        /// How many latents away, at most, an image pixel or a latent can still be felt through encoder or decoder.
        package var reach: Int {
            let units = multipliers.indices.map { patch << $0 }
            // Pixels: the outermost convolution, two a block, one a change of size, and three (middle block, innermost convolution) at the coarsest level.
            let pixels = units[0] + 2 * units.reduce(0, +) + units.dropLast().reduce(0, +) + 3 * factor
            return (pixels + factor - 1) / factor + 1
        }
    }

    /// A residual block and what changes the size after it.
    private struct Level {
        let block: ResidualBlock
        let resampling: Convolution?
    }

    package let configuration: Configuration
    private let transform: BlockTransform?
    private let encoderInput, encoderOutput, decoderInput, decoderOutput: Convolution
    private let encoderLevels, decoderLevels: [Level]
    private let encoderMiddle, decoderMiddle: ResidualBlock
    package let codebook: Parameter?

    package init(_ configuration: Configuration, in scope: Scope) {
        self.configuration = configuration
        transform = configuration.hasTransform ? BlockTransform(side: configuration.factor) : nil
        let pixels = configuration.patch * configuration.patch
        let widths = configuration.multipliers.map { $0 * configuration.width }
        let last = widths.count - 1
        let deepest = widths[last]

        let encoder = scope / "encoder"
        encoderInput = Convolution(pixels, configuration.width, kernel: 3, in: encoder / "conv_in")
        var current = configuration.width
        encoderLevels = widths.enumerated().map { level, width in
            let place = encoder / "down_blocks" / "\(level)"
            defer { current = width }
            // Half the size by a stride of 2 after one row and column of zeros at the bottom and right, as in VQGAN.
            return Level(
                block: ResidualBlock(current, width, in: place / "resnets" / "0"),
                resampling: level == last
                    ? nil
                    : Convolution(
                        width, width, kernel: 3, stride: 2, padding: Padding(top: 0, bottom: 1, left: 0, right: 1),
                        in: place / "downsamplers" / "0" / "conv"))
        }
        encoderMiddle = ResidualBlock(deepest, deepest, in: encoder / "mid_block" / "resnets" / "0")
        encoderOutput = Convolution(
            deepest, configuration.latentChannels, kernel: 3, startsAtZero: configuration.hasTransform, in: encoder / "conv_out")

        let decoder = scope / "decoder"
        decoderInput = Convolution(configuration.latentChannels, deepest, kernel: 3, in: decoder / "conv_in")
        decoderMiddle = ResidualBlock(deepest, deepest, in: decoder / "mid_block" / "resnets" / "0")
        current = deepest
        decoderLevels = widths.reversed().enumerated().map { index, width in
            let place = decoder / "up_blocks" / "\(index)"
            defer { current = width }
            return Level(
                block: ResidualBlock(current, width, in: place / "resnets" / "0"),
                resampling: index == last ? nil : Convolution(width, width, kernel: 3, in: place / "upsamplers" / "0" / "conv"))
        }
        decoderOutput = Convolution(current, pixels, kernel: 3, startsAtZero: configuration.hasTransform, in: decoder / "conv_out")

        codebook =
            configuration.codebookSize == 0
            ? nil
            : (scope / "quantize" / "embedding").parameter(
                "weight", [configuration.codebookSize, configuration.latentChannels], .uniform(bound: 1 / Float(configuration.codebookSize)))
    }

    package var factor: Int { configuration.factor }
    package var latentChannels: Int { configuration.latentChannels }
    package var reach: Int? { configuration.reach }
    package var lastLayer: Parameter { decoderOutput.weight }

    package func encode(_ image: Tensor) -> Tensor {
        var x = encoderInput(pixelUnshuffle(image, factor: configuration.patch))
        for level in encoderLevels {
            x = level.block(x)
            if let resampling = level.resampling { x = resampling(x) }
        }
        return encoderOutput(encoderMiddle(x).silu(), residual: transform?(image).sliced(axis: -1, range: 0..<latentChannels))
    }

    package func quantized(_ latents: Tensor) -> (latents: Tensor, indices: [Int]?, loss: Tensor?) {
        guard let codebook else { return (latents, nil, nil) }
        let (codes, indices, loss) = quantize(latents, codebook: codebook.tensor)
        return (configuration.decodesQuantized ? codes : latents, indices, loss)
    }

    package func features(of latents: Tensor) -> Tensor {
        var x = decoderMiddle(decoderInput(latents))
        for level in decoderLevels {
            x = level.block(x)
            if let resampling = level.resampling { x = resampling(upsampleNearest(x, scale: 2)) }
        }
        return x.silu()
    }

    package func image(from features: Tensor, of latents: Tensor) -> Tensor {
        let image = pixelShuffle(decoderOutput(features), factor: configuration.patch)
        return transform.map { image + $0.inverse(latents) } ?? image
    }
}
