import Groundwork
import SolarImage

extension MetricGroup {
    /// The root mean square error in Gauss, unclipped; as a detail, by how many Gauss block means differ from the input at most; and, for curves, errors by
    /// the truth's field strength and by μ, and the histogram of B.
    ///
    /// Errors there are taken along the truth's polarity, sgn(B)·(prediction − truth), so that a negative mean is a field made too weak. Since classes are
    /// chosen by the truth, which has noise, even a perfect mean of what the input allows is too weak in the strongest ones.
    static let field = MetricGroup(
        name: "field", metrics: [Metric(key: "rmse", name: "RMSE", unit: "G", better: .lower, decimals: 1)], details: ["block_mean_deviation"],
        scoring: .eachSample { comparison, _ in
            let truth = comparison.truth
            guard truth.validCount > 0 else { return [:] }
            let error = comparison.sumOverValidPixels { prediction, truth in
                (Double(prediction) - Double(truth)) * (Double(prediction) - Double(truth))
            }
            var values: Values = ["rmse": (error / Double(truth.validCount)).squareRoot()]
            let means = truth.masked(comparison.prediction).blockMean(by: truth.factor)
            let deviations = zip(means.pixels, truth.lowResolution.pixels).lazy.map { Double(abs($0 - $1)) }.filter(\.isFinite)
            values["block_mean_deviation"] = deviations.max()
            var strengths = Tally(edges: strengthEdges)
            var angles = truth.mu.map { _ in Tally(edges: (0...10).map { Double($0) / 10 }) }
            var histogram = Tally(edges: histogramEdges)
            let (width, block) = (truth.field.width, Truth.muBlock)
            for y in 0..<truth.field.height {
                for x in 0..<width where truth.valid?[y * width + x] != false {
                    let (predicted, expected) = (Double(comparison.prediction[x, y]), Double(truth.field[x, y]))
                    let error = expected < 0 ? expected - predicted : predicted - expected
                    strengths.add(error, to: strengthClass(abs(expected)))
                    histogram.add(predicted, to: histogramClass(predicted))
                    if let mu = truth.mu?[x / block, y / block], mu > 0 { angles?.add(error, to: min(9, Int(mu * 10))) }
                }
            }
            values.tallies = ["field_strength": strengths, "histogram": histogram]
            values.tallies["mu"] = angles
            return values
        })

    /// Gauss. The last class takes what lies beyond it too.
    private static let strengthEdges: [Double] = [0, 10, 20, 50, 100, 200, 300, 500, 750, 1000, 1500, 2000, 2500, 3000, 4000]

    private static func strengthClass(_ strength: Double) -> Int {
        (strengthEdges.firstIndex { strength < $0 } ?? strengthEdges.count - 1) - 1
    }

    private static let histogramEdges = stride(from: -3000.0, through: 3000, by: 50).map(\.self)

    /// The first and the last class take what lies beyond them too.
    static func histogramClass(_ value: Double) -> Int { Int(min(max((value + 3000) / 50, 0), 119)) }

    /// How often fields of each strength occur in the truth.
    static func histogram(of truth: Truth) -> Tally {
        var histogram = Tally(edges: histogramEdges)
        for (index, value) in truth.field.pixels.enumerated() where truth.valid?[index] != false {
            histogram.add(Double(value), to: histogramClass(Double(value)))
        }
        return histogram
    }
}
