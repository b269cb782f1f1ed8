import SolarImage
import SuperResolution
import Testing

/// Curves over all maps and samples.
@Suite struct EvaluationCurvesTests {
    private let truths = [UInt64(1), 2].map { TrainingExample.field(width: 64, height: 32, seed: $0) }

    private func samples(of truth: Image, factors: [Float]) -> [Image] {
        factors.map { factor in truth.transformed { x, _, value in factor * value + Float(x % 3) } }
    }

    private func scores(_ model: String, factors: [Float]) throws -> [Score] {
        try truths.enumerated().flatMap { number, truth in
            try Score.rows(
                model: model, file: "map\(number)", samples: samples(of: truth, factors: factors), truth: Truth(truth),
                groups: MetricGroup.all.named(["spectrum", "field"]), options: EvaluationOptions())
        }
    }

    @Test func errorsAddUpOverMapsAndSamples() throws {
        let factors: [Float] = [0.8, 1.3]
        let curves = EvaluationCurves(models: ["a", "b"], scores: try scores("a", factors: factors) + scores("b", factors: [1]), truths: [])
        #expect(curves.models.map(\.name) == ["a", "b"] && curves.truth.tallies.isEmpty)
        let tally = try #require(curves.models[0].tallies["field_strength"])
        var (sum, squares) = (0.0, 0.0)
        for truth in truths {
            for sample in samples(of: truth, factors: factors) {
                for (prediction, field) in zip(sample.pixels, truth.pixels) {
                    let error = (Double(prediction) - Double(field)) * (field < 0 ? -1 : 1)
                    sum += error
                    squares += error * error
                }
            }
        }
        #expect(tally.counts.reduce(0, +) == 4 * 64 * 32)
        #expect(abs(tally.sums.reduce(0, +) - sum) < 1e-9 * squares && abs(tally.squares.reduce(0, +) - squares) < 1e-9 * squares)
        #expect(curves.models[1].tallies["histogram"]?.counts.reduce(0, +) == 4096)
    }

    @Test func spectraAreMeansOverMapsAndSamples() throws {
        let factors: [Float] = [0.8, 1.3]
        let curves = EvaluationCurves(models: ["a"], scores: try scores("a", factors: factors), truths: [])
        let tally = try #require(curves.models[0].tallies["spectrum"])
        let spectra = truths.flatMap { samples(of: $0, factors: factors) }.map { PowerSpectrum(of: $0).radial(bins: 64) }
        let places = tally.counts.indices.filter { tally.counts[$0] > 0 }
        #expect(places.count == spectra[0].count && places.count > 20 && places.allSatisfy { tally.counts[$0] == 4 })
        for (ring, place) in places.enumerated() {
            #expect(abs(tally.middle(place) - spectra[0][ring].frequency) < 1e-12)
            let mean = spectra.reduce(0) { $0 + $1[ring].power } / 4
            #expect(abs(tally.mean(place) - mean) <= 1e-12 * mean)
        }
    }

    @Test func aClassWithoutMembersHasNoMean() {
        var tally = Tally(edges: [0, 10, 30])
        tally.add(-3, to: 1)
        tally.add(5, to: 1)
        #expect(tally.mean(0).isNaN && tally.rootMeanSquare(0).isNaN && tally.middle(1) == 20)
        #expect(tally.mean(1) == 1 && tally.rootMeanSquare(1) == 17.0.squareRoot())
    }

    @Test func oneLineAClass() throws {
        var (angles, ranks) = (Tally(edges: [0, 0.5, 1]), Tally(edges: [0, 1]))
        angles.add(-2, to: 1)
        angles.add(4, to: 1)
        ranks.add(0.25, to: 0)
        let scores = try [Score.made("a, b", on: "map", tallies: ["ranks": ranks]), Score.made("a, b", on: "map", tallies: ["mu": angles])]
        let curves = EvaluationCurves(models: ["a, b", "c"], scores: scores, truths: [try Score.made("truth", on: "map", tallies: ["mu": angles])])
        #expect(
            curves.commaSeparated == """
                model,curve,from,to,count,mean,rms
                "a, b",mu,0.5,1.0,2.0,1.0,3.1622776601683795
                "a, b",ranks,0.0,1.0,1.0,0.25,0.25
                truth,mu,0.5,1.0,2.0,1.0,3.1622776601683795

                """)
    }
}
