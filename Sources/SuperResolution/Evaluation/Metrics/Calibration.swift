import Foundation
import Groundwork
import SolarImage

extension MetricGroup {
    /// How well the samples of a map tell what is not known, over the pixels with data, in Gauss. Undefined for a single sample.
    ///
    /// - Spread–skill ratio: √((N + 1)/N · mean variance (n − 1)) over the RMSE of the mean of the N samples (Fortin et al. 2014, *J. Hydrometeorology* 15,
    ///   1708); 1 if the truth could be one of the samples.
    /// - Coverage: how often the truth lies in the central interval between the quantiles at p(N + 1) of the sorted samples; needs N ≥ 3 for 50 %, 9 for
    ///   80 %, 39 for 95 %.
    /// - In strong field: where the truth exceeds 50 G.
    /// - Phases: the pixels at one place in a block, of which there are factor²; where block means are known, errors differ between them by nature, and the spread
    ///   should follow.
    /// - Fair CRPS: mean |x − y| − Σ|xᵢ − xⱼ| / (2N(N − 1)) (Ferro 2014, *Q. J. R. Meteorol. Soc.* 140, 1917).
    /// - Std below and above the cut-off (2″): the root mean square over pixels of the standard deviation of what a Butterworth high-pass of each sample
    ///   leaves, and of the rest; and both over the root mean square of the truth filtered alike.
    static let calibration = MetricGroup(
        name: "calibration",
        metrics: [
            Metric(key: "psnr_mean", name: "PSNR of the mean of samples", unit: "dB", better: .higher, decimals: 1),
            Metric(key: "spread_skill", name: "Spread–skill ratio", better: .nearestToOne, decimals: 2),
            Metric(key: "coverage_50", name: "Coverage of the central 50 % interval", better: .nearest(0.5), decimals: 2),
            Metric(key: "coverage_80", name: "Coverage of the central 80 % interval", better: .nearest(0.8), decimals: 2),
            Metric(key: "spread_skill_strong", name: "Spread–skill ratio where |B| > 50 G", better: .nearestToOne, decimals: 2),
            Metric(key: "coverage_80_strong", name: "Coverage of the 80 % interval where |B| > 50 G", better: .nearest(0.8), decimals: 2),
            Metric(key: "spread_skill_lowest_phase", name: "Least spread–skill ratio of a phase", better: .nearestToOne, decimals: 2),
            Metric(key: "spread_skill_highest_phase", name: "Greatest spread–skill ratio of a phase", better: .nearestToOne, decimals: 2),
            Metric(key: "crps", name: "Fair CRPS", unit: "G", better: .lower, decimals: 2),
            Metric(key: "std_fine", name: "Std below 2″", unit: "G", better: .neither, decimals: 2),
            Metric(key: "std_coarse", name: "Std above 2″", unit: "G", better: .neither, decimals: 2),
            Metric(key: "std_fine_ratio", name: "Std below 2″ over the truth's rms there", better: .neither, decimals: 2),
            Metric(key: "std_coarse_ratio", name: "Std above 2″ over the truth's rms there", better: .neither, decimals: 2),
        ],
        scoring: .ensemble { comparisons, options in
            guard comparisons.count > 1, let truth = comparisons.first?.truth, truth.validCount > 0 else { return [:] }
            let sums = EnsembleSums(comparisons, of: truth, clip: options.clip)
            let (count, pixels) = (Double(comparisons.count), Double(truth.validCount))
            var values: Values = ["crps": sums.score / pixels, "psnr_mean": 10 * log10(4 * pixels / sums.clippedError)]
            func ratio(_ moments: EnsembleSums.Moments) -> Double? {
                moments.squaredError > 0 ? ((count + 1) / count * moments.variance / moments.squaredError).squareRoot() : nil
            }
            values["spread_skill"] = ratio(sums.all)
            values["spread_skill_strong"] = ratio(sums.strong)
            let phases = sums.phases.compactMap(ratio)
            (values["spread_skill_lowest_phase"], values["spread_skill_highest_phase"]) = (phases.min(), phases.max())
            for (key, value) in deviations(comparisons, options) { values[key] = value }
            var coverage = Tally(edges: EnsembleSums.levels.map { $0 - 0.005 } + [1])
            for (index, interval) in sums.intervals.enumerated() {
                coverage.add(sums.covered[index] / pixels, to: index)
                if let key = [0.5: "coverage_50", 0.8: "coverage_80"][interval.level] { values[key] = sums.covered[index] / pixels }
                if interval.level == 0.8, sums.strong.count > 0 { values["coverage_80_strong"] = sums.coveredStrong[index] / sums.strong.count }
            }
            var ranks = Tally(edges: (0...comparisons.count + 1).map(Double.init))
            for (rank, share) in sums.ranks.enumerated() { ranks.add(share / pixels, to: rank) }
            values.tallies = ["coverage": coverage, "ranks": ranks]
            return values
        })

    /// The standard deviation of the samples below and above the cut-off, and each over the truth there.
    private static func deviations(_ comparisons: [Comparison], _ options: EvaluationOptions) -> [String: Double] {
        guard let truth = comparisons.first?.truth else { return [:] }
        let highPass = ButterworthHighPass(cutoff: options.circle, order: options.fineOrder)
        var statistics = EnsembleStatistics(width: truth.field.width, height: truth.field.height, highPass: highPass)
        for comparison in comparisons { statistics.add(comparison.prediction) }
        let fine = truth.fineMemo { truth.field.filtered(gain: highPass.gain(at:)) }
        func rootMeanSquare(_ value: (Int) -> Double) -> Double {
            let sum = truth.field.pixels.indices.reduce(0.0) { sum, index in
                truth.valid?[index] == false ? sum : sum + value(index) * value(index)
            }
            return (sum / Double(truth.validCount)).squareRoot()
        }
        let (fineDeviation, coarseDeviation) = (statistics.fineDeviation, statistics.coarseDeviation)
        var values = [
            "std_fine": rootMeanSquare { Double(fineDeviation.pixels[$0]) }, "std_coarse": rootMeanSquare { Double(coarseDeviation.pixels[$0]) },
        ]
        let mean = truth.field.pixels.reduce(0) { $0 + Double($1) } / Double(truth.validCount)  // masked pixels are 0
        for (key, power) in [
            ("std_fine", rootMeanSquare { Double(fine.pixels[$0]) }),
            ("std_coarse", rootMeanSquare { Double(truth.field.pixels[$0]) - Double(fine.pixels[$0]) - mean }),
        ] where power > 0 { values["\(key)_ratio"] = values[key].map { $0 / power } }
        return values
    }
}

/// Sums over the pixels with data of what an ensemble is judged by.
private struct EnsembleSums {
    /// A central interval, by its bounds' places among the sorted samples, from 0.
    struct Interval {
        let level: Double
        let lower: Double, upper: Double

        /// - Returns: nil if so few samples cannot tell that interval.
        init?(level: Double, samples: Int) {
            let rank = (1 - level) / 2 * Double(samples + 1)
            guard rank > 1 - 1e-9 else { return nil }
            self.level = level
            (lower, upper) = (max(0, rank - 1), Double(samples) - max(1, rank))
        }
    }

    /// Ascending, so that those which few samples allow come first.
    static let levels = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99]

    /// Of some of the pixels.
    struct Moments {
        var count = 0.0, variance = 0.0, squaredError = 0.0

        static func += (sum: inout Moments, other: Moments) {
            sum.count += other.count
            sum.variance += other.variance
            sum.squaredError += other.squaredError
        }
    }

    /// Gauss, from which on field is strong.
    private static let strongField: Float = 50

    let intervals: [Interval]
    var all = Moments(), strong = Moments()
    /// By row and column in a block.
    var phases: [Moments]
    var clippedError = 0.0
    /// Of the fair CRPS.
    var score = 0.0
    /// For each interval, the pixels whose truth it holds.
    var covered: [Double]
    /// Of those in strong field.
    var coveredStrong: [Double]
    /// By the number of samples below the truth; where samples equal the truth, in equal shares.
    var ranks: [Double]

    private init(samples: Int, factor: Int) {
        intervals = Self.levels.compactMap { Interval(level: $0, samples: samples) }
        covered = Array(repeating: 0, count: intervals.count)
        coveredStrong = covered
        phases = Array(repeating: Moments(), count: factor * factor)
        ranks = Array(repeating: 0, count: samples + 1)
    }

    init(_ comparisons: [Comparison], of truth: Truth, clip: Float) {
        self.init(samples: comparisons.count, factor: truth.factor)
        let factor = truth.factor
        let (width, height) = (truth.field.width, truth.field.height)
        var rows = [EnsembleSums](repeating: self, count: height)
        rows.withUnsafeMutableBufferPointer { rows in
            Parallel.forEachBlock(of: height, size: 16) { block in
                var values = [Float](repeating: 0, count: comparisons.count)
                for y in block {
                    for index in y * width..<(y + 1) * width where truth.valid?[index] != false {
                        for (sample, comparison) in comparisons.enumerated() { values[sample] = comparison.prediction.pixels[index] }
                        values.sort()
                        rows[y].add(values, truth.field.pixels[index], phase: y % factor * factor + index % width % factor, clip: clip)
                    }
                }
            }
        }
        for row in rows {
            all += row.all
            strong += row.strong
            for index in phases.indices { phases[index] += row.phases[index] }
            clippedError += row.clippedError
            score += row.score
            for index in covered.indices {
                covered[index] += row.covered[index]
                coveredStrong[index] += row.coveredStrong[index]
            }
            for index in ranks.indices { ranks[index] += row.ranks[index] }
        }
    }

    private mutating func add(_ sorted: [Float], _ truth: Float, phase: Int, clip: Float) {
        let isStrong = abs(truth) > Self.strongField
        let count = Double(sorted.count), truth = Double(truth)
        var (mean, distance, below, equal) = (0.0, 0.0, 0, 0)
        for value in sorted {
            mean += Double(value) / count
            distance += abs(Double(value) - truth)
            if Double(value) < truth { below += 1 } else if Double(value) == truth { equal += 1 }
        }
        var (squares, pairs) = (0.0, 0.0)
        for (index, value) in sorted.enumerated() {
            squares += (Double(value) - mean) * (Double(value) - mean)
            pairs += Double(2 * index + 1 - sorted.count) * Double(value)  // Σ over i < j of xⱼ − xᵢ
        }
        let moments = Moments(count: 1, variance: squares / (count - 1), squaredError: (mean - truth) * (mean - truth))
        all += moments
        if isStrong { strong += moments }
        phases[phase] += moments
        let clipped = normalized(Float(mean), clip: clip) - normalized(Float(truth), clip: clip)
        clippedError += clipped * clipped
        score += distance / count - pairs / (count * (count - 1))
        for rank in below...below + equal { ranks[rank] += 1 / Double(equal + 1) }
        func quantile(_ place: Double) -> Double {
            let index = min(Int(place), sorted.count - 1), next = min(index + 1, sorted.count - 1)
            return Double(sorted[index]) + (place - Double(index)) * Double(sorted[next] - sorted[index])
        }
        for (index, interval) in intervals.enumerated() where truth >= quantile(interval.lower) && truth <= quantile(interval.upper) {
            covered[index] += 1
            if isStrong { coveredStrong[index] += 1 }
        }
    }
}
