import SolarImage
import Testing

@Suite struct MedianTests {
    private func line(_ values: [Float]) -> Image { Image(width: values.count, height: 1, pixels: values) }

    private func same(_ a: Float, _ b: Float) -> Bool { a == b || (a.isNaN && b.isNaN) || abs(a - b) <= 1e-6 * abs(b) }

    /// Numbers by numpy 2.4.6, in 32 bits: `m = nanmedian(x)`, `nanmedian(abs(x - m))`.
    @Test func isThatOfNumpy() {
        func check(_ image: Image, _ median: Float, _ deviation: Float, sourceLocation: SourceLocation = #_sourceLocation) {
            #expect(same(image.median, median), "\(image.median)", sourceLocation: sourceLocation)
            #expect(same(image.medianAbsoluteDeviation, deviation), "\(image.medianAbsoluteDeviation)", sourceLocation: sourceLocation)
        }
        check(Fixture.pattern(33, 17), -11, 476)
        check(Fixture.pattern(20, 12), -135, 408)
        var holed = Fixture.pattern(20, 12)
        for place in stride(from: 0, to: 240, by: 7) { holed.pixels[place] = place.isMultiple(of: 2) ? .nan : -.nan }
        check(holed, -141, 390)
        check(Image(width: 15, height: 9, pixels: Fixture.pattern(15, 9).pixels.map { $0 / 7 }), -29.571428298950195, 49.14285659790039)
        check(Image(width: 15, height: 8, pixels: Fixture.pattern(15, 8).pixels.map { -abs($0) / 7 - 0.1 }), -56.599998474121094, 28.5)
    }

    @Test func infinitiesAreTheLeastAndTheGreatest() {
        let cases: [(values: [Float], median: Float, deviation: Float)] = [
            ([1, 2, 3, .infinity], 2.5, 1), ([-.infinity, 1, 2], 1, 1), ([.infinity, -.infinity], .nan, .nan),
            ([.infinity, .infinity, 1], .infinity, .infinity), ([.infinity, .infinity, .infinity], .infinity, .nan),
            ([.nan, .nan, .nan], .nan, .nan), ([-3, .nan, -1], -2, 1),
        ]
        for (values, median, deviation) in cases {
            let image = line(values)
            #expect(same(image.median, median) && same(image.medianAbsoluteDeviation, deviation), "\(values)")
        }
    }

    @Test func holdsAtTheEndsOfTheNumbers() {
        let (most, least) = (Float.greatestFiniteMagnitude, Float.leastNonzeroMagnitude)
        #expect(line([most, most]).median == most, "the sum of both would be infinite")
        #expect(line([-most, most, most]).median == most && line([-most, most]).median == 0)
        #expect(line([-least, least, least]).median == least && line([least, -least]).median == 0)
        #expect(line([-0.0, 0, -0.0, 0]).median == 0 && line([-0.0, 0, -0.0, 0]).medianAbsoluteDeviation == 0)
        #expect(line([-1, -0.0, 0, 1]).median == 0 && line([-1, 0, -0.0, 1]).medianAbsoluteDeviation == 0.5)
        #expect(line([7]).median == 7 && line([7]).medianAbsoluteDeviation == 0)
    }

    @Test func isTheMiddleOfTheSortedValues() {
        var state: UInt64 = 3
        for count in 1...80 {
            let values = (0..<count).map { _ -> Float in
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                // Finite and of few bits, so that some are equal.
                return Float(bitPattern: UInt32(truncatingIfNeeded: state >> 32) & 0xF7E0_0000)
            }
            let sorted = values.sorted()
            let expected = Float((Double(sorted[(count - 1) / 2]) + Double(sorted[count / 2])) / 2)
            #expect(line(values).median == expected, "\(values)")
        }
    }
}
