import Groundwork
import TensorCore

/// The gradients of an optimiser step, summed over its micro-batches and over the ranks that share these.
///
/// Values lie in buckets, about 1 MiB of parameters each, the last declared first, as a walk back completes them. During the walk of a rank's last micro-batch each bucket is
/// on its way as soon as it is complete: all ranks send their part of it to one of them, in turns, which adds them by the tree of ``TreeSum`` and sends everyone the sum. A walk's every
/// rule moves the messages on.
package final class GradientSum {
    /// What came of a step; the same on all ranks but for the seconds.
    package struct Result {
        package var gradients = GradientStore()
        package var loss = 0.0
        /// The sums of what each rank noted.
        package var notes: [Float]
        /// From the first bucket that was ready to the last that was summed, and of these the ones after the walk back; 0 for one process.
        package var exchangeSeconds = 0.0, waitSeconds = 0.0
    }

    /// Parameters by where their gradients lie among the bucket's values; behind all of them stands a value a parameter, 1 where it has a gradient.
    private struct Bucket {
        var parameters: [(parameter: Parameter, start: Int)] = []
        var values = 0

        var count: Int { values + parameters.count }
    }

    /// Values of a bucket.
    private static let bucketSize = 1 << 18

    private let store: ParameterStore
    private let parameters: [Parameter]
    private let microBatches: MicroBatches
    private let ranks: Ranks
    private var buckets = [Bucket()]
    /// The bucket of each parameter, and its place there.
    private var places: [ObjectIdentifier: (bucket: Int, index: Int)] = [:]

    /// - Throws: `Failure` (`.usage`) if there are fewer micro-batches than ranks.
    package init(_ store: ParameterStore, _ microBatches: MicroBatches, _ ranks: Ranks = .alone) throws {
        (self.store, parameters, self.microBatches, self.ranks) = (store, store.parameters, microBatches, ranks)
        try microBatches.check(ranks)
        for parameter in parameters.reversed() {
            if buckets[buckets.count - 1].values >= Self.bucketSize { buckets.append(Bucket()) }
            let bucket = buckets.count - 1
            places[ObjectIdentifier(parameter)] = (bucket, buckets[bucket].parameters.count)
            buckets[bucket].parameters.append((parameter, buckets[bucket].values))
            buckets[bucket].values += parameter.value.count
        }
    }

    /// Computes the rank's share and exchanges it. The store's buffers come to the mean of what each micro-batch makes of them as they are now.
    /// - Parameters:
    ///   - notes: to be summed over the ranks; as many everywhere.
    ///   - loss: the mean over a micro-batch, recorded.
    /// - Throws: `Failure` (`.other`) if a rank is lost; what `loss` throws.
    package func callAsFunction(notes: [Float] = [], loss: (MicroBatches.Part) throws -> Tensor) throws -> Result {
        let parts = microBatches.parts
        func scaledLoss(_ index: Int) throws -> Tensor {
            let (value, divisor) = (try loss(parts[index]), microBatches.divisor(parts[index]))
            return divisor == 1 ? value : value / divisor
        }
        guard parts.count > 1 else {
            let (value, gradients) = try valueWithGradient(at: parameters) { try scaledLoss(0) }
            return Result(gradients: gradients, loss: Double(value.item), notes: notes)
        }
        let before = store.buffers.map(\.value)
        // The loss, the notes and the buffers travel first: they are known before the walk back.
        let heads = 1 + notes.count + before.reduce(0) { $0 + $1.count }
        let exchange = try GradientExchange(sizes: [heads] + buckets.map(\.count), parts: parts.count, ranks)
        let share = microBatches.share(of: ranks.rank, count: ranks.count)
        for index in share {
            exchange.isLast = index == share.upperBound - 1
            for (buffer, value) in zip(store.buffers, before) { buffer.value = value }
            var values = buckets.map { Tensor(uninitialized: [$0.count]) }
            var missing = buckets.map(\.parameters.count)
            let watch = Tape.Watch { [self] parameter, gradient in
                guard let (bucket, place) = places[ObjectIdentifier(parameter)] else { return }
                let (start, count) = (buckets[bucket].parameters[place].start, parameter.value.count)
                if let gradient {
                    (values[bucket].pointer + start).update(from: gradient.pointer, count: count)
                } else {
                    (values[bucket].pointer + start).update(repeating: 0, count: count)
                }
                values[bucket].pointer[buckets[bucket].values + place] = gradient == nil ? 0 : 1
                missing[bucket] -= 1
                if missing[bucket] == 0 {
                    exchange.add(values[bucket], to: 1 + bucket, of: index)
                    values[bucket] = Tensor(zeros: [0])
                }
            } advanced: {
                exchange.advance()
            }
            _ = try valueWithGradient(at: parameters, watch: watch) {
                let value = try scaledLoss(index)
                // Each rank's notes once.
                let noted = exchange.isLast ? notes : notes.map { _ in 0 }
                exchange.add(
                    Tensor(shape: [heads], values: [value.item] + noted + store.buffers.flatMap { $0.value.values }), to: 0, of: index)
                return value
            }
        }
        let sums = try exchange.finish()
        return result(sums, notes.count, before.map(\.shape), parts.count, exchange)
    }

    private func result(_ sums: [Tensor], _ notes: Int, _ buffers: [[Int]], _ parts: Int, _ exchange: GradientExchange) -> Result {
        let heads = sums[0].values
        var result = Result(
            loss: Double(heads[0]), notes: Array(heads[1..<1 + notes]), exchangeSeconds: exchange.seconds, waitSeconds: exchange.waitSeconds)
        var start = 1 + notes
        for (buffer, shape) in zip(store.buffers, buffers) {
            let end = start + shape.reduce(1, *)
            buffer.value = Tensor(shape: shape, values: heads[start..<end].map { $0 / Float(parts) })
            start = end
        }
        for (bucket, sum) in zip(buckets, sums.dropFirst()) {
            for (index, (parameter, start)) in bucket.parameters.enumerated() where sum.pointer[bucket.values + index] > 0 {
                let gradient = Tensor(uninitialized: parameter.value.shape)
                gradient.pointer.update(from: sum.pointer + start, count: gradient.count)
                result.gradients[parameter] = gradient
            }
        }
        return result
    }
}
