import SolarImage
import SuperResolution
import Testing

@Suite struct QuietSunTests {
    private let truth = MetricFixture.noise(width: 64, height: 32).transformed { _, _, value in 20 * value }
    /// Quiet in 12 × 3 of 16 × 8 pixels, at most ±10 G.
    private let low = Image(width: 16, height: 8, repeating: 0).transformed { x, y, _ in
        if x >= 4, y < 3 { return [-10, 0, 10][x % 3] }
        return [10.1, -300, .nan][x % 3]
    }

    private func values(_ prediction: Image, _ truth: Image, low: Image) throws -> [String: Double] {
        try Score.rows(
            model: "model", file: "file", samples: [prediction], truth: Truth(truth, lowResolution: low),
            groups: MetricGroup.all.named(["quiet-sun"]), options: EvaluationOptions())[0].values
    }

    @Test func theLowResolutionTellsWhatIsQuiet() throws {
        let prediction = truth.transformed { x, y, value in x >= 16 && y < 12 ? 3 * value : Float(1000 * (x % 2)) }
        let values = try values(prediction, truth, low: low)
        #expect(abs(try #require(values["quiet_std_ratio"]) - 3) < 1e-5)
        #expect(abs(try #require(values["truth_quiet_std_g"]) - 20) < 2)
        #expect(abs(try #require(values["quiet_std_g"]) - 60) < 6)
    }

    @Test func maskedPixelsDoNotCount() throws {
        let prediction = truth.transformed { x, y, value in y < 4 ? 7 * value : 2 * value }
        let masked = truth.transformed { _, y, value in y < 4 ? .nan : value }
        let fewer = low.transformed { _, y, value in y == 0 ? 500 : value }
        #expect(try values(prediction, masked, low: low) == values(prediction, truth, low: fewer))
        #expect(abs(try #require(values(prediction, masked, low: low)["quiet_std_ratio"]) - 2) < 1e-5)
    }

    @Test func undefinedWithoutQuietPixels() throws {
        let active = Image(width: 16, height: 8, repeating: -50)
        #expect(try values(truth, truth, low: active).isEmpty)
        let nothing = Image(width: 64, height: 32, repeating: 0)
        let values = try values(truth, nothing, low: low)
        #expect(values["quiet_std_ratio"] == nil && values["truth_quiet_std_g"] == 0)
        #expect(try #require(values["quiet_std_g"]) > 15)
    }
}
