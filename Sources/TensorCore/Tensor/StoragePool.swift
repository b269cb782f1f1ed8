import Foundation
import Groundwork
import Synchronization

/// The memory of tensors. Large blocks are cut out of ``Segments`` that the process keeps, since the system zeroes every page that it gives anew, which took a seventh of the
/// processor's time in training steps of the paper's U-Net.
package enum StoragePool {
    private struct State {
        var segments = Segments()
        var usedBytes = 0
        var peakBytes = 0

        /// The most that is kept. What was in use at once before will be so again: steps of training and tiles of an image are alike; the rest is for sizes that come in turns.
        var limit: Int { peakBytes + max(1 << 28, peakBytes / 3) }

        mutating func count(_ part: Segments.Part?) {
            usedBytes += part?.size ?? 0
            peakBytes = max(peakBytes, usedBytes)
        }
    }

    private static let state = Mutex(State())

    private static let alignment = 64
    /// Smaller blocks are the C library's, which keeps such as these well.
    private static let smallestLarge = 1 << 16
    /// Sanitizers look after the bounds of what they gave out themselves, and after who had it before.
    private static let isSanitized = dlsym(nil, "__asan_init") != nil || dlsym(nil, "__tsan_init") != nil

    /// The bytes in blocks that are in use now.
    package static var usedBytes: Int { state.withLock { $0.usedBytes } }

    /// The most bytes in use at any time since ``resetPeak()``.
    package static var peakBytes: Int { state.withLock { $0.peakBytes } }

    package static func resetPeak() { state.withLock { $0.peakBytes = $0.usedBytes } }

    /// Returns every unused segment to the system.
    package static func drain() { state.withLock { $0.segments.releaseUnused() } }

    private static func isLarge(_ bytes: Int) -> Bool { bytes >= smallestLarge && !isSanitized }

    /// A block of at least this many bytes. Without memory the process ends: no caller could go on.
    static func take(_ bytes: Int) -> (pointer: UnsafeMutableRawPointer, capacity: Int) {
        let wanted = (bytes + alignment - 1) / alignment * alignment
        let part = state.withLock { state in
            let part = isLarge(wanted) ? state.segments.take(wanted, limit: state.limit) : Segments.Part(allocating: wanted, alignment: alignment)
            state.count(part)
            return part
        }
        if let part, let pointer = part.pointer { return (pointer, part.size) }
        let failure = Failure(
            .other, "out of memory", expected: "\(wanted >> 20) MiB at once", found: "\(usedBytes >> 20) MiB in use",
            remedy: "work on smaller images, tiles or batches, or with more memory")
        // An end that says why, rather than a trap.
        StandardStream.note("error: \(failure)\n")
        exit(1)
    }

    /// - Parameter capacity: as ``take(_:)`` told it.
    static func give(_ pointer: UnsafeMutableRawPointer, capacity: Int) {
        let isLarge = isLarge(capacity)
        state.withLock { state in
            state.usedBytes -= capacity
            guard isLarge else { return }
            state.segments.give(Segments.Part(start: UInt(bitPattern: pointer), size: capacity))
            if state.segments.bytes > state.limit { state.segments.releaseUnused() }
        }
        if !isLarge { free(pointer) }
    }
}
