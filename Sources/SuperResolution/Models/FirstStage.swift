import TensorCore

/// The first stages of latent diffusion (Rombach et al. 2022), VQGAN (Esser et al. 2021) among them, with the layers and the parameters' names of
/// diffusers' `VQModel` and `AutoencoderKL`: weights of those fit here and the other way round.
///
/// Group norms and attention see the whole image, so a latent depends on all of it.
package struct FirstStage: Autoencoder {
    package struct Configuration: Sendable, Codable, Equatable {
        /// 1, or 3 for networks made for colour: grey goes in three times, and the mean of three channels comes out.
        package var imageChannels: Int
        /// Channels at full size.
        package var width: Int
        /// Channels of each level as multiples of the width, from fine to coarse; each level but the last halves the size.
        package var multipliers: [Int]
        /// Residual blocks of each level in the encoder; the decoder has one more.
        package var blocksPerLevel: Int
        package var latentChannels: Int
        /// Codes of the codebook; 0 for continuous latents.
        package var codebookSize: Int
        /// Whether the encoder gives mean and log variance of a normal distribution; the mean stands for it.
        package var isVariational: Bool
        /// Whether decoding replaces each latent by its nearest code.
        package var decodesQuantized: Bool
        /// Whether attention follows each block of the coarsest level too, not only the first of the middle.
        package var hasAttentionAtDeepest: Bool
        /// Groups of the group norms. They divide the width.
        package var normGroups: Int

        private enum CodingKeys: String, CodingKey {
            case width, multipliers
            case imageChannels = "image_channels"
            case blocksPerLevel = "blocks_per_level"
            case latentChannels = "latent_channels"
            case codebookSize = "codebook_size"
            case isVariational = "is_variational"
            case decodesQuantized = "decodes_quantized"
            case hasAttentionAtDeepest = "has_attention_at_deepest"
            case normGroups = "norm_groups"
        }

        package init(
            imageChannels: Int = 3, width: Int = 128, multipliers: [Int], blocksPerLevel: Int = 2, latentChannels: Int, codebookSize: Int = 0,
            isVariational: Bool = false, decodesQuantized: Bool, hasAttentionAtDeepest: Bool = false, normGroups: Int = 32
        ) {
            (self.imageChannels, self.width, self.multipliers, self.blocksPerLevel) = (imageChannels, width, multipliers, blocksPerLevel)
            (self.latentChannels, self.codebookSize, self.isVariational) = (latentChannels, codebookSize, isVariational)
            (self.decodesQuantized, self.hasAttentionAtDeepest, self.normGroups) = (decodesQuantized, hasAttentionAtDeepest, normGroups)
        }

        // Published networks of Rombach et al. by their names: the kind, and f, the image pixels per latent.
        package static let vqF4 = Configuration(multipliers: [1, 2, 4], latentChannels: 3, codebookSize: 8192, decodesQuantized: true)
        package static let vqF8 = Configuration(
            multipliers: [1, 2, 2, 4], latentChannels: 4, codebookSize: 16384, decodesQuantized: true, hasAttentionAtDeepest: true)
        package static let vqF8n256 = Configuration(
            multipliers: [1, 2, 2, 4], latentChannels: 4, codebookSize: 256, decodesQuantized: true, hasAttentionAtDeepest: true)
        package static let vqF16 = Configuration(
            multipliers: [1, 1, 2, 2, 4], latentChannels: 8, codebookSize: 16384, decodesQuantized: true, hasAttentionAtDeepest: true)
        package static let klF4 = Configuration(multipliers: [1, 2, 4], latentChannels: 3, isVariational: true, decodesQuantized: false)
        /// The autoencoder of Stable Diffusion.
        package static let klF8 = Configuration(multipliers: [1, 2, 4, 4], latentChannels: 4, isVariational: true, decodesQuantized: false)

        /// Image pixels per latent along each axis, the paper's f.
        package var factor: Int { 1 << (multipliers.count - 1) }
    }

    package let configuration: Configuration
    private let encoderInput, encoderOutput, decoderInput, decoderOutput: Convolution
    /// 1 × 1 convolutions on either side of the quantiser.
    private let intoQuantizer, fromQuantizer: Convolution
    private let encoderSteps, decoderSteps: [FirstStageStep]
    private let encoderNorm, decoderNorm: GroupNorm
    package let codebook: Parameter?

    package init(_ configuration: Configuration, in scope: Scope) {
        self.configuration = configuration
        let (width, groups, latents) = (configuration.width, configuration.normGroups, configuration.latentChannels)
        let widths = configuration.multipliers.map { $0 * width }
        let last = widths.count - 1
        let deepest = widths[last]
        let moments = configuration.isVariational ? 2 * latents : latents

        let encoder = scope / "encoder"
        encoderInput = Convolution(configuration.imageChannels, width, kernel: 3, in: encoder / "conv_in")
        var current = width
        encoderSteps =
            widths.enumerated().flatMap { level, width in
                let place = encoder / "down_blocks" / "\(level)"
                defer { current = width }
                let blocks = FirstStageStep.level(
                    current, width, blocks: configuration.blocksPerLevel, hasAttention: configuration.hasAttentionAtDeepest && level == last,
                    groups: groups, in: place)
                return blocks + (level == last ? [] : [.halving(width, in: place / "downsamplers" / "0")])
            } + FirstStageStep.middle(deepest, groups: groups, in: encoder / "mid_block")
        encoderNorm = GroupNorm(deepest, groups: groups, epsilon: 1e-6, in: encoder / "conv_norm_out")
        encoderOutput = Convolution(deepest, moments, kernel: 3, in: encoder / "conv_out")
        intoQuantizer = Convolution(moments, moments, kernel: 1, in: scope / "quant_conv")

        codebook =
            configuration.codebookSize == 0
            ? nil
            : (scope / "quantize" / "embedding").parameter(
                "weight", [configuration.codebookSize, latents], .uniform(bound: 1 / Float(configuration.codebookSize)))

        fromQuantizer = Convolution(latents, latents, kernel: 1, in: scope / "post_quant_conv")
        let decoder = scope / "decoder"
        decoderInput = Convolution(latents, deepest, kernel: 3, in: decoder / "conv_in")
        current = deepest
        decoderSteps =
            FirstStageStep.middle(deepest, groups: groups, in: decoder / "mid_block")
            + widths.reversed().enumerated().flatMap { index, width in
                let place = decoder / "up_blocks" / "\(index)"
                defer { current = width }
                let blocks = FirstStageStep.level(
                    current, width, blocks: configuration.blocksPerLevel + 1, hasAttention: configuration.hasAttentionAtDeepest && index == 0,
                    groups: groups, in: place)
                return blocks + (index == last ? [] : [.doubling(width, in: place / "upsamplers" / "0")])
            }
        decoderNorm = GroupNorm(widths[0], groups: groups, epsilon: 1e-6, in: decoder / "conv_norm_out")
        decoderOutput = Convolution(widths[0], configuration.imageChannels, kernel: 3, in: decoder / "conv_out")
    }

    package var factor: Int { configuration.factor }
    package var latentChannels: Int { configuration.latentChannels }
    package var reach: Int? { nil }
    package var lastLayer: Parameter { decoderOutput.weight }

    package func encode(_ image: Tensor) -> Tensor {
        // Three equal channels by their weights are one by the sum of these.
        var x =
            configuration.imageChannels == 1
            ? encoderInput(image)
            : convolution(
                image, weight: encoderInput.weight.tensor.sum(axes: [2], keepingDimensions: true), bias: encoderInput.bias?.tensor,
                padding: Padding(1))
        for step in encoderSteps { x = step(x) }
        let moments = intoQuantizer(encoderOutput(encoderNorm(x, activation: .silu)))
        return configuration.isVariational ? moments.sliced(axis: -1, range: 0..<latentChannels) : moments
    }

    package func quantized(_ latents: Tensor) -> (latents: Tensor, indices: [Int]?, loss: Tensor?) {
        guard let codebook else { return (latents, nil, nil) }
        let (codes, indices, loss) = quantize(latents, codebook: codebook.tensor)
        return (configuration.decodesQuantized ? codes : latents, indices, loss)
    }

    package func features(of latents: Tensor) -> Tensor {
        var x = decoderInput(fromQuantizer(latents))
        for step in decoderSteps { x = step(x) }
        return decoderNorm(x, activation: .silu)
    }

    package func image(from features: Tensor, of latents: Tensor) -> Tensor {
        guard configuration.imageChannels > 1 else { return decoderOutput(features) }
        // The mean of the channels is what the mean of their weights gives.
        return convolution(
            features, weight: decoderOutput.weight.tensor.mean(axes: [3], keepingDimensions: true),
            bias: decoderOutput.bias?.tensor.mean(axes: [0], keepingDimensions: true), padding: Padding(1))
    }
}

extension FirstStage.Configuration {
    /// Extents that can be built and do not exhaust the memory.
    func check(_ check: Check) throws {
        try check([1, 3].contains(imageChannels), "1 or 3 image channels", imageChannels)
        try check((1...1024).contains(width), "a first stage's width of 1 … 1024", width)
        try check((1...6).contains(multipliers.count) && multipliers.allSatisfy { (1...16).contains($0) }, "1 … 6 multipliers of 1 … 16", multipliers)
        try check((1...8).contains(blocksPerLevel), "1 … 8 blocks a level", blocksPerLevel)
        try check((1...1024).contains(latentChannels), "1 … 1024 latent channels", latentChannels)
        try check((0...1 << 20).contains(codebookSize), "0 … 2^20 codes", codebookSize)
        try check(!isVariational || codebookSize == 0, "no codebook beside a distribution of latents", codebookSize)
        try check(!decodesQuantized || codebookSize > 0, "a codebook to decode with", codebookSize)
        try check(normGroups > 0 && width % normGroups == 0, "norm groups that divide the width of \(width)", normGroups)
    }
}
