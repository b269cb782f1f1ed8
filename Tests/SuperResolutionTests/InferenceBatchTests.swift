import SolarImage
import SuperResolution
import TensorCore
import Testing

/// Tiles and samples are worked on several at a time, with the bits of one at a time.
@Suite struct InferenceBatchTests {
    private func expectBatchesOfTheSameBits(_ name: String, of images: Tensor, _ network: (Tensor) -> Tensor) {
        let together = network(images)
        for image in 0..<images.shape[0] {
            let alone = network(images.sliced(axis: 0, range: image..<image + 1))
            expectSame(together.sliced(axis: 0, range: image..<image + 1), alone, "\(name), image \(image)")
        }
    }

    /// Widths and sizes at which Winograd's algorithm and patches both have their share.
    @Test func networks() throws {
        var random = Random(seed: 3)
        let images = random.normal([5, 24, 32, 4])
        let small = UNet(try ModelsExample.unet(width: 32), channels: 4, in: ParameterStore(seed: 1).root)
        let paper = PaperUNet(try ModelsExample.paperUNet(width: 16), channels: 4, in: ParameterStore(seed: 2).root)
        for (name, network) in [("UNet", small as any DenoisingNetwork), ("PaperUNet", paper)] {
            expectBatchesOfTheSameBits(name, of: images) { x in
                network(x, condition: x * 0.5, timesteps: Array(repeating: 400, count: x.shape[0]))
            }
        }
        let fields = random.normal([3, 64, 48, 1])
        let configuration: CompactAutoencoder.Configuration = try ModelsExample.decoded(
            #"{"patch": 2, "width": 32, "multipliers": [1, 2], "latent_channels": 4, "codebook_size": 0, "decodes_quantized": false}"#)
        let autoencoder = CompactAutoencoder(configuration, in: ParameterStore(seed: 4).root)
        expectBatchesOfTheSameBits("encoder", of: fields, autoencoder.encode)
        expectBatchesOfTheSameBits("decoder", of: images, autoencoder.decode)
    }

    /// A field of many tiles, its samples together and each alone.
    @Test(arguments: [SuperResolver.NoiseKey.own, .shared]) func samplesTogether(noise: SuperResolver.NoiseKey) throws {
        let resolver = try SuperResolver(try ModelsExample.model())
        let low = TrainingExample.field(width: 50, height: 40, seed: 31)
        let options = SuperResolver.Options(steps: 2, tile: 16, overlap: 4, noise: noise)
        var together: [Int: Image] = [:]
        try resolver.superResolve(low, options: options, samples: 3..<8) { together[$0] = $1 }
        #expect(together.keys.sorted() == Array(3..<8))
        for (sample, image) in together {
            let alone = try resolver.superResolve(low, options: options, sample: sample)
            #expect(image.pixels.map(\.bitPattern) == alone.pixels.map(\.bitPattern), "sample \(sample)")
        }
    }

    /// What is drawn for one map is independent of what is drawn for another of its size, unless asked for.
    @Test func mapsHaveNoiseOfTheirOwn() throws {
        let model = try ModelsExample.model()
        for name in ["conv_out.weight", "conv_out.bias"] {
            let parameter = try #require(model.networkStore[name])
            parameter.value = Tensor(zeros: parameter.value.shape)
        }
        let resolver = try SuperResolver(model)
        // Without a network what is added to a map is its noise alone.
        func detail(_ low: Image, _ noise: SuperResolver.NoiseKey) throws -> [Double] {
            var options = SuperResolver.Options(steps: 2, observation: nil, noise: noise)
            let first = try resolver.superResolve(low, options: options)
            options.seed = 2
            let second = try resolver.superResolve(low, options: options)
            return zip(first.pixels, second.pixels).map { Double($0) - Double($1) }
        }
        func correlation(_ a: [Double], _ b: [Double]) -> Double {
            func dot(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
            return dot(a, b) / (dot(a, a) * dot(b, b)).squareRoot()
        }
        let (one, other) = (TrainingExample.field(width: 48, height: 48, seed: 1), TrainingExample.field(width: 48, height: 48, seed: 2))
        #expect(abs(correlation(try detail(one, .own), try detail(other, .own))) < 0.1)
        #expect(correlation(try detail(one, .shared), try detail(other, .shared)) > 0.5)
        let again = try detail(one, .own)
        #expect(again == (try detail(one, .own)))
    }
}
