import Foundation
import Groundwork
import Logging
import SolarImage

/// Scores models and baselines, or predictions of another program, on the same maps.
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
        /// CLIP's weights, for the Fréchet distance; nil for AlexNet's features.
        public var clipWeights: URL?
        /// The paper's circle, and the cut-off of fine uncertainty: a period in arcsec, HR pixels taken as 0.5″. More than 1.
        public var fineCutoff = 2.0
        /// Order of the Butterworth filter at that cut-off, at least 1.
        public var fineOrder = 2
        /// Where scores are kept for the next evaluation; by default the folder `cache` in that of the report.
        public var cache: URL?
        /// How diffusion models draw samples; its observation is set map by map.
        public var resolver = SuperResolver.Options()
        /// What fine-tuning changed of the only model; nil for nothing.
        public var adapter: URL?
        /// What the low resolution of pairs is divided by; nil for what stands beside it.
        public var mdiFactor: Double?
        /// How results are held to their input; `auto` takes the input of a pair for MDI's.
        public var consistency = Consistency.auto

        public init() {}
    }

    let competitors: [Competitor]
    /// Models, or predictions, that cannot be used.
    private let refusals: [Failure]
    let groups: [MetricGroup]
    /// By which sets of maps are compared, if they are.
    let features: ImageFeatures?
    /// The SHA-256 of the weights given for it.
    private let featureWeights: String?
    let options: Options
    let logger: Logger

    /// - Parameter models: files; each is named after itself, or after its folder if it is a run's `model.safetensors`.
    /// - Throws: `Failure`: `.usage` for an unknown metric or for denoising steps that a model cannot do, `.missingInput` for a model that does not exist,
    ///   `.badData` if none of the models, or the weights of CLIP, can be used.
    public init(models: [URL], options: Options, logger: Logger) throws {
        var trained: [Competitor] = []
        var refusals: [Failure] = []
        for url in models {
            do {
                let competitor = try Competitor(model: url, adapter: options.adapter, options: options.resolver)
                trained += try [competitor] + competitor.companions(withEnsemble: options.samples > 1)
            } catch let failure as Failure where failure.category == .badData && models.count > 1 {
                refusals.append(failure)
                logger.error("\(failure)")
            }
        }
        guard refusals.count < max(models.count, 1) else { throw FailureSummary.failure(refusals, "no model can be used") }
        var competitors = Competitor.baselines(
            options.consistency, withEnsemble: options.samples > 1 && trained.contains(where: \.isProbabilistic))
        for var model in trained {
            // Two files may bear the same name; the table needs to tell them apart.
            let (name, names) = (model.name, Set(competitors.map(\.name)))
            var number = 2
            while names.contains(model.name) { (model.name, number) = ("\(name)-\(number)", number + 1) }
            competitors.append(model)
        }
        try self.init(competitors, refusals, options: options, logger: logger)
    }

    /// - Parameters:
    ///   - predictions: FITS files, each named as its reference, or as `sr infer` names its result: `NAME_sr.fits`.
    ///   - folder: what the predictions are named after.
    /// - Throws: `Failure`, as ``init(models:options:logger:)``.
    public init(predictions: [URL], of folder: URL, options: Options, logger: Logger) throws {
        let named = Dictionary(grouping: predictions, by: Competitor.stem)
        let refusals = named.values.filter { $0.count > 1 }.map { files in
            let paths = files.map(\.path).sorted()
            return Failure(.badData, "one reference has several predictions", at: paths[0], expected: "one", found: paths.joined(separator: ", "))
        }
        let single = named.filter { $0.value.count == 1 }.values.compactMap(\.first)
        try self.init(
            [Competitor(predictions: single, of: folder)], refusals.sorted { $0.description < $1.description }, options: options, logger: logger)
    }

    private init(_ competitors: [Competitor], _ refusals: [Failure], options: Options, logger: Logger) throws {
        (self.competitors, self.refusals, self.options, self.logger) = (competitors, refusals, options, logger)
        var groups = try options.metrics.map { try MetricGroup.all.named($0) } ?? MetricGroup.all
        if let place = groups.firstIndex(where: { $0.name == MetricGroup.frechetDistance.name }) {
            let features = try options.clipWeights.map { try ImageFeatures.clip(reading: $0) } ?? ImageFeatures.bundled()
            groups[place] = .frechetDistance(of: features.name)
            self.features = features
            featureWeights = try options.clipWeights.map { try sha256(of: $0) }
        } else {
            (features, featureWeights) = (nil, nil)
        }
        self.groups = groups.map { $0.judging(beyondPeriod: options.fineCutoff) }
    }

    /// A map, ready for scoring.
    private struct Map {
        let file: URL
        let digest: String
        let region: String?
        let grid: String
        let arcsecPerPixel: Double?
        let isUpsideDown: Bool
        /// What its low resolution is of.
        let instrument: Instrument
        /// How that came about: that of a pair by its instrument, under usual conditions.
        let observation: LinearObservation
        let truth: Truth
    }

    /// Scores every map and writes the report.
    ///
    /// A map is HR, degraded by block means, or a pair: then its extension `LR` is what the models get. A map, or a model on a map, that fails is left
    /// out and named.
    /// - Parameters:
    ///   - progress: told the fraction done, 0 … 1, and what is worked on.
    ///   - isCancelled: asked now and then.
    /// - Returns: tables for a terminal, and what could not be scored.
    /// - Throws: `Failure`: `.usage` if two maps have one name, `.badData` if no map can be scored, `.cannotWrite`, `.interrupted`.
    public func run(
        maps: [URL], dataPath: String, output: URL, progress: (Double, String) -> Void, isCancelled: () -> Bool
    ) throws -> (tables: String, failures: [Failure]) {
        let files = Array(maps.prefix(options.limit ?? maps.count))
        let named = Dictionary(grouping: files, by: \.lastPathComponent)
        if let clash = named.filter({ $0.value.count > 1 }).min(by: { $0.key < $1.key }) {
            throw Failure(
                .usage, "several maps are called \(clash.key), by which the report tells them apart",
                found: clash.value.map(\.path).joined(separator: ", "), remedy: "give them other names, or evaluate them one by one")
        }
        // An output that cannot be written is better known before hours of sampling than after.
        let cache = EvaluationCache(folder: options.cache ?? output.appendingPathComponent("cache"))
        try createFolder(output)
        try createFolder(cache.folder)
        var findings = EvaluationFindings(failures: refusals)
        for (index, file) in files.enumerated() {
            try attempt(&findings, many: files.count > 1) { findings in
                try score(
                    try read(file), cache, into: &findings,
                    progress: { part, name in progress((Double(index) + part) / Double(files.count), "map \(index + 1)/\(files.count), \(name)") },
                    isCancelled)
            }
        }
        progress(1, "writing")
        guard !findings.scores.isEmpty else {
            if files.count == 1, let failure = findings.failures.first { throw failure }
            throw FailureSummary.failure(findings.failures, "no map could be scored", at: dataPath)
        }
        let stems = Set(maps.map(Competitor.stem))
        for competitor in competitors {
            for file in competitor.files where !stems.contains(Competitor.stem(file)) {
                findings.failures.append(Failure(.badData, "there is no reference for this prediction", at: file.path))
            }
        }
        return (try writeReport(findings, dataPath: dataPath, to: output), findings.failures)
    }

    /// Does a part of the work; notes what bad data keep it from.
    private func attempt(_ findings: inout EvaluationFindings, many: Bool, _ body: (inout EvaluationFindings) throws -> Void) throws {
        do {
            try body(&findings)
        } catch let failure as Failure where failure.category == .badData || failure.category == .missingInput {
            findings.failures.append(failure)
            if many { logger.error("\(failure)") }
        }
    }

    private func read(_ file: URL) throws -> Map {
        let map = try Magnetogram(reading: file)
        for remark in map.remarks { logger.warning("\(remark)") }
        for competitor in competitors {
            if let offset = competitor.gridOffset(from: map) {
                let distance = offset.isFinite ? String(format: "by up to %.1f pixels", offset) : "altogether"
                logger.warning(
                    "\(file.lastPathComponent): by their headers the pixels of \(competitor.name) lie elsewhere on the Sun, \(distance); they are compared as they are"
                )
            }
        }
        do {
            let low = try FITSFile(reading: file).lowResolution(dividedBy: options.mdiFactor)
            let truth = try Truth(
                map.image, lowResolution: low?.image, pixelArea: map.grid?.pixelArea, mu: map.mu(every: Truth.muBlock),
                trimmedToMultiplesOf: EvaluationOptions().trim)
            return Map(
                file: file, digest: try sha256(of: file), region: map.regions.first?.description, grid: map.isMap ? "CEA" : "CCD",
                arcsecPerPixel: map.arcsecPerPixel, isUpsideDown: map.grid?.isUpsideDown ?? false, instrument: low?.instrument ?? .reference,
                observation: low.map { observation(by: $0.instrument, arcsecPerPixel: map.arcsecPerPixel ?? 0.5) } ?? .exact, truth: truth)
        } catch let failure as Failure {
            throw failure.located(at: file.path)
        }
    }

    /// How the low resolution of a pair came about: under the instrument's usual conditions, divided by the user's factor if there is one.
    private func observation(by instrument: Instrument, arcsecPerPixel: Double) -> LinearObservation {
        var observation = Observation(instrument.usualConditions)
        if instrument.isOther, let factor = options.mdiFactor { observation.gain = factor }
        return LinearObservation(observation, arcsecPerPixel: arcsecPerPixel)
    }

    /// Scores all competitors on one map, from the cache where it has them.
    private func score(
        _ map: Map, _ cache: EvaluationCache, into findings: inout EvaluationFindings, progress: (Double, String) -> Void, _ isCancelled: () -> Bool
    ) throws {
        let illustrates =
            findings.illustrations.count < EvaluationIllustration.limit
            && !findings.illustrations.contains { $0.region != nil && $0.region == map.region }
        var illustration = EvaluationIllustration(
            file: map.file.lastPathComponent, region: map.region, truth: map.truth.masked(map.truth.field), lowResolution: map.truth.lowResolution,
            arcsecPerPixel: map.arcsecPerPixel, isUpsideDown: map.isUpsideDown)
        for (place, competitor) in competitors.enumerated() {
            if isCancelled() { throw Failure(.interrupted, "evaluation was interrupted", remedy: "the same command goes on where it stopped") }
            progress(Double(place) / Double(competitors.count), competitor.name)
            try attempt(&findings, many: true) { findings in
                do {
                    let (entry, pictures) = try result(of: competitor, on: map, cache, withPictures: illustrates, isCancelled)
                    findings.scores += entry.scores.map {
                        $0.renamed(competitor.name, map.file.lastPathComponent, region: map.region, grid: map.grid)
                    }
                    findings.seconds[competitor.name, default: []].append(entry.secondsPerSample)
                    if let pictures { illustration.predictions.append((competitor.name, pictures)) }
                } catch let failure as Failure {
                    throw Failure(
                        failure.category, "\(competitor.name): \(failure.problem)", at: failure.location ?? map.file.path,
                        expected: failure.expected, found: failure.found, remedy: failure.remedy)
                }
            }
            // What the truth looks like costs as much as a model; it is of no use without one.
            if findings.truths.last?.file != map.file.lastPathComponent, findings.scores.last?.file == map.file.lastPathComponent {
                findings.truths.append(try truthScore(of: map, cache))
            }
        }
        if illustrates, !illustration.predictions.isEmpty { findings.illustrations.append(illustration) }
    }

    private func result(
        of competitor: Competitor, on map: Map, _ cache: EvaluationCache, withPictures: Bool, _ isCancelled: () -> Bool
    ) throws -> (entry: EvaluationCache.Entry, pictures: EvaluationCache.Pictures?) {
        let options = evaluationOptions(isProbabilistic: competitor.isProbabilistic)
        let key = try EvaluationCache.key(
            model: try competitor.identity(for: map.file), map: map.digest, metrics: groups.map(\.name), options: options)
        let known = withPictures ? cache.pictures(key, size: (map.truth.field.width, map.truth.field.height)) : nil
        if !withPictures || known != nil, let entry = cache.entry(key) { return (entry, known) }

        var resolver = self.options.resolver
        resolver.isMap = map.grid == "CEA"
        resolver.observation = self.options.consistency.observation(
            map.observation, isKnownToModel: competitor.knowsObservations(of: map.instrument))
        let start = ContinuousClock.now
        let samples = try competitor.samples(
            of: map.truth, map: map.file, observation: map.observation, count: self.options.samples, options: resolver, isCancelled: isCancelled)
        let seconds = (ContinuousClock.now - start) / .seconds(1) / Double(samples.count)
        let scores = try Score.rows(
            model: competitor.name, file: map.file.lastPathComponent, region: map.region, grid: map.grid, samples: samples, truth: map.truth,
            groups: groups, features: features, options: options)
        let entry = EvaluationCache.Entry(scores: scores, secondsPerSample: seconds)
        try cache.store(entry, key)
        guard withPictures else { return (entry, nil) }
        let pictures = try EvaluationCache.Pictures(samples, trim: map.truth.trim, options)
        try cache.store(pictures, key)
        return (entry, pictures)
    }

    /// Features and curves of the truth.
    private func truthScore(of map: Map, _ cache: EvaluationCache) throws -> Score {
        let key = try EvaluationCache.key(
            model: "truth", map: map.digest, metrics: groups.map(\.name), options: evaluationOptions(isProbabilistic: false))
        let name = map.file.lastPathComponent
        if let score = cache.entry(key)?.scores.first { return score.renamed("truth", name, region: map.region, grid: map.grid) }
        var score = Score(
            model: "truth", file: name, region: map.region, grid: map.grid, width: map.truth.field.width, height: map.truth.field.height, sample: 1,
            values: [:], maskedFraction: map.truth.maskedFraction, missingFraction: 0)
        score.tallies = ["spectrum": map.truth.spectrum.tally, "histogram": MetricGroup.histogram(of: map.truth)]
        score.features = try features?(map.truth, clip: EvaluationOptions().clip)
        try cache.store(EvaluationCache.Entry(scores: [score], secondsPerSample: 0), key)
        return score
    }

    /// What scores depend on: sampling only where samples are drawn.
    func evaluationOptions(isProbabilistic: Bool) -> EvaluationOptions {
        var result = EvaluationOptions()
        result.regionThreshold = options.regionThreshold
        result.circle = 0.5 / options.fineCutoff
        result.fineOrder = options.fineOrder
        result.featureSpace = features?.name
        result.featureWeights = featureWeights
        if !competitors.contains(where: { !$0.files.isEmpty }) { result.consistency = options.consistency }
        result.mdiFactor = options.mdiFactor
        guard isProbabilistic else { return result }
        result.samples = options.samples
        (result.sampler, result.steps) = (options.resolver.sampler, options.resolver.steps)
        (result.tile, result.overlap) = (options.resolver.tile, options.resolver.overlap)
        result.eta = options.resolver.sampler == .ddim ? options.resolver.eta : nil
        (result.seed, result.noise) = (options.resolver.seed, options.resolver.noise)
        return result
    }
}

/// One failure that tells of several.
enum FailureSummary {
    static func failure(_ failures: [Failure], _ problem: String, at location: String? = nil) -> Failure {
        Failure(.badData, problem, at: location, found: failures.map(\.description).joined(separator: "; "))
    }
}

extension Score {
    /// As the score of a map or a model that is known by another name now.
    fileprivate func renamed(_ model: String, _ file: String, region: String?, grid: String?) -> Score {
        var score = self
        (score.model, score.file, score.region, score.grid) = (model, file, region, grid)
        return score
    }
}

extension Magnetogram {
    /// μ in the middle of every block of `size` × `size` pixels, the last ones cut by the edge; nil if the header does not tell where the pixels are.
    fileprivate func mu(every size: Int) -> Image? {
        guard let world = try? WorldCoordinates(header), let observer = try? Observer(header, time: time) else { return nil }
        let (columns, rows) = ((image.width + size - 1) / size, (image.height + size - 1) / size)
        let half = Double(size - 1) / 2
        let centres = (0..<rows).flatMap { row in (0..<columns).map { SIMD2(Double($0 * size) + half, Double(row * size) + half) } }
        guard let values = try? world.mu(at: centres, from: observer) else { return nil }
        return Image(width: columns, height: rows, pixels: values.map(Float.init))
    }
}
