import Foundation
import SuperResolution
import Testing

@Suite struct FeatureDistributionTests {
    private struct Case: Decodable {
        let name: String
        let a, b: [[Double]]
        let distance: Double
        let deficient: [Bool]
    }

    private let cases: [Case]

    init() throws { cases = try MetricFixture.load("frechet.json") }

    @Test func distancesAgreeWithScipy() throws {
        #expect(cases.count == 7)
        for example in cases {
            let (a, b) = (try #require(FeatureDistribution(example.a)), try #require(FeatureDistribution(example.b)))
            for found in [a.frechetDistance(to: b), b.frechetDistance(to: a)] {
                #expect(abs(found / example.distance - 1) < 1e-9, "\(example.name): \(found), not \(example.distance)")
            }
            let deficient = [a, b].map { FeatureDistribution.isRankDeficient(count: $0.count, dimensions: $0.dimensions) }
            #expect(deficient == example.deficient, "\(example.name)")
            #expect(a.count == example.a.count && a.dimensions == example.a[0].count)
        }
    }

    @Test func equalSetsAreNoDistanceApart() throws {
        for example in cases {
            let a = try #require(FeatureDistribution(example.a))
            let again = try #require(FeatureDistribution(example.a.reversed()))
            let found = a.frechetDistance(to: again)
            #expect(found >= 0 && found < 1e-10 * example.distance, "\(example.name): \(found)")
        }
    }

    /// Covariances of rank 0.
    @Test func setsOfOneVectorRepeatedDifferByTheirMeans() throws {
        let a = try #require(FeatureDistribution([[1, 2, 3], [1, 2, 3]]))
        let b = try #require(FeatureDistribution([[1, 5, 7], [1, 5, 7], [1, 5, 7], [1, 5, 7]]))
        #expect(abs(a.frechetDistance(to: b) - 25) < 1e-12)
        #expect(a.frechetDistance(to: a) == 0)
    }

    @Test func fewerThanTwoVectorsAreNoDistribution() {
        #expect(FeatureDistribution([]) == nil)
        #expect(FeatureDistribution([[1, 2]]) == nil)
    }

    @Test func featuresThatAreNotFiniteHaveNoDistance() throws {
        let sound = try #require(FeatureDistribution([[1, 2], [3, 5], [4, 4]]))
        for value in [Double.nan, .infinity] {
            let damaged = try #require(FeatureDistribution([[1, 2], [3, value], [0, 1]]))
            #expect(sound.frechetDistance(to: damaged).isNaN && damaged.frechetDistance(to: sound).isNaN)
        }
    }
}
