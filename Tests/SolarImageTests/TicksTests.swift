import Foundation
import SolarImage
import Testing

@Suite struct TicksTests {
    @Test func choosesRoundSteps() {
        #expect([0.3, 1, 7, 49, 750].map { Ticks.roundStep(atMost: $0) } == [0.2, 1, 5, 20, 500])
        #expect([-1500, 0, 0.25, 1e-3].map { Ticks.label($0) } == ["−1500", "0", "0.25", "0.001"])
    }

    @Test func dividesLinearRanges() {
        #expect(Ticks.linear(0...10, atMost: 5).map(\.label) == ["0", "5", "10"])
        #expect(Ticks.linear(-0.3...0.3, atMost: 7).map(\.label) == ["−0.3", "−0.2", "−0.1", "0.0", "0.1", "0.2", "0.3"])
        #expect(Ticks.linear(-1500...1500, atMost: 9).map(\.label) == ["−1500", "−1000", "−500", "0", "500", "1000", "1500"])
        #expect(Ticks.linear(0.13...0.29, atMost: 6).map(\.label) == ["0.15", "0.20", "0.25"], "as many digits each")
        #expect(Ticks.linear(1e-7...9e-7, atMost: 6).map(\.label) == ["2e−07", "4e−07", "6e−07", "8e−07"])
        #expect(Ticks.linear(1_000_000...1_000_001, atMost: 6).map(\.label).first == "1000000.0", "digits that tell them apart")
    }

    @Test func dividesLogarithmicRanges() {
        func labels(_ range: ClosedRange<Double>, _ count: Int) -> [String] {
            Ticks.logarithmic(range, atMost: count).map { $0.label + ($0.exponent.map { "^" + $0 } ?? "") }
        }
        #expect(labels(1e-3...1e4, 12) == ["0.001", "0.01", "0.1", "1", "10", "100", "1000", "10000"])
        #expect(labels(1e-8...1e2, 4) == ["10^−8", "10^−4", "10^0"])
        #expect(labels(2...30, 12) == ["2", "5", "10", "20"])
        #expect(labels(2...30, 3) == ["3", "10", "30"])
        #expect(labels(2.1...2.9, 4) == ["2.2", "2.4", "2.6", "2.8"], "no power of ten is near")
    }

    @Test func aRangeOfOneValueHasOneTick() {
        #expect(Ticks.linear(5...5, atMost: 4).map(\.label) == ["5"])
        #expect(Ticks.logarithmic(5...5, atMost: 4).map(\.label) == ["5"])
        #expect(Ticks.linear(3...Double.infinity, atMost: 4).map(\.value) == [3])
    }

    /// Ranges of any place and length, by a linear congruential generator.
    @Test func holdForAnyRange() throws {
        var state: UInt64 = 5
        func random(_ range: ClosedRange<Double>) -> Double {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return range.lowerBound + Double(state >> 33) / Double(1 << 31) * (range.upperBound - range.lowerBound)
        }
        for _ in 0..<2000 {
            let size = pow(10, random(-6...6)), count = Int(random(2...12.99))
            let low = random(-2...2) * size, high = low + size * pow(10, random(-3...1))
            let ticks = Ticks.linear(low...high, atMost: count)
            #expect(ticks.count <= count && ticks.count >= (count < 6 ? 1 : 2), "\(low) … \(high), \(count)")
            let step = ticks.count > 1 ? ticks[1].value - ticks[0].value : high - low
            #expect(ticks.allSatisfy { $0.value >= low - 1e-6 * step && $0.value <= high + 1e-6 * step })
            #expect(zip(ticks, ticks.dropFirst()).allSatisfy { abs($1.value - $0.value - step) < 1e-6 * step })
            for tick in ticks {
                let number = try #require(Double(tick.label.replacing("−", with: "-")))
                #expect(abs(number - tick.value) <= 1e-5 * max(abs(tick.value), step), "\(tick)")
            }
            let least = pow(10, random(-9...9)), most = least * pow(10, pow(10, random(-3...1.2)))
            let decades = Ticks.logarithmic(least...most, atMost: count)
            #expect(decades.count <= count && decades.count >= (count < 6 ? 1 : 2), "\(least) … \(most), \(count)")
            #expect(decades.allSatisfy { $0.value >= least * (1 - 1e-6) && $0.value <= most * (1 + 1e-6) })
            #expect(zip(decades, decades.dropFirst()).allSatisfy { $0.value < $1.value })
        }
    }
}
