import TensorCore
import Testing

@Suite struct SegmentsTests {
    private func take(_ bytes: Int, from segments: inout Segments, limit: Int = .max) throws -> Segments.Part {
        let part = segments.take(bytes, limit: limit)
        return try #require(part)
    }

    @Test func blocksNeverOverlapAndMemoryIsUsedAgain() throws {
        var random = Random(seed: 1, name: "segments")
        var segments = Segments()
        var taken: [(part: Segments.Part, mark: UInt8)] = []
        func bytes(_ part: Segments.Part) throws -> UnsafeMutableBufferPointer<UInt8> {
            UnsafeMutableBufferPointer(start: try #require(part.pointer).assumingMemoryBound(to: UInt8.self), count: part.size)
        }
        var most = 0
        for round in 0..<2000 {
            if taken.count > 60 || (!taken.isEmpty && random.integer(below: 2) == 0) {
                let (part, mark) = taken.remove(at: random.integer(below: taken.count))
                let (first, last) = (try bytes(part).first, try bytes(part).last)
                #expect(first == mark && last == mark, "another block lies over this one")
                segments.give(part)
            } else {
                let wanted = 64 * (1024 + random.integer(below: 1 << (4 + random.integer(below: 13))))
                let part = try take(wanted, from: &segments)
                #expect((wanted..<wanted + 4096).contains(part.size))
                #expect(part.start % 64 == 0)
                taken.append((part, UInt8(truncatingIfNeeded: round)))
                let (all, mark) = (try bytes(part), UInt8(truncatingIfNeeded: round))
                (all[0], all[all.count - 1]) = (mark, mark)
                most = max(most, taken.reduce(0) { $0 + $1.part.size })
            }
        }
        // Segments are of 128 MiB at least; little more than was ever in use.
        #expect(segments.bytes <= most + most / 3 + (128 << 20))
        for (part, _) in taken { segments.give(part) }
        segments.releaseUnused()
        #expect(segments.bytes == 0, "free neighbours become one again, and whole segments go")
    }

    @Test func unusedSegmentsGoBeforeOthersCome() throws {
        var segments = Segments()
        let (first, second) = (try take(200 << 20, from: &segments), try take(200 << 20, from: &segments))
        segments.give(first)
        let third = try take(300 << 20, from: &segments, limit: 512 << 20)
        #expect(segments.bytes == 500 << 20)
        segments.give(second)
        segments.give(third)
        segments.releaseUnused()
        #expect(segments.bytes == 0)
    }

    @Test func aBlockOfItsSizeIsTakenAgain() throws {
        var segments = Segments()
        let part = try take(10 << 20, from: &segments)
        let beside = try take(1 << 20, from: &segments)
        segments.give(part)
        let again = try take(10 << 20, from: &segments)
        #expect(again.start == part.start, "the smallest part that holds it")
        #expect(segments.bytes == 128 << 20)
        for part in [again, beside] { segments.give(part) }
        segments.releaseUnused()
    }
}
