import Foundation
import Groundwork
import SolarImage
import SuperResolution
import TensorCore
import Testing

/// What MDI would have seen of a field.
@Suite struct ObservationTests {
    /// scipy's blur, block mean and factor on the pattern of `Scripts/make-registration-fixtures.py`.
    private struct Expected: Decodable {
        struct Case: Decodable {
            var name: String, blurWidth: Double, arcsecPerPixel: Double, values: [Double?]
        }
        var cases: [Case]
    }

    private static func url(_ name: String) -> URL {
        URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().appending(path: "Fixtures/SolarImage/\(name)")
    }

    private func pattern() -> Image {
        Image(
            width: 50, height: 43,
            pixels: (0..<50 * 43).map { index in
                let (x, y) = (index % 50, index / 50)
                return Float((x * 37 + y * 101 + x * y * 7) % 2001 - 1000)
            })
    }

    private let mdi = Observation(Instrument.mdi.usualConditions)

    /// MDI without noise and saturation.
    private func quiet(_ change: (inout Observation) -> Void = { _ in }) -> Observation {
        var observation = mdi
        (observation.noise, observation.saturation) = (0, nil)
        change(&observation)
        return observation
    }

    private func seen(_ image: Image, by observation: Observation, arcsecPerPixel: Double = 0.5, seed: UInt64 = 1) -> Image {
        var low = observation.mean(of: image, arcsecPerPixel: arcsecPerPixel, scale: 4), random = Random(seed: seed, name: "MDI noise")
        observation.addNoise(to: &low, &random)
        return low
    }

    @Test func agreesWithScipy() throws {
        let expected = try JSONDecoder().decode(Expected.self, from: Data(contentsOf: Self.url("mdi-simulation.json")))
        #expect(expected.cases.count == 4)
        for item in expected.cases {
            var image = pattern()
            if item.name == "holed" {
                for y in 0..<43 {
                    for x in 0..<50 where hypot(Double(x - 20), Double(y - 15)) > 24 || ((20..<23).contains(y) && (10..<30).contains(x)) {
                        image[x, y] = .nan
                    }
                }
            }
            let result = seen(image, by: quiet { $0.psf.width = item.blurWidth }, arcsecPerPixel: item.arcsecPerPixel)
            #expect(result.width == 12 && result.height == 10)
            for (ours, theirs) in zip(result.pixels, item.values) {
                if let theirs { #expect(abs(Double(ours) - theirs) < 1e-3) } else { #expect(ours.isNaN) }
            }
            #expect(item.values.contains(nil) == (item.name == "holed"))
        }
    }

    @Test func keepsTheFlux() {
        let image = Image(width: 64, height: 48, pixels: Array(MetricFixture.spots(width: 64, height: 48).pixels))
        let result = seen(image, by: quiet())
        func mean(_ image: Image) -> Double { image.pixels.reduce(0) { $0 + Double($1) } / Double(image.pixels.count) }
        #expect(abs(mean(result) - 1.4 * mean(image)) < 1e-4 * abs(mean(image)))
        let plain = seen(image, by: .blockMean)
        #expect(plain == image.blockMean(by: 4), "nothing but the block mean")
    }

    /// A point becomes the Gaussian convolved with a pixel: variance σ² + s²/12 along each axis, s being the side of MDI's pixel.
    @Test func blursByTheWidth() {
        for (width, pixel) in [(3.32, 0.5), (4.0, 0.504)] {
            // The second moment over sources at all sixteen places within a block.
            var (sum, second) = (0.0, 0.0)
            for place in 0..<16 {
                var image = Image(width: 128, height: 128, repeating: 0)
                let (x, y) = (64 + place % 4, 64 + place / 4)
                image[x, y] = 1e6
                let result = seen(image, by: quiet { $0.psf.width = width }, arcsecPerPixel: pixel)
                for row in 0..<32 {
                    for column in 0..<32 {
                        let distance = (Double(column) * 4 + 1.5 - Double(x)) * pixel
                        sum += Double(result[column, row])
                        second += Double(result[column, row]) * distance * distance
                    }
                }
            }
            let deviation = width / (2 * (2 * log(2.0)).squareRoot())
            // The sources lie on a lattice of 4 × 4, so the box is one of four points: variance (4² − 1)/12 pixels².
            let expected = deviation * deviation + 15.0 / 12 * pixel * pixel
            #expect(abs(second / sum / expected - 1) < 1e-4, "\(second / sum) for \(expected)")
        }
    }

    @Test func addsNoiseOfTheLevelAsked() {
        let image = Image(width: 400, height: 400, repeating: 10)
        let result = seen(image, by: mdi)
        let values = result.pixels.map { Double($0) }
        let mean = values.reduce(0, +) / 10000
        let deviation = (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 9999).squareRoot()
        // Standard errors: 0.16 G of the mean, 0.11 G of the deviation.
        #expect(abs(mean - 14) < 0.6 && abs(deviation - 16.2) < 0.45)
        let neighbours = (0..<9999).reduce(0.0) { $0 + (values[$1] - mean) * (values[$1 + 1] - mean) } / 9999 / deviation / deviation
        #expect(abs(neighbours) < 0.04, "white")
    }

    @Test func repeatsWithTheSeed() {
        var image = MetricFixture.noise(width: 96, height: 64)
        let first = seen(image, by: mdi)
        #expect(seen(image, by: mdi) == first)
        #expect(seen(image, by: mdi, seed: 2) != first)
        // The noise of a pixel does not depend on whether others hold data.
        let clean = seen(image, by: quiet())
        for y in 0..<64 { for x in 0..<24 { image[x, y] = .nan } }
        let (holed, holedClean) = (
            seen(image, by: mdi),
            seen(image, by: quiet())
        )
        for y in 0..<16 {
            for x in 0..<24 {
                #expect(holed[x, y].isNaN == (x < 6))
                if x >= 6 { #expect(abs((holed[x, y] - holedClean[x, y]) - (first[x, y] - clean[x, y])) < 1e-4) }
            }
        }
    }

    @Test func keepsNaNAndUniformFields() {
        var disk = Image(width: 80, height: 80, repeating: .nan)
        for y in 0..<80 { for x in 0..<80 where hypot(Double(x) - 39.5, Double(y) - 39.5) < 33 { disk[x, y] = 200 } }
        let result = seen(disk, by: quiet())
        let blocks = disk.blockMean(by: 4)
        #expect(zip(result.pixels, blocks.pixels).allSatisfy { $0.isNaN == $1.isNaN && ($0.isNaN || abs($0 - 280) < 1e-2) })
        let nothing = seen(Image(width: 8, height: 8, repeating: .nan), by: mdi)
        #expect(nothing.pixels.allSatisfy { $0.isNaN })
    }

    @Test func refusesOptionsOutOfRange() throws {
        try mdi.validate()
        for (change, words): ((inout Observation) -> Void, String) in [
            ({ $0.psf.width = -1 }, "blur"), ({ $0.gain = 0 }, "factor"), ({ $0.noise = .nan }, "noise"), ({ $0.psf.wingFraction = 2 }, "wing"),
        ] {
            var observation = mdi
            change(&observation)
            let failure = #expect(throws: Failure.self) { try observation.validate() }
            #expect(failure?.category == .usage && failure?.problem.contains(words) == true)
        }
    }

    /// Strong field saturates, weak field is seen too strong; neither in the linear part.
    @Test func isNotLinearWhereSaid() {
        let field = Image(width: 16, height: 4, pixels: (0..<64).map { [10, 300, 1000, -3000][$0 % 16 / 4] })
        var observation = quiet { $0.psf = .none }
        #expect(seen(field, by: observation).pixels == [14, 420, 1400, -4200])
        (observation.saturation, observation.weakFieldExcess) = (3500, 0.16)
        let result = seen(field, by: observation).pixels
        let expected = [16.239, 458.29, 1400.43, -3500]
        #expect(zip(result, expected).allSatisfy { abs(Double($0) - $1) < 0.01 })
        #expect(Observation.blockMean.isExact && !mdi.isExact && abs(mdi.noiseVariance - 11.5714 * 11.5714) < 0.01)
    }

    /// HMI's field of a real region, made what MDI would see, agrees with what MDI saw: in scale to 3 %, in correlation better than the block mean.
    @Test func comesCloseToRealMDI() throws {
        for number in 1...3 {
            let hmi = try Magnetogram(reading: Self.url("pair-\(number)-hmi.fits")).image
            let mdi = try Magnetogram(reading: Self.url("pair-\(number)-mdi.fits")).image
            let registration = try #require(Registration(of: mdi, with: hmi))
            let observed = mdi.resampled(by: try #require(registration.fit).similarity).blockMean(by: 4)
            let simulated = seen(hmi, by: quiet())
            let comparison = FieldComparison(of: observed, with: simulated)
            let plain = FieldComparison(of: observed, with: hmi.blockMean(by: 4))
            #expect(abs(comparison.slopeThroughOrigin - 1) < 0.03)
            #expect(comparison.correlation > 0.985 && comparison.correlation > plain.correlation + 0.01)
        }
    }
}
