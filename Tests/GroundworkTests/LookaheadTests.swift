import Foundation
import Groundwork
import Synchronization
import Testing

@Suite struct LookaheadTests {
    private struct Refusal: Error, Equatable { let number: Int }

    /// How often each number was worked on.
    private final class Counts: Sendable {
        private let counts = Mutex<[Int: Int]>([:])
        func add(_ number: Int) { counts.withLock { $0[number, default: 0] += 1 } }
        var all: [Int: Int] { counts.withLock { $0 } }
    }

    @Test(arguments: [1, 2, 7]) func valuesAreThoseOfTheirNumbers(threads: Int) throws {
        let counts = Counts()
        let squares = Lookahead<Int>(threads: threads) { number in
            counts.add(number)
            usleep(UInt32(number % 3) * 300)
            return number * number
        }
        for first in 0..<40 {
            squares.prepare(Array(first..<first + 5))
            #expect(try squares(first) == first * first)
        }
        // What was announced is made once; what was not is made when it is taken.
        #expect((0..<40).allSatisfy { counts.all[$0] == 1 })
        #expect(try squares(1000) == 1_000_000)
        #expect(squares.secondsWaited > 0)
    }

    @Test func valuesAreMadeAhead() throws {
        let counts = Counts()
        let values = Lookahead<Bool>(threads: 2) { number in
            counts.add(number)
            return Parallel.isInside
        }
        values.prepare([5, 6, 7])
        let end = Date(timeIntervalSinceNow: 10)
        while counts.all.count < 3, Date() < end { usleep(1000) }
        #expect(counts.all == [5: 1, 6: 1, 7: 1])
        // On threads of their own, where loops do not run in parallel.
        #expect(try values(5) && values(6))
        // Announced no more, and so forgotten.
        values.prepare([8])
        #expect(try !values(7) && counts.all[7] == 2)
    }

    @Test func errorsComeToTheTaker() throws {
        let values = Lookahead<Int>(threads: 2) { number in
            if number % 2 == 1 { throw Refusal(number: number) }
            return number
        }
        values.prepare([0, 1, 2, 3])
        #expect(try values(0) == 0 && values(2) == 2)
        for number in [1, 3, 5] { #expect(throws: Refusal(number: number)) { try values(number) } }
    }

    @Test func theEndWaitsForWhatIsBeingMade() {
        let (begun, ended) = (Counts(), Counts())
        do {
            let values = Lookahead<Int>(threads: 3) { number in
                begun.add(number)
                usleep(20_000)
                ended.add(number)
                return number
            }
            values.prepare(Array(0..<100))
            while begun.all.isEmpty { usleep(100) }
            withExtendedLifetime(values) {}
        }
        let all = begun.all
        #expect(all == ended.all && all.count < 100)
        usleep(50_000)
        #expect(begun.all == all)
    }
}
