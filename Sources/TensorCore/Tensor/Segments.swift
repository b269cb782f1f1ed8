import Foundation

/// Stretches of memory that blocks of all sizes are cut out of. A block goes to the smallest free part that holds it, and free neighbours become one, so that little is out of use
/// while much is asked for.
package struct Segments {
    /// A stretch of bytes.
    package struct Part {
        package let start: UInt
        package let size: Int

        package var pointer: UnsafeMutableRawPointer? { UnsafeMutableRawPointer(bitPattern: start) }
        fileprivate var end: UInt { start + UInt(size) }

        init(start: UInt, size: Int) { (self.start, self.size) = (start, size) }

        /// Fresh memory; nil if there is no more.
        init?(allocating size: Int, alignment: Int) {
            var pointer: UnsafeMutableRawPointer?
            guard posix_memalign(&pointer, alignment, size) == 0, let pointer else { return nil }
            self.init(start: UInt(bitPattern: pointer), size: size)
        }
    }

    /// By address; two of one segment never touch.
    private var free: [Part] = []
    /// By where they begin.
    private var sizes: [UInt: Int] = [:]
    /// In all segments.
    package private(set) var bytes = 0

    private static let leastSize = 1 << 27
    private static let hugePage = 1 << 21
    /// Less stays with the block that it is left of.
    private static let smallestRest = 1 << 12

    package init() {}

    /// - Parameter limit: of ``bytes``, beyond which unused segments go before others come.
    /// - Returns: a part of this size or little more, at a multiple of 64 bytes if all sizes are; nil without memory.
    package mutating func take(_ wanted: Int, limit: Int) -> Part? {
        if let part = cut(wanted) { return part }
        return add(atLeast: wanted, limit: limit) ? cut(wanted) : nil
    }

    private mutating func cut(_ wanted: Int) -> Part? {
        // Among equals the last: addresses are given out downwards, so that it lies in the oldest segment, of which most was in use before.
        var best: Int?
        for index in free.indices where free[index].size >= wanted && best.map({ free[index].size <= free[$0].size }) ?? true { best = index }
        guard let best else { return nil }
        let part = free[best]
        guard part.size - wanted >= Self.smallestRest else { return free.remove(at: best) }
        free[best] = Part(start: part.start + UInt(wanted), size: part.size - wanted)
        return Part(start: part.start, size: wanted)
    }

    /// - Parameter part: what ``take(_:limit:)`` gave.
    package mutating func give(_ part: Part) {
        var (part, place) = (part, free.firstIndex { $0.start > part.start } ?? free.count)
        if place < free.count, free[place].start == part.end, sizes[part.end] == nil {
            part = Part(start: part.start, size: part.size + free.remove(at: place).size)
        }
        if place > 0, free[place - 1].end == part.start, sizes[part.start] == nil {
            place -= 1
            let former = free.remove(at: place)
            part = Part(start: former.start, size: former.size + part.size)
        }
        free.insert(part, at: place)
    }

    private mutating func add(atLeast wanted: Int, limit: Int) -> Bool {
        let least = (wanted + Self.hugePage - 1) / Self.hugePage * Self.hugePage
        let size = max(Self.leastSize, least)
        if bytes + size > limit { releaseUnused() }
        // At the bounds of huge pages one fault brings 2 MiB, not 4 KiB.
        var segment = Part(allocating: size, alignment: Self.hugePage)
        if segment == nil {
            releaseUnused()
            segment = Part(allocating: least, alignment: Self.hugePage)
        }
        guard let segment else { return false }
        #if os(Linux)
            madvise(segment.pointer, segment.size, MADV_HUGEPAGE)
        #endif
        sizes[segment.start] = segment.size
        bytes += segment.size
        give(segment)
        return true
    }

    /// Returns the segments of which nothing is in use to the system.
    package mutating func releaseUnused() {
        free.removeAll { part in
            guard sizes[part.start] == part.size else { return false }
            sizes[part.start] = nil
            bytes -= part.size
            Foundation.free(part.pointer)
            return true
        }
    }
}
