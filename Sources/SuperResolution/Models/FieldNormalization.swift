import Foundation
import TensorCore

/// The map between magnetic field in Gauss and the numbers a network sees, about −1 … 1. It is stored with the model.
public enum FieldNormalization: Sendable, Equatable {
    /// B / limit after clipping to ±limit (Gauss); the paper's, with a limit of 3000 G.
    case linear(limit: Float)
    /// arcsinh(B / scale) / arcsinh(limit / scale), without clipping: fields below `scale` (Gauss) keep their resolution.
    case inverseHyperbolicSine(scale: Float, limit: Float)

    /// The paper's normalisation.
    public static let paper = FieldNormalization.linear(limit: 3000)

    /// The normalisation of the presets `small` and `tiny`: with it weak field keeps enough variance in the latents.
    public static let weakField = FieldNormalization.inverseHyperbolicSine(scale: 100, limit: 3000)

    /// Gauss → network values.
    public func normalize(_ field: Tensor) -> Tensor {
        switch self {
        case .linear(let limit): field.clamped(to: -limit...limit) / limit
        case .inverseHyperbolicSine(let scale, let limit): (field / scale).inverseHyperbolicSine() / asinh(limit / scale)
        }
    }

    /// Network values → Gauss. A gradient passes through.
    ///
    /// What lies beyond 1.2 times the range (6.8 kG at a scale of 100 G and a limit of 3000 G, more than any sunspot has) is held there before arcsinh is
    /// undone: the sinh of what an untrained network gives has no bound.
    public func denormalize(_ values: Tensor) -> Tensor {
        switch self {
        case .linear(let limit): values * limit
        case .inverseHyperbolicSine(let scale, let limit): (values.clamped(to: -1.2...1.2) * asinh(limit / scale)).hyperbolicSine() * scale
        }
    }
}

extension FieldNormalization: Codable {
    private enum Keys: String, CodingKey { case kind, scale, limit }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Keys.self)
        let limit = try container.decode(Float.self, forKey: .limit)
        let kind = try container.decode(String.self, forKey: .kind)
        guard limit.isFinite, limit > 0 else {
            throw DecodingError.dataCorruptedError(
                forKey: .limit, in: container, debugDescription: "the limit must be a positive field in Gauss, not \(limit)")
        }
        switch kind {
        case "linear": self = .linear(limit: limit)
        case "asinh":
            let scale = try container.decode(Float.self, forKey: .scale)
            guard scale.isFinite, scale > 0 else {
                throw DecodingError.dataCorruptedError(
                    forKey: .scale, in: container, debugDescription: "the scale must be a positive field in Gauss, not \(scale)")
            }
            self = .inverseHyperbolicSine(scale: scale, limit: limit)
        default:
            throw DecodingError.dataCorruptedError(forKey: .kind, in: container, debugDescription: "expected linear or asinh, found \(kind)")
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Keys.self)
        switch self {
        case .linear(let limit):
            try container.encode("linear", forKey: .kind)
            try container.encode(limit, forKey: .limit)
        case .inverseHyperbolicSine(let scale, let limit):
            try container.encode("asinh", forKey: .kind)
            try container.encode(scale, forKey: .scale)
            try container.encode(limit, forKey: .limit)
        }
    }
}
