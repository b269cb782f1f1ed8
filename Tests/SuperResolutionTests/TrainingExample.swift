import Foundation
import Groundwork
import SolarImage
import SuperResolution
import TensorCore
import Testing

/// Magnetograms made up for training tests, and a task whose course is known.
enum TrainingExample {
    /// Quiet Sun of smooth weak field with a bipole of strong spots, in Gauss.
    static func field(width: Int, height: Int, seed: UInt64) -> Image {
        var state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 1
        func uniform(_ range: ClosedRange<Float>) -> Float {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return range.lowerBound + (range.upperBound - range.lowerBound) * Float(state >> 40) / Float(1 << 24)
        }
        struct Spot { let x, y, size, strength: Float }
        let (w, h) = (Float(width), Float(height))
        var spots = (0..<80).map { _ in Spot(x: uniform(0...w), y: uniform(0...h), size: uniform(1.5...5), strength: uniform(-150...150)) }
        for sign in [Float(1), -1] {
            for _ in 0..<2 {
                let x = uniform(0.2 * w...0.5 * w) + (sign < 0 ? 0.3 * w : 0)
                spots.append(Spot(x: x, y: uniform(0.3 * h...0.7 * h), size: uniform(4...9), strength: sign * uniform(800...2500)))
            }
        }
        var image = Image(width: width, height: height, repeating: 0)
        for y in 0..<height {
            for x in 0..<width {
                image[x, y] = spots.reduce(0) { sum, spot in
                    let (dx, dy) = ((Float(x) - spot.x) / spot.size, (Float(y) - spot.y) / spot.size)
                    let distance = dx * dx + dy * dy
                    return distance < 40 ? sum + spot.strength * exp(-distance / 2) : sum
                }
            }
        }
        return image
    }

    /// Writes maps of 96 × 80 pixels, each of a region of its own.
    static func writeMaps(_ count: Int, to folder: URL) throws {
        for index in 0..<count {
            try write(field(width: 96, height: 80, seed: UInt64(index + 1)), harp: 101 + index, to: folder.appendingPathComponent("map\(index).fits"))
        }
    }

    static func write(_ image: Image, harp: Int?, to url: URL) throws {
        var header = FITSHeader()
        header.set("BUNIT", .string("Gauss"))
        if let harp { header.set("HARPNUM", .integer(harp)) }
        try FITSWriter.write(image, header: header, to: url)
    }

    static func collection(_ folder: URL) throws -> MagnetogramCollection { try MagnetogramCollection(folder: folder, logger: .init(label: "test")) }

    /// The preset `tiny`, cut down further.
    static func configuration(_ model: ModelKind) throws -> TrainingConfiguration {
        var configuration = TrainingConfiguration(model: model, preset: .tiny)
        configuration.cropSize = 32
        configuration.batchSize = model == .vqgan ? 1 : 2
        configuration.latentCrops = 4
        configuration.latentRefresh = 5
        return configuration
    }

    /// The lines of a run's log: their numbers.
    static func log(_ run: RunFolder) throws -> [[String: Double]] {
        struct Number: Decodable {
            let value: Double?
            init(from decoder: any Decoder) throws { value = try? decoder.singleValueContainer().decode(Double.self) }
        }
        return try String(contentsOf: run.metrics, encoding: .utf8).split(separator: "\n").map {
            try JSONDecoder().decode([String: Number].self, from: Data($0.utf8)).compactMapValues(\.value)
        }
    }

    /// Expects two files of weights to be the same byte for byte, and tells where they differ.
    static func expectSameFiles(_ file: URL, _ expected: URL, sourceLocation: SourceLocation = #_sourceLocation) throws {
        guard try Data(contentsOf: file) != Data(contentsOf: expected) else { return }
        let (own, other) = (try SafetensorsFile(reading: file), try SafetensorsFile(reading: expected))
        var differences = Set(own.metadata.keys).union(other.metadata.keys).filter { own.metadata[$0] != other.metadata[$0] }.map {
            "\($0): \(own.metadata[$0] ?? "nothing"), not \(other.metadata[$0] ?? "nothing")"
        }
        for name in other.names {
            guard own.shape(of: name) == other.shape(of: name) else {
                differences.append("\(name): shape \(own.shape(of: name) ?? []), not \(other.shape(of: name) ?? [])")
                continue
            }
            let pairs = zip(try own.tensor(named: name).values, try other.tensor(named: name).values).enumerated().filter { $1.0 != $1.1 }
            if let (place, values) = pairs.first {
                differences.append("\(name): \(pairs.count) values, the first at \(place): \(values.0), not \(values.1)")
            }
        }
        Issue.record("\(file.lastPathComponent) differs: \(differences.joined(separator: "; "))", sourceLocation: sourceLocation)
    }

    /// A folder for a run.
    static func run(_ name: String, in folder: URL) throws -> RunFolder {
        let run = RunFolder(folder.appendingPathComponent(name))
        try run.create()
        return run
    }
}

/// Fits one weight to 1: loss (w − 1)², from w = 0. Validations give what they are told to.
final class ScriptedTask: TrainingTask {
    let store = ParameterStore(seed: 1)
    let imageCount = 6
    private let weight: Parameter
    private var validations: ArraySlice<Double>
    private(set) var batches: [Int] = []
    /// Called with the number of each batch; may give another factor of the loss.
    var factor: (Int) -> Float = { _ in 1 }

    init(validations: [Double] = []) {
        weight = (store.root / "layer").parameter("weight", [1], .constant(0))
        self.validations = validations[...]
    }

    func loss(batch: Int, members: Range<Int>?) -> (loss: Tensor, parts: [String: Double]) {
        batches.append(batch)
        let loss = (weight.tensor - Tensor(shape: [1], values: [1])).squared().mean() * factor(batch)
        return (loss, ["batch": Double(batch)])
    }

    func files(batch: Int) -> [String] { ["map\(batch).fits"] }

    func validationLoss() -> Double? { validations.popFirst() }

    func sample() -> [(title: String, image: Image)] { [("nothing", Image(width: 8, height: 8, repeating: 0))] }

    func writeModel(values: [Tensor], training: TrainingSummary, to url: URL) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let json = String(decoding: try encoder.encode(training), as: UTF8.self)
        try writeSafetensors(store.stateDictionary(values: values), metadata: ["training": json], to: url)
    }
}

/// Parts that a system is expected to have, to be changed.
extension TrainingConfiguration {
    var diffusion: DiffusionSettings {
        get {
            guard let diffusion = system.diffusion else { preconditionFailure("\(model) does not diffuse") }
            return diffusion
        }
        set {
            switch system {
            case .latentDiffusion(_, let isResidual): system = .latentDiffusion(newValue, isResidual: isResidual)
            case .pixelDiffusion(_, let isResidual): system = .pixelDiffusion(newValue, isResidual: isResidual)
            case .corrdiff(let corrdiff, _, let stage): system = .corrdiff(corrdiff, newValue, stage)
            case .autoencoder, .regression: preconditionFailure("\(model) does not diffuse")
            }
        }
    }

    private var corrdiffParts: (corrdiff: CorrDiff.Configuration, rest: DiffusionSettings, stage: RegressionStage) {
        guard case .corrdiff(let corrdiff, let rest, let stage) = system else { preconditionFailure("\(model) has no mean and spread") }
        return (corrdiff, rest, stage)
    }

    var corrdiff: CorrDiff.Configuration {
        get { corrdiffParts.corrdiff }
        set { system = .corrdiff(newValue, corrdiffParts.rest, corrdiffParts.stage) }
    }

    var regressionTraining: RegressionStage {
        get { corrdiffParts.stage }
        set { system = .corrdiff(corrdiffParts.corrdiff, corrdiffParts.rest, newValue) }
    }

    private var autoencoding: (autoencoder: AutoencoderConfiguration, loss: AutoencoderLoss) {
        guard case .autoencoder(let autoencoder, let loss) = system else { preconditionFailure("\(model) is no autoencoder") }
        return (autoencoder, loss)
    }

    var autoencoder: AutoencoderConfiguration {
        get { autoencoding.autoencoder }
        set { system = .autoencoder(newValue, autoencoding.loss) }
    }

    var loss: AutoencoderLoss {
        get { autoencoding.loss }
        set { system = .autoencoder(autoencoding.autoencoder, newValue) }
    }
}
