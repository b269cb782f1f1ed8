import Foundation
import SolarImage
import SuperResolution
import TensorCore
import Testing

/// The autoencoder that adds to a block transform.
@Suite struct CompactAutoencoderTests {
    private func configuration(channels: Int = 5, codes: Int = 0, hasTransform: Bool = true) -> CompactAutoencoder.Configuration {
        CompactAutoencoder.Configuration(
            patch: 2, width: 8, multipliers: [1, 2], latentChannels: channels, codebookSize: codes, decodesQuantized: codes > 0,
            hasTransform: hasTransform)
    }

    private func activeRegion() throws -> Image {
        let fixtures = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().appending(path: "Fixtures")
        return try Magnetogram(reading: fixtures.appending(path: "SolarImage/Instruments/active-region.fits")).image
    }

    /// Before any training, on 96 × 96 pixels of HARP 1447: root mean square of the error in Gauss and deviation of the unsigned flux, as
    /// `Scripts/make-instrument-fixtures.py` prints them by scipy's transform.
    @Test(arguments: [(4, 27.186228, -0.0032286954), (8, 9.6740153, -0.00040023611), (10, 7.1155652, -0.00018654001)])
    func beginsAsTheTruncatedTransform(channels: Int, error: Double, flux: Double) throws {
        var training = TrainingConfiguration(model: .vqgan, preset: .small)
        training.autoencoder.compact.latentChannels = channels
        let (field, model) = (try activeRegion(), ModelsExample.newModel(training))
        let result = try model.reconstruct(field)
        let squares = zip(result.pixels, field.pixels).map { Double($0 - $1) * Double($0 - $1) }
        #expect(abs((squares.reduce(0, +) / Double(squares.count)).squareRoot() / error - 1) < 1e-3)
        func sum(_ image: Image) -> Double { image.pixels.reduce(0) { $0 + Double(abs($1)) } }
        #expect(abs(sum(result) / sum(field) - 1 - flux) < 1e-6)
        // Tiles see what the whole sees.
        let normalization = training.normalization
        let whole = try #require(model.autoencoder).encode(normalization.normalize(field.tensor))
        let tiled = model.decodeInTiles(whole, side: 8, isCancelled: { false }, isEmpty: { _ in false })
        expectClose(tiled, result.tensor, "in tiles", tolerance: 1e-5)
    }

    /// Each way is the network of the same weights without a transform, and the transform.
    @Test(arguments: [0, 16]) func isTheSumOfTransformAndNetwork(codes: Int) throws {
        let stores = (ParameterStore(seed: 1), ParameterStore(seed: 2))
        let network = CompactAutoencoder(configuration(codes: codes), in: stores.0.root)
        let plain = CompactAutoencoder(configuration(codes: codes, hasTransform: false), in: stores.1.root)
        ModelsExample.fillZeros(of: stores.0, seed: 1)
        #expect(stores.0.names == stores.1.names)
        for (own, other) in zip(stores.0.parameters, stores.1.parameters) { other.value = own.value }
        var random = Random(seed: 3)
        let image = random.normal([2, 24, 16, 1])
        let transform = BlockTransform(side: 4)
        let latents = network.encode(image)
        expectClose(latents, plain.encode(image) + transform(image).sliced(axis: -1, range: 0..<5), "latents", tolerance: 1e-6)
        let codesOfLatents = network.quantized(latents).latents
        #expect((codesOfLatents.values == latents.values) == (codes == 0))
        expectClose(network.decode(latents), plain.decode(latents) + transform.inverse(codesOfLatents), "image", tolerance: 1e-6)
    }

    /// All that a block holds comes back where the latents have as many values as its pixels, whatever the factor.
    @Test(arguments: [(1, [1], 1), (2, [1], 4), (1, [1, 1, 1], 16), (2, [1, 1, 1], 64)])
    func losesNothingInAsManyLatentsAsPixels(patch: Int, multipliers: [Int], channels: Int) {
        let network = CompactAutoencoder(
            CompactAutoencoder.Configuration(
                patch: patch, width: 2, multipliers: multipliers, latentChannels: channels, codebookSize: 0, decodesQuantized: false,
                hasTransform: true), in: ParameterStore(seed: 1).root)
        var random = Random(seed: 4)
        let image = random.normal([1, 16, 24, 1])
        expectClose(network.decode(network.encode(image)), image, "image", tolerance: 1e-5)
    }

    @Test func configurationsFromBeforeAreWithoutTransform() throws {
        let old: CompactAutoencoder.Configuration = try ModelsExample.decoded(ModelsExample.autoencoders[0])
        #expect(!old.hasTransform)
        for configuration in [old, configuration()] {
            #expect(try JSONDecoder().decode(CompactAutoencoder.Configuration.self, from: JSONEncoder().encode(configuration)) == configuration)
        }
    }
}
