import Foundation
import TensorCore
import Testing
import VectorKernels

@Suite struct RandomTests {
    /// The known answers that are published with Random123 (Salmon et al. 2011): counter, key, words.
    @Test(arguments: [
        (Array(repeating: UInt32(0), count: 4), [UInt32](repeating: 0, count: 2), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8] as [UInt32]),
        (Array(repeating: .max, count: 4), [.max, .max], [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]),
        (
            [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0],
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        ),
    ])
    func knownAnswers(counter: [UInt32], key: [UInt32], expected: [UInt32]) {
        var words = [UInt32](repeating: 0, count: 4)
        random_philox(counter, key, &words)
        #expect(words == expected)
    }

    /// Seed, stream and position beyond 32 bits where they may be, against the generator written down in the script.
    @Test func numbersAgreeWithTheScript() throws {
        let fixture = try Fixture("random")
        var random = Random(seed: 1 << 33 + 5, stream: 1 << 40 + 3, position: 6)
        expectSame(random.uniform([21]), try fixture["uniform"], "uniform")
        random = Random(seed: 1 << 33 + 5, stream: 1 << 40 + 3, position: 6)
        expectClose(random.normal([21]), try fixture["normal"], "normal", tolerance: 1e-6)
    }

    @Test func numbersDoNotDependOnHowTheyAreDrawn() {
        var whole = Random(seed: 7)
        let expected = whole.normal([37]).values
        var parts = Random(seed: 7)
        #expect([1, 2, 3, 5, 11, 15].flatMap { parts.normal([$0]).values } == expected)
        #expect(parts == whole)
        #expect(parts.position == 37)
    }

    @Test func someRowsAreThoseOfAll() {
        var (whole, part) = (Random(seed: 7, position: 2), Random(seed: 7, position: 2))
        expectSame(part.normal([5, 3, 2], rows: 1..<4), whole.normal([5, 3, 2]).sliced(axis: 0, range: 1..<4), "rows")
        #expect(part == whole)
        #expect(part.normal([4], rows: 0..<0).count == 0 && part.position == whole.position + 4)
    }

    @Test func seedsAndStreamsDiffer() {
        func first(_ random: Random) -> [Float] {
            var random = random
            return random.uniform([8]).values
        }
        let all = [Random(seed: 1), Random(seed: 2), Random(seed: 1, stream: 1), Random(seed: 1, name: "a"), Random(seed: 1, name: "b")].map(first)
        for (index, one) in all.enumerated() { #expect(all.dropFirst(index + 1).allSatisfy { $0 != one }) }
    }

    @Test func stateSurvivesCoding() throws {
        var random = Random(seed: .max, stream: .max - 1)
        _ = random.uniform([5])
        var restored = try JSONDecoder().decode(Random.self, from: try JSONEncoder().encode(random))
        #expect(restored == random)
        #expect(restored.normal([9]).values == random.normal([9]).values)
    }

    @Test func moments() {
        var random = Random(seed: 3)
        let count = 200_000.0
        let normal = random.normal([Int(count)]).values.map(Double.init)
        let mean = normal.reduce(0, +) / count
        let variance = normal.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / count
        let kurtosis = normal.reduce(0) { $0 + pow(($1 - mean), 4) } / count / (variance * variance)
        // Five standard errors.
        #expect(abs(mean) < 5 / count.squareRoot())
        #expect(abs(variance - 1) < 5 * (2 / count).squareRoot())
        #expect(abs(kurtosis - 3) < 5 * (24 / count).squareRoot())
        let uniform = random.uniform([Int(count)]).values.map(Double.init)
        #expect(uniform.allSatisfy { (0..<1).contains($0) })
        #expect(abs(uniform.reduce(0, +) / count - 0.5) < 5 * (1 / 12 / count).squareRoot())
    }

    @Test func integersCoverTheirRange() {
        var random = Random(seed: 4)
        let drawn = (0..<2000).map { _ in random.integer(below: 7) }
        #expect(Set(drawn) == Set(0..<7))
        #expect((0..<7).allSatisfy { value in abs(drawn.count { $0 == value } - 286) < 80 })
    }
}
