/// What a model consists of: one case a way to make high resolution of low, or to encode it, with all that it has and nothing else.
package enum ModelSystem: Sendable, Equatable {
    /// Fields to latents and back: `vqgan`.
    case autoencoder(AutoencoderConfiguration)
    /// Diffusion in the latents of an autoencoder: `ldm`, and `ldm-residual` of what HR has beyond LR↑.
    case latentDiffusion(DiffusionDescription, in: AutoencoderConfiguration, isResidual: Bool)
    /// Diffusion of pixels: `ddpm` and `ddpm-residual` likewise.
    case pixelDiffusion(DiffusionDescription, isResidual: Bool)
    /// A network that gives its result at once: `enhance` and `progressive`.
    case regression(RegressionNetworkConfiguration)
    /// Regression of mean and spread, and diffusion of the rest, which is white noise where there is no description of it: `corrdiff`.
    case corrdiff(CorrDiff.Configuration, rest: DiffusionDescription?, calibration: SpreadCalibration?)

    /// Its name.
    package var kind: ModelKind {
        switch self {
        case .autoencoder: .vqgan
        case .latentDiffusion(_, _, let isResidual): isResidual ? .ldmResidual : .ldm
        case .pixelDiffusion(_, let isResidual): isResidual ? .ddpmResidual : .ddpm
        case .regression(let network): network.kind
        case .corrdiff: .corrdiff
        }
    }

    /// Nil for a system that works on pixels or on their coefficients.
    package var autoencoder: AutoencoderConfiguration? {
        switch self {
        case .autoencoder(let autoencoder), .latentDiffusion(_, let autoencoder, _): autoencoder
        case .pixelDiffusion, .regression, .corrdiff: nil
        }
    }

    /// Nil for a system that does not diffuse.
    package var diffusion: DiffusionDescription? {
        switch self {
        case .latentDiffusion(let diffusion, _, _), .pixelDiffusion(let diffusion, _): diffusion
        case .corrdiff(_, let rest, _): rest
        case .autoencoder, .regression: nil
        }
    }

    /// Nil for a system without a network that gives its result at once.
    package var regression: RegressionNetworkConfiguration? {
        switch self {
        case .regression(let network): network
        case .autoencoder, .latentDiffusion, .pixelDiffusion, .corrdiff: nil
        }
    }

    /// Nil for a system without mean and spread.
    package var corrdiff: CorrDiff.Configuration? {
        switch self {
        case .corrdiff(let corrdiff, _, _): corrdiff
        case .autoencoder, .latentDiffusion, .pixelDiffusion, .regression: nil
        }
    }

    /// Nil for a system whose ensembles are taken as they are.
    package var calibration: SpreadCalibration? {
        switch self {
        case .corrdiff(_, _, let calibration): calibration
        case .autoencoder, .latentDiffusion, .pixelDiffusion, .regression: nil
        }
    }
}

/// As the kind, and beside it a key for each part that the system has.
extension ModelSystem: Codable {
    private enum CodingKeys: String, CodingKey, CaseIterable { case kind, autoencoder, diffusion, regression, corrdiff, calibration }

    /// - Throws: `DecodingError`, also for a part of another system and for one that is missing.
    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let kind = try container.decode(ModelKind.self, forKey: .kind)
        func check(_ parts: CodingKeys..., optional: CodingKeys...) throws {
            try container.check(parts, optional: [.kind] + optional, of: kind)
        }
        func diffusion() throws -> DiffusionDescription { try container.decode(DiffusionDescription.self, forKey: .diffusion) }
        func autoencoder() throws -> AutoencoderConfiguration { try container.decode(AutoencoderConfiguration.self, forKey: .autoencoder) }
        switch kind {
        case .vqgan:
            try check(.autoencoder)
            self = .autoencoder(try autoencoder())
        case .ldmResidual, .ldm:
            try check(.autoencoder, .diffusion)
            self = .latentDiffusion(try diffusion(), in: try autoencoder(), isResidual: kind.isResidual)
        case .ddpmResidual, .ddpm:
            try check(.diffusion)
            self = .pixelDiffusion(try diffusion(), isResidual: kind.isResidual)
        case .enhance, .progressive:
            try check(.regression)
            self = .regression(try container.regression(forKey: .regression, of: kind))
        case .corrdiff:
            try check(.corrdiff, optional: .diffusion, .calibration)
            self = .corrdiff(
                try container.decode(CorrDiff.Configuration.self, forKey: .corrdiff),
                rest: try container.decodeIfPresent(DiffusionDescription.self, forKey: .diffusion),
                calibration: try container.decodeIfPresent(SpreadCalibration.self, forKey: .calibration))
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(kind, forKey: .kind)
        try container.encodeIfPresent(autoencoder, forKey: .autoencoder)
        try container.encodeIfPresent(diffusion, forKey: .diffusion)
        try container.encodeIfPresent(regression, forKey: .regression)
        try container.encodeIfPresent(corrdiff, forKey: .corrdiff)
        try container.encodeIfPresent(calibration, forKey: .calibration)
    }
}

extension KeyedDecodingContainer where Key: CaseIterable & Equatable {
    /// Refuses parts of another system than this kind's, and the lack of one of its own. A null is none.
    /// - Parameters:
    ///   - parts: the keys of what it has.
    ///   - optional: those of what it may have.
    /// - Throws: `DecodingError`
    func check(_ parts: [Key], optional: [Key], of kind: ModelKind) throws {
        for key in Key.allCases where !optional.contains(key) {
            let isThere = try contains(key) && !decodeNil(forKey: key), belongs = parts.contains(key)
            guard isThere == belongs else {
                throw DecodingError.dataCorruptedError(
                    forKey: key, in: self,
                    debugDescription: "expected \(belongs ? "one of its own" : "none") for \(kind.rawValue), found \(isThere ? "one" : "none")")
            }
        }
    }
}

extension KeyedDecodingContainer {
    /// The network of Enhance or Progressive.
    /// - Throws: `DecodingError`, also for that of the other.
    func regression(forKey key: Key, of kind: ModelKind) throws -> RegressionNetworkConfiguration {
        let network = try decode(RegressionNetworkConfiguration.self, forKey: key)
        guard network.kind == kind else {
            throw DecodingError.dataCorruptedError(
                forKey: key, in: self, debugDescription: "expected one of its own for \(kind.rawValue), found \(network.kind.rawValue)")
        }
        return network
    }
}
