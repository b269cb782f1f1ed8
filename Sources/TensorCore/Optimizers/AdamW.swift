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
    /// The weight decay of each.
    private let decays: [Float]
    private var first: [Tensor]
    private var second: [Tensor]

    /// - Parameter undecayed: those of the parameters that weight decay leaves alone.
    public init(
        _ parameters: [Parameter], learningRate: Float, beta1: Float = 0.9, beta2: Float = 0.999, epsilon: Float = 1e-8, weightDecay: Float = 0.01,
        undecayed: [Parameter] = []
    ) {
        (self.parameters, self.learningRate, self.beta1, self.beta2) = (parameters, learningRate, beta1, beta2)
        (self.epsilon, self.weightDecay) = (epsilon, weightDecay)
        decays = parameters.map { parameter in undecayed.contains { $0 === parameter } ? 0 : weightDecay }
        first = parameters.map { Tensor(zeros: $0.value.shape) }
        second = first.map { Tensor(zeros: $0.shape) }
    }

    /// Changes every parameter that has a gradient, in place, and the average in the same pass over memory.
    /// - Parameters:
    ///   - scale: of the gradients, such as ``GradientStore/clippingFactor(norm:limit:)``.
    ///   - average: of these parameters, and maybe others, which follows them.
    ///   - decay: overrides the average's own, as for a warm-up.
    public func update(_ gradients: GradientStore, scale: Float = 1, average: ExponentialMovingAverage? = nil, decay: Float? = nil) {
        let places = average.map { average in parameters.map { average.place(of: $0) } } ?? []
        step += 1
        let (correction1, correction2) = (1 - pow(Double(beta1), Double(step)), 1 - pow(Double(beta2), Double(step)))
        let fraction = average.map { 1 - (decay ?? $0.decay) } ?? 0
        // Blocks of all parameters in one loop: most parameters are too small for one of their own.
        var blocks: [(index: Int, gradient: Tensor, range: Range<Int>)] = []
        for (index, parameter) in parameters.enumerated() {
            guard let gradient = gradients[parameter] else {
                average?.follow(places[index], fraction: fraction)
                continue
            }
            parameter.value.makeUnique()
            first[index].makeUnique()
            second[index].makeUnique()
            average?.averages[places[index]].makeUnique()
            for start in stride(from: 0, to: gradient.count, by: elementwiseBlock) {
                blocks.append((index, gradient, start..<min(gradient.count, start + elementwiseBlock)))
            }
        }
        Parallel.forEach(blocks.count) { block in
            let (index, gradient, range) = blocks[block]
            let start = range.lowerBound
            vector_adamw(
                range.count, parameters[index].value.pointer + start, gradient.pointer + start, scale, first[index].pointer + start,
                second[index].pointer + start, learningRate, beta1, beta2, epsilon, decays[index], Float(correction1), Float(correction2),
                average.map { $0.averages[places[index]].pointer + start }, fraction)
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
