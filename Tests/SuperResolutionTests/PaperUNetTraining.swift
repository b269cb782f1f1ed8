import SuperResolution
import TensorCore

/// Training of the paper's U-Net on batches that PyTorch trained it on (`train` in Scripts/make-fixtures.py).
struct PaperUNetTraining {
    /// Holds `clean`, `condition`, `noise`, `timesteps`, and the weights afterwards.
    let file: SafetensorsFile

    /// Takes a step for each batch.
    /// - Returns: the loss of each step.
    func train(_ network: PaperUNet, _ store: ParameterStore) throws -> [Float] {
        let (clean, condition) = (try file.tensor(named: "clean"), try file.tensor(named: "condition"))
        let (noises, timesteps) = (try file.tensor(named: "noise"), try file.tensor(named: "timesteps").values.map { Int($0) })
        let alphas = NoiseSchedule.paper.cumulativeAlphas
        let optimizer = AdamW(store.parameters, learningRate: 3e-4, weightDecay: 0.01)
        return (0..<noises.shape[0]).map { step in
            let noise = noises.sliced(axis: 0, range: step..<step + 1).reshaped(to: clean.shape)
            let times = Array(timesteps[2 * step..<2 * step + 2])
            func column(_ value: (Double) -> Double) -> Tensor { Tensor(shape: [2, 1, 1, 1], values: times.map { Float(value(alphas[$0])) }) }
            let noisy = column { $0.squareRoot() } * clean + column { (1 - $0).squareRoot() } * noise
            let (loss, gradients) = valueWithGradient(at: store.parameters) {
                meanSquaredError(network(noisy, condition: condition, timesteps: times), noise)
            }
            let norm = gradients.norm(of: store.parameters)
            optimizer.update(gradients, scale: GradientStore.clippingFactor(norm: norm, limit: .infinity))
            return loss.item
        }
    }

    /// How far a tensor of weights lies from PyTorch's after training.
    struct Deviation {
        let name: String
        /// ‖error‖ / ‖weights‖
        let ofWeights: Double
        /// ‖error‖ / ‖change by training‖
        let ofChange: Double
    }

    /// - Parameters:
    ///   - start: the weights before training, in the order of the store's parameters.
    ///   - prefix: of PyTorch's weights afterwards.
    func deviations(of store: ParameterStore, start: [Tensor], prefix: String) throws -> [Deviation] {
        try zip(store.names, zip(store.parameters, start)).map { name, values in
            let expected = store.fromDisk(try file.tensor(named: prefix + name), named: name)
            // The keys' part of this bias has no gradient but rounding errors (see ModelsFixture), which Adam makes steps of.
            let third = name.hasSuffix("in_proj_bias") ? expected.count / 3 : 0
            func compared(_ tensor: Tensor) -> [Float] { Array(tensor.values[..<third] + tensor.values[(2 * third)...]) }
            func norm(_ values: [Float]) -> Double { values.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot() }
            func distance(_ one: [Float], _ other: [Float]) -> Double { norm(zip(one, other).map { $0 - $1 }) }
            let (found, wanted, before) = (compared(values.0.value), compared(expected), compared(values.1))
            let error = distance(found, wanted)
            return Deviation(name: name, ofWeights: error / norm(wanted), ofChange: error / distance(wanted, before))
        }
    }
}
