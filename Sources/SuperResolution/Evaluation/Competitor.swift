import Foundation
import Groundwork
import SolarImage

/// What is scored: a way to make high resolution of low, or predictions that another program made.
struct Competitor {
    private enum Source {
        case nearest, bicubic, bicubicConsistent, kriging, krigingEnsemble
        case autoencoder(Model)
        case superResolution(SuperResolver)
        /// The mean of `corrdiff`, which takes no samples.
        case mean(SuperResolver)
        /// By the stem of the reference's name.
        case files([String: URL])
    }

    /// As tables name it.
    var name: String
    /// The SHA-256 of a model's file in hexadecimal.
    let digest: String?
    /// That of the adapter applied to it, if one is.
    private let adapterDigest: String?
    let parameterCount: Int?
    /// The log of its training, if the model stands in the folder of its run.
    let log: URL?
    private let source: Source
    /// What of its model it is, if not all.
    private var companion: String?

    private init(_ source: Source, name: String) {
        (self.source, self.name) = (source, name)
        (digest, adapterDigest, parameterCount, log) = (nil, nil, nil, nil)
    }

    /// What needs no training.
    /// - Parameters:
    ///   - consistency: of the models: bicubic enlargement is scored with it too, unless it is off.
    ///   - withEnsemble: whether there are ensembles to be compared with that of kriging.
    static func baselines(_ consistency: Consistency, withEnsemble: Bool) -> [Competitor] {
        var result = [Competitor(.nearest, name: "nearest"), Competitor(.bicubic, name: "bicubic")]
        if consistency != .off { result.append(Competitor(.bicubicConsistent, name: "bicubic-consistent")) }
        result.append(Competitor(.kriging, name: "kriging"))
        if withEnsemble { result.append(Competitor(.krigingEnsemble, name: "kriging-ensemble")) }
        return result
    }

    /// A model, named after its file, or after its folder if it is a run's `model.safetensors`; behind a + its adapter likewise.
    /// - Throws: `Failure`: `.missingInput` or `.badData` for a model or an adapter that cannot be used, `.usage` for denoising steps that it cannot do.
    init(model url: URL, adapter: URL? = nil, options: SuperResolver.Options) throws {
        let model = try Model(reading: url)
        if let adapter { try model.apply(adapter: adapter) }
        switch model.networks {
        case .autoencoder:
            guard EvaluationOptions().trim.isMultiple(of: model.factor) else {
                throw Failure(
                    .badData, "maps cannot be cut for this autoencoder", at: url.path, expected: "a factor that divides \(EvaluationOptions().trim)",
                    found: "\(model.factor)")
            }
            source = .autoencoder(model)
        case .latentDiffusion, .pixelDiffusion, .regression, .corrdiff:
            let resolver = try SuperResolver(model, at: url.path)
            try resolver.check(options)
            source = .superResolution(resolver)
        }
        let stem = url.deletingPathExtension().lastPathComponent
        let folder = url.deletingLastPathComponent()
        func named(_ url: URL, _ runs: String) -> String {
            let stem = url.deletingPathExtension().lastPathComponent
            return stem == runs ? url.deletingLastPathComponent().lastPathComponent : stem
        }
        name = named(url, "model") + (adapter.map { "+" + named($0, "adapter") } ?? "")
        (digest, adapterDigest) = (try sha256(of: url), try adapter.map { try sha256(of: $0) })
        parameterCount = model.parameterCount
        let metrics = RunFolder(folder).metrics
        log = stem == "model" && FileManager.default.fileExists(atPath: metrics.path) ? metrics : nil
    }

    /// How long its training took, as its log tells.
    var trainingHours: Double? { log.flatMap { MetricsLog.lines(of: $0).compactMap { $0["seconds"] }.max() }.map { $0 / 3600 } }

    /// Predictions by name: `NAME.fits` or, as `sr infer` writes it, `NAME_sr.fits` for the reference `NAME.fits`; named after their folder.
    init(predictions: [URL], of folder: URL) {
        let pairs = predictions.map { (Self.stem($0), $0) }
        self.init(.files(Dictionary(pairs) { first, _ in first }), name: folder.lastPathComponent)
    }

    static func stem(_ file: URL) -> String {
        let stem = FITSName.stem(file.lastPathComponent)
        return stem.hasSuffix("_sr") ? String(stem.dropLast(3)) : stem
    }

    /// Whether its samples differ, so that how they are drawn matters.
    var isProbabilistic: Bool {
        switch source {
        case .superResolution(let resolver): resolver.isProbabilistic
        case .krigingEnsemble: true
        case .nearest, .bicubic, .bicubicConsistent, .kriging, .autoencoder, .mean, .files: false
        }
    }

    /// Whether it is given the low resolution alone, rather than the truth.
    var isBaseline: Bool {
        switch source {
        case .nearest, .bicubic, .bicubicConsistent, .kriging, .krigingEnsemble: true
        case .autoencoder, .superResolution, .mean, .files: false
        }
    }

    /// Of `corrdiff`: its mean, and with an ensemble what its spread is with white noise, the null model of its uncertainty.
    func companions(withEnsemble: Bool) throws -> [Competitor] {
        guard case .superResolution(let resolver) = source, resolver.hasMean else { return [] }
        let mean = Competitor(.mean(resolver), like: self, suffix: "mean")
        return withEnsemble && !resolver.restIsNoise
            ? [mean, Competitor(.superResolution(try resolver.withNoise()), like: self, suffix: "null")] : [mean]
    }

    private init(_ source: Source, like other: Competitor, suffix: String) {
        (self.source, name, companion) = (source, "\(other.name)-\(suffix)", suffix)
        (digest, adapterDigest, parameterCount, log) = (other.digest, other.adapterDigest, other.parameterCount, nil)
    }

    /// Whether it was trained on what that instrument makes of the Sun.
    func knowsObservations(of instrument: Instrument) -> Bool {
        switch source {
        case .superResolution(let resolver), .mean(let resolver): resolver.knowsObservations(of: instrument)
        case .nearest, .bicubic, .bicubicConsistent, .kriging, .krigingEnsemble, .autoencoder, .files: false
        }
    }

    /// What its predictions of a map follow from, beside the map and how samples are drawn.
    /// - Throws: `Failure` if there is no prediction of that map.
    func identity(for map: URL) throws -> String {
        if case .files = source { return try sha256(of: try file(for: map)) }
        return (digest ?? name) + (adapterDigest.map { " with \($0)" } ?? "") + (companion.map { ", \($0)" } ?? "")
    }

    /// Predictions given as files.
    var files: [URL] { if case .files(let files) = source { files.values.sorted { $0.path < $1.path } } else { [] } }

    /// How far a pixel of a prediction given as a file is from where its reference has it, in pixels at the corner where it is farthest; nil for no more than
    /// half of one, where a header does not tell, and where sizes differ, which is an error of its own.
    func gridOffset(from map: Magnetogram) -> Double? {
        guard case .files(let files) = source, let file = files[Self.stem(map.source)], let prediction = try? MagnetogramFile(reading: file),
            prediction.width == map.image.width, prediction.height == map.image.height,
            let there = try? WorldCoordinates(prediction.header), let here = try? map.worldCoordinates()
        else { return nil }
        guard there.frame == here.frame else { return .infinity }
        let (right, top) = (Double(map.image.width - 1), Double(map.image.height - 1))
        let corners = [SIMD2(0, 0), SIMD2(right, 0), SIMD2(0, top), SIMD2(right, top)]
        guard let found = try? there.pixels(at: here.world(at: corners)) else { return nil }
        let offset = zip(corners, found).map { (($0 - $1) * ($0 - $1)).sum().squareRoot() }.filter(\.isFinite).max() ?? 0
        return offset > 0.5 ? offset : nil
    }

    private func file(for map: URL) throws -> URL {
        guard case .files(let files) = source, let file = files[Self.stem(map)] else {
            throw Failure(.badData, "there is no prediction of this reference", at: map.path, expected: "a file \(Self.stem(map)).fits")
        }
        return file
    }

    /// Predictions in Gauss: `count` of a probabilistic model, of a file as many as its `SAMPLES` holds, one of any other.
    /// - Parameters:
    ///   - observation: how the low resolution came about, for kriging.
    ///   - options: how samples are drawn, and by what observation results are held to their input.
    /// - Throws: `Failure`: `.badData`, `.interrupted`.
    func samples(
        of truth: Truth, map: URL, observation: LinearObservation, count: Int, options: SuperResolver.Options, isCancelled: () -> Bool
    ) throws -> [Image] {
        let low = truth.lowResolution
        let kriging = Kriging(observation, spectrum: .activeRegions, factor: truth.factor)
        switch source {
        case .nearest: return [low.replicated(by: truth.factor)]
        case .bicubic: return [low.bicubic(by: truth.factor)]
        case .bicubicConsistent:
            let enlarged = low.bicubic(by: truth.factor)
            return [options.observation.map { enlarged.consistent(with: low, by: $0, factor: truth.factor) } ?? enlarged]
        case .kriging: return [kriging.estimate(from: low)]
        case .krigingEnsemble:
            let ensemble = try KrigingEnsemble(kriging, from: low, seed: options.seed)
            return (0..<count).map { ensemble.sample($0) }
        case .autoencoder(let model): return [try model.reconstruct(truth.field, isCancelled: isCancelled)]
        case .superResolution(let resolver):
            var samples: [Image] = []
            try resolver.superResolve(low, options: options, samples: 0..<count, isCancelled: isCancelled) { samples.append($1) }
            return samples
        case .mean(let resolver): return try resolver.mean(of: low, options: options, isCancelled: isCancelled).map { [$0] } ?? []
        case .files:
            let file = try file(for: map)
            do {
                guard let samples = try FITSFile(reading: file).cube(named: "SAMPLES") else { return [try Magnetogram(reading: file).image] }
                for sample in samples { try sample.checkField(at: "\(file.path), extension SAMPLES") }
                return samples
            } catch let failure as Failure {
                throw failure.located(at: file.path)
            }
        }
    }
}
