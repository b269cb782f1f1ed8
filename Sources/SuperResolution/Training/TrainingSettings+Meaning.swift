/// What the settings mean, in a few words each: for the command line's help and for comments in configuration files.
extension TrainingSettings.CodingKeys {
    package var meaning: String {
        switch self {
        case .preset: "Sizes of networks and the training that suits them: paper, small or tiny."
        case .seed: "Seed of everything random."
        case .steps: "Optimiser steps."
        case .epochs: "Passes over the data, one random crop an image each; instead of steps."
        case .maxHours: "Stop and save after this many hours."
        case .batchSize: "Crops a batch."
        case .cropSize: "Side of a crop in HR pixels."
        case .learningRate: "Learning rate after the warm-up."
        case .warmup: "Steps over which the learning rate rises."
        case .schedule: "How the learning rate goes on after the warm-up: constant, or cosine, down to zero at the last step."
        case .scheduleStart: "The step that warm-up and schedule begin at; not 0 where a run that had ended was taken up for more steps."
        case .accumulate: "Batches whose gradients are added before a step."
        case .microBatch:
            "Crops that go through the network together; gradients are added (default: the batch; under mpirun or srun, which share these, a quarter)."
        case .ranks: "Processes that train together, as a record: the weights do not depend on it."
        case .clipNorm: "Limit of the gradient's norm; 0 for none."
        case .skipNorm: "Skip a step whose gradient's norm exceeds this, as one whose loss is not finite; 0 for no limit."
        case .maxSkipped: "Steps skipped one after the other at which training has diverged."
        case .maxSkippedTotal: "Steps skipped in all at which training has diverged."
        case .weightDecay: "Weight decay of AdamW; a codebook and a discriminator have none."
        case .betas: "Adam's decays of the gradient's first and second moment."
        case .emaDecay: "Decay of the weights' running average, which becomes the model."
        case .validateEvery: "Steps between validations; 0 for none."
        case .validation: "What validations judge by beside the loss: crops (0 for none), samples of each, denoising steps a sample."
        case .select:
            "Metrics that tell the best weights: the mean of their distances from the best values, over bicubic enlargement's; or loss alone."
        case .saveEvery: "Steps between checkpoints."
        case .keepLast: "Earlier checkpoints to keep."
        case .patience: "Validations without improvement before stopping; 0 for never."
        case .overfit: "Train on this many fixed crops alone; 0 for all data."
        case .latentCrops: "Of latent diffusion: crops of twice the side encoded at a time, from which batches are cut; 0 to encode each batch's own."
        case .latentRefresh: "Of latent diffusion: steps after which other crops are encoded."
        case .simulate: "What LR is simulated by, drawn anew for every crop; without it, the mean over every block."
        case .normalization: "How fields become the values that networks see."
        }
    }
}

extension TrainingConfiguration.CodingKeys {
    var meaning: String {
        switch self {
        case .model: "What is trained."
        case .autoencoder: "The autoencoder: its kind and extents."
        case .loss:
            "Weights of the autoencoder's losses, and its discriminator, which begins at adversarial-start and learns by an optimiser of its own."
        case .network: "The denoising network: its kind and extents."
        case .prediction: "What the denoising network gives: noise or velocity."
        case .regression: "The network that gives its result at once."
        case .corrdiff: "The network of mean and spread, and what it knows."
        case .regressionTraining: "The stage of mean and spread: its steps, learning rate and share of max-hours."
        case .isFinetuning: "Whether a model is fine-tuned on pairs."
        case .adaptation: "What of the model is adapted: rank and alpha of low-rank matrices, and what else is unfrozen."
        }
    }
}

extension TrainingConfiguration {
    /// As ``yaml()``, with a comment above each key; read again, it is the same configuration.
    package func commentedYAML() throws -> String {
        let meanings = Dictionary(
            uniqueKeysWithValues: TrainingSettings.CodingKeys.allCases.map { ($0.rawValue, $0.meaning) }
                + CodingKeys.allCases.map { ($0.rawValue, $0.meaning) })
        // Keys begin at the margin; what belongs to them is indented or begins with a dash.
        let lines = try yaml().split(separator: "\n", omittingEmptySubsequences: false).flatMap { line -> [String] in
            let key = line.prefix { $0 != ":" }
            guard let meaning = meanings[String(key)] else { return [String(line)] }
            return ["# \(meaning)", String(line)]
        }
        return lines.joined(separator: "\n")
    }
}
