import Foundation
import Groundwork
import VectorKernels

/// AdamW (Loshchilov & Hutter 2019): Adam with weight decay apart from the gradient.
public final class AdamW {
    public var learningRate: Float
    public let beta1, beta2, epsilon, weightDecay: Float
    /// Steps taken.
    public private(set) var step = 0
    private let parameters: [Parameter]
    private var first: [Tensor]
    private var second: [Tensor]

    public init(
        _ parameters: [Parameter], learningRate: Float, beta1: Float = 0.9, beta2: Float = 0.999, epsilon: Float = 1e-8, weightDecay: Float = 0.01
    ) {
        (self.parameters, self.learningRate, self.beta1, self.beta2) = (parameters, learningRate, beta1, beta2)
        (self.epsilon, self.weightDecay) = (epsilon, weightDecay)
        first = parameters.map { Tensor(zeros: $0.value.shape) }
        second = first.map { Tensor(zeros: $0.shape) }
    }

    /// Changes every parameter that has a gradient, in place.
    public func update(_ gradients: GradientStore) {
        step += 1
        let correction1 = 1 - pow(Double(beta1), Double(step))
        let correction2 = 1 - pow(Double(beta2), Double(step))
        for (index, parameter) in parameters.enumerated() {
            guard let gradient = gradients[parameter] else { continue }
            parameter.value.makeUnique()
            first[index].makeUnique()
            second[index].makeUnique()
            let (weight, m, v) = (parameter.value.pointer, first[index].pointer, second[index].pointer)
            Parallel.forEachBlock(of: gradient.count, size: elementwiseBlock) { block in
                vector_adamw(
                    block.count, weight + block.lowerBound, gradient.pointer + block.lowerBound, m + block.lowerBound, v + block.lowerBound,
                    learningRate,
                    beta1, beta2, epsilon, weightDecay, Float(correction1), Float(correction2))
            }
        }
    }

    /// The moments, in the order of the parameters, and the step: what resuming needs.
    package var state: (step: Int, first: [Tensor], second: [Tensor]) {
        get { (step, first, second) }
        set {
            precondition(
                newValue.first.map(\.shape) == first.map(\.shape) && newValue.second.map(\.shape) == second.map(\.shape),
                "AdamW: state of other parameters")
            (step, first, second) = newValue
        }
    }
}
