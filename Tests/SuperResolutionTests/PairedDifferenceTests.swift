import SuperResolution
import Testing

@Suite struct PairedDifferenceTests {
    private let metric = Metric(key: "psnr", name: "PSNR", unit: "dB", better: .higher, decimals: 1)

    private func scores(_ model: String, _ values: [Double], regions: Int, metric: String = "psnr") throws -> [Score] {
        try values.enumerated().map { index, value in
            try Score.made(model, on: "map\(index)", region: "\(index % regions)", values: [metric: value])
        }
    }

    /// A difference that all maps share is told however much the maps differ; one that they do not share is not.
    @Test func tellsADifferenceThatMapsShare() throws {
        let base = [40.0, 45, 38, 50, 42, 47, 41, 44, 39, 46]
        let reference = try scores("a", base, regions: 10)
        let shared = zip(base, [1.0, 1.2, 0.9, 1.1, 1.0, 0.8, 1.3, 1.0, 1.1, 0.9]).map { $0 + $1 }
        let better = try #require(PairedDifference(metric, of: "b", from: "a", scores: reference + scores("b", shared, regions: 10)))
        #expect(
            abs(better.mean - 1.03) < 1e-9 && better.lower > 0.9 && better.upper < 1.2 && better.lower < better.mean && better.mean < better.upper)
        #expect(better.verdict == .better && better.maps == 10 && better.regions == 10 && better.text.hasSuffix("better"))
        let worse = try #require(PairedDifference(metric, of: "a", from: "b", scores: reference + scores("b", shared, regions: 10)))
        #expect(worse.verdict == .worse && abs(worse.mean + 1.03) < 1e-9 && worse.text.hasPrefix("−1.03"))
        let mixed = zip(base, [3.0, -2, 2, -3, 1, -1, 2, -2, 3, -2]).map { $0 + $1 }
        #expect(try PairedDifference(metric, of: "b", from: "a", scores: reference + scores("b", mixed, regions: 10))?.verdict == .undecided)
    }

    /// Against SciPy: `scipy.stats.bootstrap` (percentile, 10⁵ draws) gives 0.94 and 1.12 for these differences.
    @Test func intervalIsTheBootstraps() throws {
        let differences = [1.0, 1.2, 0.9, 1.1, 1.0, 0.8, 1.3, 1.0, 1.1, 0.9]
        let found = try #require(
            PairedDifference(
                metric, of: "b", from: "a", scores: scores("a", Array(repeating: 0, count: 10), regions: 10) + scores("b", differences, regions: 10)))
        #expect(abs(found.lower - 0.94) < 0.01 && abs(found.upper - 1.12) < 0.01)
    }

    /// Ten maps of one region are one draw: nothing is said.
    @Test func mapsOfOneRegionAreDrawnTogether() throws {
        let all = try scores("a", [40, 41, 42], regions: 1) + scores("b", [41, 42, 43], regions: 1)
        let difference = try #require(PairedDifference(metric, of: "b", from: "a", scores: all))
        #expect(difference.regions == 1 && difference.lower == difference.upper && difference.verdict == .undecided)
    }

    @Test func ratiosAreComparedByTheirDistanceFromOne() throws {
        let ratio = Metric(key: "ratio", name: "Ratio", better: .nearestToOne, decimals: 2)
        let all = try scores("a", [0.5, 0.5, 2], regions: 3, metric: "ratio") + scores("b", [0.9, 1.1, 1], regions: 3, metric: "ratio")
        let difference = try #require(PairedDifference(ratio, of: "b", from: "a", scores: all))
        #expect(difference.verdict == .better && difference.mean < -0.5)
        #expect(PairedDifference(ratio, of: "c", from: "a", scores: all) == nil)
    }

    @Test func coverageIsComparedByItsDistanceFromItsLevel() throws {
        let coverage = Metric(key: "coverage", name: "Coverage", better: .nearest(0.8), decimals: 2)
        // Too much by 0.1 is nearer than too little by 0.3.
        let all = try scores("a", [0.5, 0.5, 0.5], regions: 3, metric: "coverage") + scores("b", [0.9, 0.9, 0.9], regions: 3, metric: "coverage")
        let difference = try #require(PairedDifference(coverage, of: "b", from: "a", scores: all))
        #expect(difference.verdict == .better && abs(difference.mean + 0.2) < 1e-12)
    }

    /// Every map counts alike, but maps of one region are drawn or left out together.
    @Test func aRegionOfManyMapsIsOneDraw() throws {
        let all = try [("a", [40.0, 40, 40, 40]), ("b", [41, 41, 41, 45])].flatMap { model, values in
            try values.enumerated().map { index, value in
                try Score.made(model, on: "map\(index)", region: index < 3 ? "large" : "small", values: ["psnr": value])
            }
        }
        let difference = try #require(PairedDifference(metric, of: "b", from: "a", scores: all))
        #expect(difference.mean == 2 && difference.lower == 1 && difference.upper == 5 && difference.maps == 4 && difference.regions == 2)
    }

    @Test func samplesAreAveragedWithinAMap() throws {
        var second = try scores("b", [45, 41], regions: 2)
        for index in second.indices { second[index].sample = 2 }
        let all = try scores("a", [40, 40], regions: 2) + scores("b", [41, 41], regions: 2) + second
        let difference = try #require(PairedDifference(metric, of: "b", from: "a", scores: all))
        #expect(difference.maps == 2 && difference.mean == 2 && difference.lower == 1 && difference.upper == 3)
    }

    @Test func mapsWithoutAFiniteDifferenceAreLeftOut() throws {
        let reference = try scores("a", [40, .infinity, 41, 42], regions: 4)
        let difference = try #require(
            PairedDifference(metric, of: "b", from: "a", scores: reference + scores("b", [41, .infinity, .infinity, 43], regions: 4)))
        #expect(difference.maps == 2 && difference.regions == 2 && difference.mean == 1)
        #expect(try PairedDifference(metric, of: "b", from: "a", scores: reference + scores("b", [.nan, 50, .infinity], regions: 3)) == nil)
    }

    @Test func figuresWithoutABestHaveNoVerdict() throws {
        let spread = Metric(key: "std", name: "Std", unit: "G", better: .neither, decimals: 1)
        let all = try scores("a", [4, 5], regions: 2, metric: "std") + scores("b", [6, 7], regions: 2, metric: "std")
        let difference = try #require(PairedDifference(spread, of: "b", from: "a", scores: all))
        #expect(difference.text == "+2.00 [+2.00, +2.00]" && difference.verdict == .undecided)
        let table = DifferenceTable([difference], reference: "a")
        #expect(table.commaSeparated.hasSuffix("std,b,a,2.0,2.0,2.0,2,2,\n") && !table.table.rows[0][1].isBold)
    }

    @Test func tableHasARowAMetricAndAColumnAModel() throws {
        let all = try scores("a", [40, 41], regions: 2) + scores("b", [41, 42.5], regions: 2) + scores("c", [40, 40], regions: 2)
        let differences = ["b", "c"].compactMap { PairedDifference(metric, of: $0, from: "a", scores: all) }
        let table = DifferenceTable(differences, reference: "a")
        #expect(table.table.head == ["Difference from a", "b", "c"] && table.table.rows.count == 1)
        #expect(table.table.rows[0][1].isBold && !table.table.rows[0][2].isBold)
        #expect(table.text.contains("2 maps of 2 regions") && table.commaSeparated.contains("psnr,b,a,1.25,1.0,1.5,2,2,better"))
        #expect(table.table.html.contains("<strong>+1.25 [+1.00, +1.50] better</strong>"))
    }
}
