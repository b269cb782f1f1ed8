import SolarImage
import SuperResolution
import Testing

/// Errors by field strength and by place on the disk, and how often each field occurs.
@Suite struct FieldErrorTests {
    private func score(_ prediction: Image, _ truth: Truth) throws -> Score {
        try Score.rows(
            model: "model", file: "file", samples: [prediction], truth: truth, groups: MetricGroup.all.named(["field"]),
            options: EvaluationOptions())[0]
    }

    /// A map of these values in turn.
    private func field(_ values: [Float]) -> Image { Image(width: 32, height: 32, pixels: (0..<1024).map { values[$0 % values.count] }) }

    private func strengths(_ prediction: [Float], _ truth: [Float]) throws -> Tally {
        try #require(score(field(prediction), Truth(field(truth))).tallies["field_strength"])
    }

    @Test func errorsAreTalliedByFieldStrengthAndMu() throws {
        let truth = Image(width: 64, height: 32, pixels: (0..<64 * 32).map { $0 % 64 < 32 ? -400 : 15 })
        let prediction = Image(width: 64, height: 32, pixels: (0..<64 * 32).map { $0 % 64 < 32 ? -390 : 18 })
        let mu = Image(width: 4, height: 2, pixels: [0.95, 1, 0.35, 0.35, 0.95, 0.95, .nan, -0.2])
        let row = try score(prediction, Truth(truth, mu: mu))
        #expect(abs(try #require(row.values["rmse"]) - (54.5).squareRoot()) < 1e-9)
        let strengths = try #require(row.tallies["field_strength"])
        for (field, bias) in [(400.0, -10.0), (15, 3)] {
            let place = try #require(strengths.edges.lastIndex { $0 <= field })
            #expect(strengths.counts[place] == 1024 && strengths.mean(place) == bias && strengths.rootMeanSquare(place) == abs(bias))
        }
        let angles = try #require(row.tallies["mu"])
        #expect(angles.counts == [0, 0, 0, 512, 0, 0, 0, 0, 0, 1024] && angles.mean(3) == 3 && angles.mean(9) == -10)
        #expect(try score(prediction, Truth(truth)).tallies["mu"] == nil)
    }

    @Test(arguments: [(Float(0.75), -200.0), (1.25, 200), (0, -800), (-1, -1600)])
    func biasIsAlongTheTruthsPolarity(factor: Float, bias: Double) throws {
        let strengths = try strengths([800 * factor, -800 * factor], [800, -800])
        let place = try #require(strengths.edges.lastIndex { $0 <= 800 })
        #expect(strengths.counts[place] == 1024 && strengths.mean(place) == bias && strengths.rootMeanSquare(place) == abs(bias))
    }

    @Test func aClassOfStrengthBeginsAtItsLowerBound() throws {
        let edges = try strengths([0], [0]).edges
        #expect(edges[0] == 0)
        for (place, (lower, upper)) in zip(edges, edges.dropFirst()).enumerated() {
            let counts = try strengths([0], [Float(lower), -Float(lower), Float(upper).nextDown]).counts
            #expect(counts[place] == 1024, "\(lower) … \(upper): \(counts)")
        }
        #expect(try strengths([0], [20_000, -50_000]).counts.last == 1024)
    }

    @Test func theDistributionTakesWhatLiesBeyondItsEnds() throws {
        let histogram = try #require(score(field([-5000, -3000, 3000, 1e6]), Truth(field([0]))).tallies["histogram"])
        #expect(histogram.counts.first == 512 && histogram.counts.last == 512 && histogram.counts.reduce(0, +) == 1024)
        #expect(histogram.edges == histogram.edges.reversed().map { -$0 })
        for value in [Float(-2999), -390, -0.5, 0, 1234.5] {
            let counts = try #require(score(field([value]), Truth(field([0]))).tallies["histogram"]).counts
            #expect(counts[try #require(histogram.edges.lastIndex { $0 <= Double(value) })] == 1024, "\(value) G")
        }
    }

    @Test func maskedPixelsAreNotCounted() throws {
        let truth = field([500, -20, 40]).transformed { x, y, value in x < 5 || y == 9 ? .nan : value }
        let row = try score(field([450, 30, 30]), Truth(truth, mu: Image(width: 2, height: 2, repeating: 0.5)))
        for name in ["field_strength", "mu", "histogram"] { #expect(row.tallies[name]?.counts.reduce(0, +) == 837, "\(name)") }
    }
}
