import Foundation
import VectorKernels

extension GradientStore {
    /// The Euclidean norm of all gradients of `parameters` together.
    public func norm(of parameters: [Parameter]) -> Float {
        let squares = parameters.reduce(0.0) { total, parameter in
            total + (self[parameter].map { vector_dot($0.count, $0.pointer, $0.pointer) } ?? 0)
        }
        return Float(squares.squareRoot())
    }

    /// Scales all gradients so that their norm is at most `limit`, as PyTorch's `clip_grad_norm_`; returns the norm before.
    public mutating func clip(to limit: Float, parameters: [Parameter]) -> Float {
        let norm = norm(of: parameters)
        if norm > limit {
            for parameter in parameters { self[parameter] = self[parameter].map { $0 * (limit / (norm + 1e-6)) } }
        }
        return norm
    }
}
