import TensorCore

/// A network that turns fields into latents, 1/f of their size along each axis, and back.
package protocol Autoencoder {
    /// Image pixels per latent along each axis, the paper's f.
    var factor: Int { get }
    var latentChannels: Int { get }
    /// How many latents away, at most, an image pixel or a latent can still be felt through encoder or decoder; nil if all depends on all.
    var reach: Int? { get }
    /// `[codes, latentChannels]`; nil for continuous latents.
    var codebook: Parameter? { get }
    /// The weight of the decoder's last convolution.
    var lastLayer: Parameter { get }

    /// - Parameter image: `[batch, height, width, 1]`, normalised; height and width multiples of f
    /// - Returns: latents before quantisation, `[batch, height / f, width / f, latent channels]`
    func encode(_ image: Tensor) -> Tensor

    /// The latents as the decoder gets them; with a codebook, the code of each and the codebook's loss.
    func quantized(_ latents: Tensor) -> (latents: Tensor, indices: [Int]?, loss: Tensor?)

    /// What the decoder's last convolution takes.
    /// - Parameter latents: `[batch, height, width, latent channels]`, quantised where decoding wants them so
    func features(of latents: Tensor) -> Tensor

    /// The decoder's last convolution, and what is added to it.
    /// - Parameters:
    ///   - features: as ``features(of:)`` gives them
    ///   - latents: what these are of
    /// - Returns: `[batch, height·f, width·f, 1]`, normalised
    func image(from features: Tensor, of latents: Tensor) -> Tensor
}

extension Autoencoder {
    /// - Parameter latents: `[batch, height, width, latent channels]`
    /// - Returns: `[batch, height·f, width·f, 1]`, normalised
    package func decode(_ latents: Tensor) -> Tensor { reconstruct(quantized(latents).latents) }

    /// Decodes without quantising first.
    package func reconstruct(_ latents: Tensor) -> Tensor { image(from: features(of: latents), of: latents) }
}

/// Which autoencoder a model has.
package enum AutoencoderConfiguration: Sendable, Equatable {
    case compact(CompactAutoencoder.Configuration)
    case firstStage(FirstStage.Configuration)

    /// VQGAN at the paper's f = 8, for one channel. The paper does not say how it decodes; it trains on latents that are not quantised.
    static let paper: AutoencoderConfiguration = {
        var configuration = FirstStage.Configuration.vqF8
        (configuration.imageChannels, configuration.decodesQuantized) = (1, true)
        return .firstStage(configuration)
    }()

    package func makeAutoencoder(in scope: Scope) -> any Autoencoder {
        switch self {
        case .compact(let configuration): CompactAutoencoder(configuration, in: scope)
        case .firstStage(let configuration): FirstStage(configuration, in: scope)
        }
    }

    /// Extents that can be built and do not exhaust the memory.
    func check(_ check: Check) throws {
        switch self {
        case .compact(let configuration): try configuration.check(check)
        case .firstStage(let configuration): try configuration.check(check)
        }
    }

    /// Image pixels per latent along each axis, the paper's f.
    package var factor: Int {
        switch self {
        case .compact(let configuration): configuration.factor
        case .firstStage(let configuration): configuration.factor
        }
    }

    package var latentChannels: Int {
        switch self {
        case .compact(let configuration): configuration.latentChannels
        case .firstStage(let configuration): configuration.latentChannels
        }
    }

    /// The finest level's channels, those of each level as multiples of it, and the codes.
    var extents: (width: Int, multipliers: [Int], codebookSize: Int) {
        switch self {
        case .compact(let configuration): (configuration.width, configuration.multipliers, configuration.codebookSize)
        case .firstStage(let configuration): (configuration.width, configuration.multipliers, configuration.codebookSize)
        }
    }
}

/// Each as its own keys, which tell what it is.
extension AutoencoderConfiguration: Codable {
    private enum DistinctKeys: String, CodingKey { case imageChannels = "image_channels" }

    package init(from decoder: any Decoder) throws {
        let isFirstStage = try decoder.container(keyedBy: DistinctKeys.self).contains(.imageChannels)
        self = isFirstStage ? .firstStage(try FirstStage.Configuration(from: decoder)) : .compact(try CompactAutoencoder.Configuration(from: decoder))
    }

    package func encode(to encoder: any Encoder) throws {
        switch self {
        case .compact(let configuration): try configuration.encode(to: encoder)
        case .firstStage(let configuration): try configuration.encode(to: encoder)
        }
    }
}
