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
    /// Steps after which codes that were not used since are set to latents of the batch; 0 for never.
    package var revival: Int

    private enum CodingKeys: String, CodingKey {
        case field, latent
        case latentNoise = "latent-noise"
        case perceptual, adversarial
        case adversarialStart = "adversarial-start"
        case discriminator, revival
    }

    /// VQGAN's.
    static let paper = AutoencoderLoss(
        field: 0, latent: 0, latentNoise: 0, perceptual: 1, adversarial: 0.75, adversarialStart: 10_000,
        discriminator: PatchDiscriminator.Configuration(width: 64, layers: 3), revival: 1000)

    /// Without a discriminator, which invents what it cannot know. With a ``BlockTransform`` latents are bounded as the field is, and the decoder makes no
    /// more of their errors than the transform: nothing need keep them small, and noise would drown the finest, which deviate by 0.01 … 0.02.
    static let small = AutoencoderLoss(
        field: 0.3, latent: 0, latentNoise: 0, perceptual: 0.3, adversarial: 0, adversarialStart: 0,
        discriminator: PatchDiscriminator.Configuration(width: 32, layers: 2), revival: 200)

    /// All terms, from so early on that a short run has them.
    package static let tiny = AutoencoderLoss(
        field: 0.3, latent: 1e-4, latentNoise: 0.002, perceptual: 0.1, adversarial: 0.1, adversarialStart: 20,
        discriminator: PatchDiscriminator.Configuration(width: 8, layers: 2), revival: 50)

    /// Weights that make sense and a discriminator that can be built.
    func check(_ check: Check) throws {
        for (name, weight) in [
            ("field", field), ("latent", latent), ("latent-noise", latentNoise), ("perceptual", perceptual), ("adversarial", adversarial),
        ] {
            try check(weight >= 0 && weight.isFinite, "\(name) of at least 0", weight)
        }
        try check(adversarialStart >= 0, "adversarial-start of at least 0", adversarialStart)
        try check(revival >= 0, "revival of at least 0", revival)
        try check((1...512).contains(discriminator.width), "a width of the discriminator of 1 … 512", discriminator.width)
        try check((1...5).contains(discriminator.layers), "1 … 5 layers of the discriminator", discriminator.layers)
    }
}
