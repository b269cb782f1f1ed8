import Foundation
import Groundwork
import TensorCore

/// A network with all it takes to use it, in one safetensors file: weights, and in the metadata its ``ModelDescription``.
public final class Model {
    /// The networks of a ``ModelSystem``, a case each.
    package enum Networks {
        case autoencoder(any Autoencoder)
        case latentDiffusion(any DenoisingNetwork, in: any Autoencoder)
        case pixelDiffusion(any DenoisingNetwork)
        case regression(any RegressionNetwork)
        /// The rest is white noise where there is no network for it.
        case corrdiff(CorrDiff, rest: (any DenoisingNetwork)?)
    }

    package var description: ModelDescription
    package let networks: Networks
    /// The weights of what is trained first and stands fixed beside the denoising network: the autoencoder, or mean and spread of `corrdiff`.
    package let firstStageStore: ParameterStore
    /// The weights of the network that super-resolves; of `corrdiff`, of that of the rest.
    package let networkStore: ParameterStore

    private static let metadataKey = "sr.model"
    private static let remedy = "the file was not written by this program, or is damaged; fetch or train the model again"

    /// A model with initial weights.
    package convenience init(_ description: ModelDescription, seed: UInt64) {
        self.init(description, in: ParameterStore(seed: seed), ParameterStore(seed: seed))
    }

    private init(_ description: ModelDescription, in firstStageStore: ParameterStore, _ networkStore: ParameterStore) {
        (self.description, self.firstStageStore, self.networkStore) = (description, firstStageStore, networkStore)
        networks =
            switch description.system {
            case .autoencoder(let configuration): .autoencoder(configuration.makeAutoencoder(in: firstStageStore.root))
            case .latentDiffusion(let diffusion, let configuration, _):
                .latentDiffusion(
                    diffusion.network.makeNetwork(channels: configuration.latentChannels, in: networkStore.root),
                    in: configuration.makeAutoencoder(in: firstStageStore.root))
            case .pixelDiffusion(let diffusion, _): .pixelDiffusion(diffusion.network.makeNetwork(channels: 1, in: networkStore.root))
            case .regression(let configuration): .regression(configuration.makeNetwork(in: networkStore.root))
            case .corrdiff(let configuration, let rest, _):
                .corrdiff(
                    CorrDiff(configuration, in: firstStageStore.root),
                    rest: rest?.network.makeNetwork(
                        channels: configuration.coefficients, conditionChannels: configuration.conditionChannels, in: networkStore.root))
            }
    }

    /// Nil for a model that works on pixels or on their coefficients.
    package var autoencoder: (any Autoencoder)? {
        switch networks {
        case .autoencoder(let autoencoder), .latentDiffusion(_, let autoencoder): autoencoder
        case .pixelDiffusion, .regression, .corrdiff: nil
        }
    }

    /// Mean and spread; nil for another system.
    package var corrdiff: CorrDiff? {
        switch networks {
        case .corrdiff(let corrdiff, _): corrdiff
        case .autoencoder, .latentDiffusion, .pixelDiffusion, .regression: nil
        }
    }

    /// The denoising network with how it is used; nil for a model that does not diffuse.
    package var diffusion: (network: any DenoisingNetwork, description: DiffusionDescription)? {
        switch networks {
        case .latentDiffusion(let network, _), .pixelDiffusion(let network), .corrdiff(_, let network?):
            description.system.diffusion.map { (network, $0) }
        case .autoencoder, .regression, .corrdiff(_, nil): nil
        }
    }

    /// Image pixels per latent along each axis; 1 where pixels are worked on themselves.
    package var factor: Int { autoencoder?.factor ?? (corrdiff == nil ? 1 : CorrDiff.transform.side) }
    /// Channels of what is diffused; 1 where pixels are worked on themselves.
    package var latentChannels: Int { autoencoder?.latentChannels ?? corrdiff?.configuration.coefficients ?? 1 }

    /// Normalised fields as what is diffused: latents, or themselves.
    package func encode(_ values: Tensor) -> Tensor { autoencoder?.encode(values) ?? values }

    /// The reverse of ``encode(_:)``.
    package func decode(_ latents: Tensor) -> Tensor { autoencoder?.decode(latents) ?? latents }

    /// The stores of the model's networks with what their names in a file begin with: the name of the network in a model with two of them.
    package var stores: [(prefix: String, store: ParameterStore)] {
        switch networks {
        case .autoencoder: [("", firstStageStore)]
        case .latentDiffusion: [("autoencoder.", firstStageStore), ("unet.", networkStore)]
        case .pixelDiffusion, .regression: [("", networkStore)]
        case .corrdiff(_, let rest): [("corrdiff.", firstStageStore)] + (rest == nil ? [] : [("unet.", networkStore)])
        }
    }

    /// Which system it is.
    public var kind: ModelKind { description.kind }
    /// HR pixels per LR pixel.
    public var scale: Int { description.scale }
    /// The number of trained values.
    public var parameterCount: Int { firstStageStore.count + networkStore.count }
    public var training: TrainingSummary { description.training }
    /// Of the fields that it was trained on, or of fields like those of the bundled model where the file does not tell.
    package var spectrum: FieldSpectrum { description.spectrum ?? .activeRegions }
    /// What it was trained to super-resolve, for people.
    public var input: String { (description.input ?? .blockMeans).description }
    /// What it was trained on, for people.
    public var data: String { description.data?.description ?? "not told" }

    /// Reads a model file.
    /// - Throws: `Failure`: `.missingInput`, or `.badData` for a file that is no model of this program, is of a later format or damaged, or whose weights do not
    ///   fit or are not finite.
    public convenience init(reading url: URL) throws {
        let file = try SafetensorsFile(reading: url)
        guard let json = file.metadata[Self.metadataKey] else {
            throw Failure(
                .badData, "the file holds tensors but is no model of this program", at: url.path, expected: "metadata under \"\(Self.metadataKey)\"",
                found: file.metadata.isEmpty ? "no metadata" : "metadata \(file.metadata.keys.sorted().joined(separator: ", "))",
                remedy: "give a model.safetensors that `sr train` wrote")
        }
        let description: ModelDescription
        do {
            let format = try JSONDecoder().decode(FormatOnly.self, from: Data(json.utf8)).format
            guard format <= ModelDescription.currentFormat else {
                throw Failure(
                    .badData, "the model is of a later format", at: url.path, expected: "format \(ModelDescription.currentFormat) or earlier",
                    found: "format \(format)", remedy: "use a newer version of this program")
            }
            description = try JSONDecoder().decode(ModelDescription.self, from: Data(json.utf8))
        } catch let error as DecodingError {
            throw Failure(.badData, "the model's description cannot be read", at: url.path, found: error.summary, remedy: Self.remedy)
        }
        try description.validate(at: url.path, values: file.names.reduce(0) { $0 + (file.shape(of: $1)?.reduce(1, *) ?? 0) }, remedy: Self.remedy)
        try file.verifyDigest(of: "model", remedy: Self.remedy)
        self.init(description, in: .unfilled(), .unfilled())
        for (prefix, store) in stores { try store.load(file, prefix: prefix, unused: PaperUNet.isUnused) }
    }

    /// Whether a file is a model of this program, rather than weights alone.
    /// - Throws: `Failure` (`.missingInput`, `.badData`) if it is no safetensors file.
    package static func isModel(_ file: URL) throws -> Bool { try SafetensorsFile(reading: file).metadata[metadataKey] != nil }

    private struct FormatOnly: Decodable { let format: Int }

    /// What it was measured to do; nil where its file does not tell.
    public var card: ModelCard? { description.card }

    /// Writes the model with 16-bit weights.
    /// - Parameters:
    ///   - card: what it was measured to do; nil for what its file says.
    ///   - location: where the model came from, for messages.
    /// - Throws: `Failure`: `.badData` if 16 bits cannot hold a weight, `.cannotWrite`.
    public func writeHalfPrecision(to url: URL, card: ModelCard? = nil, at location: String? = nil) throws {
        if let card { description.card = card }
        let largest: Float = 65504
        for named in tensors() where SafetensorsFile.ElementType.float16.stored(named.shape) == .float16 {
            let tensor = named.tensor
            guard let index = tensor.firstIndex(exceeding: largest) else { continue }
            throw Failure(
                .badData, "a weight is too large for 16 bits", at: (location.map { "\($0), " } ?? "") + "tensor \(named.name)",
                expected: "at most \(Int(largest)) in magnitude",
                found: "\(tensor.pointer[index])", remedy: "use the model with 32-bit weights as it is")
        }
        try write(to: url, type: .float16)
    }

    /// Writes the model file.
    /// - Parameters:
    ///   - networkValues, firstStageValues: in the place of the current weights (averages, say), in the order of the stores' parameters.
    ///   - type: `.float16` halves the file.
    package func write(
        to url: URL, firstStageValues: [Tensor]? = nil, networkValues: [Tensor]? = nil, type: SafetensorsFile.ElementType = .float32
    ) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let json = String(decoding: try encoder.encode(description), as: UTF8.self)
        try writeWithDigest(
            tensors(firstStageValues: firstStageValues, networkValues: networkValues), metadata: [Self.metadataKey: json, "format": "pt"], type: type,
            to: url)
    }

    /// What its file holds.
    private func tensors(firstStageValues: [Tensor]? = nil, networkValues: [Tensor]? = nil) -> [NamedTensor] {
        stores.flatMap { prefix, store in
            store.namedTensors(values: store === networkStore ? networkValues : firstStageValues).map { $0.prefixed(prefix) }
        }
    }
}

extension ModelDescription {
    /// Refuses extents that cannot be built or would exhaust the memory: they come from a file.
    /// - Parameter values: how many numbers the file holds; no network is built whose widest convolution alone has more.
    fileprivate func validate(at location: String, values: Int, remedy: String) throws {
        func check(_ isSound: Bool, _ what: String, _ found: Any) throws {
            guard isSound else {
                throw Failure(.badData, "the model's description is not sound", at: location, expected: what, found: "\(found)", remedy: remedy)
            }
        }
        func checkSize(_ count: Int, _ what: String) throws { try check(count <= values, "\(what) that fits in the file's \(values) values", count) }
        try check(scale == 4, "scale 4", scale)
        let autoencoder = system.autoencoder
        if let autoencoder {
            try autoencoder.check(check)
            let extents = autoencoder.extents
            try checkSize(convolution(extents.width, extents.multipliers), "an autoencoder")
            try checkSize(extents.codebookSize * autoencoder.latentChannels, "a codebook")
        }
        if let regression = system.regression {
            try regression.check(check)
            try checkSize(convolution(regression.width, [32]), "a network")
        }
        let corrdiff = system.corrdiff
        if let corrdiff {
            try corrdiff.check(check)
            try checkSize(convolution(corrdiff.width, [1]), "a network")
            try system.calibration?.check(check)
        }
        try input?.degradation?.check(check)
        try data?.check(check)
        let channels = autoencoder?.latentChannels ?? corrdiff?.coefficients ?? 1
        guard let diffusion = system.diffusion else { return }
        try diffusion.network.check(check)
        switch diffusion.network {
        case .unet(let unet): try checkSize(convolution(unet.width, unet.multipliers), "a U-Net")
        case .paper(let unet):
            try check(corrdiff == nil, "a U-Net with a condition of its own in corrdiff", "the paper's")
            try checkSize(convolution(unet.width, [8]), "a U-Net")
        }
        try check((1...100_000).contains(diffusion.schedule.steps), "1 … 100000 noise steps", diffusion.schedule.steps)
        try check(
            diffusion.schedule.firstBeta > 0 && diffusion.schedule.firstBeta <= diffusion.schedule.lastBeta && diffusion.schedule.lastBeta < 1,
            "0 < first β ≤ last β < 1", "\(diffusion.schedule.firstBeta) … \(diffusion.schedule.lastBeta)")
        let statistics = diffusion.statistics
        for (vectors, channels) in [
            ([statistics.targetMean, statistics.targetDeviation], channels),
            ([statistics.conditionMean, statistics.conditionDeviation], corrdiff?.conditionChannels ?? channels),
        ] {
            try check(vectors.allSatisfy { $0.count == channels }, "statistics of \(channels) channels", vectors.map(\.count))
        }
        try check(
            (statistics.targetDeviation + statistics.conditionDeviation).allSatisfy { $0 > 0 && $0.isFinite }, "positive standard deviations",
            statistics.targetDeviation + statistics.conditionDeviation)
    }

    /// The weights of the widest 3 × 3 convolution that a network of this width has in any case.
    private func convolution(_ width: Int, _ multipliers: [Int]) -> Int {
        let widest = width * (multipliers.max() ?? 1)
        return 9 * widest * widest
    }
}

/// Tells whether something holds, what is expected and what was found; throws if it does not hold.
typealias Check = (_ isSound: Bool, _ expected: String, _ found: Any) throws -> Void

extension CompactAutoencoder.Configuration {
    /// Extents that can be built and do not exhaust the memory.
    func check(_ check: Check) throws {
        try check([1, 2, 4, 8, 16].contains(patch), "an autoencoder patch of 1, 2, 4, 8 or 16", patch)
        try check((1...1024).contains(width), "an autoencoder width of 1 … 1024", width)
        try check(isSound(multipliers), "1 … 6 multipliers of 1 … 16", multipliers)
        try check((1...64).contains(latentChannels), "1 … 64 latent channels", latentChannels)
        try check((0...1 << 20).contains(codebookSize), "0 … 2^20 codes", codebookSize)
        guard hasTransform else { return }
        try check(factor <= 16, "an autoencoder with a transform of blocks of at most 16 pixels a side", factor)
        try check(latentChannels <= factor * factor, "at most the transform's \(factor * factor) latent channels", latentChannels)
    }
}

extension NetworkConfiguration {
    /// Extents that can be built and do not exhaust the memory.
    func check(_ check: Check) throws {
        switch self {
        case .unet(let unet):
            try check((1...1024).contains(unet.width) && isSound(unet.multipliers), "a U-Net width of 1 … 1024, 1 … 6 multipliers of 1 … 16", unet)
            try check(
                (1...64).contains(unet.heads) && unet.width * (unet.multipliers.last ?? 1) % unet.heads == 0, "heads that divide the channels",
                unet.heads)
        case .paper(let unet):
            try check((4...1024).contains(unet.width) && unet.width % 4 == 0, "a U-Net width of 4 … 1024 in steps of 4", unet.width)
        }
    }
}

private func isSound(_ multipliers: [Int]) -> Bool { (1...6).contains(multipliers.count) && multipliers.allSatisfy { (1...16).contains($0) } }

extension DecodingError {
    /// One line: the key and what is wrong with it.
    package var summary: String {
        switch self {
        case .keyNotFound(let key, let context): "\(Self.path(context.codingPath + [key])) is missing"
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
            "\(Self.path(context.codingPath)): \(context.debugDescription)"
        @unknown default: "\(self)"
        }
    }

    private static func path(_ keys: [any CodingKey]) -> String { keys.isEmpty ? "value" : keys.map(\.stringValue).joined(separator: ".") }
}
