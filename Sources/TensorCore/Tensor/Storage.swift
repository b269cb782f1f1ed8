import Foundation
import Synchronization

/// A 64-byte-aligned block of floats, shared by reference and returned to a pool when its last owner lets go.
package final class Storage: @unchecked Sendable {
    package let pointer: UnsafeMutablePointer<Float>
    /// The size of the block in bytes; at least what was asked for.
    fileprivate let capacity: Int

    /// - Parameter count: how many floats the block must hold; their values are undefined.
    package init(count: Int) {
        capacity = StoragePool.capacity(for: max(1, count) * MemoryLayout<Float>.stride)
        pointer = StoragePool.take(capacity).assumingMemoryBound(to: Float.self)
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
        var limitBytes = 1 << 30
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

    fileprivate static func take(_ capacity: Int) -> UnsafeMutableRawPointer {
        let pooled = state.withLock { state -> UInt? in
            state.usedBytes += capacity
            state.peakBytes = max(state.peakBytes, state.usedBytes)
            guard let block = state.free[capacity]?.popLast() else { return nil }
            state.freeBytes -= capacity
            return block
        }
        if let pooled, let pointer = UnsafeMutableRawPointer(bitPattern: pooled) { return pointer }
        var pointer: UnsafeMutableRawPointer?
        if posix_memalign(&pointer, 64, capacity) != 0 || pointer == nil {
            drain()
            posix_memalign(&pointer, 64, capacity)
        }
        guard let pointer else { preconditionFailure("out of memory: \(capacity) bytes were asked for") }
        return pointer
    }

    fileprivate static func give(_ pointer: UnsafeMutableRawPointer, capacity: Int) {
        let kept = state.withLock { state in
            state.usedBytes -= capacity
            guard state.freeBytes + capacity <= state.limitBytes else { return false }
            state.free[capacity, default: []].append(UInt(bitPattern: pointer))
            state.freeBytes += capacity
            return true
        }
        if !kept { free(pointer) }
    }
}
