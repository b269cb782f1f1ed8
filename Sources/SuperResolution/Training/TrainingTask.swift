import Foundation
import SolarImage
import TensorCore

/// What is trained: how a loss is drawn for a step, how the result is judged and written. The loop around it is ``TrainingLoop``.
///
/// Everything random depends on the step alone, so that training can go on from a checkpoint bit for bit.
package protocol TrainingTask: AnyObject {
    /// The parameters to train.
    var store: ParameterStore { get }

    /// How its parameters are divided among optimisers: one of all, unless told otherwise.
    func optimizerGroups(_ configuration: TrainingConfiguration) -> [OptimizerGroup]

    /// Magnetograms trained on.
    var imageCount: Int { get }

    /// The files that a batch is cut from, each once, for messages.
    func files(batch: Int) -> [String]

    /// Announces the micro-batches whose losses will be asked for from now on, in that order, so that their crops can be made ready.
    /// - Parameter parts: their batches counted from 0, as those of ``loss(batch:members:)``.
    func prepare(_ parts: some Sequence<MicroBatches.Part>)

    /// Seconds that losses have waited for their crops.
    var secondsWaited: Double { get }

    /// The loss of a batch or of some of its crops, recorded: a mean over these, and its parts by name for the log. What a crop is does not depend on which others are wanted.
    /// - Parameters:
    ///   - batch: counts batches from 0; steps times accumulated batches.
    ///   - members: of the batch's crops; nil for all.
    func loss(batch: Int, members: Range<Int>?) throws -> (loss: Tensor, parts: [String: Double])

    /// Changes what is not left to the optimiser, between a step's gradients and its update. Everything it goes by is the same on all ranks.
    func beforeUpdate(step: Int) throws

    /// Tells the ranks that work on the task together.
    func work(with ranks: Ranks)

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
    package func files(batch: Int) -> [String] { [] }

    package func prepare(_ parts: some Sequence<MicroBatches.Part>) {}

    package var secondsWaited: Double { 0 }

    /// The loss of a whole batch.
    package func loss(batch: Int) throws -> (loss: Tensor, parts: [String: Double]) { try loss(batch: batch, members: nil) }

    package func beforeUpdate(step: Int) throws {}

    package func work(with ranks: Ranks) {}

    package func writeAdapter(values: [Tensor], training: TrainingSummary, to url: URL) throws {}
}
