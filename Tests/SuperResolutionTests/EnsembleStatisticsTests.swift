import SolarImage
import SuperResolution
import Testing

/// Moments of samples that come one by one, against those of all samples at once.
@Suite struct EnsembleStatisticsTests {
    private let highPass = ButterworthHighPass(cutoff: 0.2, order: 3)

    private func statistics(_ samples: [Image]) -> EnsembleStatistics {
        var statistics = EnsembleStatistics(width: samples[0].width, height: samples[0].height, highPass: highPass)
        for sample in samples { statistics.add(sample) }
        return statistics
    }

    private func samples(_ count: Int, width: Int, height: Int, spread: Float = 150) -> [Image] {
        let field = MetricFixture.spots(width: width, height: height)
        return (1...count).map { seed in
            let noise = MetricFixture.noise(width: width, height: height, seed: UInt64(seed))
            return field.transformed { x, y, value in value + spread * noise[x, y] }
        }
    }

    /// Mean and standard deviation (n − 1) of each pixel in two passes.
    private func moments(_ samples: [[Double]]) -> (mean: [Double], deviation: [Double]) {
        let mean = samples[0].indices.map { index in samples.reduce(0) { $0 + $1[index] } / Double(samples.count) }
        let deviation = mean.indices.map { index in
            let squares = samples.reduce(0) { $0 + ($1[index] - mean[index]) * ($1[index] - mean[index]) }
            return (squares / Double(samples.count - 1)).squareRoot()
        }
        return (mean, deviation)
    }

    private func fine(_ sample: Image) -> [Double] { sample.highPassed(cutoff: highPass.cutoff, order: highPass.order).pixels.map(Double.init) }

    private func coarse(_ sample: Image) -> [Double] { zip(sample.pixels, fine(sample)).map { Double($0) - $1 } }

    private func expectClose(
        _ image: Image, _ expected: [Double], _ tolerance: Double, _ what: String, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(image.pixels.map(\.isNaN) == expected.map(\.isNaN), "\(what)", sourceLocation: sourceLocation)
        let greatest = zip(image.pixels, expected).map { $1.isNaN ? 0 : abs(Double($0) - $1) }.max() ?? .nan
        #expect(greatest <= tolerance, "\(what): \(greatest)", sourceLocation: sourceLocation)
    }

    private func expectMoments(of samples: [Image], _ tolerance: Double, sourceLocation: SourceLocation = #_sourceLocation) {
        let statistics = statistics(samples)
        let whole = moments(samples.map { $0.pixels.map(Double.init) })
        // A mean is told to half the last place of its own.
        let last = whole.mean.filter(\.isFinite).map { Double(Float($0).ulp) }.max() ?? 0
        expectClose(statistics.mean, whole.mean, tolerance + last, "mean", sourceLocation: sourceLocation)
        expectClose(statistics.deviation, whole.deviation, tolerance, "deviation", sourceLocation: sourceLocation)
        expectClose(statistics.fineDeviation, moments(samples.map(fine)).deviation, tolerance, "fine", sourceLocation: sourceLocation)
        expectClose(statistics.coarseDeviation, moments(samples.map(coarse)).deviation, tolerance, "coarse", sourceLocation: sourceLocation)
        #expect(statistics.count == samples.count, sourceLocation: sourceLocation)
    }

    @Test(arguments: [(37, 23), (16, 9), (1, 5)]) func agreesWithTwoPasses(width: Int, height: Int) {
        for count in [2, 7] { expectMoments(of: samples(count, width: width, height: height), 2e-3) }
    }

    /// The squares of 3000 G have no digits left for those of 0.01 G, neither as 32-bit sums nor as differences of them.
    @Test func aSmallSpreadOfStrongFieldIsNotLost() {
        let strong = (1...9).map { seed in
            MetricFixture.noise(width: 33, height: 20, seed: UInt64(seed)).transformed { _, _, value in 3000 + 0.01 * value }
        }
        expectMoments(of: strong, 1e-6)
        let spread = statistics(strong).deviation.median
        #expect(abs(spread - 0.01) < 0.002)
    }

    @Test func theSpreadDoesNotHangOnTheFirstSample() {
        let samples = samples(6, width: 24, height: 15)
        let (forwards, backwards) = (statistics(samples), statistics(samples.reversed()))
        for (a, b) in [(forwards.deviation, backwards.deviation), (forwards.fineDeviation, backwards.fineDeviation)] {
            #expect(a.greatestDifference(from: b) < 1e-3)
        }
        #expect(forwards.first == samples[0] && backwards.first == samples[5])
    }

    // MARK: - The mask

    @Test func fineMaskIsWhereTheDeviationsStructureIsStrong() {
        let (width, height) = (37, 23)
        // A spot of large spread among little.
        let samples = samples(5, width: width, height: height, spread: 10).enumerated().map { number, sample in
            sample.transformed { x, y, value in (18...20).contains(x) && (10...12).contains(y) ? value + Float(300 * number) : value }
        }
        let statistics = statistics(samples)
        let deviation = Image(width: width, height: height, pixels: moments(samples.map { $0.pixels.map(Double.init) }).deviation.map { Float($0) })
        let structure = fine(deviation)
        func median(_ values: [Double]) -> Double {
            let sorted = values.sorted()
            return (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
        }
        let middle = median(structure)
        let threshold = 3 * median(structure.map { abs($0 - middle) })
        let mask = statistics.fineMask
        for (index, value) in structure.enumerated() where abs(abs(value) - threshold) > 0.01 {
            #expect(mask.pixels[index] == (abs(value) > threshold ? 1 : 0), "pixel \(index)")
        }
        #expect(mask[19, 11] == 1 && mask.pixels.count { $0 == 0 } > width * height / 2)
    }

    // MARK: - What is missing

    @Test func pixelsThatAreNeverThereAreLeftOut() {
        let masked = samples(4, width: 21, height: 17).map { $0.transformed { x, y, value in x + y < 9 || (x, y) == (15, 8) ? .nan : value } }
        expectMoments(of: masked, 2e-3)
        #expect(statistics(masked).fineMask.pixels.map(\.isNaN) == masked[0].pixels.map(\.isNaN))
    }

    @Test(arguments: [0, 2]) func aPixelMissingOnceIsMissingInAllResults(sample: Int) {
        var samples = samples(4, width: 21, height: 17)
        let whole = statistics(samples)
        samples[sample][5, 6] = .nan
        let statistics = statistics(samples)
        for image in [statistics.mean, statistics.deviation, statistics.fineDeviation, statistics.coarseDeviation, statistics.fineMask] {
            #expect(image.pixels.indices.filter { image.pixels[$0].isNaN } == [6 * 21 + 5])
        }
        #expect(statistics.deviation.greatestDifference(from: whole.deviation) == 0)
    }

    @Test func oneSampleHasNoDeviation() {
        let sample = samples(1, width: 9, height: 7)[0]
        let statistics = statistics([sample])
        #expect(statistics.mean == sample && statistics.count == 1)
        for image in [statistics.deviation, statistics.fineDeviation, statistics.coarseDeviation, statistics.fineMask] {
            #expect(image.width == 9 && image.height == 7 && image.pixels.allSatisfy(\.isNaN))
        }
        #expect(EnsembleStatistics(width: 3, height: 2, highPass: highPass).mean.pixels.allSatisfy { $0.isNaN })
    }

    @Test func equalSamplesDoNotVary() {
        let sample = samples(1, width: 19, height: 8)[0]
        let statistics = statistics([sample, sample, sample])
        for image in [statistics.deviation, statistics.fineDeviation, statistics.coarseDeviation] { #expect(image.pixels.allSatisfy { $0 == 0 }) }
        #expect(statistics.mean == sample && statistics.fineMask.pixels.allSatisfy { $0 == 0 })
    }
}
