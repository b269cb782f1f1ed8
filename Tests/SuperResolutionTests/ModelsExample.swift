import Foundation
import SuperResolution
import TensorCore

/// Small models with random weights.
enum ModelsExample {
    /// A description as format 1 has it.
    static let json = """
        {"format": 1, "kind": "ldm-residual", "scale": 4, "program": "test",
        "normalization": {"kind": "asinh", "scale": 100, "limit": 3000},
        "autoencoder": {"patch": 2, "width": 8, "multipliers": [1, 2], "latent_channels": 4, "codebook_size": 0, "decodes_quantized": false},
        "diffusion": {"network": {"unet": {"width": 8, "multipliers": [1, 2, 2], "heads": 4}}, "prediction": "velocity",
        "schedule": {"steps": 1000, "first_beta": 0.0001, "last_beta": 0.02},
        "statistics": {"target_mean": [0.1, -0.2, 0, 0.3], "target_deviation": [0.5, 0.4, 1, 0.7],
        "condition_mean": [0.2, 0.1, -0.1, 0], "condition_deviation": [1.5, 0.8, 1.1, 0.9]}},
        "training": {"steps": 12, "batch_size": 4, "seed": 7, "images": 3, "validation_loss": 0.25}}
        """

    /// Autoencoders whose latents span as many pixels as one of LR, fewer and more, with differing reach.
    static let autoencoders = [
        #"{"patch": 2, "width": 8, "multipliers": [1, 2], "latent_channels": 4, "codebook_size": 0, "decodes_quantized": false}"#,
        #"{"patch": 1, "width": 4, "multipliers": [1, 1, 2], "latent_channels": 3, "codebook_size": 0, "decodes_quantized": false}"#,
        #"{"patch": 2, "width": 6, "multipliers": [1], "latent_channels": 2, "codebook_size": 0, "decodes_quantized": false}"#,
        #"{"patch": 1, "width": 6, "multipliers": [1], "latent_channels": 2, "codebook_size": 0, "decodes_quantized": false}"#,
        #"{"patch": 4, "width": 6, "multipliers": [1, 1], "latent_channels": 3, "codebook_size": 0, "decodes_quantized": false}"#,
        """
        {"patch": 2, "width": 8, "multipliers": [1, 2], "latent_channels": 8, "codebook_size": 0, "decodes_quantized": false, "has_transform": true}
        """,
    ]

    static func decoded<Value: Decodable>(_ json: String, as: Value.Type = Value.self) throws -> Value {
        try JSONDecoder().decode(Value.self, from: Data(json.utf8))
    }

    static func description(kind: ModelKind = .ldmResidual) throws -> ModelDescription {
        var description: ModelDescription = try decoded(json)
        switch kind {
        case .vqgan: description.system = .autoencoder(description.autoencoder)
        case .ldmResidual, .ldm:
            description.system = .latentDiffusion(description.diffusion, in: description.autoencoder, isResidual: kind.isResidual)
        case .ddpmResidual, .ddpm, .enhance, .progressive, .corrdiff: preconditionFailure("there is no example of \(kind)")
        }
        return description
    }

    static func unet(width: Int = 8, multipliers: [Int] = [1, 2, 2], heads: Int = 4) throws -> UNet.Configuration {
        try decoded(#"{"width": \#(width), "multipliers": \#(multipliers), "heads": \#(heads)}"#)
    }

    static func paperUNet(width: Int, hasAttention: Bool = true) throws -> PaperUNet.Configuration {
        try decoded(#"{"width": \#(width), "has_attention": \#(hasAttention)}"#)
    }

    static func model(kind: ModelKind = .ldmResidual, seed: UInt64 = 8) throws -> Model { model(try description(kind: kind), seed: seed) }

    /// An autoencoder, a regression network, or mean and spread of `corrdiff`, as training begins with it.
    static func newModel(_ configuration: TrainingConfiguration) -> Model {
        let system: ModelSystem
        switch configuration.system {
        case .autoencoder(let autoencoder, _): system = .autoencoder(autoencoder)
        case .regression(let network): system = .regression(network)
        case .corrdiff(let corrdiff, _, _): system = .corrdiff(corrdiff, rest: nil, calibration: nil)
        case .latentDiffusion, .pixelDiffusion: preconditionFailure("training begins with the statistics of the data")
        }
        return Model(
            ModelDescription(
                system, normalization: configuration.normalization, training: TrainingSummary(steps: 0, batchSize: 1, seed: 1, images: 1)),
            seed: configuration.seed)
    }

    /// With every weight counting.
    static func model(_ description: ModelDescription, seed: UInt64 = 8) -> Model {
        let model = Model(description, seed: seed)
        for store in [model.firstStageStore, model.networkStore] { fillZeros(of: store, seed: seed) }
        return model
    }

    /// Layers that start at zero get values too.
    static func fillZeros(of store: ParameterStore, seed: UInt64) {
        for (name, parameter) in zip(store.names, store.parameters) where parameter.value.values.allSatisfy({ $0 == 0 }) {
            var random = Random(seed: seed, name: name)
            parameter.value = random.normal(parameter.value.shape) * 0.1
        }
    }
}

/// Parts that a system is expected to have, to be changed.
extension ModelDescription {
    var autoencoder: AutoencoderConfiguration {
        get {
            guard let autoencoder = system.autoencoder else { preconditionFailure("\(kind) has no autoencoder") }
            return autoencoder
        }
        set {
            switch system {
            case .autoencoder: system = .autoencoder(newValue)
            case .latentDiffusion(let diffusion, _, let isResidual): system = .latentDiffusion(diffusion, in: newValue, isResidual: isResidual)
            case .pixelDiffusion, .regression, .corrdiff: preconditionFailure("\(kind) has no autoencoder")
            }
        }
    }

    var diffusion: DiffusionDescription {
        get {
            guard let diffusion = system.diffusion else { preconditionFailure("\(kind) does not diffuse") }
            return diffusion
        }
        set {
            switch system {
            case .latentDiffusion(_, let autoencoder, let isResidual): system = .latentDiffusion(newValue, in: autoencoder, isResidual: isResidual)
            case .pixelDiffusion(_, let isResidual): system = .pixelDiffusion(newValue, isResidual: isResidual)
            case .corrdiff(let corrdiff, _, let calibration): system = .corrdiff(corrdiff, rest: newValue, calibration: calibration)
            case .autoencoder, .regression: preconditionFailure("\(kind) does not diffuse")
            }
        }
    }

    private var corrdiffParts: (corrdiff: CorrDiff.Configuration, rest: DiffusionDescription?, calibration: SpreadCalibration?) {
        guard case .corrdiff(let corrdiff, let rest, let calibration) = system else { preconditionFailure("\(kind) has no mean and spread") }
        return (corrdiff, rest, calibration)
    }

    var corrdiff: CorrDiff.Configuration {
        get { corrdiffParts.corrdiff }
        set { system = .corrdiff(newValue, rest: corrdiffParts.rest, calibration: corrdiffParts.calibration) }
    }

    var calibration: SpreadCalibration? {
        get { corrdiffParts.calibration }
        set { system = .corrdiff(corrdiffParts.corrdiff, rest: corrdiffParts.rest, calibration: newValue) }
    }
}

extension AutoencoderConfiguration {
    /// The compact autoencoder that this is expected to be.
    var compact: CompactAutoencoder.Configuration {
        get {
            guard case .compact(let configuration) = self else { preconditionFailure("\(self) is no compact autoencoder") }
            return configuration
        }
        set { self = .compact(newValue) }
    }
}
