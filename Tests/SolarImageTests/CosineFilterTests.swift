import Foundation
import Groundwork
import SolarImage
import Testing

@Suite struct CosineFilterTests {
    private func gain(_ frequency: Double) -> Double { 0.25 + 1 / (1 + 10 * frequency) }

    private func near(_ a: Image, _ b: Image, _ tolerance: Float) -> Bool {
        guard a.width == b.width && a.height == b.height else { return false }
        return zip(a.pixels, b.pixels).allSatisfy { a, b in
            a == b || abs(a - b) <= tolerance || (a.isNaN && b.isNaN)
        }
    }

    /// A cosine that is even about the outer edges of the first and of the last pixel keeps its form, times the gain at its frequency.
    @Test(arguments: [
        (1, 1, 0, 0), (1, 9, 0, 4), (9, 1, 8, 0), (2, 1, 1, 0), (1, 2, 0, 1), (7, 5, 3, 2), (16, 12, 15, 11), (33, 70, 1, 0), (70, 33, 0, 32),
        (101, 67, 40, 66),
    ])
    func scalesEachCosineByItsGain(_ width: Int, _ height: Int, _ across: Int, _ up: Int) {
        func wave(_ x: Int, _ waves: Int, _ count: Int) -> Double { cos(Double.pi * Double(waves) * (Double(x) + 0.5) / Double(count)) }
        let field = (0..<width * height).map { 1000 * wave($0 % width, across, width) * wave($0 / width, up, height) }
        var values = field
        CosineFilter.apply(gain, to: &values, width: width, height: height)
        let (x, y) = (Double(across) / Double(2 * width), Double(up) / Double(2 * height))
        let expected = gain((x * x + y * y).squareRoot())
        #expect(zip(values, field).allSatisfy { abs($0 - expected * $1) < 1e-9 })
    }

    @Test func isLinear() {
        let a = Fixture.pattern(37, 22), b = Image(width: 37, height: 22, pixels: a.pixels.reversed().map { $0 * $0 / 1000 })
        let sum = Image(width: 37, height: 22, pixels: zip(a.pixels, b.pixels).map { 2 * $0 - 3 * $1 })
        let (filteredA, filteredB) = (a.filtered(gain: gain), b.filtered(gain: gain))
        let expected = Image(width: 37, height: 22, pixels: zip(filteredA.pixels, filteredB.pixels).map { 2 * $0 - 3 * $1 })
        #expect(near(sum.filtered(gain: gain), expected, 0.01))
    }

    @Test func ofAConstantNothingIsHigh() {
        for (width, height) in [(13, 7), (1, 1), (1, 40), (64, 1), (16, 16)] {
            let constant = Image(width: width, height: height, repeating: -1234.5)
            #expect(near(constant.highPassed(cutoff: 0.1, order: 2), Image(width: width, height: height, repeating: 0), 1e-6))
            #expect(near(constant.filtered { $0 == 0 ? 1 : 0 }, constant, 1e-3), "all of it is at zero frequency")
        }
    }

    @Test func theMeanIsGone() {
        let high = Fixture.pattern(17, 21).highPassed(cutoff: 0.05, order: 2)
        #expect(abs(high.pixels.reduce(0.0) { $0 + Double($1) }) < 0.01)
        #expect(high.pixels.contains { abs($0) > 100 })
    }

    @Test func oppositeBordersDoNotMix() {
        var image = Image(width: 64, height: 24, repeating: 0)
        for y in 0..<24 { image[0, y] = 1000 }
        let high = image.highPassed(cutoff: 0.1, order: 2)
        // By scipy's dctn: the first pixel of each row becomes 679.8, nothing beyond the middle exceeds 6.8e-5. Were the field periodic, the last
        // pixel would become -151.
        for y in 0..<24 {
            #expect(abs(high[0, y] - 679.8) < 0.1)
            #expect((32..<64).allSatisfy { abs(high[$0, y]) < 1e-4 })
        }
    }

    @Test func missingPixelsCountAsZeroAndStayMissing() {
        var holed = Fixture.pattern(16, 12), filled = holed
        let holes: [(place: Int, value: Float)] = [(3, .nan), (50, .infinity), (51, -.infinity), (191, .nan)]
        for (place, value) in holes {
            holed.pixels[place] = value
            filled.pixels[place] = 0
        }
        var expected = filled.filtered(gain: gain)
        for (place, value) in holes { expected.pixels[place] = value }
        #expect(near(holed.filtered(gain: gain), expected, 0))
        let nothing = Image(width: 3, height: 2, repeating: .nan)
        #expect(nothing.filtered(gain: gain).pixels.allSatisfy { $0.isNaN })
    }

    @Test func changesNothingByAGainOfOne() {
        for (width, height) in [(1, 1), (5, 1), (1, 6), (17, 9), (40, 33)] {
            #expect(near(Fixture.pattern(width, height).filtered { _ in 1 }, Fixture.pattern(width, height), 1e-3))
        }
    }

    @Test func resultsDoNotDependOnTheThreadCount() {
        let image = Fixture.pattern(70, 90), before = Parallel.threadCount
        defer { Parallel.threadCount = before }
        Parallel.threadCount = 1
        let alone = image.highPassed(cutoff: 0.2, order: 3)
        Parallel.threadCount = 3
        #expect(image.highPassed(cutoff: 0.2, order: 3) == alone)
    }
}
