import Foundation
import SuperResolution
import TensorCore

extension Benchmark {
    /// All benchmarks, in the order they run.
    nonisolated(unsafe) static let all: [Benchmark] = [
        Benchmark(name: "sgemm-2048", operations: 2 * 2048 * 2048 * 2048) {
            let (a, b) = (random([2048, 2048]), random([2048, 2048]))
            return { _ = matmul(a, b) }
        },
        convolution("conv3x3-128-256", size: 128, channels: 256),
        convolution("conv3x3-64-512", size: 64, channels: 512),
        convolution("conv3x3-32-512", size: 32, channels: 512),
        convolution("conv3x3-16-512", size: 16, channels: 512),
        convolution("conv3x3-16-1024", size: 16, channels: 1024),
        Benchmark(name: "linear-256-1024", operations: 2 * 256 * 1024 * 1024) {
            let (x, weight) = (random([256, 1024]), Parameter(random([1024, 1024]) * 0.03))
            return { _ = linear(x, weight: weight.tensor) }
        },
        Benchmark(
            name: "conv3x3-backward-128-256", operations: 2 * convolutionOperations(size: 128, channels: 256),
            readying: {
                let (x, weight) = (Parameter(random([1, 128, 128, 256])), Parameter(random([3, 3, 256, 256]) * 0.02))
                let cotangent = random([1, 128, 128, 256])
                return {
                    let back = recordedPass(at: [x, weight]) { TensorCore.convolution(x.tensor, weight: weight.tensor, padding: Padding(1)) }
                    return { _ = back(cotangent) }
                }
            }),
        Benchmark(name: "attention-4096-256", operations: 4 * 4096 * 4096 * 256) {
            let x = random([1, 4096, 3 * 256])
            return { _ = attention(queriesKeysValues: x, heads: 4) }
        },
        Benchmark(name: "groupnorm-gelu-128-256", operations: nil) {
            let (x, weight, bias) = (random([1, 128, 128, 256]), random([256]), random([256]))
            return { _ = groupNorm(x, groups: 1, weight: weight, bias: bias, activation: .gelu) }
        },
        Benchmark(name: "unet-forward", operations: nil) {
            let network = PaperUNetWork()
            return { _ = network.forward() }
        },
        Benchmark(name: "unet-forward-batch-4", operations: nil) {
            let network = PaperUNetWork(batch: 4)
            return { _ = network.forward() }
        },
        Benchmark(name: "unet-train-step", operations: nil) {
            let network = PaperUNetWork()
            let optimizer = AdamW(network.store.parameters, learningRate: 3e-4)
            return { network.trainingStep(optimizer) }
        },
        Benchmark(name: "autoencoder-encode", operations: nil) {
            let (autoencoder, image) = (smallAutoencoder(), random([1, 512, 512, 1]))
            return { _ = autoencoder.encode(image) }
        },
        Benchmark(name: "autoencoder-decode", operations: nil) {
            let (autoencoder, latents) = (smallAutoencoder(), random([1, 128, 128, 10]))
            return { _ = autoencoder.decode(latents) }
        },
        Benchmark(name: "small-train-step", operations: nil) {
            let store = ParameterStore(seed: 1)
            let network = UNet(UNet.Configuration(width: 64, multipliers: [1, 2, 2], heads: 4), channels: 4, in: store.root)
            let optimizer = AdamW(store.parameters, learningRate: 8e-4)
            let (noisy, condition, target) = (random([16, 32, 32, 4]), random([16, 32, 32, 4]), random([16, 32, 32, 4]))
            let timesteps = (0..<16).map { 1 + $0 * 60 }
            return { step(store, optimizer) { meanSquaredError(network(noisy, condition: condition, timesteps: timesteps), target) } }
        },
        Benchmark(name: "lpips-1024", operations: nil) {
            let (distance, a, b) = (try PerceptualDistance.bundled(), random([1, 1024, 1024, 1]), random([1, 1024, 1024, 1]))
            return { _ = distance(a, b) }
        },
        Benchmark(name: "lpips-loss-4x128", operations: nil) {
            let (distance, a, b) = (try PerceptualDistance.bundled(), Parameter(random([4, 128, 128, 1])), random([4, 128, 128, 1]) * 0.9)
            return { _ = valueWithGradient(at: [a]) { distance(a.tensor, b).mean() } }
        },
        Benchmark(name: "adamw-93m", operations: nil) {
            let parameters = (0..<93).map { _ in Parameter(Tensor(repeating: 0.1, shape: [1_000_000])) }
            var gradients = GradientStore()
            for parameter in parameters { gradients[parameter] = Tensor(repeating: 0.01, shape: [1_000_000]) }
            let optimizer = AdamW(parameters, learningRate: 1e-4)
            return { [gradients] in optimizer.update(gradients) }
        },
        Benchmark(name: "model-load", operations: nil) {
            let file = TemporaryFile()
            try paperModel().write(to: file.url)
            return { _ = try Model(reading: file.url) }
        },
        Benchmark(name: "model-save", operations: nil) {
            let (file, model) = (TemporaryFile(), paperModel())
            return { try model.write(to: file.url) }
        },
    ]

    /// The paper's U-Net on pixels: 93 million weights.
    private static func paperModel() -> Model {
        let network = NetworkConfiguration.paper(PaperUNet.Configuration(width: 128, hasAttention: true))
        let diffusion = DiffusionDescription(
            network: network, schedule: NoiseSchedule(steps: 1000, firstBeta: 1e-4, lastBeta: 0.02), prediction: .noise,
            statistics: LatentStatistics(channels: 1))
        let training = TrainingSummary(steps: 0, batchSize: 1, seed: 1, images: 1)
        return Model(
            ModelDescription(.pixelDiffusion(diffusion, isResidual: true), normalization: .paper, training: training), seed: 1)
    }

    /// A place for a file that is gone with this.
    private final class TemporaryFile {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("sr-benchmark-\(UUID().uuidString).safetensors")

        deinit { try? FileManager.default.removeItem(at: url) }
    }

    private static func convolution(_ name: String, size: Int, channels: Int) -> Benchmark {
        Benchmark(name: name, operations: convolutionOperations(size: size, channels: channels)) {
            let (x, weight) = (random([1, size, size, channels]), Parameter(random([3, 3, channels, channels]) * 0.02))
            return { _ = TensorCore.convolution(x, weight: weight.tensor, padding: Padding(1)) }
        }
    }

    private static func convolutionOperations(size: Int, channels: Int) -> Double {
        Double(2 * 9 * size * size) * Double(channels * channels)
    }

    private static func random(_ shape: [Int]) -> Tensor {
        var random = Random(seed: 1)
        return random.normal(shape)
    }

    private static func smallAutoencoder() -> CompactAutoencoder {
        let configuration = CompactAutoencoder.Configuration(
            patch: 2, width: 64, multipliers: [1, 2], latentChannels: 10, codebookSize: 0, decodesQuantized: false, hasTransform: true)
        return CompactAutoencoder(configuration, in: ParameterStore(seed: 1).root)
    }

    /// One step of training: loss, gradients, AdamW.
    fileprivate static func step(_ store: ParameterStore, _ optimizer: AdamW, loss: () -> Tensor) {
        optimizer.update(valueWithGradient(at: store.parameters, loss).gradients)
    }

    /// The paper's U-Net in latent space: base width 128, 4 + 4 → 4 channels, latents of 128².
    private struct PaperUNetWork {
        let store = ParameterStore(seed: 1)
        let network: PaperUNet
        let noisy, condition, target: Tensor

        init(batch: Int = 1) {
            network = PaperUNet(PaperUNet.Configuration(width: 128, hasAttention: true), channels: 4, in: store.root)
            let shape = [batch, 128, 128, 4]
            (noisy, condition, target) = (random(shape), random(shape), random(shape))
        }

        func forward() -> Tensor { network(noisy, condition: condition, timesteps: Array(repeating: 500, count: noisy.shape[0])) }

        func trainingStep(_ optimizer: AdamW) { step(store, optimizer) { meanSquaredError(forward(), target) } }
    }
}
