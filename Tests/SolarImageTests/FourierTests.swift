import Foundation
import Groundwork
import SolarImage
import Testing

@Suite struct FourierTests {
    @Test func transformsAsNumpy() throws {
        for expected in try Fixture.expected.get().transforms {
            let values = Fixture.pattern(expected.width, expected.height).pixels.map(Double.init)
            let transform = FourierTransform(of: values, width: expected.width, height: expected.height)
            #expect(transform.coefficients.count == expected.coefficients.count)
            #expect(zip(transform.coefficients, expected.coefficients).allSatisfy { near($0, $1, 1e-9) })
        }
    }

    @Test func measuresPowerAsNumpy() throws {
        for expected in try Fixture.expected.get().spectra {
            let (width, height) = (expected.width, expected.height)
            let image = Fixture.pattern(width, height)
            let spectrum = PowerSpectrum(of: image)
            #expect(near(spectrum.power(from: 0.125), expected.beyondLow, 1e-10))
            #expect(near(spectrum.power(from: 0.25), expected.beyondHigh, 1e-10))
            #expect(near(spectrum.power(from: 0.125, to: 0.25), expected.band, 1e-10))
            let radial = spectrum.radial(bins: 6)
            #expect(radial.map(\.frequency).elementsEqual((0..<6).map { (Double($0) + 0.5) / 12 }, by: { near($0, $1) }))
            #expect(zip(radial, expected.radial).allSatisfy { near($0.power, $1, 1e-10) })
            var other = image
            for y in 0..<height { for x in 0..<width { other[(x + 1) % width, y] = image[x, y] } }
            other[5, 3] = .nan
            #expect(near(spectrum.bands(with: PowerSpectrum(of: other), edges: [0.125, 0.25])[0].correlation, expected.correlation, 1e-10))
            #expect(near(spectrum.bands(with: spectrum, edges: [0, 1])[0].correlation, 1, 1e-12))
            if !expected.amplitude.isEmpty {
                #expect(zip(spectrum.amplitude.pixels, expected.amplitude).allSatisfy { near(Double($0), $1, 1e-6) })
                #expect(zip(image.highPassed(cutoff: 0.25, order: 2).pixels, expected.highPass).allSatisfy { abs(Double($0) - $1) < 1e-3 })
            }
        }
    }

    @Test func whiteNoiseHasThePowerOfItsVariance() {
        var state: UInt64 = 7
        let pixels = (0..<128 * 128).map { _ -> Float in
            (0..<12).reduce(Float(-6)) { sum, _ in
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return sum + Float(state >> 40) / Float(1 << 24)
            } * 10
        }
        let power = PowerSpectrum(of: Image(width: 128, height: 128, pixels: pixels)).power(from: 0)
        #expect(abs(power - 100) < 8)
    }

    /// Parseval's theorem: all power but that at zero frequency is the variance of the windowed image, also of lines and of odd sizes.
    @Test(arguments: [(1, 9), (9, 1), (1, 8), (2, 2), (5, 7), (16, 11), (1, 1)])
    func powerIsTheVarianceUnderTheWindow(_ width: Int, _ height: Int) {
        let image = Fixture.pattern(width, height), count = Double(width * height)
        let mean = image.pixels.reduce(0.0) { $0 + Double($1) } / count
        func window(_ place: Int, _ length: Int) -> Double { (1 - cos(2 * Double.pi * (Double(place) + 0.5) / Double(length))) / 2 }
        let weights = image.pixels.indices.map { window($0 % width, width) * window($0 / width, height) }
        let values = zip(image.pixels, weights).map { (Double($0) - mean) * $1 }
        func sumOfSquares(_ values: [Double]) -> Double { values.reduce(0) { $0 + $1 * $1 } }
        let sum = values.reduce(0, +)
        let expected = (sumOfSquares(values) - sum * sum / count) / sumOfSquares(weights)
        let spectrum = PowerSpectrum(of: image)
        #expect(near(spectrum.power(from: 0), expected, 1e-10))
        let bands = spectrum.bands(with: spectrum, edges: [0, 0.1, 0.25, 0.4, .infinity])
        #expect(bands.count == 4)
        #expect(near(bands.map(\.first).reduce(0, +), expected, 1e-10), "no frequency is in two bands, none is left out")
    }

    @Test func isSafeOnManyThreads() {
        let images = (0..<24).map { Fixture.pattern(20 + $0 % 3, 30 + $0 % 2) }
        let alone = images.map { PowerSpectrum(of: $0).power(from: 0.1) }
        nonisolated(unsafe) let results = UnsafeMutablePointer<Double>.allocate(capacity: images.count)
        defer { results.deallocate() }
        Parallel.forEach(images.count) { results[$0] = PowerSpectrum(of: images[$0]).power(from: 0.1) }
        #expect(images.indices.allSatisfy { results[$0] == alone[$0] })
    }
}
