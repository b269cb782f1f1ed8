import Groundwork
import SolarImage
import SuperResolution
import TensorCore
import Testing

@Suite struct InferenceTilesTests {
    // MARK: - Overlapping tiles

    @Test(arguments: [8, 16, 17, 64], [0, 3, 7]) func overlappingTilesCoverTheField(size: Int, overlap: Int) throws {
        for (height, width) in [(1, 1), (5, 40), (16, 16), (17, 33), (64, 100), (131, 63)] {
            let tiles = LatentTiles.overlapping(height: height, width: width, size: size, overlap: overlap)
            var counts = [Int](repeating: 0, count: height * width)
            for tile in tiles {
                #expect(tile.rows.count == min(size, height) && tile.columns.count == min(size, width))
                try #require(
                    tile.rows.lowerBound >= 0 && tile.rows.upperBound <= height && tile.columns.lowerBound >= 0 && tile.columns.upperBound <= width)
                for y in tile.rows { for x in tile.columns { counts[y * width + x] += 1 } }
            }
            #expect(!counts.contains(0), "\(height) × \(width)")
            #expect(Set(tiles.map { [$0.rows.lowerBound, $0.columns.lowerBound] }).count == tiles.count)
            for starts in [Set(tiles.map(\.rows.lowerBound)).sorted(), Set(tiles.map(\.columns.lowerBound)).sorted()] {
                for (start, next) in zip(starts, starts.dropFirst()) { #expect(start + size - next >= overlap) }
            }
            // No more tiles than it takes.
            let expected = [height, width].map { $0 <= size ? 1 : ($0 - overlap + size - overlap - 1) / (size - overlap) }
            #expect(tiles.count == expected[0] * expected[1], "\(height) × \(width)")
        }
    }

    /// A network that halves its input must see a place in the same phase in every tile.
    @Test(arguments: [4, 8], [0, 5, 16]) func tilesBeginInWholeSteps(unit: Int, overlap: Int) {
        for (height, width) in [(64, 64), (72, 200), (136, 1000)] {
            let tiles = LatentTiles.overlapping(height: height, width: width, size: 64, overlap: overlap, unit: unit)
            #expect(tiles.allSatisfy { $0.rows.lowerBound % unit == 0 && $0.columns.lowerBound % unit == 0 })
            #expect(tiles.allSatisfy { $0.rows.count == 64 && $0.columns.count == 64 })
            #expect(tiles.map(\.columns.upperBound).max() == width && tiles.map(\.rows.upperBound).max() == height)
            for starts in [Set(tiles.map(\.rows.lowerBound)).sorted(), Set(tiles.map(\.columns.lowerBound)).sorted()] {
                for (start, next) in zip(starts, starts.dropFirst()) { #expect(start + 64 - next >= overlap && next > start) }
            }
        }
    }

    @Test func weightsFallTowardsTheEdgesAndAreNeverZero() {
        let weights = LatentTiles.weights(rows: 9, columns: 20, overlap: 3)
        #expect(weights.shape == [1, 9, 20, 1])
        func weight(_ y: Int, _ x: Int) -> Float { weights.values[y * 20 + x] }
        #expect((0..<20).map { weight(4, $0) } == [0.25, 0.5, 0.75] + [Float](repeating: 1, count: 14) + [0.75, 0.5, 0.25])
        #expect(weight(0, 0) == 0.0625 && weight(8, 19) == 0.0625 && weight(1, 2) == 0.375)
        #expect(LatentTiles.weights(rows: 2, columns: 1, overlap: 8).values.allSatisfy { $0 > 0 && $0 < 1 })
        #expect(LatentTiles.weights(rows: 4, columns: 4, overlap: 0).values.allSatisfy { $0 > 0 })
    }

    /// Networks with statistics of a whole tile get tiles like the crops that they were trained on; the model's file says so.
    @Test func tilesAreTheModelsOwn() throws {
        var description = try ModelsExample.description()
        func tiling(_ options: SuperResolver.Options = .init()) throws -> Tiling {
            let tiling = try SuperResolver(ModelsExample.model(description)).tiling(options)
            return Tiling(side: tiling.side, overlap: tiling.overlap)
        }
        #expect(try tiling() == Tiling(side: 64, overlap: 16))
        description.setTiling(cropSize: 128)
        #expect(try tiling() == Tiling(side: 64, overlap: 16))
        description.ownTiling = nil
        description.diffusion.network = .paper(try ModelsExample.paperUNet(width: 8))
        #expect(try tiling() == Tiling(side: 256, overlap: 64))
        description.setTiling(cropSize: 512)
        #expect(try tiling() == Tiling(side: 128, overlap: 32))
        #expect(try tiling(.init(tile: 32)) == Tiling(side: 32, overlap: 8) && tiling(.init(overlap: 0)) == Tiling(side: 128, overlap: 0))
        try withTemporaryFolder { folder in
            let file = folder.appending(path: "model.safetensors")
            try ModelsExample.model(description).write(to: file)
            #expect(try Model(reading: file).description.tiling == Tiling(side: 128, overlap: 32))
        }
    }

    // MARK: - Tiles with a halo

    private func autoencoder(_ json: String) throws -> CompactAutoencoder {
        let store = ParameterStore(seed: 11)
        let autoencoder = CompactAutoencoder(try ModelsExample.decoded(json), in: store.root)
        ModelsExample.fillZeros(of: store, seed: 11)
        return autoencoder
    }

    private func scaled(_ tile: TileRectangle, by factor: Int) -> TileRectangle {
        func scaled(_ range: Range<Int>) -> Range<Int> { range.lowerBound * factor..<range.upperBound * factor }
        return rectangle(scaled(tile.rows), scaled(tile.columns))
    }

    private func rectangle(_ rows: Range<Int>, _ columns: Range<Int>) -> TileRectangle {
        var tile = LatentTiles.overlapping(height: 1, width: 1, size: 1, overlap: 0)[0]
        (tile.rows, tile.columns) = (rows, columns)
        return tile
    }

    /// Latents and pixels do not depend on the tiles that they are computed in.
    @Test(arguments: ModelsExample.autoencoders) func encodingAndDecodingInTiles(_ json: String) throws {
        let autoencoder = try autoencoder(json)
        let (factor, channels) = (autoencoder.configuration.factor, autoencoder.configuration.latentChannels)
        var random = Random(seed: 12)
        for (height, width, size) in [(32, 32, 8), (20, 27, 8), (33, 41, 16), (9, 40, 12), (40, 24, 32)] {
            let image = random.normal([1, height * factor, width * factor, 1])
            let whole = autoencoder.encode(image)
            let encoded = LatentTiles.assemble(
                height: height, width: width, size: size, halo: autoencoder.configuration.reach, factor: 1, channels: channels, isCancelled: { false }
            ) { autoencoder.encode(image.window(scaled($0, by: factor))) }
            expectClose(encoded, whole, "latents of \(height) × \(width) in tiles of \(size)", tolerance: 1e-5)
            let decoded = LatentTiles.assemble(
                height: height, width: width, size: size, halo: autoencoder.configuration.reach, factor: factor, channels: 1, isCancelled: { false }
            ) { autoencoder.decode(whole.window($0)) }
            expectClose(decoded, autoencoder.decode(whole), "pixels of \(height) × \(width) in tiles of \(size)", tolerance: 1e-5)
        }
    }

    /// How far a change is felt, beyond rounding: through encoder and decoder no further than the stated reach.
    @Test(arguments: ModelsExample.autoencoders) func reachIsNotExceeded(_ json: String) throws {
        let autoencoder = try autoencoder(json)
        let (factor, reach) = (autoencoder.configuration.factor, autoencoder.configuration.reach)
        let side = 2 * reach + 9
        let centre = side / 2
        var random = Random(seed: 13)
        let image = random.normal([1, side * factor, side * factor, 1])
        func distances(_ a: Tensor, _ b: Tensor, per unit: Int) -> [Int] {
            let (width, channels) = (a.shape[2], a.shape[3])
            let (own, other) = (a.values, b.values)
            // Winograd's transforms round neighbours within a tile together.
            let threshold = 1e-5 * (own.map(abs).max() ?? 0)
            return own.indices.filter { abs(own[$0] - other[$0]) > threshold }.map { index in
                let pixel = index / channels
                let (y, x) = (pixel / width / unit, pixel % width / unit)
                return max(abs(y - centre), abs(x - centre))
            }
        }
        var values = image.values
        values[centre * factor * side * factor + centre * factor] += 5
        let (before, after) = (autoencoder.encode(image), autoencoder.encode(Tensor(shape: image.shape, values: values)))
        let encoded = try #require(distances(before, after, per: 1).max())
        #expect(encoded <= reach && encoded > 0)
        var latents = before.values
        latents[(centre * side + centre) * before.shape[3]] += 5
        let changed = autoencoder.decode(Tensor(shape: before.shape, values: latents))
        let decoded = try #require(distances(autoencoder.decode(before), changed, per: factor).max())
        #expect(decoded <= reach && decoded > 0)
    }

    @Test func decodingThroughACodebookInTiles() throws {
        let configuration: CompactAutoencoder.Configuration = try ModelsExample.decoded(
            #"{"patch": 2, "width": 8, "multipliers": [1, 2], "latent_channels": 4, "codebook_size": 16, "decodes_quantized": true}"#)
        let autoencoder = CompactAutoencoder(configuration, in: ParameterStore(seed: 11).root)
        var random = Random(seed: 15)
        let latents = random.normal([1, 20, 27, 4])
        let decoded = LatentTiles.assemble(
            height: 20, width: 27, size: 8, halo: configuration.reach, factor: 4, channels: 1, isCancelled: { false }
        ) { autoencoder.decode(latents.window($0)) }
        expectClose(decoded, autoencoder.decode(latents), "pixels", tolerance: 1e-5)
    }

    @Test func emptyTilesStayZeroAndCancellationEnds() {
        var calls: [TileRectangle] = []
        let result = LatentTiles.assemble(height: 5, width: 7, size: 4, halo: 1, factor: 2, channels: 1, isCancelled: { false }) { tile in
            calls.append(tile)
            return calls.count == 2 ? nil : Tensor(repeating: Float(calls.count), shape: [1, tile.rows.count * 2, tile.columns.count * 2, 1])
        }
        #expect(
            calls == [
                rectangle(0..<5, 0..<5), rectangle(0..<5, 3..<7), rectangle(3..<5, 0..<5), rectangle(3..<5, 3..<7),
            ])
        let lower = [Float](repeating: 1, count: 8) + [Float](repeating: 0, count: 6)
        let upper = [Float](repeating: 3, count: 8) + [Float](repeating: 4, count: 6)
        let expected = [lower, lower, lower, lower, lower, lower, lower, lower, upper, upper].flatMap(\.self)
        #expect(result?.values == expected)
        var asked = 0
        let cancelled = LatentTiles.assemble(
            height: 5, width: 7, size: 4, halo: 1, factor: 2, channels: 1,
            isCancelled: {
                asked += 1
                return asked == 3
            }, body: { _ in nil })
        #expect(cancelled == nil)
    }

    // MARK: - Models

    @Test func fieldsOfAModelInTiles() throws {
        let model = try ModelsExample.model()
        let image = TrainingExample.field(width: 96, height: 80, seed: 3)
        let field = image.tensor
        func encoded(_ side: Int) -> Tensor? {
            model.encodeInTiles(height: 20, width: 24, side: side, isCancelled: { false }, field: { field.window(scaled($0, by: 4)) })
        }
        let whole = try #require(encoded(64))
        expectClose(encoded(8), whole, "latents", tolerance: 1e-5)
        let decoded = try #require(model.decodeInTiles(whole, side: 64, isCancelled: { false }, isEmpty: { _ in false }))
        expectClose(model.decodeInTiles(whole, side: 8, isCancelled: { false }, isEmpty: { _ in false }), decoded, "field", tolerance: 1e-5)
        let reconstructed = try model.reconstruct(image)
        expectClose(reconstructed.tensor, decoded, "reconstruction", tolerance: 1e-5)
        var holes = image
        (holes[10, 20], holes[90, 3]) = (.nan, .nan)
        #expect(try model.reconstruct(holes).pixels.map(\.isNaN) == holes.pixels.map(\.isNaN))
        #expect(try #require(throws: Failure.self) { try model.reconstruct(image, isCancelled: { true }) }.category == .interrupted)
    }
}
