import TensorCore

/// Parameters that learn by an optimiser of their own.
package struct OptimizerGroup {
    /// What its gradient's norm is called by in the log; empty for the model itself.
    package var name: String
    package var parameters: [Parameter]
    /// Those of them that weight decay leaves alone.
    package var undecayed: [Parameter]
    /// After the warm-up.
    package var learningRate: Double
    /// Limit of the norm of these parameters' gradient; 0 for none.
    package var clipNorm: Double
    package var weightDecay: Double

    package init(
        name: String = "", parameters: [Parameter], undecayed: [Parameter] = [], learningRate: Double, clipNorm: Double, weightDecay: Double
    ) {
        (self.name, self.parameters, self.undecayed) = (name, parameters, undecayed)
        (self.learningRate, self.clipNorm, self.weightDecay) = (learningRate, clipNorm, weightDecay)
    }

    /// The key of its gradient's norm in the log.
    var normKey: String { name.isEmpty ? "gradient_norm" : "\(name)_gradient_norm" }
}

/// AdamW for each group of a task's parameters. A group takes a step only when a gradient reaches it: moments and their corrections begin there.
package final class Optimizers {
    private let groups: [OptimizerGroup]
    private let optimizers: [AdamW]

    /// - Precondition: the groups' parameters, one group after the other, are those of the task's store.
    package init(_ task: any TrainingTask, _ configuration: TrainingConfiguration) {
        let groups = task.optimizerGroups(configuration)
        precondition(
            groups.flatMap(\.parameters).elementsEqual(task.store.parameters) { $0 === $1 }, "Optimizers: groups of other parameters than the task's")
        self.groups = groups
        optimizers = groups.map { group in
            AdamW(
                group.parameters, learningRate: Float(group.learningRate), beta1: Float(configuration.betas[0]), beta2: Float(configuration.betas[1]),
                weightDecay: Float(group.weightDecay), undecayed: group.undecayed)
        }
    }

    /// Sets the learning rates.
    /// - Parameter share: of each group's own, 0 … 1.
    package func setRates(share: Double) {
        for (group, optimizer) in zip(groups, optimizers) { optimizer.learningRate = Float(group.learningRate * share) }
    }

    /// The first group's.
    package var learningRate: Double { Double(optimizers[0].learningRate) }

    /// The Euclidean norms of the groups' gradients by their keys in the log; those of groups that no gradient reaches are left out.
    package func norms(of gradients: GradientStore) -> [String: Double] {
        var norms: [String: Double] = [:]
        for group in groups where group.parameters.contains(where: { gradients[$0] != nil }) {
            norms[group.normKey] = Double(gradients.norm(of: group.parameters))
        }
        return norms
    }

    /// Takes a step, each group's gradient clipped by itself.
    /// - Parameters:
    ///   - norms: ``norms(of:)``
    ///   - average: of all parameters
    package func update(_ gradients: GradientStore, norms: [String: Double], average: ExponentialMovingAverage? = nil, decay: Float? = nil) {
        for (group, optimizer) in zip(groups, optimizers) {
            guard let norm = norms[group.normKey] else { continue }
            let limit = group.clipNorm > 0 ? Float(group.clipNorm) : .infinity
            optimizer.update(
                gradients, scale: GradientStore.clippingFactor(norm: Float(norm), limit: limit), average: average, decay: decay)
        }
    }

    /// The steps that each took, and the moments in the order of the task's parameters: what resuming needs.
    package var state: (steps: [Int], first: [Tensor], second: [Tensor]) {
        get {
            let states = optimizers.map(\.state)
            return (states.map(\.step), states.flatMap(\.first), states.flatMap(\.second))
        }
        set {
            precondition(newValue.steps.count == groups.count, "Optimizers: state of other groups")
            var start = 0
            for (index, group) in groups.enumerated() {
                let range = start..<start + group.parameters.count
                optimizers[index].state = (newValue.steps[index], Array(newValue.first[range]), Array(newValue.second[range]))
                start = range.upperBound
            }
        }
    }

    var count: Int { groups.count }
}

extension TrainingTask {
    package func optimizerGroups(_ configuration: TrainingConfiguration) -> [OptimizerGroup] {
        [
            OptimizerGroup(
                parameters: store.parameters, learningRate: configuration.learningRate, clipNorm: configuration.clipNorm,
                weightDecay: configuration.weightDecay)
        ]
    }
}
