import Foundation
import Groundwork
import SolarImage

/// What an evaluation found so far: scores of every competitor on every map, and what could not be scored.
struct EvaluationFindings {
    var scores: [Score] = []
    /// Features and curves of the truth itself.
    var truths: [Score] = []
    /// Of a sample, map by map, by competitor.
    var seconds: [String: [Double]] = [:]
    var failures: [Failure]
    var illustrations: [EvaluationIllustration] = []

    init(failures: [Failure]) { self.failures = failures }

    func scores(of competitor: String) -> [Score] { scores.filter { $0.model == competitor } }

    /// The Fréchet distance of each set of samples from the truths of the same maps; nil for fewer than two maps.
    func frechetDistance(of competitor: String, in features: ImageFeatures) -> Summary? {
        let truth = Dictionary(truths.compactMap { score in score.features.map { (score.file, $0) } }) { first, _ in first }
        let sets = Dictionary(grouping: scores(of: competitor).filter { $0.features != nil && truth[$0.file] != nil }) { $0.sample ?? 0 }
        let distances = sets.sorted { $0.key < $1.key }.compactMap { _, scores in
            FeatureDistribution(scores.compactMap(\.features)).flatMap { own in
                FeatureDistribution(scores.compactMap { truth[$0.file] }).map { own.frechetDistance(to: $0) }
            }
        }
        return distances.isEmpty ? nil : Summary(of: distances, featureSpace: features.name)
    }

    /// Whether uncertainty is larger below the cut-off than above it, as the paper has it: in Gauss, and as part of what the truth varies there.
    /// - Parameter cutoff: a period in arcsec.
    /// - Returns: nil for a competitor without an ensemble.
    func uncertaintyStatement(of competitor: String, cutoff: Double) -> String? {
        func difference(_ fine: String, _ coarse: String, unit: String) -> String? {
            let metric = Metric(key: "deviation", name: "Standard deviation", unit: unit, better: .neither, decimals: 2)
            let both = [fine, coarse].flatMap { key in
                scores(of: competitor).compactMap { score in
                    score.values[key].map { value in
                        var part = score
                        (part.model, part.values) = (key, [metric.key: value])
                        return part
                    }
                }
            }
            return PairedDifference(metric, of: fine, from: coarse, scores: both).map { difference in
                let verdict = difference.regions < 2 ? 0 : difference.lower > 0 ? 1 : difference.upper < 0 ? -1 : 0
                return difference.text + ", " + ["larger above", "not told apart", "larger below"][verdict + 1]
            }
        }
        guard let absolute = difference("std_fine", "std_coarse", unit: "G") else { return nil }
        let relative = difference("std_fine_ratio", "std_coarse_ratio", unit: "")
        return "\(competitor): standard deviation of the samples below \(Ticks.label(cutoff))″ minus that above, in G: \(absolute)"
            + (relative.map { "; each over the truth's rms there: \($0)" } ?? "")
    }

    /// What a reader of the table has to know.
    func warnings(of competitors: [String], features: ImageFeatures?) -> [String] {
        var warnings: [String] = []
        if let features {
            let counts = competitors.map { competitor in Set(scores(of: competitor).filter { $0.features != nil }.map(\.file)).count }
            if counts.contains(1) { warnings.append("the Fréchet distance is not defined for a single map") }
            let several = Set(counts.filter { $0 > 1 })
            if several.count > 1 {
                let list = zip(competitors, counts).map { "\($0) \($1)" }.joined(separator: ", ")
                warnings.append("the Fréchet distances are of different numbers of maps and do not compare: \(list)")
            }
            if let least = several.min(), FeatureDistribution.isRankDeficient(count: least, dimensions: features.dimensions) {
                warnings.append(
                    "the Fréchet distance is of \(least) maps in \(features.dimensions) dimensions: covariances are rank-deficient, so compare it "
                        + "with none of another number of maps")
            }
        }
        for competitor in competitors {
            let missing = scores(of: competitor).filter { $0.missingFraction > 0 }
            if let worst = missing.map(\.missingFraction).max() {
                let part = String(format: "%.2g", 100 * worst)
                let maps = Set(missing.map(\.file)).count
                warnings.append(
                    "\(competitor): up to \(part) % of a map's pixels have no value in the prediction and count as 0 G (\(maps) \(maps == 1 ? "map" : "maps"))"
                )
            }
        }
        return warnings
    }
}
