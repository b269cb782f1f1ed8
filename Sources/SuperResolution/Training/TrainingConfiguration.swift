import Foundation
import Groundwork
import SolarImage
import TensorCore
import Yams

/// All that decides how a model is trained, as saved in a run's `config.yaml`. Keys are the command line's options.
@dynamicMemberLookup
public struct TrainingConfiguration: Sendable, Equatable {
    /// Sizes of networks and the training that suits them.
    public enum Preset: String, Sendable, Codable, CaseIterable {
        /// The geometry of the paper.
        case paper
        /// Trainable on a desktop; what the bundled models are.
        case small
        /// For tests and first tries.
        case tiny
    }

    /// How the learning rate goes on after the warm-up.
    public enum Schedule: String, Sendable, Codable, CaseIterable {
        case constant
        /// Down to zero along half a cosine (Loshchilov & Hutter 2017).
        case cosine
    }

    package var system: TrainingSystem
    /// What all systems share; as members of this too.
    public var settings: TrainingSettings
    /// Whether a model is fine-tuned on pairs.
    public var isFinetuning = false

    public var model: ModelKind { system.model }

    public subscript<Value>(dynamicMember path: WritableKeyPath<TrainingSettings, Value>) -> Value {
        get { settings[keyPath: path] }
        set { settings[keyPath: path] = newValue }
    }

    /// The defaults of a preset.
    public init(model: ModelKind, preset: Preset) {
        (system, settings) = (TrainingSystem(model: model, preset: preset), TrainingSettings(model: model, preset: preset))
    }

    /// The defaults of fine-tuning a model on pairs: few steps of a lower rate.
    /// - Parameter adaptation: of diffusion models.
    /// - Throws: `Failure` (`.usage`) for a model that is not fine-tuned: an autoencoder, or `corrdiff` before its rest is trained.
    package init(finetuning model: Model, adaptation: Adaptation) throws {
        system = try TrainingSystem(finetuning: model.description.system, adaptation: adaptation)
        settings = TrainingSettings(model: model.kind, preset: model.description.preset ?? .small)
        (settings.steps, settings.epochs, settings.warmup, settings.schedule) = (1000, nil, 50, .cosine)
        settings.learningRate = 3e-4
        settings.weightDecay = 0
        settings.emaDecay = 0.99
        (settings.validateEvery, settings.saveEvery) = (100, 100)
        settings.normalization = model.description.normalization
        isFinetuning = true
    }

    /// Refuses values that cannot be trained with.
    /// - Throws: `Failure` (`.configuration`) naming the key, what is expected and what was found.
    public func validate() throws {
        func check(_ key: any CodingKey, _ isSound: Bool, _ expected: String, _ found: Any) throws {
            guard isSound else { throw Failure(.configuration, "\(key.stringValue) is not valid", expected: expected, found: "\(found)") }
        }
        try settings.validate(check)
        try system.validate(cropSize: settings.cropSize, check)
        guard let simulate = settings.simulate else { return }
        switch system {
        case .autoencoder:
            try check(TrainingSettings.CodingKeys.simulate, false, "none for \(model.rawValue), which sees HR alone", simulate.instrument)
        case .corrdiff(let corrdiff, _, _):
            try check(
                CodingKeys.corrdiff, !corrdiff.knowsMeans || isFinetuning,
                "knows-means false where low resolution is simulated: it is no plain block mean", "true")
        case .latentDiffusion, .pixelDiffusion, .regression: break
        }
    }
}

/// The system's keys stand among the others, in the order of ``keys``.
extension TrainingConfiguration: Codable {
    enum CodingKeys: String, CodingKey, CaseIterable {
        case model, autoencoder, loss, network, prediction, regression, corrdiff
        case regressionTraining = "regression-training"
        case isFinetuning = "fine-tuning"
        case adaptation
    }

    /// The keys of a configuration file.
    public static var keys: [String] {
        let own = CodingKeys.allCases.map(\.rawValue)
        return own.prefix(1) + TrainingSettings.CodingKeys.allCases.map(\.rawValue) + own.dropFirst()
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        system = try TrainingSystem(from: container)
        settings = try TrainingSettings(from: decoder)
        isFinetuning = try container.decode(Bool.self, forKey: .isFinetuning)
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(model, forKey: .model)
        try settings.encode(to: encoder)
        switch system {
        case .autoencoder(let autoencoder, let loss):
            try container.encode(autoencoder, forKey: .autoencoder)
            try container.encode(loss, forKey: .loss)
        case .latentDiffusion(let diffusion, _), .pixelDiffusion(let diffusion, _): try encode(diffusion, to: &container)
        case .regression(let network): try container.encode(network, forKey: .regression)
        case .corrdiff(let corrdiff, let rest, let stage):
            try encode(rest, to: &container)
            try container.encode(corrdiff, forKey: .corrdiff)
            try container.encode(stage, forKey: .regressionTraining)
        }
        try container.encode(isFinetuning, forKey: .isFinetuning)
        try container.encodeIfPresent(system.diffusion?.adaptation, forKey: .adaptation)
    }

    private func encode(_ diffusion: DiffusionSettings, to container: inout KeyedEncodingContainer<CodingKeys>) throws {
        try container.encode(diffusion.network, forKey: .network)
        try container.encode(diffusion.prediction, forKey: .prediction)
    }
}

extension TrainingConfiguration {
    /// As YAML, one key a line in the order of ``keys``.
    public func yaml() throws -> String { try YAMLEncoder().encode(self) }

    /// Reads a saved configuration.
    /// - Throws: `Failure` (`.configuration`).
    public init(yaml text: String, at location: String) throws {
        let entries = try? Yams.load(yaml: text) as? [String: Any]
        let added = entries.map { entries in Self.added.filter { entries[$0.key] == nil }.map { "\($0.key): \($0.value)\n" }.joined() } ?? ""
        try self.init(decoding: text + (text.hasSuffix("\n") ? "" : "\n") + added, at: location)
        try checkKeys(of: entries ?? [:], at: location)
    }

    /// Keys that files of earlier versions lack, with what those did.
    private static let added = [
        "schedule-start": "0", "skip-norm": "0", "max-skipped": "1", "max-skipped-total": "1", "validation": "{crops: 0, samples: 2, steps: 2}",
        "select": "[loss]",
    ]

    private init(decoding text: String, at location: String) throws {
        do {
            self = try YAMLDecoder().decode(TrainingConfiguration.self, from: text)
        } catch let error as DecodingError {
            throw Failure(.configuration, "the configuration cannot be read", at: location, found: error.summary)
        } catch {
            throw Failure(.configuration, "the configuration is not YAML", at: location, found: "\(error)")
        }
    }

    /// This configuration with a file's entries in the place of its own.
    /// - Throws: `Failure` (`.configuration`) for a value of the wrong kind, a key that does not exist, at whatever level, or `steps` beside `epochs`.
    public func overlaid(with entries: [String: Any], at location: String) throws -> TrainingConfiguration {
        guard !entries.isEmpty else { return self }
        let lengths = ["steps", "epochs"].filter { entries[$0].map { !($0 is NSNull) } ?? false }
        guard lengths.count < 2 else {
            throw Failure(.configuration, "steps and epochs exclude each other", at: location, remedy: "leave one of them out")
        }
        do {
            guard var own = try Yams.load(yaml: yaml()) as? [String: Any] else { return self }
            if !lengths.isEmpty { for key in ["steps", "epochs"] { own[key] = nil } }
            let result = try TrainingConfiguration(decoding: try Yams.dump(object: Self.merged(own, entries)), at: location)
            try result.checkKeys(of: entries, at: location)
            return result
        } catch let failure as Failure {
            throw failure
        } catch {
            throw Failure(.configuration, "the configuration cannot be read", at: location, found: "\(error)")
        }
    }

    /// Refuses keys of a file that this configuration, which was read from it, has not taken.
    /// - Throws: `Failure` (`.configuration`)
    private func checkKeys(of entries: [String: Any], at location: String) throws {
        func check(_ entries: [String: Any], _ known: [String: Any], below parents: String) throws {
            for (key, value) in entries.sorted(by: { $0.key < $1.key }) where !(value is NSNull) {
                guard let own = known[key] else { throw Failure.unknownKey(parents + key, known: Array(known.keys), at: location) }
                if let value = value as? [String: Any], let own = own as? [String: Any] { try check(value, own, below: "\(parents)\(key).") }
            }
        }
        guard let own = try Yams.load(yaml: yaml()) as? [String: Any] else { return }
        try check(entries, own.merging(Self.keys.map { ($0, "") }) { own, _ in own }, below: "")
    }

    /// The entries of the second over those of the first, level by level.
    private static func merged(_ own: [String: Any], _ other: [String: Any]) -> [String: Any] {
        own.merging(other) { own, other in
            guard let own = own as? [String: Any], let other = other as? [String: Any] else { return other }
            return merged(own, other)
        }
    }
}
