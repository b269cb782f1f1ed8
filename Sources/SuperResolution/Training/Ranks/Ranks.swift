import Foundation
import Groundwork
import TensorCore

/// The processes that train one model together. The first, of rank 0, writes; all come to the same weights.
package final class Ranks: @unchecked Sendable {
    /// One process on its own.
    package static let alone = Ranks(mpi: nil)

    private let mpi: MPI?
    package var rank: Int { mpi?.rank ?? 0 }
    package var count: Int { mpi?.count ?? 1 }
    package var isFirst: Bool { rank == 0 }
    /// MPI's name and version.
    var library: String { mpi?.library ?? "no MPI" }

    private init(mpi: MPI?) { self.mpi = mpi }

    /// The processes that a launcher started; a process on its own if it is the only one, for which no MPI is loaded.
    /// - Throws: `Failure` if MPI cannot be used.
    package convenience init(_ launcher: Launcher?) throws {
        self.init(mpi: try launcher.flatMap { $0.count == 1 ? nil : try MPI($0) })
    }

    /// Tags of messages: one for all that is waited for at once, two for each bucket of gradients.
    private static let plainTag = 0

    /// Part of a contiguous share of `0 ..< total` for each rank.
    static func share(of total: Int, rank: Int, count: Int) -> Range<Int> { total * rank / count..<total * (rank + 1) / count }

    // MARK: Messages that are waited for

    /// The bytes of one rank at all, along a binary tree.
    private func broadcast(_ bytes: UnsafeMutableRawBufferPointer, from root: Int) throws {
        guard let mpi else { return }
        for start in stride(from: 0, to: bytes.count, by: MPI.largestMessage) {
            let piece = UnsafeMutableRawBufferPointer(rebasing: bytes[start..<min(bytes.count, start + MPI.largestMessage)])
            let place = (rank - root + count) % count
            var bit = 1
            while bit < count, place & bit == 0 { bit <<= 1 }
            if place != 0 { try mpi.wait(try mpi.receive(piece, from: (place - bit + root) % count, tag: Self.plainTag)) }
            var sent: [MPI.Request] = []
            while bit > 1 {
                bit >>= 1
                if place + bit < count {
                    sent.append(try mpi.send(UnsafeRawBufferPointer(piece), to: (place + bit + root) % count, tag: Self.plainTag))
                }
            }
            for request in sent { try mpi.wait(request) }
        }
    }

    /// The first rank's bytes.
    func share(_ data: Data) throws -> Data {
        guard mpi != nil else { return data }
        var length = Int64(data.count)
        try withUnsafeMutableBytes(of: &length) { try broadcast($0, from: 0) }
        var result = isFirst ? data : Data(count: Int(length))
        try result.withUnsafeMutableBytes { try broadcast($0, from: 0) }
        return result
    }

    /// The first rank's value.
    func share<Value: Codable>(_ value: Value) throws -> Value {
        guard mpi != nil else { return value }
        return try JSONDecoder().decode(Value.self, from: try share(isFirst ? try JSONEncoder().encode(value) : Data()))
    }

    /// A tensor of one rank, whose shape the others need not know; nil if it has none.
    func share(_ tensor: Tensor?, from root: Int = 0) throws -> Tensor? {
        guard mpi != nil else { return tensor }
        // −1, or the number of extents and the extents.
        var header = [Int64](repeating: 0, count: 8)
        if rank == root {
            header.replaceSubrange(
                0..<(1 + (tensor?.shape.count ?? 0)), with: [tensor.map { Int64($0.shape.count) } ?? -1] + (tensor?.shape.map(Int64.init) ?? []))
        }
        try header.withUnsafeMutableBytes { try broadcast($0, from: root) }
        guard header[0] >= 0 else { return nil }
        let result = (rank == root ? tensor : nil) ?? Tensor(uninitialized: header[1..<1 + Int(header[0])].map { Int($0) })
        try broadcast(UnsafeMutableRawBufferPointer(start: result.pointer, count: 4 * result.count), from: root)
        return result
    }

    /// The values of all ranks in their order, at the first; nothing elsewhere.
    package func gather<Value: Codable>(_ value: Value) throws -> [Value] {
        guard let mpi else { return [value] }
        if isFirst {
            return [value]
                + (try (1..<count).map { peer in
                    var length: Int64 = 0
                    try withUnsafeMutableBytes(of: &length) { try mpi.wait(try mpi.receive($0, from: peer, tag: Self.plainTag)) }
                    var data = Data(count: Int(length))
                    try data.withUnsafeMutableBytes { try mpi.wait(try mpi.receive($0, from: peer, tag: Self.plainTag)) }
                    return try JSONDecoder().decode(Value.self, from: data)
                })
        }
        let data = try JSONEncoder().encode(value)
        var length = Int64(data.count)
        try withUnsafeBytes(of: &length) { try mpi.wait(try mpi.send($0, to: 0, tag: Self.plainTag)) }
        try data.withUnsafeBytes { try mpi.wait(try mpi.send($0, to: 0, tag: Self.plainTag)) }
        return []
    }

    /// Runs `body` with a file that the first rank has written: elsewhere with a copy, which is gone afterwards.
    func reading<Result>(_ url: URL, _ body: (URL) throws -> Result) throws -> Result {
        guard mpi != nil else { return try body(url) }
        let data = try share(isFirst ? try Data(contentsOf: url) : Data())
        guard !isFirst else { return try body(url) }
        let copy = FileManager.default.temporaryDirectory.appendingPathComponent("sr-\(UUID().uuidString)-\(url.lastPathComponent)")
        defer { try? FileManager.default.removeItem(at: copy) }
        try writeAtomically(to: copy) { try data.write(to: $0) }
        return try body(copy)
    }

    // MARK: Messages under way

    /// Begins to send values to another rank.
    /// - Parameter tag: from 0; one for each message under way between two ranks.
    func send(_ values: Tensor, to peer: Int, tag: Int) throws -> MPI.Request? {
        try mpi?.send(UnsafeRawBufferPointer(start: values.pointer, count: 4 * values.count), to: peer, tag: Self.plainTag + 1 + tag)
    }

    /// Begins to receive values into a tensor that nobody else holds.
    func receive(_ values: Tensor, from peer: Int, tag: Int) throws -> MPI.Request? {
        try mpi?.receive(UnsafeMutableRawBufferPointer(start: values.pointer, count: 4 * values.count), from: peer, tag: Self.plainTag + 1 + tag)
    }

    /// Whether a message is through; moves all on.
    func isDone(_ request: inout MPI.Request) throws -> Bool { try mpi?.isDone(&request) ?? true }
}
