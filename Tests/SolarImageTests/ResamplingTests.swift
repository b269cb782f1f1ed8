import Foundation
import SolarImage
import Testing

/// Interpolation between pixels.
@Suite struct ResamplingTests {
    /// What is left of a wave's amplitude at places `phase` of the way between pixels, by least squares on 16 columns in the middle.
    private func amplitude(_ frequency: Double, _ phase: Double, _ resample: (Image, SIMD2<Double>) -> Image) -> Double {
        let wave = Image(width: 48, height: 12, pixels: (0..<576).map { Float(1000 * cos(2 * .pi * frequency * Double($0 % 48) + 0.3)) })
        let result = resample(wave, SIMD2(phase, 0))
        var (sum, square) = (0.0, 0.0)
        for x in 12..<32 {
            let expected = 1000 * cos(2 * .pi * frequency * (Double(x) + phase) + 0.3)
            sum += Double(result[x, 6]) * expected
            square += expected * expected
        }
        return sum / square
    }

    private func shifted(_ image: Image, _ shift: SIMD2<Double>) -> Image {
        let places = image.pixels.indices.map { SIMD2(Double($0 % image.width), Double($0 / image.width)) + shift }
        return image.resampled(at: places, width: image.width, height: image.height)
    }

    private func cubic(_ image: Image, _ shift: SIMD2<Double>) -> Image {
        image.resampled(by: Similarity(centre: SIMD2(0, 0), shift: shift))
    }

    /// The table in the kernel's description.
    @Test func keepsTheSpectrum() {
        func mean(_ frequency: Double, _ resample: (Image, SIMD2<Double>) -> Image) -> Double {
            (0..<32).reduce(0) { $0 + amplitude(frequency, Double($1) / 32, resample) } / 32
        }
        #expect(abs(mean(0.25, shifted) - 1.002) < 2e-3 && abs(mean(0.4, shifted) - 0.872) < 5e-3)
        #expect(abs(amplitude(0.25, 0.5, shifted) - 1) < 5e-3 && abs(amplitude(0.4, 0.5, shifted) - 0.743) < 5e-3)
        #expect(abs(mean(0.25, cubic) - 0.939) < 5e-3 && abs(mean(0.4, cubic) - 0.716) < 5e-3)
        for frequency in [0.05, 0.1, 0.2, 0.3] {
            for phase in [0.1, 0.25, 0.5, 0.93] { #expect(abs(amplitude(frequency, phase, shifted) - 1) < 6e-3, "\(frequency), \(phase)") }
        }
    }

    @Test func ringsLittleAtEdges() {
        // A step smoothed by a Gaussian of one pixel: its integral by the complementary error function.
        let edge = Image(width: 40, height: 10, pixels: (0..<400).map { Float(1000 * erfc((19.3 - Double($0 % 40)) / 2.0.squareRoot()) / 2) })
        let overshoot = stride(from: 0.0, to: 1, by: 0.125).reduce(0.0) { worst, phase in
            let row = (6..<34).map { Double(shifted(edge, SIMD2(phase, 0.4))[$0, 5]) }
            return max(worst, (row.max() ?? 0) - 1000, -(row.min() ?? 0))
        }
        #expect(overshoot < 1.5)
    }

    @Test func keepsWholePixelsAndConstants() {
        let field = Fixture.pattern(24, 20)
        let moved = shifted(field, SIMD2(3, -2))
        #expect((5..<18).allSatisfy { y in (4..<16).allSatisfy { moved[$0, y] == field[$0 + 3, y - 2] } })
        let constant = Image(width: 16, height: 16, repeating: 417)
        let between = shifted(constant, SIMD2(0.37, 0.61))
        #expect(between.pixels.enumerated().allSatisfy { $0.offset % 16 == 15 || $0.offset / 16 == 15 || abs($0.element - 417) < 1e-3 })
    }

    /// Weights of what is known are divided by their sum; a value needs half of them.
    @Test func interpolatesBesideMissingPixels() {
        var field = Image(width: 24, height: 24, repeating: 200)
        for y in 0..<24 { for x in 12..<24 { field[x, y] = .nan } }
        let row = { (x: Double) in field.resampled(at: [SIMD2(x, 10.2)], width: 1, height: 1).pixels[0] }
        for x in [6.0, 8.3, 10.9, 11.0, 11.49] { #expect(abs(row(x) - 200) < 1e-3, "\(x)") }
        for x in [11.51, 12.0, 15.3] { #expect(row(x).isNaN, "\(x)") }
        // One missing pixel among known ones does not matter but at its own place.
        field = Image(width: 24, height: 24, repeating: 200)
        field[10, 10] = .nan
        #expect(abs(field.resampled(at: [SIMD2(10.5, 10.5)], width: 1, height: 1).pixels[0] - 200) < 1e-3)
        #expect(field.resampled(at: [SIMD2(10, 10)], width: 1, height: 1).pixels[0].isNaN)
    }

    @Test func endsHalfAPixelBeyondTheBorder() {
        let field = Image(width: 12, height: 10, repeating: 5)
        let places = [(-0.49, 3.0), (-0.51, 3), (11.49, 3), (11.51, 3), (4, -0.49), (4, -0.51), (4, 9.49), (4, 9.51)].map { SIMD2($0.0, $0.1) }
        let values = field.resampled(at: places + [SIMD2(.nan, 3), SIMD2(3, .nan), SIMD2(1e300, 3)], width: 11, height: 1).pixels
        #expect(values.map(\.isNaN) == [false, true, false, true, false, true, false, true, true, true, true])
        #expect(values.allSatisfy { $0.isNaN || abs($0 - 5) < 1e-5 })
    }
}
