import Foundation
import Groundwork
import TensorCore

/// What ranks tell each other of a training run.
extension Ranks {
    /// Gives all ranks the state that the first one has, as read from a checkpoint or new.
    func share(
        _ progress: inout Checkpoint.Progress, store: ParameterStore, averages: ExponentialMovingAverage, optimizers: Optimizers
    ) throws {
        guard count > 1 else { return }
        progress = try share(progress)
        // What is to be logged is known at the first rank alone.
        if !isFirst { progress.sums = nil }
        func shared(_ tensors: [Tensor]) throws -> [Tensor] { try tensors.map { try share($0) ?? $0 } }
        for (parameter, value) in zip(store.parameters, try shared(store.parameters.map(\.value))) { parameter.value = value }
        for (buffer, value) in zip(store.buffers, try shared(store.buffers.map(\.value))) { buffer.value = value }
        averages.averages = try shared(averages.averages)
        let state = optimizers.state
        optimizers.state = (try share(state.steps), try shared(state.first), try shared(state.second))
    }

    private var host: String { hostName() ?? "unknown" }

    /// Moves what is to be logged to the first rank.
    func collect(_ sums: inout TrainingSums) throws {
        let all = try gather(sums)
        guard count > 1 else { return }
        sums = TrainingSums()
        for one in all { sums.add(one) }
    }

    /// What must be the same everywhere for weights to stay the same.
    private struct Setting: Codable {
        let host: String
        let program, processor, convolution, configuration, data: String

        /// What differs from another's, with both sides of it.
        func difference(from other: Setting) -> (name: String, own: String, other: String)? {
            if program != other.program { return ("program", program, other.program) }
            if processor != other.processor { return ("processor's instruction set", processor, other.processor) }
            if convolution != other.convolution { return ("convolution", convolution, other.convolution) }
            if configuration != other.configuration { return ("configuration", configuration, other.configuration) }
            return data == other.data ? nil : ("data", data, other.data)
        }
    }

    /// Makes sure that all ranks begin with the same, and that their processors round alike.
    /// - Throws: `Failure` (`.configuration`) at the first rank, naming one that differs.
    func expectTheSame(_ origin: RunOrigin) throws {
        guard count > 1 else { return }
        let texts = try [origin.configuration ?? "", origin.data.map { try jsonText($0.withoutPixels) } ?? ""].map { try sha256(ofText: $0) }
        let setting = Setting(
            host: host, program: origin.program ?? "", processor: "\(ProductKernel.current), OpenBLAS \(OpenBLAS.kernels)",
            convolution: origin.convolution ?? "", configuration: texts[0], data: texts[1])
        for (rank, other) in try gather(setting).enumerated() {
            guard let (name, own, found) = setting.difference(from: other) else { continue }
            throw Failure(
                .configuration, "the \(name) of rank \(rank) is another than that of rank 0", at: other.host, expected: own, found: found,
                remedy: "start all with the same program and options, on the same data and on processors of one kind")
        }
    }

    /// Where a rank runs.
    private struct Place: Codable, Hashable {
        let host: String
        /// The processors that it may use, as the system lists them; nil if it does not tell.
        let processors: String?

        var isOneProcessor: Bool { processors.map { Int($0) != nil } ?? false }
    }

    /// Shares the processors out among the ranks that may use the same ones.
    /// - Parameter isSet: whether the number of threads is given.
    /// - Returns: what the user should know of it, at the first rank.
    /// - Throws: `Failure` (`.other`) if a rank is lost.
    package func chooseThreads(isSet: Bool) throws -> [String] {
        let own = Place(host: host, processors: ProcessorCount.boundList)
        let places = try share(try gather(own))
        if !isSet { Parallel.threadCount = ProcessorCount.usable(sharedBy: places.count(where: { $0 == own })) }
        let threads = try gather([Parallel.threadCount, ProcessorCount.present])
        let slow = threads.indices.filter { threads[$0][0] == 1 && threads[$0][1] > 1 }
        guard !isSet, let first = slow.first else { return [] }
        let way = "; mpirun binds a rank to one core unless told otherwise: --bind-to none, or --map-by slot:PE=CORES"
        let remark = "\(slow.count) of \(count) ranks work on one thread each, of \(threads[first][1]) processors"
        return [remark + (places[first].isOneProcessor ? way : "")]
    }

    /// What each may have of the memory of its computer, shared among those that run there.
    /// - Parameter limit: bytes that one process may hold.
    package func memoryShare(of limit: Int) throws -> Int {
        let hosts = try share(try gather(host))
        return limit / max(1, hosts.count { $0 == host })
    }

    /// Whether any of them says so; the same on all.
    package func agree(on flag: Bool) throws -> Bool { try share(try gather(flag).contains(true)) }

    /// One line: how many there are, and what joins them.
    package var summary: String { "\(count) ranks of \(Parallel.threadCount) threads (\(library))" }
}

extension TrainingConfiguration {
    /// That of ranks: it notes how many there are, and a new run's batches are cut into four, unless it says how. Without a launcher it is the same but for such a note.
    package func sharedOut(by launcher: Launcher?, isNew: Bool) -> TrainingConfiguration {
        var result = self
        result.ranks = launcher.map { $0.count ?? 1 }
        if launcher != nil, isNew { result.microBatch = result.microBatch ?? (result.batchSize + 3) / 4 }
        return result
    }
}
