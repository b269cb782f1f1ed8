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
            #expect(zip(transform.inverse(), values).allSatisfy { near($0, $1, 1e-11) })
        }
    }

    @Test func measuresPowerAsNumpy() throws {
        for expected in try Fixture.expected.get().spectra {
            let (width, height) = (expected.width, expected.height)
            let image = Fixture.pattern(width, height)
            let spectrum = PowerSpectrum(of: image)
            #expect(near(spectrum.power(beyond: 0.125), expected.beyondLow, 1e-10))
            #expect(near(spectrum.power(beyond: 0.25), expected.beyondHigh, 1e-10))
            #expect(near(spectrum.power(from: 0.125, to: 0.25), expected.band, 1e-10))
            let radial = spectrum.radial(bins: 6)
            #expect(radial.map(\.frequency).elementsEqual((0..<6).map { (Double($0) + 0.5) / 12 }, by: { near($0, $1) }))
            #expect(zip(radial, expected.radial).allSatisfy { near($0.power, $1, 1e-10) })
            var other = image
            for y in 0..<height { for x in 0..<width { other[(x + 1) % width, y] = image[x, y] } }
            other[5, 3] = .nan
            #expect(near(spectrum.correlation(with: PowerSpectrum(of: other), from: 0.125, to: 0.25), expected.correlation, 1e-10))
            #expect(near(spectrum.correlation(with: spectrum, from: 0, to: 1), 1, 1e-12))
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
        let power = PowerSpectrum(of: Image(width: 128, height: 128, pixels: pixels)).power(beyond: 0)
        #expect(abs(power - 100) < 8)
    }

    @Test func keepsNaNWhenFiltering() {
        var image = Fixture.pattern(16, 12)
        image[3, 4] = .nan
        let same = image.filtered { _ in 1 }
        #expect(same[3, 4].isNaN)
        #expect(zip(same.pixels, image.pixels).allSatisfy { $0.isNaN == $1.isNaN && ($0.isNaN || abs($0 - $1) < 1e-3) })
        // A field that is NaN all around is not continued; the result must not depend on that where no filter acts.
        for x in 0..<16 { image[x, 0] = .nan; image[x, 11] = .nan }
        for y in 0..<12 { image[0, y] = .nan; image[15, y] = .nan }
        #expect(zip(image.filtered { _ in 2 }.pixels, image.pixels).allSatisfy { $0.isNaN == $1.isNaN && ($0.isNaN || abs($0 - 2 * $1) < 1e-3) })
    }

    @Test func isSafeOnManyThreads() {
        let images = (0..<24).map { Fixture.pattern(20 + $0 % 3, 30 + $0 % 2) }
        let alone = images.map { PowerSpectrum(of: $0).power(beyond: 0.1) }
        nonisolated(unsafe) let results = UnsafeMutablePointer<Double>.allocate(capacity: images.count)
        defer { results.deallocate() }
        Parallel.forEach(images.count) { results[$0] = PowerSpectrum(of: images[$0]).power(beyond: 0.1) }
        #expect(images.indices.allSatisfy { results[$0] == alone[$0] })
    }
}
