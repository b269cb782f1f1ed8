import Foundation
import Groundwork
import TensorCore

/// What fine-tuning changed of a model's network: low-rank matrices under the names that ``ParameterStore/addAdapters(rank:alpha:seed:where:)`` gives
/// them, and weights that were unfrozen, as they are now; of `corrdiff` also all of mean and spread.
package struct Adapter {
    fileprivate static let metadataKey = "sr.adapter"

    fileprivate struct Description: Codable {
        var format = 2
        /// ``Model/weightsDigest()`` of the model that was fine-tuned.
        var base: String
        var adaptation: Adaptation
        var training: TrainingSummary
        /// What the model became made for; nil in files that do not tell, of a model that stays what it was.
        var input: ModelInput?
        /// Of a `corrdiff` model with the adapter.
        var calibration: SpreadCalibration?
    }

    private let description: Description
    private let store: ParameterStore

    /// - Parameters:
    ///   - base: ``Model/weightsDigest()`` of the model that was fine-tuned, as it was before.
    ///   - input: what the model is made for now.
    package init(_ adaptation: Adaptation, store: ParameterStore, training: TrainingSummary, base: String, input: ModelInput? = nil) {
        description = Description(base: base, adaptation: adaptation, training: training, input: input)
        self.store = store
    }

    /// - Throws: `Failure` (`.cannotWrite`)
    package func write(to url: URL) throws { try Self.write(store.namedTensors(), description, to: url) }

    private static func write(_ tensors: [NamedTensor], _ description: Description, to url: URL) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let json = String(decoding: try encoder.encode(description), as: UTF8.self)
        try writeWithDigest(tensors, metadata: [metadataKey: json, "format": "pt"], to: url)
    }

    /// Adds the calibration of the model with the adapter to its file.
    /// - Throws: `Failure` if it cannot be read or written.
    static func calibrate(_ url: URL, _ calibration: SpreadCalibration) throws {
        let file = try SafetensorsFile(reading: url)
        var description = try Self.description(of: file, at: url)
        description.calibration = calibration
        try write(try file.names.map { NamedTensor($0, try file.tensor(named: $0)) }, description, to: url)
    }

    /// - Throws: `Failure` (`.badData`) if the file is no adapter.
    fileprivate static func description(of file: SafetensorsFile, at url: URL) throws -> Description {
        guard let json = file.metadata[metadataKey], let description = try? JSONDecoder().decode(Description.self, from: Data(json.utf8)) else {
            throw Failure(.badData, "the file is no adapter", at: url.path, expected: "metadata under \"\(metadataKey)\"")
        }
        func check(_ isSound: Bool, _ expected: String, _ found: Any) throws {
            guard isSound else {
                throw Failure(.badData, "the adapter's description is not sound", at: url.path, expected: expected, found: "\(found)")
            }
        }
        try description.adaptation.check(check)
        try description.input?.degradation?.check(check)
        try description.calibration?.check(check)
        return description
    }
}

extension Model {
    /// Changes the network as an adapter file says, for good.
    /// - Throws: `Failure`: `.missingInput`, or `.badData` if the file is no adapter, is damaged, or not one of this model.
    public func apply(adapter url: URL) throws {
        let file = try SafetensorsFile(reading: url)
        let description = try Adapter.description(of: file, at: url)
        try file.verifyDigest(of: "adapter", remedy: "fetch it or train it again")
        // Before the digest, which would tell less.
        _ = try adaptableNetwork()
        let digest = try weightsDigest()
        guard digest == description.base else {
            throw Failure(
                .badData, "the adapter belongs to another model", at: url.path, expected: "weights of the digest \(description.base)", found: digest,
                remedy: "give the model that was fine-tuned: start.safetensors in the folder of the run")
        }
        let store = withRegression(try adapt(description.adaptation, seed: 0))
        defer { networkStore.mergeAdapters() }
        try store.load(file)
        self.description.training = description.training
        if let input = description.input { self.description.input = input }
        if case .corrdiff(let corrdiff, let rest, let calibration) = self.description.system {
            self.description.system = .corrdiff(corrdiff, rest: rest, calibration: description.calibration ?? calibration)
        }
    }

    /// What is adapted together with what of `corrdiff` is trained as a whole.
    func withRegression(_ adapted: ParameterStore) -> ParameterStore {
        corrdiff == nil ? adapted : ParameterStore(joining: [("corrdiff.", firstStageStore), ("", adapted)])
    }

    /// The SHA-256 of all weights, in hexadecimal; of a model written with 16-bit weights (``writeHalfPrecision(to:)``) the same.
    package func weightsDigest() throws -> String {
        let digests = try stores.flatMap { prefix, store in store.namedTensors().map { $0.prefixed(prefix) } }.map { tensor in
            "\(tensor.name) \(tensor.shape) \(try tensor.tensor.withBytes(as: .float16) { try sha256(of: $0) })\n"
        }
        return try sha256(ofText: digests.joined())
    }
}
