import Foundation
import Groundwork
import Synchronization

/// A 64-byte-aligned block of floats, shared by reference and returned to a pool when its last owner lets go.
package final class Storage: @unchecked Sendable {
    package let pointer: UnsafeMutablePointer<Float>
    /// The size of the block in bytes; at least what was asked for.
    fileprivate let capacity: Int

    /// - Parameter count: how many floats the block must hold; their values are undefined.
    package init(count: Int) {
        let block = StoragePool.take(StoragePool.capacity(for: max(1, count) * MemoryLayout<Float>.stride))
        capacity = block.capacity
        pointer = block.pointer.assumingMemoryBound(to: Float.self)
    }

    deinit {
        StoragePool.give(UnsafeMutableRawPointer(pointer), capacity: capacity)
    }
}

/// Blocks that were used before, kept for the next request of their size: fresh large allocations cost a page fault every 4 KiB.
package enum StoragePool {
    private struct State {
        var free: [Int: [UInt]] = [:]
        var freeBytes = 0
        var usedBytes = 0
        var peakBytes = 0
    }

    private static let state = Mutex(State())

    /// The bytes in blocks that are in use now.
    package static var usedBytes: Int { state.withLock { $0.usedBytes } }

    /// The most bytes in use at any time since ``resetPeak()``.
    package static var peakBytes: Int { state.withLock { $0.peakBytes } }

    package static func resetPeak() { state.withLock { $0.peakBytes = $0.usedBytes } }

    /// Returns every unused block to the system.
    package static func drain() {
        let blocks = state.withLock { state in
            defer { state.free = [:]; state.freeBytes = 0 }
            return state.free.values.flatMap(\.self)
        }
        for block in blocks { free(UnsafeMutableRawPointer(bitPattern: block)) }
    }

    /// Sizes are rounded up to an eighth of their power of two, so that near sizes share blocks and at most an eighth is wasted.
    fileprivate static func capacity(for bytes: Int) -> Int {
        let granule = max(64, 1 << max(0, Int.bitWidth - bytes.leadingZeroBitCount - 4))
        return (bytes + granule - 1) / granule * granule
    }

    /// A block of at least this capacity: a free one of this size or, failing that, of up to half as much again, or a new one.
    fileprivate static func take(_ wanted: Int) -> (pointer: UnsafeMutableRawPointer, capacity: Int) {
        let pooled = state.withLock { state -> (block: UInt, capacity: Int)? in
            let sizes = state.free[wanted] != nil ? [wanted] : state.free.keys.filter { $0 > wanted && $0 <= wanted + wanted / 2 }
            let capacity = sizes.min()
            let block = capacity.flatMap { state.free[$0]?.popLast() }
            state.usedBytes += block == nil ? wanted : capacity ?? wanted
            state.peakBytes = max(state.peakBytes, state.usedBytes)
            guard let block, let capacity else { return nil }
            if state.free[capacity]?.isEmpty == true { state.free[capacity] = nil }
            state.freeBytes -= capacity
            return (block, capacity)
        }
        if let pooled, let pointer = UnsafeMutableRawPointer(bitPattern: pooled.block) { return (pointer, pooled.capacity) }
        let capacity = wanted
        // Large blocks begin at the bounds of huge pages: one fault then brings 2 MiB, not 4 KiB.
        let hugePage = 1 << 21
        let isLarge = capacity >= 2 * hugePage
        var pointer: UnsafeMutableRawPointer?
        if posix_memalign(&pointer, isLarge ? hugePage : 64, capacity) != 0 || pointer == nil {
            drain()
            posix_memalign(&pointer, 64, capacity)
        }
        #if os(Linux)
            if isLarge, let pointer { madvise(pointer, capacity, MADV_HUGEPAGE) }
        #endif
        guard let pointer else {
            // No caller could go on: an end that says why, rather than a trap.
            let failure = Failure(
                .other, "out of memory", expected: "\(capacity >> 20) MiB at once", found: "\(usedBytes >> 20) MiB in use",
                remedy: "work on smaller images, tiles or batches, or with more memory")
            StandardStream.note("error: \(failure)\n")
            exit(1)
        }
        return (pointer, capacity)
    }

    fileprivate static func give(_ pointer: UnsafeMutableRawPointer, capacity: Int) {
        let kept = state.withLock { state in
            state.usedBytes -= capacity
            // What was in use at once before will be so again: steps of training and tiles of an image are alike.
            // The slack is for sizes that come in turns.
            guard state.freeBytes + state.usedBytes + capacity <= state.peakBytes + max(1 << 28, state.peakBytes / 3) else { return false }
            state.free[capacity, default: []].append(UInt(bitPattern: pointer))
            state.freeBytes += capacity
            return true
        }
        if !kept { free(pointer) }
    }
}
