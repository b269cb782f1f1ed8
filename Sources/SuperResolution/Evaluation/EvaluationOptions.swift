/// What the metrics depend on beyond the maps; written into `report.json`.
package struct EvaluationOptions: Codable, Sendable, Equatable {
    /// Field strength in Gauss from which a pixel counts towards an active region.
    package var regionThreshold: Float = 300
    /// Field strength in Gauss at which fields are clipped, and by which they are divided, before PSNR, SSIM, LPIPS and Fréchet distance.
    package var clip: Float = 3000
    /// Maps are trimmed from pixel (0, 0) to multiples of this many pixels.
    package var trim = 32
    /// The low-resolution Nyquist frequency in cycles per high-resolution pixel: beyond it the input holds nothing.
    package var nyquist = 0.125
    /// The frequency of the paper's 2″ circle in cycles per high-resolution pixel; uncertainty is split there too.
    package var circle = 0.25
    /// Of the Butterworth filter that splits it.
    package var fineOrder = 2
    /// In what features sets of maps are compared; nil if they are not.
    package var featureSpace: String?
    /// The SHA-256 of the weights in which, if they did not come with the program.
    package var featureWeights: String?
    /// Samples of each map by the diffusion models, and how they were drawn; nil where predictions were given.
    package var samples: Int?
    package var sampler: Sampler?
    package var steps: Int?
    /// In low-resolution pixels.
    package var tile: Int?
    package var overlap: Int?
    /// Of DDIM alone.
    package var eta: Double?
    package var seed: UInt64?
    package var noise: SuperResolver.NoiseKey?
    package var consistency: Consistency?
    /// What the low resolution of pairs was divided by; nil for what stands beside it.
    package var mdiFactor: Double?

    package init() {}

    private enum CodingKeys: String, CodingKey {
        case regionThreshold = "region_threshold"
        case clip, trim, samples, sampler, steps, tile, overlap, eta, seed, noise, consistency
        case mdiFactor = "mdi_factor"
        case fineOrder = "fine_order"
        case featureSpace = "feature_space"
        case featureWeights = "feature_weights_sha256"
        case nyquist = "nyquist_frequency"
        case circle = "circle_frequency"
    }
}
