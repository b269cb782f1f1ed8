import Groundwork
import TensorCore

/// Crops made ready for training ahead of their use, on threads of their own: read, turned, degraded and, where the network learns from latents, encoded.
///
/// Crops come in groups, such as batches. Which crop is number `i` of a group depends on the seed, the group and `i` alone, so that a resumed run draws the
/// same, and any part of a run can be asked for by itself.
final class CropStream<Value: Sendable>: Sendable {
    private let count: Int
    private let values: Lookahead<Value>

    /// - Parameters:
    ///   - count: crops in a group.
    ///   - crops: the crops of a group.
    ///   - make: what training takes of a crop.
    init(
        count: Int, crops: @escaping @Sendable (_ group: Int) -> [MagnetogramCollection.Crop],
        make: @escaping @Sendable (MagnetogramCollection.Crop) throws -> Value
    ) {
        self.count = count
        values = Lookahead(threads: Parallel.threadCount) { number in
            try Tape.withoutRecording { try make(crops(number / count)[number % count]) }
        }
    }

    /// Announces the groups that will be asked for next, in that order, and forgets all others.
    func prepare(_ groups: some Sequence<Int>) { values.prepare(groups.flatMap { $0 * count..<($0 + 1) * count }) }

    /// - Throws: `Failure` if a file cannot be read or has changed.
    func callAsFunction(_ group: Int) throws -> [Value] { try (group * count..<(group + 1) * count).map { try values($0) } }

    /// Seconds spent waiting for crops.
    var secondsWaited: Double { values.secondsWaited }
}

extension MagnetogramCollection {
    /// A stream of the crops of batches as they are, of which number the batches after the one asked for that are read ahead.
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

/// The batches that are read ahead of the network, that which it is to have next among them.
let batchesAhead = 3
