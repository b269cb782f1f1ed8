import Groundwork
import TensorCore

/// Crops made ready for training ahead of their use, on threads of their own: read, turned, degraded and, where the network learns from latents, encoded.
///
/// Crops come in groups, such as batches. Which crop is number `i` of a group depends on the seed, the group and `i` alone, so that a resumed run draws the
/// same, and any part of a run can be asked for by itself: by one rank of several, which takes what it needs of each group.
final class CropStream<Value: Sendable>: Sendable {
    /// The crops of a group.
    let crops: @Sendable (_ group: Int) -> [MagnetogramCollection.Crop]
    private let count: Int
    private let values: Lookahead<Value>

    /// - Parameters:
    ///   - count: crops in a group.
    ///   - make: what training takes of a crop.
    init(
        count: Int, crops: @escaping @Sendable (_ group: Int) -> [MagnetogramCollection.Crop],
        make: @escaping @Sendable (MagnetogramCollection.Crop) throws -> Value
    ) {
        (self.count, self.crops) = (count, crops)
        values = Lookahead(threads: Parallel.threadCount) { number in
            try Tape.withoutRecording { try make(crops(number / count)[number % count]) }
        }
    }

    private func numbers(_ group: Int, _ members: Range<Int>?) -> Range<Int> {
        let members = members ?? 0..<count
        return group * count + members.lowerBound..<group * count + members.upperBound
    }

    /// Announces what will be asked for next, in that order, and forgets all else.
    /// - Parameter groups: with those of their crops that will be; nil for all.
    func prepare(_ groups: [(group: Int, members: Range<Int>?)]) { values.prepare(groups.flatMap { numbers($0.group, $0.members) }) }

    /// The same of batches: micro-batches of one after the other, those of ``batchesAhead`` batches at most.
    func prepare(_ parts: some Sequence<MicroBatches.Part>) {
        values.prepare(Array(parts.lazy.flatMap { self.numbers($0.batch, $0.members) }.prefix(batchesAhead * count)))
    }

    /// - Parameter members: those of a group's crops that are wanted; nil for all.
    /// - Throws: `Failure` if a file cannot be read or has changed.
    func callAsFunction(_ group: Int, _ members: Range<Int>? = nil) throws -> [Value] { try numbers(group, members).map { try values($0) } }

    /// Seconds spent waiting for crops.
    var secondsWaited: Double { values.secondsWaited }
}

extension MagnetogramCollection {
    /// A stream of the crops of batches as they are.
    /// - Parameters:
    ///   - name: of the random numbers of a batch, with its number behind; crops are the first that is drawn by them.
    ///   - fixed: the crops to take in place of any.
    ///   - scale: of the low resolution; nil for none.
    func stream(_ configuration: TrainingConfiguration, _ name: String, fixed: [Crop], scale: Int?) -> CropStream<CropSample> {
        CropStream(count: configuration.batchSize) { [self] batch in
            var random = Random(seed: configuration.seed, name: "\(name) \(batch)")
            return self.batch(configuration, fixed: fixed, &random)
        } make: { [self] in
            try CropSample([$0], of: self, scale: scale)
        }
    }
}

/// The batches whose crops are made ready ahead of the network, that which it is to have next among them.
let batchesAhead = 3
