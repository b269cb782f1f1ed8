import Foundation
import Groundwork
import SolarImage
import TensorCore

/// Trains the denoising network of any of the four diffusion systems (Ramunno et al. 2025, section 3) and of `corrdiff`. What is diffused is E(HR), or
/// E(HR) − E(LR↑) in residual systems, given E(LR↑), where E is a frozen autoencoder's encoder, or nothing in systems that work on pixels; in `corrdiff` the
/// standardised rest of coefficients, given what ``CorrDiff`` tells of them.
///
/// Encoding costs more than a training step, so crops larger than a batch's are encoded together, now and then, and batches are windows of them. Meanwhile the
/// next such generation is encoded in the background, unless ranks share that work.
package final class DiffusionTraining: TrainingTask {
    private typealias Latents = LatentEncoder.Latents

    private let configuration: TrainingConfiguration
    private let collection: MagnetogramCollection
    private let model: Model
    private let diffusion: DiffusionDescription
    private let network: any DenoisingNetwork
    private let alphas: [Double]
    private let fixedCrops: [MagnetogramCollection.Crop]
    /// Whether batches are windows of crops encoded together.
    private let drawsFromPool: Bool
    /// Of a model that is fine-tuned: what is adapted, and its digest before.
    private let adapted: (adaptation: Adaptation, base: String)?
    private let validationCollection: MagnetogramCollection?
    private let cache: LatentCache?
    /// The latents of batches, or of generations of crops that batches are cut from, normalised.
    private let stream: CropStream<Latents>
    /// The last generation.
    private var encoded: (generation: Int, latents: Latents)?
    private var validationLatents: Latents?

    private var ranks = Ranks.alone

    /// What is trained: the network, unless told otherwise.
    package let store: ParameterStore
    package var imageCount: Int { collection.entries.count }

    /// Training of a model as it is.
    /// - Parameters:
    ///   - store: the parameters to train; nil for the network's.
    ///   - base: ``Model/weightsDigest()`` before anything was fine-tuned; nil if that is as it is.
    ///   - cache: what keeps the latents of crops for other runs.
    package init(
        _ configuration: TrainingConfiguration, model: Model, store: ParameterStore? = nil, base: String? = nil, training: MagnetogramCollection,
        validation: MagnetogramCollection?, cache: LatentCache? = nil
    ) throws {
        guard let (network, diffusion) = model.diffusion else {
            throw Failure(.badData, "the model is no diffusion model", expected: "a diffusion model", found: model.kind.rawValue)
        }
        let unit = max(model.scale, model.factor * network.divisor)
        guard configuration.cropSize % unit == 0 else {
            throw Failure(
                .configuration, "crop-size does not suit the autoencoder and the network", expected: "a multiple of \(unit)",
                found: "\(configuration.cropSize)")
        }
        (self.configuration, self.model, self.network, self.diffusion) = (configuration, model, network, diffusion)
        self.store = store ?? model.networkStore
        collection = training
        (validationCollection, self.cache) = (validation, cache)
        fixedCrops = training.fixedCrops(configuration.overfit, size: configuration.cropSize, seed: configuration.seed)
        alphas = diffusion.schedule.cumulativeAlphas
        drawsFromPool = fixedCrops.isEmpty && configuration.latentCrops > 0
        let encoder = try LatentEncoder(model, training, isTraining: true, statistics: diffusion.statistics, cache: cache)
        stream =
            drawsFromPool
            ? CropStream(
                count: configuration.latentCrops, crops: { Self.poolCrops(generation: $0, configuration, training) }, make: encoder.callAsFunction)
            : CropStream(
                count: configuration.batchSize,
                crops: { [fixedCrops] batch in
                    var random = Self.random(batch, configuration)
                    return training.batch(configuration, fixed: fixedCrops, &random)
                }, make: encoder.callAsFunction)
        adapted = try configuration.system.diffusion?.adaptation.map { ($0, try base ?? model.weightsDigest()) }
    }

    /// The model being trained, with the weights as they are.
    package func currentModel() -> Model { model }

    /// What is drawn for a batch.
    private static func random(_ batch: Int, _ configuration: TrainingConfiguration) -> Random {
        Random(seed: configuration.seed, name: "diffusion batch \(batch)")
    }

    package func files(batch: Int) -> [String] {
        guard drawsFromPool else { return collection.names(of: stream.crops(batch)) }
        var random = Self.random(batch, configuration)
        let crops = stream.crops(generation(batch: batch))
        let side = 2 * configuration.cropSize / model.factor
        return collection.names(of: (0..<configuration.batchSize).map { _ in crops[drawWindow(of: crops.count, side: side, &random).crop] })
    }

    package func work(with ranks: Ranks) { self.ranks = ranks }

    package func prepare(_ parts: some Sequence<MicroBatches.Part>) {
        guard drawsFromPool else { return stream.prepare(parts) }
        // Ranks encode a generation together, when all need it.
        guard ranks.count == 1 else { return }
        let generations = parts.lazy.map { self.generation(batch: $0.batch) }
        guard let present = generations.first(where: { _ in true }) else { return }
        let next = generations.first { $0 > present }
        stream.prepare([encoded?.generation == present ? nil : present, next].compactMap { $0 }.map { (group: $0, members: nil) })
    }

    package var secondsWaited: Double { stream.secondsWaited }

    package func loss(batch: Int, members: Range<Int>?) throws -> (loss: Tensor, parts: [String: Double]) {
        let size = configuration.batchSize
        let members = members ?? 0..<size
        var random = Self.random(batch, configuration)
        let windows = try drawWindows(batch: batch, members, &random)
        // Stratified over 1 … T − 1: each sample of the batch draws from its own share of the range.
        let range = Double(diffusion.schedule.steps - 1)
        let drawn = (0..<size).map { 1 + min(Int(range) - 1, Int((Double($0) + Double(random.uniform())) / Double(size) * range)) }
        let timesteps = Array(drawn[members])
        let error = squaredError(
            windows, timesteps: timesteps, noise: random.normal([size] + windows.target.shape.dropFirst(), rows: members))
        let values = timesteps.indices.map { error.detached.sample($0).mean(weightedBy: windows.weights?.sample($0)).item }
        var parts: [String: Double] = [:]
        for quartile in 0..<4 {
            let members = timesteps.indices.filter { timesteps[$0] * 4 / diffusion.schedule.steps == quartile }
            guard !members.isEmpty else { continue }
            parts["loss_quartile_\(quartile + 1)"] = members.reduce(0) { $0 + Double(values[$1]) } / Double(members.count)
        }
        return (error.mean(weightedBy: windows.weights), parts)
    }

    /// The same noise and timesteps at every validation.
    package func validationLoss() throws -> Double? {
        guard let latents = try latentsOfValidation() else { return nil }
        var random = Random(seed: 0, name: "validation")
        let count = latents.target.shape[0]
        var total = 0.0
        for start in stride(from: 0, to: count, by: 8) {
            let range = start..<min(count, start + 8)
            let part = (
                target: latents.target.sliced(axis: 0, range: range), condition: latents.condition.sliced(axis: 0, range: range),
                weights: latents.weights?.sliced(axis: 0, range: range)
            )
            let timesteps = range.map { 1 + ($0 * 2 + 1) * (diffusion.schedule.steps - 1) / (2 * count) }
            let error = squaredError(part, timesteps: timesteps, noise: random.normal(part.target.shape))
            total += Double(error.mean(weightedBy: part.weights).item) * Double(range.count)
        }
        return total / Double(count)
    }

    private func latentsOfValidation() throws -> Latents? {
        if validationLatents == nil, let collection = validationCollection {
            let encoder = try LatentEncoder(model, collection, isTraining: false, statistics: diffusion.statistics, cache: cache)
            let crops = collection.fixedCrops(32, size: configuration.cropSize, seed: 0)
            validationLatents = LatentEncoder.joined(try Tape.withoutRecording { try crops.map(encoder.callAsFunction) })
        }
        return validationLatents
    }

    package func sample() throws -> [(title: String, image: Image)] {
        try (validationCollection ?? collection).example(of: model, cropSize: configuration.cropSize)
    }

    package func writeModel(values: [Tensor], training: TrainingSummary, to url: URL) throws {
        model.description.training = training
        // What the network computes with, adapters included.
        let weights = store.withValues(values) { model.networkStore.parameters.map(\.tensor) }
        guard let ready = model.withoutFolds() else { return try model.write(to: url, networkValues: weights) }
        try ready.write(to: url, networkValues: weights)
    }

    package func writeAdapter(values: [Tensor], training: TrainingSummary, to url: URL) throws {
        guard let (adaptation, base) = adapted else { return }
        try store.withValues(values) {
            try Adapter(adaptation, store: model.withRegression(store), training: training, base: base, input: model.description.input).write(to: url)
        }
    }

    /// (prediction − target)² of every latent value.
    private func squaredError(_ latents: Latents, timesteps: [Int], noise: Tensor) -> Tensor {
        func column(_ value: (Double) -> Double) -> Tensor {
            Tensor(shape: [timesteps.count, 1, 1, 1], values: timesteps.map { Float(value(alphas[$0])) })
        }
        let (signal, deviation) = (column { $0.squareRoot() }, column { (1 - $0).squareRoot() })
        let noisy = signal * latents.target + deviation * noise
        let prediction = network(noisy, condition: latents.condition, timesteps: timesteps)
        return (prediction - diffusion.prediction.target(clean: latents.target, noise: noise, signal: signal, deviation: deviation)).squared()
    }

    /// Crops of twice a batch's side, drawn for this generation alone, so that a resumed run draws the same.
    private static func poolCrops(
        generation: Int, _ configuration: TrainingConfiguration, _ collection: MagnetogramCollection
    ) -> [MagnetogramCollection.Crop] {
        var random = Random(seed: configuration.seed, name: "latent crops \(generation)")
        return (0..<configuration.latentCrops).map { _ in collection.randomCrop(size: 2 * configuration.cropSize, &random) }
    }

    /// Counts the times that other crops are encoded.
    private func generation(batch: Int) -> Int { batch / (configuration.latentRefresh * configuration.accumulate) }

    /// A batch's window in encoded crops of `side` latents.
    private func drawWindow(of crops: Int, side: Int, _ random: inout Random) -> (crop: Int, row: Int, column: Int) {
        let places = side - configuration.cropSize / model.factor + 1
        return (random.integer(below: crops), random.integer(below: places), random.integer(below: places))
    }

    private func drawWindows(batch: Int, _ members: Range<Int>, _ random: inout Random) throws -> Latents {
        guard drawsFromPool else {
            _ = collection.batch(configuration, fixed: fixedCrops, &random)
            return LatentEncoder.joined(try stream(batch, members))
        }
        let pool = try latents(generation: generation(batch: batch))
        let side = configuration.cropSize / model.factor
        var targets: [Tensor] = []
        var conditions: [Tensor] = []
        var weights: [Tensor] = []
        for member in 0..<configuration.batchSize {
            let (crop, row, column) = drawWindow(of: pool.target.shape[0], side: pool.target.shape[1], &random)
            guard members.contains(member) else { continue }
            func window(_ x: Tensor) -> Tensor {
                x.sliced(axis: 0, range: crop..<crop + 1).sliced(axis: 1, range: row..<row + side).sliced(axis: 2, range: column..<column + side)
            }
            targets.append(window(pool.target))
            conditions.append(window(pool.condition))
            if let known = pool.weights { weights.append(window(known)) }
        }
        return (concatenate(targets, axis: 0), concatenate(conditions, axis: 0), weights.isEmpty ? nil : concatenate(weights, axis: 0))
    }

    private func latents(generation: Int) throws -> Latents {
        if let encoded, encoded.generation == generation { return encoded.latents }
        encoded = nil
        let latents = try encodeTogether(generation)
        encoded = (generation, latents)
        return latents
    }

    /// Each rank encodes its share, and all get all.
    private func encodeTogether(_ generation: Int) throws -> Latents {
        guard ranks.count > 1 else { return LatentEncoder.joined(try stream(generation)) }
        let share = Ranks.share(of: configuration.latentCrops, rank: ranks.rank, count: ranks.count)
        stream.prepare([(generation, share)])
        let parts = try stream(generation, share)
        let own = parts.isEmpty ? nil : LatentEncoder.joined(parts)
        var all: [Latents] = []
        for root in 0..<ranks.count {
            guard let target = try ranks.share(own?.target, from: root), let condition = try ranks.share(own?.condition, from: root) else { continue }
            all.append((target, condition, try ranks.share(own?.weights, from: root)))
        }
        return LatentEncoder.joined(all)
    }
}

extension Tensor {
    /// One of a batch.
    fileprivate func sample(_ index: Int) -> Tensor { sliced(axis: 0, range: index..<index + 1) }
}
