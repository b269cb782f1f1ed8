import TensorCore

/// A deterministic network that makes HR of LR in one pass.
package protocol RegressionNetwork {
    /// - Parameters:
    ///   - low: LR, normalised, `[batch, height, width, 1]`
    ///   - isTraining: normalise by the statistics of this batch where the network has running ones, and have those follow.
    /// - Returns: HR, normalised, `[batch, 4·height, 4·width, 1]`
    func callAsFunction(_ low: Tensor, isTraining: Bool) -> Tensor
}

extension RegressionNetwork {
    /// HR of LR at inference.
    package func callAsFunction(_ low: Tensor) -> Tensor { self(low, isTraining: false) }
}

/// The network of a deterministic model.
package enum RegressionNetworkConfiguration: Sendable, Equatable {
    case enhance(Enhance.Configuration)
    case progressive(Progressive.Configuration)

    package func makeNetwork(in scope: Scope) -> any RegressionNetwork {
        switch self {
        case .enhance(let configuration): Enhance(configuration, in: scope)
        case .progressive(let configuration): Progressive(configuration, in: scope)
        }
    }

    /// The system whose network it is.
    package var kind: ModelKind {
        switch self {
        case .enhance: .enhance
        case .progressive: .progressive
        }
    }

    /// Base width.
    package var width: Int {
        switch self {
        case .enhance(let configuration): configuration.width
        case .progressive(let configuration): configuration.width
        }
    }

    /// Extents that can be built and do not exhaust the memory.
    func check(_ check: Check) throws { try check((1...256).contains(width), "a network width of 1 … 256", width) }
}

extension RegressionNetworkConfiguration: Codable {
    private enum CodingKeys: String, CodingKey { case enhance, progressive }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        if let configuration = try container.decodeIfPresent(Enhance.Configuration.self, forKey: .enhance) {
            self = .enhance(configuration)
        } else {
            self = .progressive(try container.decode(Progressive.Configuration.self, forKey: .progressive))
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        switch self {
        case .enhance(let configuration): try container.encode(configuration, forKey: .enhance)
        case .progressive(let configuration): try container.encode(configuration, forKey: .progressive)
        }
    }
}
