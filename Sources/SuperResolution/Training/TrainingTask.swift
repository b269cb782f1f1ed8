import Foundation
import SolarImage
import TensorCore

/// What is trained: how a loss is drawn for a step, how the result is judged and written. The loop around it is ``TrainingLoop``.
///
/// Everything random depends on the step alone, so that training can go on from a checkpoint bit for bit.
package protocol TrainingTask: AnyObject {
    /// The parameters to train.
    var store: ParameterStore { get }

    /// Magnetograms trained on.
    var imageCount: Int { get }

    /// Announces the batches whose losses will be asked for from now on, in that order, so that their crops can be made ready.
    func prepare(_ batches: some Collection<Int>)

    /// Seconds that losses have waited for their crops.
    var secondsWaited: Double { get }

    /// The loss of a batch, recorded, and its parts by name for the log.
    /// - Parameter batch: counts batches from 0; steps times accumulated batches.
    func loss(batch: Int) throws -> (loss: Tensor, parts: [String: Double])

    /// The validation loss with the current weights; nil without validation data.
    func validationLoss() throws -> Double?

    /// Images for people to look at, side by side under a title each.
    func sample() throws -> [(title: String, image: Image)]

    /// Writes the model as `infer` reads it.
    /// - Parameter values: the weights, in the order of the store's parameters.
    func writeModel(values: [Tensor], training: TrainingSummary, to url: URL) throws

    /// Writes what changes a model that was fine-tuned, if that is less than the model.
    func writeAdapter(values: [Tensor], training: TrainingSummary, to url: URL) throws
}

extension TrainingTask {
    package func prepare(_ batches: some Collection<Int>) {}

    package var secondsWaited: Double { 0 }

    package func writeAdapter(values: [Tensor], training: TrainingSummary, to url: URL) throws {}
}
