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
    }

    private let description: Description
    private let store: ParameterStore

    /// - Parameter base: ``Model/weightsDigest()`` of the model that was fine-tuned, as it was before.
    package init(_ adaptation: Adaptation, store: ParameterStore, training: TrainingSummary, base: String) {
        description = Description(base: base, adaptation: adaptation, training: training)
        self.store = store
    }

    /// - Throws: `Failure` (`.cannotWrite`)
    package func write(to url: URL) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let json = String(decoding: try encoder.encode(description), as: UTF8.self)
        try writeSafetensors(store.stateDictionary(), metadata: [Self.metadataKey: json, "format": "pt"], to: url)
    }
}

extension Model {
    /// Changes the network as an adapter file says, for good.
    /// - Throws: `Failure`: `.missingInput`, or `.badData` if the file is no adapter, or not one of this model.
    public func apply(adapter url: URL) throws {
        let file = try SafetensorsFile(reading: url)
        guard let json = file.metadata[Adapter.metadataKey],
            let description = try? JSONDecoder().decode(Adapter.Description.self, from: Data(json.utf8))
        else {
            throw Failure(.badData, "the file is no adapter", at: url.path, expected: "metadata under \"\(Adapter.metadataKey)\"")
        }
        try description.adaptation.check { isSound, expected, found in
            if !isSound { throw Failure(.badData, "the adapter's description is not sound", at: url.path, expected: expected, found: "\(found)") }
        }
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
    }

    /// What is adapted together with what of `corrdiff` is trained as a whole.
    func withRegression(_ adapted: ParameterStore) -> ParameterStore {
        corrdiff == nil ? adapted : ParameterStore(joining: [("corrdiff.", firstStageStore), ("", adapted)])
    }

    /// The SHA-256 of all weights, in hexadecimal; of a model written with 16-bit weights (``writeHalfPrecision(to:)``) the same.
    package func weightsDigest() throws -> String {
        let digests = try stores.flatMap { prefix, store in store.stateDictionary().map { (prefix + $0.name, $0.tensor) } }.map { name, tensor in
            return "\(name) \(tensor.shape) \(try tensor.float16Bits.withUnsafeBytes { try sha256(of: $0) })\n"
        }
        return try Array(digests.joined().utf8).withUnsafeBytes { try sha256(of: $0) }
    }
}
