import Foundation
import Groundwork
import SolarImage
import TensorCore

/// Trains an autoencoder to give back its input, as VQGAN does (Esser et al. 2021): absolute error, LPIPS, the codebook's terms, and a discriminator of
/// patches, each as ``AutoencoderLoss`` weighs it. Off the disk, where a field is 0, so is its reconstruction before it is judged.
package final class AutoencoderTraining: TrainingTask {
    /// What only training has beside the model: discriminator and counts of used codes.
    private struct Companions {
        let store: ParameterStore
        let discriminator: PatchDiscriminator?
        /// `[codes]`: how often each was used since codes were last revived.
        let usage: Buffer?
    }

    private let configuration: TrainingConfiguration
    private let weights: AutoencoderLoss
    private let collection: MagnetogramCollection
    private let model: Model
    private let autoencoder: any Autoencoder
    private let companions: Companions
    private let perceptualDistance: PerceptualDistance?
    private let fixedCrops: [MagnetogramCollection.Crop]
    private let stream: CropStream<CropSample>
    private let validation: (collection: MagnetogramCollection, crops: [MagnetogramCollection.Crop])?

    package let store: ParameterStore
    package var imageCount: Int { collection.entries.count }

    /// - Throws: `Failure` if the model has no autoencoder or the weights of LPIPS are missing.
    package init(_ configuration: TrainingConfiguration, model: Model, training: MagnetogramCollection, validation: MagnetogramCollection?) throws {
        guard case .autoencoder(let autoencoder) = model.networks, case .autoencoder(_, let weights) = configuration.system else {
            throw Failure(.badData, "the model is no autoencoder", expected: ModelKind.vqgan.rawValue, found: model.kind.rawValue)
        }
        (self.configuration, self.model, self.autoencoder, self.weights) = (configuration, model, autoencoder, weights)
        collection = training
        let own = ParameterStore(seed: configuration.seed)
        companions = Companions(
            store: own,
            discriminator: weights.adversarial > 0 ? PatchDiscriminator(weights.discriminator, in: own.root / "discriminator") : nil,
            usage: autoencoder.codebook.map { own.root.buffer("code_usage", Tensor(zeros: [$0.value.shape[0]])) })
        store = ParameterStore(joining: [("", model.firstStageStore), ("", own)])
        perceptualDistance = weights.perceptual > 0 ? try PerceptualDistance.bundled() : nil
        fixedCrops = training.fixedCrops(configuration.overfit, size: configuration.cropSize, seed: configuration.seed)
        stream = training.stream(configuration, Self.batchName, fixed: fixedCrops, scale: nil)
        self.validation = validation.map { ($0, $0.fixedCrops(32, size: configuration.cropSize, seed: 0)) }
    }

    /// The model being trained, with the weights as they are.
    package func currentModel() -> Model { model }

    /// The autoencoder, whose codes do not decay, and the discriminator (as Esser et al. train them, with two optimisers).
    package func optimizerGroups(_ configuration: TrainingConfiguration) -> [OptimizerGroup] {
        let own = OptimizerGroup(
            parameters: model.firstStageStore.parameters, undecayed: [autoencoder.codebook].compactMap(\.self),
            learningRate: configuration.learningRate, clipNorm: configuration.clipNorm, weightDecay: configuration.weightDecay)
        guard companions.discriminator != nil else { return [own] }
        let other = weights.discriminatorTraining
        return [
            own,
            OptimizerGroup(
                name: "discriminator", parameters: companions.store.parameters, learningRate: other.learningRate, clipNorm: other.clipNorm,
                weightDecay: 0),
        ]
    }

    package func files(batch: Int) -> [String] { collection.names(of: stream.crops(batch)) }

    package func prepare(_ parts: some Sequence<MicroBatches.Part>) { stream.prepare(parts) }

    package var secondsWaited: Double { stream.secondsWaited }

    package func loss(batch: Int, members: Range<Int>?) throws -> (loss: Tensor, parts: [String: Double]) {
        var (crops, random) = draw(batch)
        let members = members ?? crops.indices
        let sample = CropSample(joining: try stream(batch, members)), (field, known) = (sample.field, sample.known)
        let values = model.description.normalization.normalize(field)
        let latents = autoencoder.encode(values)
        let (codes, indices, codebookLoss) = autoencoder.quantized(latents)
        let noisy = weights.latentNoise > 0 ? codes + noise(like: codes, members, &random) * weights.latentNoise : codes
        let features = autoencoder.features(of: noisy)
        let reconstruction = autoencoder.image(from: features, of: noisy)

        let judged = judge(
            reconstruction.detached, values, field, known, (features.detached, noisy.detached), step: batch / configuration.accumulate)
        // What was found about the reconstruction is carried on to the autoencoder: same gradient, same value.
        let carried = (reconstruction * judged.gradient).sum()
        var loss = carried + (judged.loss - carried.item)
        var parts = judged.parts
        if weights.latent > 0 { loss = loss + latents.squared().mean() * weights.latent }
        if let codebookLoss {
            loss = loss + codebookLoss
            parts["codebook"] = Double(codebookLoss.item)
        }
        if let indices { parts["codebook_perplexity"] = noteUsage(indices) }
        if let discriminator = companions.discriminator, isAdversarial(step: batch / configuration.accumulate) {
            let verdict = PatchDiscriminator.hingeLoss(
                real: discriminator(values, isTraining: true), fake: discriminator(Self.masked(reconstruction.detached, known), isTraining: true))
            loss = loss + verdict
            parts["discriminator"] = Double(verdict.item)
        }
        return (loss, parts)
    }

    private static let batchName = "autoencoder batch"

    /// A batch's crops, and what else is drawn for it.
    private func draw(_ batch: Int) -> (crops: [MagnetogramCollection.Crop], random: Random) {
        var random = Random(seed: configuration.seed, name: "\(Self.batchName) \(batch)")
        return (collection.batch(configuration, fixed: fixedCrops, &random), random)
    }

    /// Noise for some of a batch's latents.
    private func noise(like latents: Tensor, _ members: Range<Int>, _ random: inout Random) -> Tensor {
        random.normal([configuration.batchSize] + latents.shape.dropFirst(), rows: members)
    }

    private func isAdversarial(step: Int) -> Bool { step >= weights.adversarialStart }

    /// The terms that a reconstruction is judged by, with the gradient of their sum with respect to it.
    /// - Parameter decoded: what ``Autoencoder/image(from:of:)`` made it of
    private func judge(
        _ reconstruction: Tensor, _ values: Tensor, _ field: Tensor, _ known: Tensor?, _ decoded: (features: Tensor, latents: Tensor), step: Int
    ) -> (loss: Float, gradient: Tensor, parts: [String: Double]) {
        let normalization = model.description.normalization
        let image = Parameter(reconstruction)
        var parts: [String: Double] = [:]
        let (fidelity, fidelityGradients) = valueWithGradient(at: [image]) {
            let x = Self.masked(image.tensor, known)
            let absolute = (x - values).absolute().mean(weightedBy: known)
            let fieldError = (normalization.denormalize(x) - field).absolute().mean(weightedBy: known)
            parts["mean_absolute_error"] = Double(absolute.item)
            parts["field_error_gauss"] = Double(fieldError.item)
            var sum = absolute + fieldError * (weights.field / 300)
            if let perceptualDistance {
                let distance = perceptualDistance(x, values).mean()
                parts["lpips"] = Double(distance.item)
                sum = sum + distance * weights.perceptual
            }
            return sum
        }
        let gradient = fidelityGradients[image] ?? Tensor(zeros: reconstruction.shape)
        guard let discriminator = companions.discriminator, isAdversarial(step: step) else { return (fidelity.item, gradient, parts) }

        let (opinion, opinionGradients) = valueWithGradient(at: [image]) {
            PatchDiscriminator.generatorLoss(fake: discriminator(Self.masked(image.tensor, known), isTraining: true))
        }
        guard let opinionGradient = opinionGradients[image] else { return (fidelity.item, gradient, parts) }
        /// How long the gradient at the decoder's last layer is.
        func length(_ gradient: Tensor) -> Float {
            let last = [autoencoder.lastLayer]
            return valueWithGradient(at: last) {
                (autoencoder.image(from: decoded.features, of: decoded.latents) * gradient).sum()
            }.gradients.norm(of: last)
        }
        let weight = weights.adversarial * min(1e4, length(gradient) / (length(opinionGradient) + 1e-4))
        parts["adversarial"] = Double(opinion.item)
        parts["adversarial_weight"] = Double(weight)
        return (fidelity.item + weight * opinion.item, gradient + opinionGradient * weight, parts)
    }

    private static func masked(_ values: Tensor, _ known: Tensor?) -> Tensor { known.map { values * $0 } ?? values }

    /// Counts used codes.
    /// - Returns: the perplexity of the batch's codes, exp(−Σ p ln p): how many codes it uses, as if evenly.
    private func noteUsage(_ indices: [Int]) -> Double {
        guard let usage = companions.usage else { return 0 }
        var counts = [Float](repeating: 0, count: usage.value.count)
        for index in indices { counts[index] += 1 }
        let total = Double(indices.count)
        let entropy = counts.reduce(0.0) { $1 == 0 ? $0 : $0 - Double($1) / total * log(Double($1) / total) }
        usage.value = Tensor(shape: usage.value.shape, values: zip(usage.value.values, counts).map(+))
        return exp(entropy)
    }

    /// Now and then sets codes never used to latents of the step's last batch, of its first micro-batch (Dhariwal et al. 2020, section 3.1, restart them
    /// likewise).
    package func beforeUpdate(step: Int) throws {
        guard let usage = companions.usage, let codebook = autoencoder.codebook else { return }
        guard weights.revival > 0, (step + 1) % weights.revival == 0 else { return }
        var (crops, random) = draw((step + 1) * configuration.accumulate - 1)
        let field = try collection.maskedFields(Array(crops.prefix(configuration.microBatch ?? configuration.batchSize))).field
        let latents = Tape.withoutRecording { autoencoder.encode(model.description.normalization.normalize(field)) }
        if weights.latentNoise > 0 { _ = noise(like: latents, 0..<0, &random) }
        let channels = latents.extent(-1)
        let (rows, known) = (latents.values, latents.count / channels)
        var codes = codebook.value.values
        for (code, count) in usage.value.values.enumerated() where count == 0 {
            let row = random.integer(below: known)
            codes.replaceSubrange(code * channels..<(code + 1) * channels, with: rows[row * channels..<(row + 1) * channels])
        }
        codebook.value = Tensor(shape: codebook.value.shape, values: codes)
        usage.value = Tensor(zeros: usage.value.shape)
    }

    /// The sum of three shares of the truth, over all validation crops together: Σ|ΔB| / Σ|B|, the deviation of Σ|B| from the truth's, and that of the
    /// Fourier power beyond LR's Nyquist frequency. The first alone is best for fields that are a little too smooth.
    package func validationLoss() throws -> Double? {
        guard let validation else { return nil }
        let normalization = model.description.normalization
        let nyquist = 0.5 / Double(model.scale)
        var (error, flux, power) = (0.0, (found: 0.0, truth: 0.0), PowerSpectrum.Band())
        for crop in validation.crops {
            let (field, known) = try validation.collection.maskedFields([crop])
            let result = Self.masked(normalization.denormalize(autoencoder.decode(autoencoder.encode(normalization.normalize(field)))), known)
            for (value, truth) in zip(result.values, field.values) {
                error += Double(abs(value - truth))
                flux = (flux.found + Double(abs(value)), flux.truth + Double(abs(truth)))
            }
            let (found, truth) = (PowerSpectrum(of: Image(result)), PowerSpectrum(of: Image(field)))
            power = power + found.bands(with: truth, edges: [nyquist, .infinity])[0]
        }
        /// The deviation as a share of the truth; where there is none, of 1 G or G².
        func share(_ deviation: Double, of truth: Double) -> Double { abs(deviation) / (truth > 0 ? truth : 1) }
        return share(error, of: flux.truth) + share(flux.found - flux.truth, of: flux.truth) + share(power.first - power.second, of: power.second)
    }

    package func sample() throws -> [(title: String, image: Image)] {
        let (collection, crops) = validation ?? (self.collection, self.collection.fixedCrops(1, size: configuration.cropSize, seed: 0))
        let field = try collection.fields([crops[0]])
        let normalization = model.description.normalization
        let result = normalization.denormalize(autoencoder.decode(autoencoder.encode(normalization.normalize(field))))
        return [("HR", Image(field)), ("reconstruction", Image(result))]
    }

    package func writeModel(values: [Tensor], training: TrainingSummary, to url: URL) throws {
        model.description.training = training
        // The autoencoder's parameters come first.
        try model.write(to: url, firstStageValues: Array(values.prefix(model.firstStageStore.parameters.count)))
    }
}

extension MagnetogramCollection {
    /// The same random crops every time.
    func fixedCrops(_ count: Int, size: Int, seed: UInt64) -> [Crop] {
        var random = Random(seed: seed, name: "fixed crops")
        return (0..<count).map { _ in randomCrop(size: size, &random) }
    }

    /// The files that crops are cut from, each once.
    func names(of crops: [Crop]) -> [String] { Set(crops.map(\.file)).sorted().map { entries[$0].url.lastPathComponent } }

    /// The crops of a batch: drawn anew, or of the fixed ones.
    func batch(_ configuration: TrainingConfiguration, fixed: [Crop], _ random: inout Random) -> [Crop] {
        (0..<configuration.batchSize).map { index in
            fixed.isEmpty ? randomCrop(size: configuration.cropSize, &random) : fixed[index % fixed.count]
        }
    }
}
