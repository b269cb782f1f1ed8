import SolarImage

/// The settings of training that all systems share.
public struct TrainingSettings: Sendable, Codable, Equatable {
    public var preset: TrainingConfiguration.Preset
    public var seed: UInt64
    /// Optimiser steps in all; nil where `epochs` tells how long.
    public var steps: Int?
    /// Passes over the data, one random crop an image each, in the place of `steps`.
    public var epochs: Int?
    /// Hours after which training stops and saves.
    public var maxHours: Double?
    public var batchSize: Int
    /// Side of a crop, HR pixels.
    public var cropSize: Int
    public var learningRate: Double
    /// Steps over which the learning rate rises from zero.
    public var warmup: Int
    public var schedule: TrainingConfiguration.Schedule
    /// The step from which warm-up and schedule run to the last: 0, or where a run that had ended was taken up for further steps.
    public var scheduleStart: Int
    /// Batches whose gradients are added before a step.
    public var accumulate: Int
    /// Crops that go through the network together; nil for a batch in one piece. See ``MicroBatches``.
    public var microBatch: Int?
    /// Processes that train together, as a record: the weights do not depend on it. Nil for one that no launcher started.
    public var ranks: Int?
    /// Limit of the gradient's norm; 0 for none.
    public var clipNorm: Double
    /// A step whose gradient's norm exceeds this is skipped, as one that is not finite is; 0 for no limit.
    public var skipNorm: Double
    /// Steps skipped one after the other at which training has diverged.
    public var maxSkipped: Int
    /// Steps skipped in all at which it has.
    public var maxSkippedTotal: Int
    public var weightDecay: Double
    /// Adam's decays of the gradient's first and second moment.
    public var betas: [Double]
    /// Decay of the average of the weights that becomes the model.
    public var emaDecay: Double
    /// Steps between validations; 0 for none.
    public var validateEvery: Int
    /// What validations judge by beside the loss.
    package var validation: ValidationSettings
    /// The metrics that tell the best weights, or "loss" alone: see ``ValidationScore``.
    public var select: [String]
    /// Steps between checkpoints.
    public var saveEvery: Int
    /// Earlier checkpoints to keep beside the last.
    public var keepLast: Int
    /// Validations without improvement after which training stops; 0 for never.
    public var patience: Int
    /// Trains on this many fixed crops alone, without validation, to see whether they can be learned; 0 for all data.
    public var overfit: Int
    /// Latent diffusion: crops of twice the side encoded at a time, from which batches are cut; 0 to draw and encode each batch's own.
    public var latentCrops: Int
    /// Latent diffusion: steps after which other crops are encoded.
    public var latentRefresh: Int
    /// What LR is simulated by, its conditions drawn anew for every crop; nil for the mean over every block.
    package var simulate: Degradation?
    /// Without effect in `corrdiff`, whose networks see ``LocalUnit``.
    public var normalization: FieldNormalization

    package enum CodingKeys: String, CodingKey, CaseIterable {
        case preset, seed, steps, epochs
        case maxHours = "max-hours"
        case batchSize = "batch-size"
        case cropSize = "crop-size"
        case learningRate = "learning-rate"
        case warmup, schedule
        case scheduleStart = "schedule-start"
        case accumulate
        case microBatch = "micro-batch"
        case ranks
        case clipNorm = "clip-norm"
        case skipNorm = "skip-norm"
        case maxSkipped = "max-skipped"
        case maxSkippedTotal = "max-skipped-total"
        case weightDecay = "weight-decay"
        case betas
        case emaDecay = "ema-decay"
        case validateEvery = "validate-every"
        case validation, select
        case saveEvery = "save-every"
        case keepLast = "keep-last"
        case patience, overfit
        case latentCrops = "latent-crops"
        case latentRefresh = "latent-refresh"
        case simulate, normalization
    }

    /// The defaults of a preset.
    init(model: ModelKind, preset: TrainingConfiguration.Preset) {
        let (isPaper, isSmall) = (preset == .paper, preset == .small)
        let isAutoencoder = model == .vqgan
        // What is diffused is made of the fields by another network.
        let isEncoded = model.hasAutoencoder || model == .corrdiff
        self.preset = preset
        seed = 1
        steps = isPaper ? nil : isSmall ? (isAutoencoder ? 1000 : 8000) : 200
        epochs = isPaper ? 30 : nil
        batchSize = isPaper || isAutoencoder ? 4 : (isSmall ? (isEncoded ? 16 : 8) : 4)
        cropSize = isPaper ? (isAutoencoder ? 256 : 1024) : isSmall ? 128 : 64
        // The paper gives 3e-4 for the diffusion models. Its autoencoder's is that of VQGAN's authors, 4.5e-6 for each crop of a batch.
        learningRate = isPaper ? (isAutoencoder ? 1.8e-5 : 3e-4) : model.isDiffusion ? 8e-4 : 1e-3
        warmup = isPaper ? 0 : isSmall ? 100 : 10
        schedule = isPaper ? .constant : .cosine
        (scheduleStart, accumulate) = (0, 1)
        // VQGAN's authors neither clip nor decay.
        clipNorm = isPaper && isAutoencoder ? 0 : 1
        (skipNorm, maxSkipped, maxSkippedTotal) = (1e4, 10, 100)
        weightDecay = isPaper && isAutoencoder ? 0 : 0.01
        betas = isPaper && isAutoencoder ? [0.5, 0.9] : [0.9, 0.999]
        emaDecay = isPaper ? 0.995 : isSmall ? 0.998 : 0.9
        validateEvery = preset == .tiny ? 50 : 500
        validation = preset == .tiny ? ValidationSettings(crops: 2, samples: 2, steps: 2) : ValidationSettings(crops: 8, samples: 2, steps: 20)
        select = ValidationScore.usual(for: model)
        saveEvery = preset == .tiny ? 10 : 500
        keepLast = 0
        patience = 0
        overfit = 0
        // On pixels nothing is encoded, so that each batch can have crops of its own; at the paper's size the encoder sees one crop at a time in any case.
        latentCrops = isPaper || !isEncoded ? 0 : isSmall ? 128 : 8
        latentRefresh = isSmall ? 200 : 20
        normalization = isPaper ? .paper : .weakField
    }
}

extension TrainingSettings {
    /// Refuses values that no system can be trained with.
    /// - Parameter check: is told the key, whether its value is sound, what is expected and what was found.
    func validate(_ check: (_ key: CodingKeys, _ isSound: Bool, _ expected: String, _ found: Any) throws -> Void) throws {
        // Upper limits keep products of these from overflowing, and memory bounded.
        try check(.steps, steps.map { (1...1_000_000_000).contains($0) } ?? (epochs != nil), "1 … 1000000000", steps ?? 0)
        try check(.epochs, epochs == nil || steps == nil, "none beside steps", epochs ?? 0)
        try check(.epochs, epochs.map { (1...1_000_000).contains($0) } ?? true, "1 … 1000000", epochs ?? 0)
        try check(.maxHours, maxHours.map { $0 > 0 && $0.isFinite } ?? true, "more than 0", maxHours ?? 0)
        try check(.batchSize, (1...4096).contains(batchSize), "1 … 4096", batchSize)
        try simulate?.check { try check(.simulate, $0, $1, $2) }
        try check(.learningRate, learningRate > 0 && learningRate.isFinite, "more than 0", learningRate)
        try check(.warmup, warmup >= 0, "at least 0", warmup)
        try check(.accumulate, (1...4096).contains(accumulate), "1 … 4096", accumulate)
        try check(.scheduleStart, scheduleStart >= 0, "at least 0", scheduleStart)
        try check(.microBatch, microBatch.map { (1...batchSize).contains($0) } ?? true, "1 … \(batchSize), the batch size", microBatch ?? 0)
        try check(.ranks, ranks.map { $0 > 0 } ?? true, "at least 1", ranks ?? 0)
        try check(.clipNorm, clipNorm >= 0, "at least 0", clipNorm)
        try check(.skipNorm, skipNorm >= 0, "at least 0", skipNorm)
        try check(.maxSkipped, maxSkipped >= 1, "at least 1", maxSkipped)
        try check(.maxSkippedTotal, maxSkippedTotal >= 1, "at least 1", maxSkippedTotal)
        try check(.weightDecay, weightDecay >= 0 && weightDecay < 1, "0 … 1", weightDecay)
        try check(.betas, betas.count == 2 && betas.allSatisfy { (0..<1).contains($0) }, "two numbers from 0 to below 1", betas)
        try check(.emaDecay, (0..<1).contains(emaDecay), "at least 0 and below 1", emaDecay)
        try check(.validateEvery, validateEvery >= 0, "at least 0", validateEvery)
        try validation.check { try check(.validation, $0, $1, $2) }
        let (scores, text) = (ValidationScore.names, select.isEmpty ? "nothing" : select.joined(separator: ", "))
        try check(.select, !select.isEmpty && select.allSatisfy(scores.contains), "some of \(scores.joined(separator: ", "))", text)
        try check(.select, select.count == 1 || !select.contains(ValidationScore.loss), "loss alone, or metrics", text)
        try check(.saveEvery, saveEvery > 0, "at least 1", saveEvery)
        try check(.keepLast, keepLast >= 0, "at least 0", keepLast)
        try check(.patience, patience >= 0, "at least 0", patience)
        try check(.overfit, (0...65536).contains(overfit), "0 … 65536", overfit)
        try check(.latentCrops, (0...65536).contains(latentCrops), "0 … 65536", latentCrops)
        try check(.latentRefresh, (1...1_000_000_000).contains(latentRefresh), "1 … 1000000000", latentRefresh)
    }
}
