/// What an autoencoder is trained by: mean |Δ| of normalised values, the codebook's terms, and these with their weights; 0 leaves a term out.
package struct AutoencoderLoss: Sendable, Codable, Equatable {
    /// Of mean |ΔB| / 300 G, so that strong field counts beside weak.
    package var field: Float
    /// Of the mean square of latents, which keeps them bounded.
    package var latent: Float
    /// Standard deviation of the noise that the decoder's latents get in training, as diffusion will give it.
    package var latentNoise: Float
    /// Of LPIPS (Zhang et al. 2018).
    package var perceptual: Float
    /// Of the discriminator's opinion, on top of the weight that makes its gradient at the decoder's last layer as long as that of the other terms
    /// (Esser et al. 2021, equation 7).
    package var adversarial: Float
    /// The step from which the discriminator counts.
    package var adversarialStart: Int
    package var discriminator: PatchDiscriminator.Configuration
    package var discriminatorTraining: DiscriminatorTraining
    /// Steps after which codes that were not used since are set to latents of the batch; 0 for never.
    package var revival: Int

    private enum CodingKeys: String, CodingKey {
        case field, latent
        case latentNoise = "latent-noise"
        case perceptual, adversarial
        case adversarialStart = "adversarial-start"
        case discriminator
        case discriminatorTraining = "discriminator-training"
        case revival
    }

    /// What the discriminator's optimiser has of its own; betas and schedule are those of the autoencoder's, and weights do not decay.
    package struct DiscriminatorTraining: Sendable, Codable, Equatable {
        /// After the warm-up.
        package var learningRate: Double
        /// Limit of the norm of its gradient; 0 for none.
        package var clipNorm: Double

        private enum CodingKeys: String, CodingKey {
            case learningRate = "learning-rate"
            case clipNorm = "clip-norm"
        }
    }

    /// VQGAN's.
    static let paper = AutoencoderLoss(
        field: 0, latent: 0, latentNoise: 0, perceptual: 1, adversarial: 0.75, adversarialStart: 10_000,
        discriminator: PatchDiscriminator.Configuration(width: 64, layers: 3),
        discriminatorTraining: DiscriminatorTraining(learningRate: 1.8e-5, clipNorm: 0), revival: 1000)

    /// Without a discriminator, which invents what it cannot know. With a ``BlockTransform`` latents are bounded as the field is, and the decoder makes no
    /// more of their errors than the transform: nothing need keep them small, and noise would drown the finest, which deviate by 0.01 … 0.02.
    static let small = AutoencoderLoss(
        field: 0.3, latent: 0, latentNoise: 0, perceptual: 0.3, adversarial: 0, adversarialStart: 0,
        discriminator: PatchDiscriminator.Configuration(width: 32, layers: 2),
        discriminatorTraining: DiscriminatorTraining(learningRate: 2e-4, clipNorm: 1), revival: 200)

    /// All terms, from so early on that a short run has them.
    package static let tiny = AutoencoderLoss(
        field: 0.3, latent: 1e-4, latentNoise: 0.002, perceptual: 0.1, adversarial: 0.1, adversarialStart: 20,
        discriminator: PatchDiscriminator.Configuration(width: 8, layers: 2),
        discriminatorTraining: DiscriminatorTraining(learningRate: 1e-3, clipNorm: 1), revival: 50)

    /// Weights that make sense and a discriminator that can be built.
    func check(_ check: Check) throws {
        for (name, weight) in [
            ("field", field), ("latent", latent), ("latent-noise", latentNoise), ("perceptual", perceptual), ("adversarial", adversarial),
        ] {
            try check(weight >= 0 && weight.isFinite, "\(name) of at least 0", weight)
        }
        try check(adversarialStart >= 0, "adversarial-start of at least 0", adversarialStart)
        try check(revival >= 0, "revival of at least 0", revival)
        try check(
            discriminatorTraining.learningRate > 0 && discriminatorTraining.learningRate.isFinite, "a learning-rate of the discriminator above 0",
            discriminatorTraining.learningRate)
        try check(discriminatorTraining.clipNorm >= 0, "a clip-norm of the discriminator of at least 0", discriminatorTraining.clipNorm)
        try check((1...512).contains(discriminator.width), "a width of the discriminator of 1 … 512", discriminator.width)
        try check((1...5).contains(discriminator.layers), "1 … 5 layers of the discriminator", discriminator.layers)
    }
}
