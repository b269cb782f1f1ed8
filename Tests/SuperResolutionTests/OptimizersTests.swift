import Foundation
import SolarImage
import SuperResolution
import TensorCore
import Testing

/// Groups of parameters with optimisers of their own.
@Suite struct OptimizersTests {
    /// Two weights of two values, the second a group of its own that a gradient reaches from `start` on.
    private final class Pair: TrainingTask {
        let store = ParameterStore(seed: 1)
        let imageCount = 1
        let first, second: Parameter

        init() {
            first = (store.root / "a").parameter("weight", [2], .constant(1))
            second = (store.root / "b").parameter("weight", [2], .constant(1))
        }

        func optimizerGroups(_ configuration: TrainingConfiguration) -> [OptimizerGroup] {
            [
                OptimizerGroup(parameters: [first], undecayed: [first], learningRate: 0.1, clipNorm: 1, weightDecay: 0.5),
                OptimizerGroup(name: "other", parameters: [second], learningRate: 0.3, clipNorm: 0, weightDecay: 0.5),
            ]
        }

        func loss(batch: Int, members: Range<Int>?) -> (loss: Tensor, parts: [String: Double]) { (first.tensor.squared().sum(), [:]) }
        func validationLoss() -> Double? { nil }
        func sample() -> [(title: String, image: Image)] { [("nothing", Image(width: 8, height: 8, repeating: 0))] }
        func writeModel(values: [Tensor], training: TrainingSummary, to url: URL) throws {}
    }

    private func gradients(_ task: Pair, _ step: Int, second: Bool) -> GradientStore {
        valueWithGradient(at: task.store.parameters) {
            let loss = (task.first.tensor * Tensor(shape: [2], values: [3, Float(step)])).sum()
            return second ? loss + (task.second.tensor * Tensor(shape: [2], values: [5, -Float(step)])).sum() : loss
        }.gradients
    }

    /// As two optimisers beside each other: rate, clip, decay and the steps that the moments' corrections count.
    @Test func eachGroupLearnsAsIfAlone() throws {
        var configuration = TrainingConfiguration(model: .vqgan, preset: .tiny)
        configuration.betas = [0.5, 0.9]
        let (task, alone) = (Pair(), Pair())
        let together = Optimizers(task, configuration)
        let average = ExponentialMovingAverage(task.store.parameters, decay: 0.5)
        let first = AdamW([alone.first], learningRate: 0.05, beta1: 0.5, beta2: 0.9, weightDecay: 0)
        let second = AdamW([alone.second], learningRate: 0.15, beta1: 0.5, beta2: 0.9, weightDecay: 0.5)
        let averages = [alone.first, alone.second].map { ExponentialMovingAverage([$0], decay: 0.5) }
        together.setRates(share: 0.5)
        for step in 0..<6 {
            let both = step >= 3
            let own = gradients(task, step, second: both)
            let norms = together.norms(of: own)
            #expect(Set(norms.keys) == (both ? ["gradient_norm", "other_gradient_norm"] : ["gradient_norm"]))
            together.update(own, norms: norms, average: average)
            let other = gradients(alone, step, second: both)
            first.update(other, scale: GradientStore.clippingFactor(norm: other.norm(of: [alone.first]), limit: 1), average: averages[0])
            if both { second.update(other, average: averages[1]) }
        }
        #expect(task.first.value.values == alone.first.value.values && task.second.value.values == alone.second.value.values)
        #expect(average.averages.map(\.values) == averages.map { $0.averages[0].values })
        #expect(together.state.steps == [6, 3])

        // The state goes over to another.
        let (next, copy) = (Pair(), Pair())
        let (third, fourth) = (Optimizers(next, configuration), Optimizers(copy, configuration))
        third.state = together.state
        fourth.state = third.state
        for (target, optimizers) in [(next, third), (copy, fourth)] {
            let gradient = gradients(target, 7, second: true)
            optimizers.update(gradient, norms: optimizers.norms(of: gradient))
        }
        #expect(next.first.value.values == copy.first.value.values && fourth.state.steps == [7, 4])
        #expect(next.first.value.values != Pair().first.value.values)
    }

    /// The codebook of a VQGAN and its discriminator do not decay; the discriminator has a rate and a limit of its own.
    @Test func groupsOfAVQGAN() throws {
        try withTemporaryFolder { folder in
            try TrainingExample.writeMaps(2, to: folder)
            var configuration = try TrainingExample.configuration(.vqgan)
            (configuration.loss.discriminatorTraining.learningRate, configuration.loss.discriminatorTraining.clipNorm) = (7e-4, 0.25)
            let model = ModelsExample.newModel(configuration)
            let task = try AutoencoderTraining(configuration, model: model, training: try TrainingExample.collection(folder), validation: nil)
            let groups = task.optimizerGroups(configuration)
            #expect(
                groups.map(\.name) == ["", "discriminator"] && groups.map(\.learningRate) == [1e-3, 7e-4] && groups.map(\.clipNorm) == [1, 0.25])
            #expect(groups[0].weightDecay == 0.01 && groups[1].weightDecay == 0)
            let codebook = try #require(model.autoencoder?.codebook)
            #expect(groups[0].undecayed.count == 1 && groups[0].undecayed[0] === codebook)
            #expect(groups[0].parameters.count == model.firstStageStore.parameters.count)
            // Values and moments of both stand in checkpoints, with the steps that each took.
            let run = try TrainingExample.run("run", in: folder)
            (configuration.steps, configuration.validateEvery) = (25, 0)
            _ = try Trainer(configuration, data: folder, logger: .init(label: "test")).run(run, report: { _ in }, shouldStop: { false })
            let checkpoint = try SafetensorsFile(reading: run.last)
            #expect(checkpoint.metadata["sr.progress"]?.contains(#""optimizerSteps":[25,5]"#) == true)
            let moment = try #require(checkpoint.names.first { $0.hasPrefix("second_moment.discriminator.") && $0.hasSuffix(".weight") })
            #expect(try checkpoint.tensor(named: moment).values.contains { $0 > 0 })
            #expect(try TrainingExample.log(run).last?["discriminator_gradient_norm"] != nil)
        }
    }
}
