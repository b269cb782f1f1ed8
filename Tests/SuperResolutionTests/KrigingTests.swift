import Foundation
import Groundwork
import SolarImage
import SuperResolution
import TensorCore
import Testing

/// Against `Scripts/kriging.py`, which mirrors fields and transforms them as complex numbers.
@Suite struct KrigingTests {
    private struct Reference: Decodable {
        let width, noise: Double
        let low, seen, holed, prediction, exact, blurred, noisy, local, localHoled, consistent, consistentBySeen, truth: [[Float?]]
        let spectrum: [Double]
    }

    private func reference() throws -> Reference { try MetricFixture.load("kriging.json") }

    private func kriging(blur: Double = 0, noise: Double = 0, factor: Int = 4) -> Kriging {
        Kriging(LinearObservation(psf: PointSpreadFunction(width: blur), noise: noise, arcsecPerPixel: 1), spectrum: .activeRegions, factor: factor)
    }

    private func isNear(_ image: Image, _ rows: [[Float?]], within tolerance: Float = 2e-3) -> Bool {
        let expected = MetricFixture.image(rows)
        return image.width == expected.width && image.height == expected.height && image.pixels.map(\.isNaN) == expected.pixels.map(\.isNaN)
            && image.greatestDifference(from: expected) < tolerance
    }

    @Test func estimatesEqualNumpy() throws {
        let reference = try reference()
        #expect(isNear(kriging().estimate(from: MetricFixture.image(reference.low)), reference.exact))
        let seen = MetricFixture.image(reference.seen)
        #expect(isNear(kriging(blur: reference.width).estimate(from: seen), reference.blurred))
        #expect(isNear(kriging(blur: reference.width, noise: reference.noise).estimate(from: seen), reference.local))
        let holed = MetricFixture.image(reference.holed)
        #expect(isNear(kriging(blur: reference.width, noise: reference.noise).estimate(from: holed), reference.localHoled))
        // The strength of the field matters: an estimate for the mean strength is another.
        #expect(!isNear(kriging(blur: reference.width, noise: reference.noise).estimate(from: seen), reference.noisy, within: 10))
    }

    @Test func consistencyEqualsNumpy() throws {
        let reference = try reference()
        let prediction = MetricFixture.image(reference.prediction)
        #expect(isNear(prediction.consistent(with: MetricFixture.image(reference.low)), reference.consistent))
        let observation = LinearObservation(psf: PointSpreadFunction(width: reference.width), noise: reference.noise, arcsecPerPixel: 1)
        #expect(isNear(prediction.consistent(with: MetricFixture.image(reference.seen), by: observation), reference.consistentBySeen))
    }

    @Test(arguments: [(1, 1), (1, 6), (5, 1), (3, 2), (16, 9), (40, 33)]) func exactBlockMeansAreKept(width: Int, height: Int) {
        let low = MetricFixture.noise(width: width, height: height).transformed { _, _, value in 1000 * value }
        for factor in [1, 2, 3, 4, 6] {
            let field = kriging(factor: factor).estimate(from: low)
            #expect(field.width == width * factor && field.height == height * factor)
            #expect(field.blockMean(by: factor).greatestDifference(from: low) < 1e-3)
        }
    }

    @Test func uniformFieldStaysUniform() {
        let low = Image(width: 9, height: 5, repeating: -321)
        for observation in [kriging(), kriging(blur: 6.6), kriging(blur: 6.6, noise: 11.6)] {
            #expect(observation.estimate(from: low).greatestDifference(from: Image(width: 36, height: 20, repeating: -321)) < 0.05)
        }
    }

    @Test func missingPixelsStayMissing() {
        var low = MetricFixture.noise(width: 12, height: 10).transformed { _, _, value in 200 * value }
        for place in [0, 17, 64, 119] { low.pixels[place] = .nan }
        for observation in [kriging(), kriging(blur: 6.6, noise: 11.6)] {
            #expect(observation.estimate(from: low).pixels.map(\.isNaN) == low.replicated(by: 4).pixels.map(\.isNaN))
        }
        #expect(kriging().estimate(from: low).blockMean(by: 4).greatestDifference(from: low) < 1e-3)
        let nothing = Image(width: 3, height: 2, repeating: .nan)
        #expect(kriging(blur: 6.6, noise: 11.6).estimate(from: nothing).pixels.allSatisfy { $0.isNaN })
    }

    @Test func resultsDoNotDependOnTheThreadCount() throws {
        let before = Parallel.threadCount
        defer { Parallel.threadCount = before }
        let low = MetricFixture.noise(width: 30, height: 41).transformed { _, _, value in 300 * value }
        func results() throws -> [Image] {
            let kriging = kriging(blur: 6.6, noise: 11.6)
            return [kriging.estimate(from: low), try KrigingEnsemble(kriging, from: low, seed: 3).sample(1)]
        }
        Parallel.threadCount = 1
        let alone = try results()
        Parallel.threadCount = 3
        #expect(try results() == alone)
    }

    // MARK: - Ensemble

    @Test func samplesAreRepeatableAndTheirOwn() throws {
        let low = MetricFixture.noise(width: 16, height: 12).transformed { _, _, value in 300 * value }
        let ensemble = try KrigingEnsemble(kriging(), from: low, seed: 1)
        #expect(ensemble.sample(0) == (try KrigingEnsemble(kriging(), from: low, seed: 1).sample(0)))
        #expect(ensemble.sample(0) != ensemble.sample(1))
        #expect(try KrigingEnsemble(kriging(), from: low, seed: 2).sample(0) != ensemble.sample(0))
        // Another field, other noise: what two samples have beyond their estimates does not correlate.
        let other = MetricFixture.noise(width: 16, height: 12, seed: 9).transformed { _, _, value in 300 * value }
        let details = [
            zip(ensemble.sample(0).pixels, kriging().estimate(from: low).pixels).map { Double($0 - $1) },
            zip(try KrigingEnsemble(kriging(), from: other, seed: 1).sample(0).pixels, kriging().estimate(from: other).pixels).map {
                Double($0 - $1)
            },
        ]
        func product(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
        let correlation = product(details[0], details[1]) / (product(details[0], details[0]) * product(details[1], details[1])).squareRoot()
        #expect(abs(correlation) < 0.08)
    }

    @Test func samplesHaveTheBlockMeansOfTheInput() throws {
        var low = MetricFixture.spots(width: 96, height: 64).blockMean(by: 4)
        low[3, 4] = .nan
        let sample = try KrigingEnsemble(kriging(), from: low, seed: 1).sample(0)
        #expect(sample.blockMean(by: 4).greatestDifference(from: low) < 1e-3)
        #expect(sample.pixels.map(\.isNaN) == low.replicated(by: 4).pixels.map(\.isNaN))
    }

    @Test(arguments: [Float(0), 30, 300]) func spreadFollowsTheNeighbourhood(strength: Float) throws {
        let low = MetricFixture.noise(width: 48, height: 40).transformed { _, _, value in strength * value }
        let ensemble = try KrigingEnsemble(kriging(), from: low, seed: 1), estimate = kriging().estimate(from: low)
        var found = 0.0
        for number in 0..<4 {
            for (value, mean) in zip(ensemble.sample(number).pixels, estimate.pixels) { found += Double(value - mean) * Double(value - mean) / 4 }
        }
        let expected = low.neighbourhoodVariance().reduce(0) { $0 + Kriging.unresolvedVariance(about: $1) } / Double(low.pixels.count)
        #expect(abs(found / Double(estimate.pixels.count) / expected - 1) < 0.15, "\(found / Double(estimate.pixels.count)) for \(expected)")
    }

    @Test func varianceOfANeighbourhoodIsOfThePixelsThereAre() {
        var image = Image(width: 4, height: 3, pixels: [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048])
        image[1, 1] = .nan
        func variance(_ values: [Double]) -> Double {
            let mean = values.reduce(0, +) / Double(values.count)
            return values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)
        }
        let found = image.neighbourhoodVariance()
        for (place, values) in [(0, [1.0, 2, 16]), (5, [1, 2, 4, 16, 64, 256, 512, 1024]), (11, [64, 128, 1024, 2048])] {
            #expect(abs(found[place] / variance(values) - 1) < 1e-12)
        }
        #expect(Image(width: 2, height: 2, repeating: .nan).neighbourhoodVariance() == [0, 0, 0, 0])
    }

    @Test func noiseAndBlurWidenTheSpread() throws {
        let low = MetricFixture.spots(width: 192, height: 160).blockMean(by: 4)
        func spread(_ kriging: Kriging) throws -> Double {
            let ensemble = try KrigingEnsemble(kriging, from: low, seed: 1)
            let (first, second) = (ensemble.sample(0), ensemble.sample(1))
            return zip(first.pixels, second.pixels).reduce(0.0) { $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1) }
        }
        let spreads = try [kriging(), kriging(noise: 11.6), kriging(blur: 6.6, noise: 11.6), kriging(blur: 6.6, noise: 30)].map(spread)
        #expect(spreads == spreads.sorted() && spreads[3] > 1.2 * spreads[0], "\(spreads)")
    }

    // MARK: - Spectrum

    @Test func spectrumEqualsNumpy() throws {
        let reference = try reference()
        let truth = MetricFixture.image(reference.truth)
        let fields = [truth, truth.cropped(x: 0, y: 0, width: 30, height: 17), MetricFixture.image(reference.low)]
        let spectrum = try #require(FieldSpectrum(of: fields))
        for (found, expected) in zip(spectrum.power, reference.spectrum) { #expect(abs(found / expected - 1) < 1e-4) }
    }

    @Test func spectrumOfWhiteNoiseIsItsVariance() throws {
        let noise = MetricFixture.noise(width: 300, height: 200).transformed { _, _, value in 7 * value }
        let variance = noise.pixels.reduce(0) { $0 + Double($1 * $1) } / 60000
        let spectrum = try #require(FieldSpectrum(of: [noise]))
        #expect(spectrum.power.suffix(8).allSatisfy { abs($0 / variance - 1) < 0.1 }, "\(spectrum.power) for \(variance)")
        #expect(FieldSpectrum(of: [Image(width: 1, height: 1, repeating: 3)]) == nil)
        // What does not vary has the least power there is, so that nothing is divided by 0.
        #expect(FieldSpectrum(of: [Image(width: 64, height: 64, repeating: 3)])?.power.allSatisfy { $0 > 0 } == true)
    }

    @Test func spectrumIsALineInLogarithms() {
        let spectrum = FieldSpectrum.activeRegions
        for (index, frequency) in FieldSpectrum.frequencies.enumerated() {
            #expect(abs(spectrum.power(atSquare: frequency * frequency) / spectrum.power[index] - 1) < 1e-9)
        }
        let between = (FieldSpectrum.frequencies[20] * FieldSpectrum.frequencies[21])
        #expect(abs(spectrum.power(atSquare: between) / (spectrum.power[20] * spectrum.power[21]).squareRoot() - 1) < 1e-9)
        #expect(spectrum.power(atSquare: 0) == spectrum.power[0] && spectrum.power(atSquare: 4) == spectrum.power[33])
    }

    @Test func spectrumIsKeptAsItIs() throws {
        let data = try JSONEncoder().encode(FieldSpectrum.activeRegions)
        #expect(try JSONDecoder().decode(FieldSpectrum.self, from: data) == .activeRegions)
        for text in [#"{"power": [1, 2]}"#, #"{"power": []}"#, #"{"power": [\#([String](repeating: "0", count: 34).joined(separator: ","))]}"#] {
            #expect(throws: DecodingError.self) { try JSONDecoder().decode(FieldSpectrum.self, from: Data(text.utf8)) }
        }
    }

    @Test func trainingMeasuresTheSpectrumOfItsMaps() throws {
        try withTemporaryFolder { folder in
            try TrainingExample.writeMaps(3, to: folder)
            let collection = try TrainingExample.collection(folder)
            let spectrum = try #require(try collection.spectrum(seed: 1))
            #expect(try collection.spectrum(seed: 1) == spectrum)
            // Of maps of 96 × 80 pixels squares of 80. What lies beyond are the folds at the borders, of which squares have others: the field is smooth.
            let whole = try #require(FieldSpectrum(of: (0..<3).map { TrainingExample.field(width: 96, height: 80, seed: UInt64($0 + 1)) }))
            for index in 12..<26 { #expect(abs(log2(spectrum.power[index] / whole.power[index])) < 0.6, "\(index)") }
        }
    }
}
