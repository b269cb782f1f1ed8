import Groundwork
import TensorCore

/// The exchange of one step's buckets between ranks. Bucket b is summed by rank b mod count, to which the others send the nodes of their shares and which sends them the
/// sum: each rank sends and receives every value about twice, however many there are.
///
/// For one process it adds, and sends nothing.
final class GradientExchange {
    private struct Bucket {
        let owner: Int
        let size: Int
        /// Of this rank's share.
        var own: TreeSum
        var isComplete = false
        /// At the owner: what the other ranks send, with the nodes that it is the sums of.
        var inbox: [(nodes: [Range<Int>], values: Tensor, request: MPI.Request?)] = []
        /// Elsewhere: the sum, once it comes.
        var answer: (values: Tensor, request: MPI.Request?)?
        var outbox: [(values: Tensor, request: MPI.Request)] = []
        var result: Tensor?
    }

    private let ranks: Ranks
    private let parts: Int
    private var buckets: [Bucket]
    /// Where the next look for something that arrived begins.
    private var turn = 0
    /// What went wrong where nothing could be thrown.
    private var failure: (any Error)?
    private var started: ContinuousClock.Instant?

    /// Whether the micro-batch at work is the rank's last: then what is complete is sent.
    var isLast = false
    private(set) var seconds = 0.0, waitSeconds = 0.0

    /// - Parameters:
    ///   - sizes: values of each bucket.
    ///   - parts: micro-batches of all ranks.
    init(sizes: [Int], parts: Int, _ ranks: Ranks) throws {
        (self.ranks, self.parts) = (ranks, parts)
        buckets = sizes.enumerated().map { Bucket(owner: $0 % ranks.count, size: $1, own: TreeSum(count: parts)) }
        guard ranks.count > 1 else { return }
        for index in buckets.indices {
            let (size, owner) = (buckets[index].size, buckets[index].owner)
            guard owner == ranks.rank else {
                let values = Tensor(uninitialized: [size])
                buckets[index].answer = (values, try ranks.receive(values, from: owner, tag: 2 * index + 1))
                continue
            }
            for peer in 0..<ranks.count where peer != owner {
                let nodes = TreeSum.nodes(of: Ranks.share(of: parts, rank: peer, count: ranks.count), count: parts)
                let values = Tensor(uninitialized: [nodes.count * size])
                buckets[index].inbox.append((nodes, values, try ranks.receive(values, from: peer, tag: 2 * index)))
            }
        }
    }

    /// Adds a bucket's values of one micro-batch; of the last one, the bucket is on its way.
    func add(_ values: Tensor, to bucket: Int, of part: Int) {
        buckets[bucket].own.add(values, of: part..<part + 1)
        guard isLast, failure == nil else { return }
        do { try begin(bucket) } catch { failure = error }
    }

    private func begin(_ index: Int) throws {
        if started == nil { started = .now }
        buckets[index].isComplete = true
        guard buckets[index].owner != ranks.rank else { return try sumUp(index) }
        let own = buckets[index].own.nodes.map(\.sum)
        let values = own.count == 1 ? own[0] : concatenate(own, axis: 0)
        buckets[index].own = TreeSum(count: parts)
        guard let request = try ranks.send(values, to: buckets[index].owner, tag: 2 * index) else { return }
        buckets[index].outbox.append((values, request))
    }

    /// At the owner, once all is there: adds, and sends the sum.
    private func sumUp(_ index: Int) throws {
        guard buckets[index].isComplete, buckets[index].result == nil, buckets[index].inbox.allSatisfy({ $0.request == nil }) else { return }
        let size = buckets[index].size
        var nodes = buckets[index].own.nodes
        buckets[index].own = TreeSum(count: parts)
        for (ranges, values, _) in buckets[index].inbox {
            for (place, range) in ranges.enumerated() {
                nodes.append((range, ranges.count == 1 ? values : values.sliced(axis: 0, range: place * size..<(place + 1) * size)))
            }
        }
        buckets[index].inbox = []
        var sum = TreeSum(count: parts)
        for (range, values) in nodes.sorted(by: { $0.parts.lowerBound < $1.parts.lowerBound }) { sum.add(values, of: range) }
        precondition(sum.nodes.count == 1, "GradientExchange: the shares of the ranks are not all micro-batches")
        let result = sum.nodes[0].sum
        buckets[index].result = result
        for peer in 0..<ranks.count where peer != ranks.rank {
            guard let request = try ranks.send(result, to: peer, tag: 2 * index + 1) else { continue }
            buckets[index].outbox.append((result, request))
        }
    }

    /// Takes in what has arrived, as far as the first that has not; every call begins with another bucket.
    func advance() {
        guard ranks.count > 1, failure == nil else { return }
        do {
            for _ in buckets.indices {
                turn = (turn + 1) % buckets.count
                if try !take(turn) { return }
            }
        } catch {
            failure = error
        }
    }

    /// - Returns: whether nothing of the bucket is under way.
    private func take(_ index: Int) throws -> Bool {
        for place in buckets[index].inbox.indices {
            guard var request = buckets[index].inbox[place].request else { continue }
            guard try ranks.isDone(&request) else { return false }
            buckets[index].inbox[place].request = nil
        }
        if buckets[index].owner == ranks.rank, buckets[index].result == nil {
            try sumUp(index)
            // All came; what is missing is this rank's own.
            guard buckets[index].result != nil else { return true }
        }
        if let answer = buckets[index].answer {
            if var request = answer.request {
                guard try ranks.isDone(&request) else { return false }
            }
            buckets[index].result = answer.values
            buckets[index].answer = nil
        }
        while var last = buckets[index].outbox.last {
            guard try ranks.isDone(&last.request) else { return false }
            buckets[index].outbox.removeLast()
        }
        return true
    }

    /// Waits for all.
    /// - Returns: the sums, bucket by bucket.
    /// - Throws: `Failure` (`.other`) if a rank is lost.
    func finish() throws -> [Tensor] {
        let (walked, start) = (ContinuousClock.now, started ?? .now)
        var pause = Pause()
        while failure == nil, ranks.count > 1 {
            var isOver = true
            do {
                for index in buckets.indices { isOver = try take(index) && buckets[index].result != nil && isOver }
            } catch {
                failure = error
            }
            if isOver { break }
            pause.take()
        }
        if let failure { throw failure }
        if ranks.count > 1 { (seconds, waitSeconds) = ((.now - start) / .seconds(1), (.now - walked) / .seconds(1)) }
        return buckets.compactMap(\.result)
    }
}
