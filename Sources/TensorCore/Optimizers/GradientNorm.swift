import Foundation
import Groundwork
import VectorKernels

extension GradientStore {
    /// The Euclidean norm of all gradients of `parameters` together.
    public func norm(of parameters: [Parameter]) -> Float {
        let blocks = parameters.compactMap { self[$0] }.flatMap { gradient in
            stride(from: 0, to: gradient.count, by: elementwiseBlock).map { (gradient, $0, min(elementwiseBlock, gradient.count - $0)) }
        }
        let squares = Parallel.map(blocks.count) { index in
            let (gradient, start, count) = blocks[index]
            return vector_dot(count, gradient.pointer + start, gradient.pointer + start)
        }
        return Float(squares.reduce(0, +).squareRoot())
    }

    /// What gradients of that norm are to be multiplied by so that their norm is at most `limit`, as PyTorch's `clip_grad_norm_` does.
    public static func clippingFactor(norm: Float, limit: Float) -> Float { norm > limit ? limit / (norm + 1e-6) : 1 }
}
