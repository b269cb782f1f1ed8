import SolarImage
import SuperResolution
import Testing

/// Power and likeness by spatial frequency, beyond the values that NumPy gives.
@Suite struct SpectralPowerTests {
    private func values(_ prediction: Image, _ truth: Image, _ change: (inout EvaluationOptions) -> Void = { _ in }) throws -> [String: Double] {
        var options = EvaluationOptions()
        change(&options)
        return try Score.rows(
            model: "model", file: "file", samples: [prediction], truth: Truth(truth), groups: MetricGroup.all.named(["spectrum"]),
            options: options)[0].values
    }

    private let noise = MetricFixture.noise(width: 128, height: 128).transformed { _, _, value in 100 * value }

    /// As much power in the wrong places: the ratio is content, the correlation is not.
    @Test func structureThatIsDisplacedHasPowerWithoutCorrelation() throws {
        let moved = noise.transformed { x, y, _ in noise[(x + 2) % 128, y] }
        let values = try values(moved, noise)
        for band in 1...4 { #expect(abs(try #require(values["power_ratio_band_\(band)"]) - 1) < 0.2, "band \(band)") }
        #expect(try #require(values["correlation_band_1"]) > 0.8)
        #expect(abs(try #require(values["correlation_band_4"])) < 0.4)
        #expect(abs(try #require(self.values(noise, noise)["correlation_band_4"]) - 1) < 1e-12)
    }

    /// A pattern of blocks stands out on their lattice, and only against a truth that has none.
    @Test func blockPatternsShowOnTheLattice() throws {
        let other = MetricFixture.noise(width: 128, height: 128, seed: 7).transformed { _, _, value in 100 * value }
        #expect(abs(try #require(values(other, noise)["lattice"]) - 1) < 0.3)
        let marked = other.transformed { x, y, value in value + (x % 4 == 0 && y % 4 == 0 ? 200 : 0) }
        let excess = try #require(values(marked, noise)["lattice"])
        #expect(excess > 5, "\(excess)")
        #expect(try #require(values(noise, marked)["lattice"]) < 0.2)
        let small = noise.cropped(x: 0, y: 0, width: 32, height: 32)
        #expect(try values(small, small)["lattice"] == nil)
    }

    @Test func theCircleIsAnOption() throws {
        let blurred = noise.filtered { $0 > 0.3 ? 0 : 1 }
        // White noise has as much power as a ring has area: what is left between the circles, of what lies beyond a quarter.
        let expected = (Double.pi * (0.3 * 0.3 - 0.25 * 0.25)) / (1 - Double.pi * 0.25 * 0.25)
        let usual = try values(blurred, noise)
        #expect(abs(try #require(usual["power_ratio_2arcsec"]) - expected) < 0.03)
        let outer = try values(blurred, noise) { $0.circle = 0.32 }
        #expect(try #require(outer["power_ratio_2arcsec"]) < 0.01)
        // The bands do not move with it.
        let moved = try values(blurred, noise) { $0.circle = 0.2 }
        for band in 1...4 {
            let (a, b) = (try #require(usual["power_ratio_band_\(band)"]), try #require(moved["power_ratio_band_\(band)"]))
            #expect(abs(a - b) < 1e-12 * a, "band \(band)")
        }
    }
}
