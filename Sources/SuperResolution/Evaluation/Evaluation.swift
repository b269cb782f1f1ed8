import Foundation
import Groundwork
import Logging
import SolarImage

/// Scores models and baselines on the same maps.
public struct Evaluation {
    public struct Options: Sendable {
        /// Names of metric groups, as `--metrics` takes them; nil for all.
        public var metrics: [String]?
        /// Samples of each map by the diffusion models.
        public var samples = 10
        /// The first maps alone; nil for all.
        public var limit: Int?
        /// Gauss from which a pixel counts towards an active region.
        public var regionThreshold: Float = 300
        public var resolver = SuperResolver.Options()

        public init() {}
    }

    /// What is scored.
    private enum Competitor {
        case nearest, bicubic, bicubicConsistent
        case autoencoder(Model)
        case superResolution(SuperResolver)
    }

    private let competitors: [(name: String, digest: String?, competitor: Competitor)]
    private let groups: [MetricGroup]
    private let options: Options
    private let logger: Logger

    /// - Parameter models: files; each is named after itself, or after its folder if it is a run's `model.safetensors`.
    /// - Throws: `Failure`: `.usage` for an unknown metric or for denoising steps that a model cannot do, `.missingInput` or `.badData` for a model that
    ///   cannot be used.
    public init(models: [URL], options: Options, logger: Logger) throws {
        groups = try options.metrics.map { try MetricGroup.fieldGroups.named($0) } ?? MetricGroup.fieldGroups
        self.options = options
        self.logger = logger
        var competitors: [(name: String, digest: String?, competitor: Competitor)] = [
            ("nearest", nil, .nearest), ("bicubic", nil, .bicubic), ("bicubic-consistent", nil, .bicubicConsistent),
        ]
        for url in models {
            let model = try Model(reading: url)
            let stem = url.deletingPathExtension().lastPathComponent
            var name = stem == "model" ? url.deletingLastPathComponent().lastPathComponent : stem
            // Two files may bear the same name; the table needs to tell them apart.
            if competitors.contains(where: { $0.name == name }) { name += "-\(competitors.count)" }
            let competitor: Competitor
            if model.kind == .vqgan {
                competitor = .autoencoder(model)
            } else {
                let resolver = try SuperResolver(model, at: url.path)
                try resolver.check(options.resolver)
                competitor = .superResolution(resolver)
            }
            competitors.append((name, try sha256(of: url), competitor))
        }
        self.competitors = competitors
    }

    /// Scores every map and writes the report.
    ///
    /// A map is HR, degraded by block means, or a pair: then its extension `LR` is what the models get.
    /// - Parameters:
    ///   - progress: told the fraction done, 0 … 1, and what is worked on.
    ///   - isCancelled: asked now and then.
    /// - Returns: the table for a terminal, and what could not be scored.
    /// - Throws: `Failure`: `.badData` if no map can be scored, `.cannotWrite`, `.interrupted`.
    public func run(
        maps: [URL], dataPath: String, output: URL, progress: (Double, String) -> Void, isCancelled: () -> Bool
    ) throws -> (table: String, failures: [Failure]) {
        let files = Array(maps.prefix(options.limit ?? maps.count))
        // An output that cannot be written is better known before hours of sampling than after.
        try createFolder(output)
        var evaluationOptions = EvaluationOptions()
        evaluationOptions.regionThreshold = options.regionThreshold
        evaluationOptions.samples = options.samples
        (evaluationOptions.sampler, evaluationOptions.steps) = (options.resolver.sampler, options.resolver.steps)
        evaluationOptions.eta = options.resolver.sampler == .ddim ? options.resolver.eta : nil
        evaluationOptions.seed = options.resolver.seed
        evaluationOptions.consistency = options.resolver.consistency
        var scores: [Score] = []
        var seconds: [String: [Double]] = [:]
        var failures: [Failure] = []
        for (index, file) in files.enumerated() {
            do {
                let map = try Magnetogram(reading: file)
                let truth = try Truth(
                    map.image, lowResolution: try FITSFile(reading: file).lowResolution(), pixelArea: map.grid?.pixelArea,
                    trimmedToMultiplesOf: evaluationOptions.trim)
                for (place, entry) in competitors.enumerated() {
                    let done = Double(index) + Double(place) / Double(competitors.count)
                    progress(done / Double(files.count), "map \(index + 1)/\(files.count), \(entry.name)")
                    let start = ContinuousClock.now
                    let samples = try predictions(entry.competitor, truth, isCancelled)
                    seconds[entry.name, default: []].append((ContinuousClock.now - start) / .seconds(1) / Double(samples.count))
                    scores += try Score.rows(
                        model: entry.name, file: file.lastPathComponent, region: map.regions.first?.description, grid: map.isMap ? "CEA" : "CCD",
                        samples: samples, truth: truth, groups: groups, options: evaluationOptions)
                }
            } catch let failure as Failure where failure.category == .badData || failure.category == .missingInput {
                failures.append(Failure(failure.category, failure.description, at: failure.location == nil ? file.path : nil))
                if files.count > 1 { logger.error("\(failure)") }
            }
        }
        progress(1, "writing")
        guard !scores.isEmpty else {
            if files.count == 1, let failure = failures.first { throw failure }
            throw Failure(.badData, "no map could be scored", at: dataPath, found: failures.map(\.description).joined(separator: "; "))
        }
        var report = EvaluationReport(
            models: competitors.map { ($0.name, $0.digest) }, scores: scores, groups: groups, path: dataPath, options: evaluationOptions)
        for index in report.models.indices {
            report.models[index].metrics["seconds_per_sample"] = Summary(of: seconds[report.models[index].name] ?? [])
        }
        try report.write(to: output, scores: scores, groups: groups)
        return (EvaluationTable(report, metrics: groups.flatMap(\.metrics)).text, failures)
    }

    private func predictions(_ competitor: Competitor, _ truth: Truth, _ isCancelled: () -> Bool) throws -> [Image] {
        let low = truth.lowResolution
        switch competitor {
        case .nearest: return [low.replicated(by: 4)]
        case .bicubic: return [low.bicubic(by: 4)]
        case .bicubicConsistent: return [low.bicubic(by: 4).consistent(with: low)]
        case .autoencoder(let model): return [try model.reconstruct(truth.field, isCancelled: isCancelled)]
        case .superResolution(let resolver):
            return try (0..<(resolver.isProbabilistic ? options.samples : 1)).map {
                try resolver.superResolve(low, options: options.resolver, sample: $0, isCancelled: isCancelled)
            }
        }
    }
}
