import Groundwork

/// The parts that the crops of an optimiser step are cut into, each of which goes through the network by itself. The cut depends on the configuration alone: ranks
/// share the parts, and what these come to does not depend on who computes them.
///
/// What a network normalises by the statistics of a batch (``BatchNorm`` in Enhance, Progressive and the discriminator) it normalises by those of the part, as
/// is usual where a batch is spread; the running statistics follow the mean over a step's parts. A mean over pixels with data is that of the part's, too, and each part counts by its crops.
package struct MicroBatches: Sendable, Equatable {
    package struct Part: Sendable, Equatable {
        /// Which of the accumulated batches, and which of its crops.
        package let batch: Int
        package let members: Range<Int>
    }

    package let parts: [Part]
    /// The crops of all parts.
    private let crops: Int

    /// - Parameter size: crops of a part, at most; nil for whole batches.
    package init(batchSize: Int, accumulate: Int, size: Int?) {
        let size = size ?? batchSize
        parts = (0..<accumulate).flatMap { batch in
            stride(from: 0, to: batchSize, by: size).map { Part(batch: batch, members: $0..<min(batchSize, $0 + size)) }
        }
        crops = batchSize * accumulate
    }

    package init(_ configuration: TrainingConfiguration) {
        self.init(batchSize: configuration.batchSize, accumulate: configuration.accumulate, size: configuration.microBatch)
    }

    /// What the loss of a part is divided by, so that their sum is the mean over all crops.
    func divisor(_ part: Part) -> Float { Float(crops) / Float(part.members.count) }

    /// - Throws: `Failure` (`.usage`) if there are fewer parts than ranks.
    package func check(_ ranks: Ranks) throws {
        guard parts.count < ranks.count else { return }
        throw Failure(
            .usage, "there are more ranks than micro-batches", expected: "\(parts.count) ranks at most", found: "\(ranks.count)",
            remedy: "give fewer ranks, a smaller --micro-batch, or a larger --batch-size or --accumulate")
    }

    /// The parts of a rank.
    package func share(of rank: Int, count: Int) -> Range<Int> { Ranks.share(of: parts.count, rank: rank, count: count) }
}
