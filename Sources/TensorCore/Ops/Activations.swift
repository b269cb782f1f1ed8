import VectorKernels

/// What may follow a normalisation in the same pass over memory.
public enum Activation: Sendable {
    case none
    /// ``Tensor/gelu()``
    case gelu
    /// ``Tensor/silu()``
    case silu

    var kernel: activation {
        switch self {
        case .none: activation_none
        case .gelu: activation_gelu
        case .silu: activation_silu
        }
    }
}

extension Tensor {
    /// max(x, 0)
    public func relu() -> Tensor { activation(vector_relu, gradient: vector_relu_gradient) }

    /// x where it is positive, slope·x elsewhere.
    public func leakyRelu(slope: Float = 0.2) -> Tensor {
        activation({ vector_leaky_relu($0, $1, slope, $2) }, gradient: { vector_leaky_relu_gradient($0, $1, $2, slope, $3) })
    }

    /// x·σ(x), the sigmoid linear unit (Elfwing et al. 2018).
    public func silu() -> Tensor { activation(vector_silu, gradient: vector_silu_gradient) }

    /// x·Φ(x) with the normal distribution's Φ in its exact form by erf (Hendrycks & Gimpel 2016, equation 1).
    public func gelu() -> Tensor { activation(vector_gelu, gradient: vector_gelu_gradient) }

    /// e^x, for x from −87 to 88 and as at these beyond them.
    public func exponential() -> Tensor { activation(vector_exponential, gradient: vector_exponential_gradient) }

    /// ln(x). Nothing is recorded, as by ``inverseHyperbolicSine()``.
    package func logarithm() -> Tensor { elementwise(vector_logarithm) }

    /// arcsinh(x). Nothing is recorded: it is for input fields, not for what a network gives.
    package func inverseHyperbolicSine() -> Tensor { elementwise(vector_inverse_hyperbolic_sine) }

    /// sinh(x)
    public func hyperbolicSine() -> Tensor { activation(vector_hyperbolic_sine, gradient: vector_hyperbolic_sine_gradient) }
}
