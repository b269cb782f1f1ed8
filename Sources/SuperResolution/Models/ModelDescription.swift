import Foundation
import Groundwork
import SolarImage
import TensorCore

/// Which system a model is: one of the paper's, or `corrdiff`.
public enum ModelKind: String, Sendable, Codable, CaseIterable {
    case vqgan
    case ldmResidual = "ldm-residual"
    case ldm
    case ddpmResidual = "ddpm-residual"
    case ddpm
    case enhance
    case progressive
    /// Regression of mean and spread, and diffusion of the rest (Mardani et al. 2025).
    case corrdiff

    /// Whether it works in the latents of an autoencoder, rather than on pixels.
    package var hasAutoencoder: Bool { self == .vqgan || self == .ldmResidual || self == .ldm }
    /// Whether it is a diffusion model, rather than an autoencoder or a network that gives its result at once.
    package var isDiffusion: Bool { [.ldmResidual, .ldm, .ddpmResidual, .ddpm, .corrdiff].contains(self) }
    /// Whether what is diffused is what HR has beyond LR↑, rather than HR.
    package var isResidual: Bool { self == .ldmResidual || self == .ddpmResidual }
}

/// The denoising network of a diffusion model.
package enum NetworkConfiguration: Sendable, Equatable {
    case unet(UNet.Configuration)
    case paper(PaperUNet.Configuration)

    /// - Parameter conditionChannels: of the condition; as many as the field has if nil, and in the paper's U-Net.
    package func makeNetwork(channels: Int, conditionChannels: Int? = nil, in scope: Scope) -> any DenoisingNetwork {
        switch self {
        case .unet(let configuration): UNet(configuration, channels: channels, conditionChannels: conditionChannels, in: scope)
        case .paper(let configuration): PaperUNet(configuration, channels: channels, in: scope)
        }
    }

    /// ``DenoisingNetwork/divisor`` of its network.
    var divisor: Int {
        switch self {
        case .unet(let configuration): 1 << (configuration.multipliers.count - 1)
        case .paper: 8
        }
    }
}

extension NetworkConfiguration {
    /// Whether a parameter projects to or from self-attention.
    package func isAttentionProjection(_ name: String) -> Bool {
        switch self {
        case .unet: name.hasSuffix(".to_qkv.weight") || name.hasSuffix(".to_out.weight")
        case .paper: name.hasSuffix(".mha.in_proj_weight") || name.hasSuffix(".mha.out_proj.weight")
        }
    }

    /// Whether a parameter belongs to the layers at the lowest resolution.
    package func isBottleneck(_ name: String) -> Bool {
        switch self {
        case .unet: name.hasPrefix("mid_block.")
        case .paper: name.hasPrefix("bot")
        }
    }
}

extension NetworkConfiguration: Codable {
    private enum CodingKeys: String, CodingKey { case unet, paper = "paper_unet" }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        if let configuration = try container.decodeIfPresent(UNet.Configuration.self, forKey: .unet) {
            self = .unet(configuration)
        } else {
            self = .paper(try container.decode(PaperUNet.Configuration.self, forKey: .paper))
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        switch self {
        case .unet(let configuration): try container.encode(configuration, forKey: .unet)
        case .paper(let configuration): try container.encode(configuration, forKey: .paper)
        }
    }
}

/// The diffusion part of a model: network, noise process, what is predicted, and the statistics of what is diffused.
package struct DiffusionDescription: Sendable, Codable, Equatable {
    package var network: NetworkConfiguration
    package var schedule: NoiseSchedule
    package var prediction: PredictionTarget
    package var statistics: LatentStatistics

    package init(network: NetworkConfiguration, schedule: NoiseSchedule, prediction: PredictionTarget, statistics: LatentStatistics) {
        (self.network, self.schedule, self.prediction, self.statistics) = (network, schedule, prediction, statistics)
    }
}

/// What was done to train a model. Nothing here depends on the machine or the clock, so equal training gives equal files.
public struct TrainingSummary: Sendable, Codable, Equatable {
    public var steps: Int
    public var batchSize: Int
    public var seed: UInt64
    /// Magnetograms trained on.
    public var images: Int
    /// The best validation figure, by which the weights were chosen; nil without validation.
    public var validationLoss: Double?

    public init(steps: Int, batchSize: Int, seed: UInt64, images: Int, validationLoss: Double? = nil) {
        (self.steps, self.batchSize, self.seed, self.images, self.validationLoss) = (steps, batchSize, seed, images, validationLoss)
    }

    private enum CodingKeys: String, CodingKey {
        case steps, seed, images
        case batchSize = "batch_size"
        case validationLoss = "validation_loss"
    }
}

/// Everything about a model but its weights; stands as JSON in the metadata of its file.
package struct ModelDescription: Sendable, Equatable {
    /// The format this program writes. A file of a later one is refused.
    package static let currentFormat = 1

    package var format: Int
    /// What it consists of.
    package var system: ModelSystem
    /// HR pixels per LR pixel along each axis.
    package var scale: Int
    package var normalization: FieldNormalization
    /// Of the fields that it was trained on; nil in files of earlier versions.
    package var spectrum: FieldSpectrum?
    package var training: TrainingSummary
    /// What it was trained on last; nil in files that do not tell.
    package var data: TrainingData?
    /// What it was measured to do; nil where nobody has.
    package var card: ModelCard?
    /// The preset that the model was trained by; nil in files that do not tell.
    package var preset: TrainingConfiguration.Preset?
    /// What it is made for; nil for block means of HMI.
    package var input: ModelInput?
    /// The tiles it is to be used with; nil in files that do not tell: see ``tiling``.
    package var ownTiling: Tiling?
    /// Version of the program that wrote the file.
    package var program: String

    package var kind: ModelKind { system.kind }

    package init(
        _ system: ModelSystem, normalization: FieldNormalization, spectrum: FieldSpectrum? = nil, training: TrainingSummary,
        preset: TrainingConfiguration.Preset? = nil
    ) {
        (format, program, scale) = (Self.currentFormat, programVersion, 4)
        (self.system, self.normalization, self.spectrum, self.training, self.preset) = (system, normalization, spectrum, training, preset)
    }
}

extension ModelDescription {
    /// What the user of the model should know of an input: see ``ModelInput/remarks(on:by:trainedFor:isGainGiven:)``.
    package func remarks(on map: Magnetogram, by model: String, isGainGiven: Bool) -> [String] {
        let scales = data?.arcsecPerPixel.map { $0.lowerBound * Double(scale)...$0.upperBound * Double(scale) }
        return (input ?? .blockMeans).remarks(on: map, by: model, trainedFor: scales, isGainGiven: isGainGiven)
    }
}

/// The keys of the system stand among the others.
extension ModelDescription: Codable {
    private enum CodingKeys: String, CodingKey {
        case format, scale, normalization, spectrum, training, data, card, preset, input, program
        case ownTiling = "tiling"
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        format = try container.decode(Int.self, forKey: .format)
        system = try ModelSystem(from: decoder)
        scale = try container.decode(Int.self, forKey: .scale)
        normalization = try container.decode(FieldNormalization.self, forKey: .normalization)
        spectrum = try container.decodeIfPresent(FieldSpectrum.self, forKey: .spectrum)
        training = try container.decode(TrainingSummary.self, forKey: .training)
        data = try container.decodeIfPresent(TrainingData.self, forKey: .data)
        card = try container.decodeIfPresent(ModelCard.self, forKey: .card)
        preset = try container.decodeIfPresent(TrainingConfiguration.Preset.self, forKey: .preset)
        input = try container.decodeIfPresent(ModelInput.self, forKey: .input)
        ownTiling = try container.decodeIfPresent(Tiling.self, forKey: .ownTiling)
        program = try container.decode(String.self, forKey: .program)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(format, forKey: .format)
        try system.encode(to: encoder)
        try container.encode(scale, forKey: .scale)
        try container.encode(normalization, forKey: .normalization)
        try container.encodeIfPresent(spectrum, forKey: .spectrum)
        try container.encode(training, forKey: .training)
        try container.encodeIfPresent(data, forKey: .data)
        try container.encodeIfPresent(card, forKey: .card)
        try container.encodeIfPresent(preset, forKey: .preset)
        try container.encodeIfPresent(input, forKey: .input)
        try container.encodeIfPresent(ownTiling, forKey: .ownTiling)
        try container.encode(program, forKey: .program)
    }
}
