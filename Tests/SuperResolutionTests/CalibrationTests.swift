import Foundation
import SolarImage
import SuperResolution
import Testing

/// What is said of an ensemble, against NumPy's values.
@Suite struct CalibrationTests {
    struct Fixture: Decodable {
        let truth: [[Float?]]
        let samples: [[[Float?]]]
        let expected: [String: Double]
        let coverage: [String: Double]
        let ranks: [Double]
    }

    private func score(_ samples: [Image], _ truth: Image) throws -> [Score] {
        try Score.rows(
            model: "model", file: "file", samples: samples, truth: Truth(truth), groups: MetricGroup.all.named(["calibration"]),
            options: EvaluationOptions())
    }

    @Test func ensembleFiguresEqualNumpys() throws {
        let fixture: Fixture = try MetricFixture.load("ensemble.json")
        let samples = fixture.samples.map(MetricFixture.image)
        let rows = try score(samples, MetricFixture.image(fixture.truth))
        let ensemble = try #require(rows.last)
        #expect(rows.count == 7 && ensemble.sample == nil)
        for (key, expected) in fixture.expected {
            let value = try #require(ensemble.values[key], "\(key)")
            #expect(abs(value - expected) < 1e-9 * max(1, abs(expected)), "\(key): \(value), \(expected)")
        }
        let coverage = try #require(ensemble.tallies["coverage"])
        for (level, expected) in fixture.coverage {
            let place = try #require(coverage.edges.lastIndex { $0 <= Double(level)! })
            #expect(abs(coverage.mean(place) - expected) < 1e-12, "\(level)")
        }
        let ranks = try #require(ensemble.tallies["ranks"])
        #expect(zip(ranks.sums, fixture.ranks).allSatisfy { abs($0 - $1) < 1e-12 } && ranks.sums.count == 7)
        // Six samples cannot tell a central 80 % interval.
        #expect(ensemble.values["coverage_80"] == nil && coverage.counts.filter { $0 > 0 }.count == 7)
        #expect(try score(samples.reversed(), MetricFixture.image(fixture.truth)).last?.values["crps"] == ensemble.values["crps"])
    }

    /// Samples and truth drawn alike are calibrated, whatever their number.
    @Test(arguments: [2, 10]) func drawsFromOneDistributionAreCalibrated(count: Int) throws {
        let samples = (1...count).map { MetricFixture.noise(width: 256, height: 128, seed: UInt64($0)) }
        let ensemble = try #require(try score(samples, MetricFixture.noise(width: 256, height: 128, seed: 99)).last)
        #expect(abs(try #require(ensemble.values["spread_skill"]) - 1) < 0.02)
        // The fair score of normal draws is 1/√π whatever their number.
        #expect(abs(try #require(ensemble.values["crps"]) - 0.5642) < 0.01)
        if count == 10 {
            #expect(abs(try #require(ensemble.values["coverage_80"]) - 0.8) < 0.02)
            #expect(abs(try #require(ensemble.values["coverage_50"]) - 0.5) < 0.02)
        }
        // White noise beyond a quarter of a cycle a pixel: most of it, and both parts together are the whole.
        let (fine, coarse) = (try #require(ensemble.values["std_fine"]), try #require(ensemble.values["std_coarse"]))
        #expect(fine > coarse && fine < 1 && coarse > 0.1)
        #expect(abs(try #require(ensemble.values["std_fine_ratio"]) - 1) < 0.05)
    }

    /// Deviations that are too small by half at one place of every block, and in strong field.
    @Test func phasesAndStrongFieldStandByThemselves() throws {
        let truthNoise = MetricFixture.noise(width: 256, height: 128, seed: 99)
        let field = { (x: Int, _: Int, _: Float) -> Float in x < 128 ? 0 : 100 }
        let zero = Image(width: 256, height: 128, repeating: 0)
        let base = zero.transformed(field)
        func added(_ noise: Image, _ factor: @escaping (Int, Int) -> Float) -> Image {
            noise.transformed { x, y, value in base[x, y] + factor(x, y) * value }
        }
        let samples = (1...10).map { seed in
            added(MetricFixture.noise(width: 256, height: 128, seed: UInt64(seed))) { x, y in
                (x % 4 == 1 && y % 4 == 2 ? 0.5 : 1) * (x < 128 ? 1 : 0.5)
            }
        }
        let ensemble = try #require(try score(samples, added(truthNoise) { _, _ in 1 }).last)
        // Root mean squares of 1 and ½: over both halves √(5/8), at the one place half of that. The error has the mean of the samples in it.
        let expected: [(String, Double)] = [
            ("spread_skill_lowest_phase", 0.5 * (5.0 / 8).squareRoot()), ("spread_skill_highest_phase", (5.0 / 8).squareRoot()),
            ("spread_skill_strong", (15.0 / 16 * 0.25 + 0.25 / 16 * 0.25).squareRoot()),
        ]
        for (key, value) in expected {
            #expect(abs(try #require(ensemble.values[key]) / value - 1) < 0.07, "\(key) \(ensemble.values[key] ?? 0), \(value)")
        }
        #expect(try #require(ensemble.values["coverage_80_strong"]) < 0.6 && #require(ensemble.values["coverage_80"]) > 0.6)
    }

    @Test func oneSampleIsNoEnsemble() throws {
        let rows = try score([MetricFixture.noise(width: 64, height: 32)], MetricFixture.noise(width: 64, height: 32, seed: 2))
        #expect(rows.count == 1 && rows[0].values.isEmpty)
    }

    /// Samples of 1 … 9 G everywhere: of so many, the central 80 % lie between the outermost, and the central 50 % between 2.5 and 7.5 G.
    @Test func intervalsHoldTheirBounds() throws {
        let samples = (1...9).reversed().map { Image(width: 32, height: 32, repeating: Float($0)) }
        let truth = Image(width: 32, height: 32, pixels: (0..<1024).map { [0.9, 1, 2.4, 2.5, 7.5, 7.6, 9, 9.1][$0 % 8] })
        let ensemble = try #require(try score(samples, truth).last)
        #expect(ensemble.values["coverage_80"] == 0.75 && ensemble.values["coverage_50"] == 0.25)
        let ranks = try #require(ensemble.tallies["ranks"]).sums
        // A truth that equals a sample stands half below and half above it.
        #expect(ranks == [0.1875, 0.0625, 0.25, 0, 0, 0, 0, 0.25, 0.0625, 0.1875])
    }

    @Test func deviationsAreThoseOfTheFilteredSamples() throws {
        let truth = MetricFixture.noise(width: 64, height: 32, seed: 9).transformed { x, y, value in x < 10 && y > 20 ? .nan : 50 * value }
        let samples = (1...4).map { seed in
            let noise = MetricFixture.noise(width: 64, height: 32, seed: UInt64(seed))
            return truth.transformed { x, y, value in value + 20 * noise[x, y] }
        }
        for (circle, order) in [(0.25, 2), (0.1, 4)] {
            var options = EvaluationOptions()
            (options.circle, options.fineOrder) = (circle, order)
            let ensemble = try #require(
                try Score.rows(
                    model: "model", file: "file", samples: samples, truth: Truth(truth), groups: MetricGroup.all.named(["calibration"]),
                    options: options
                ).last)
            let parts = samples.map { $0.highPassed(cutoff: circle, order: order) }
            for (key, images) in [("std_fine", parts), ("std_coarse", zip(samples, parts).map { $0.subtracting($1) })] {
                let expected = rootMeanSquareDeviation(images, where: truth)
                #expect(abs(try #require(ensemble.values[key]) - expected) < 1e-3, "\(key) at \(circle)")
            }
        }
    }

    /// The root mean square, over the pixels with data, of the standard deviation (n − 1).
    private func rootMeanSquareDeviation(_ images: [Image], where truth: Image) -> Double {
        let valid = truth.pixels.indices.filter { !truth.pixels[$0].isNaN }
        let variances = valid.map { index in
            let values = images.map { Double($0.pixels[index]) }
            let mean = values.reduce(0, +) / Double(values.count)
            return values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count - 1)
        }
        return (variances.reduce(0, +) / Double(valid.count)).squareRoot()
    }
}

extension Image {
    fileprivate func subtracting(_ other: Image) -> Image { transformed { x, y, value in value - other[x, y] } }
}
