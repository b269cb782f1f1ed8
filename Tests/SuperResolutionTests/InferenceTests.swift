import Foundation
import Groundwork
import SolarImage
import SuperResolution
import TensorCore
import Testing

/// Super-resolution by a small model with random weights.
@Suite(.serialized) struct InferenceTests {
    private typealias Options = SuperResolver.Options

    private func low(width: Int = 24, height: Int = 20) -> Image { TrainingExample.field(width: width, height: height, seed: 21) }

    private func expectClose(_ image: Image, _ expected: Image, _ what: String, tolerance: Float, sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(image.width == expected.width && image.height == expected.height, "\(what)", sourceLocation: sourceLocation)
        #expect(image.pixels.map(\.isNaN) == expected.pixels.map(\.isNaN), "\(what)", sourceLocation: sourceLocation)
        let error = relativeError(image.tensor, expected.tensor)
        #expect(error <= tolerance, "\(what): relative error \(error)", sourceLocation: sourceLocation)
    }

    private func expectSame(_ image: Image, _ expected: Image, _ what: String, sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(image.pixels.map(\.bitPattern) == expected.pixels.map(\.bitPattern), "\(what)", sourceLocation: sourceLocation)
    }

    // MARK: - Results

    @Test func sizeAndProgress() throws {
        var fractions: [Double] = []
        let resolver = try SuperResolver(try ModelsExample.model())
        let result = try resolver.superResolve(low(), options: Options(steps: 3), progress: { fractions.append($0) })
        #expect(result.width == 96 && result.height == 80 && result.pixels.allSatisfy { $0.isFinite })
        #expect(fractions.last == 1 && fractions.count >= 5)
        #expect(zip(fractions, fractions.dropFirst()).allSatisfy { $0 <= $1 } && fractions.allSatisfy { (0...1).contains($0) })
    }

    @Test func seedsAndSamples() throws {
        let resolver = try SuperResolver(try ModelsExample.model())
        func result(seed: UInt64, sample: Int) throws -> Image {
            try resolver.superResolve(low(), options: Options(steps: 2, seed: seed), sample: sample)
        }
        let first = try result(seed: 1, sample: 0)
        expectSame(try result(seed: 1, sample: 0), first, "again")
        #expect(try result(seed: 2, sample: 0).greatestDifference(from: first) > 1)
        #expect(try result(seed: 1, sample: 1).greatestDifference(from: first) > 1)
    }

    /// Three steps by every sampler, and a model whose noise schedule has three.
    private static let samplers = [
        Options(sampler: .dpmSolver, steps: 3), Options(sampler: .ddim, steps: 3, eta: 1), Options(sampler: .ddpm, steps: 3),
    ]

    private func modelOfThreeSteps() throws -> Model {
        var description = try ModelsExample.description()
        description.diffusion.schedule = NoiseSchedule(steps: 3, firstBeta: 0.3, lastBeta: 0.8)
        return ModelsExample.model(description)
    }

    @Test(arguments: samplers) func resultsDoNotDependOnTheThreadCount(_ options: SuperResolver.Options) throws {
        let resolver = try SuperResolver(try modelOfThreeSteps())
        var options = options
        (options.tile, options.overlap) = (24, 8)
        let before = Parallel.threadCount
        defer { Parallel.threadCount = before }
        let results = try [1, 2, 3].map { count in
            Parallel.threadCount = count
            return try resolver.superResolve(low(width: 40, height: 37), options: options)
        }
        expectSame(results[1], results[0], "two threads")
        expectSame(results[2], results[0], "three threads")
    }

    /// A network that gives zero leaves what sampler and noise make of it: one stream a sample, the initial noise first, then that of each step.
    @Test(arguments: samplers) func noiseIsOneStream(_ options: SuperResolver.Options) throws {
        let model = try modelOfThreeSteps()
        for name in ["conv_out.weight", "conv_out.bias"] {
            let parameter = try #require(model.networkStore[name])
            parameter.value = Tensor(zeros: parameter.value.shape)
        }
        let diffusion = model.description.diffusion
        let low = low()
        var options = options
        (options.observation, options.seed) = (nil, 6)
        let field = upsampleNearest(low.tensor, scale: 4)
        let encoded = try #require(model.encodeInTiles(height: 20, width: 24, side: 64, isCancelled: { false }) { _ in field })
        var random = Random(seed: 6, name: "sample 2 of \(try low.pixelDigest())")
        func noise() -> Tensor { random.normal(encoded.shape) }
        let steps = try diffusion.schedule.samplingSteps(options.sampler, count: 3, eta: options.eta)
        let latents = drawSample(from: noise(), steps: steps, target: .velocity, noise: noise) { noisy, _ in Tensor(zeros: noisy.shape) }
        let decoded = try #require(
            model.decodeInTiles(encoded + diffusion.statistics.denormalizeTarget(latents), side: 64, isCancelled: { false }, isEmpty: { _ in false }))
        let result = try SuperResolver(model).superResolve(low, options: options, sample: 2)
        expectClose(result, Image(width: 96, height: 80, pixels: decoded.values), "field", tolerance: 1e-6)
        #expect(random.position == UInt64(encoded.count) * (options.sampler == .dpmSolver ? 1 : 3))
    }

    @Test func everySamplerGivesItsOwn() throws {
        let resolver = try SuperResolver(try modelOfThreeSteps())
        let results = try (Self.samplers + [Options(sampler: .ddim, steps: 3), Options(sampler: .ddim, steps: 3, eta: 0.5)]).map {
            try resolver.superResolve(low(), options: $0)
        }
        for (index, result) in results.enumerated() {
            #expect(result.pixels.allSatisfy { $0.isFinite })
            for other in results.prefix(index) { #expect(result.greatestDifference(from: other) > 0.1) }
        }
    }

    /// Before any work.
    @Test func stepsThatTheModelDoesNotHave() throws {
        let resolver = try SuperResolver(try modelOfThreeSteps())
        for options in [Options(sampler: .ddpm, steps: 2), Options(sampler: .dpmSolver, steps: 4), Options(steps: 20)] {
            let failure = try #require(throws: Failure.self) {
                try resolver.superResolve(
                    low(), options: options, progress: { Issue.record("progress \($0)") },
                    isCancelled: {
                        Issue.record("asked whether cancelled")
                        return false
                    })
            }
            #expect(failure.category == .usage)
            #expect(throws: failure) { try resolver.check(options) }
        }
    }

    @Test func blockMeansAreThoseOfTheInput() throws {
        let resolver = try SuperResolver(try ModelsExample.model())
        var low = low(width: 30, height: 23)
        low[3, 4] = .nan
        let free = try resolver.superResolve(low, options: Options(steps: 2, observation: nil))
        #expect(free.blockMean(by: 4).greatestDifference(from: low) > 1)
        let consistent = try resolver.superResolve(low, options: Options(steps: 2, observation: .exact))
        #expect(consistent.blockMean(by: 4).greatestDifference(from: low) < 1e-3)
        let observation = LinearObservation(psf: PointSpreadFunction(width: 6.6), noise: 11.6, arcsecPerPixel: 1)
        let observed = try resolver.superResolve(low, options: Options(steps: 2, observation: observation))
        expectClose(observed, free.consistent(with: low, by: observation), "by the observation", tolerance: 0)
        #expect(observed.blockMean(by: 4).greatestDifference(from: low) > 1)
        expectClose(try resolver.superResolve(low, options: Options(steps: 2)), consistent, "by default", tolerance: 0)
    }

    // MARK: - Missing pixels

    @Test func missingPixelsStayMissing() throws {
        let resolver = try SuperResolver(try ModelsExample.model())
        var low = low(width: 41, height: 22)
        for y in 0..<22 { for x in 0..<41 where x + y < 12 || (x, y) == (20, 11) { low[x, y] = .nan } }
        for observation in [nil, LinearObservation.exact, LinearObservation(psf: PointSpreadFunction(width: 6.6), noise: 11.6, arcsecPerPixel: 1)] {
            let result = try resolver.superResolve(low, options: Options(steps: 1, tile: 16, overlap: 4, observation: observation))
            #expect(result.pixels.map(\.isNaN) == low.replicated(by: 4).pixels.map(\.isNaN))
        }
    }

    @Test func nothingButMissingPixels() throws {
        let resolver = try SuperResolver(try ModelsExample.model())
        for (width, height) in [(1, 1), (40, 20)] {
            let low = Image(width: width, height: height, repeating: .nan)
            let result = try resolver.superResolve(low, options: Options(steps: 2, tile: 16, overlap: 4))
            #expect(result.width == 4 * width && result.height == 4 * height && result.pixels.allSatisfy { $0.isNaN })
        }
    }

    /// A tile without data is not worked on, and what lies beyond its neighbours does not change.
    @Test func emptyTilesAreLeftOut() throws {
        let resolver = try SuperResolver(try ModelsExample.model())
        // More tiles than are worked on together.
        let low = low(width: 1024, height: 64).transformed { x, _, value in x < 256 ? value : .nan }
        let options = Options(steps: 1, tile: 64, overlap: 4)
        var (full, part) = (0, 0)
        _ = try resolver.superResolve(self.low(width: 1024, height: 64), options: options, progress: { _ in full += 1 })
        _ = try resolver.superResolve(low, options: options, progress: { _ in part += 1 })
        #expect(part < full)
    }

    // MARK: - Sizes and tiles

    @Test(arguments: [(1, 1), (3, 2), (4, 4), (5, 9), (17, 6), (24, 21)]) func anySize(width: Int, height: Int) throws {
        let resolver = try SuperResolver(try ModelsExample.model())
        let low = low(width: width, height: height)
        let result = try resolver.superResolve(low, options: Options(steps: 2))
        #expect(result.width == 4 * width && result.height == 4 * height)
        #expect(result.blockMean(by: 4).greatestDifference(from: low) < 1e-3)
        // As if the edge pixels went on to the next multiple of four.
        let (columns, rows) = ((width + 3) / 4 * 4, (height + 3) / 4 * 4)
        var padded = Image(width: columns, height: rows, repeating: 0)
        for y in 0..<rows { for x in 0..<columns { padded[x, y] = low[min(x, width - 1), min(y, height - 1)] } }
        let options = Options(steps: 2, observation: nil, noise: .shared)
        let whole = try resolver.superResolve(padded, options: options)
        expectSame(
            try resolver.superResolve(low, options: options), whole.cropped(x: 0, y: 0, width: 4 * width, height: 4 * height),
            "cut from the padded image")
    }

    /// A network that gives zero depends on no tile: what is left of tiles is the autoencoder's part.
    @Test(arguments: ModelsExample.autoencoders) func autoencodingInTilesIsExact(_ autoencoder: String) throws {
        var description = try ModelsExample.description()
        description.autoencoder = try ModelsExample.decoded(autoencoder)
        let channels = description.autoencoder.compact.latentChannels
        description.diffusion.statistics = LatentStatistics(target: Tensor(zeros: [2, channels]), condition: Tensor(zeros: [2, channels]))
        let model = Model(description, seed: 14)
        let resolver = try SuperResolver(model)
        for (width, height) in [(70, 45), (64, 64), (33, 90)] {
            let low = low(width: width, height: height)
            let whole = try resolver.superResolve(low, options: Options(steps: 1, tile: 1024, observation: nil))
            for (steps, tile) in [(1, 32), (2, 32), (1, 20)] {
                let tiled = try resolver.superResolve(low, options: Options(steps: steps, tile: tile, overlap: 8, observation: nil))
                // The inverse of arcsinh magnifies what rounding does to strong field.
                expectClose(tiled, whole, "\(width) × \(height), \(steps) steps in tiles of \(tile)", tolerance: 5e-5)
            }
        }
    }

    /// A network that gives the same everywhere does so in tiles: the weights of overlapping tiles add up to one.
    @Test(arguments: samplers) func predictionsOfTilesAreAveraged(_ options: SuperResolver.Options) throws {
        let model = try modelOfThreeSteps()
        let weight = try #require(model.networkStore["conv_out.weight"])
        weight.value = Tensor(zeros: weight.value.shape)
        let resolver = try SuperResolver(model)
        let low = low(width: 70, height: 45)
        var (inOne, inMany) = (options, options)
        (inOne.tile, inOne.observation) = (1024, nil)
        (inMany.tile, inMany.overlap, inMany.observation) = (32, 8, nil)
        let whole = try resolver.superResolve(low, options: inOne)
        let tiled = try resolver.superResolve(low, options: inMany)
        expectClose(tiled, whole, "in tiles", tolerance: 5e-5)
        // A network whose bias is another gives something else.
        model.networkStore["conv_out.bias"]?.value = Tensor(zeros: [4])
        #expect(try resolver.superResolve(low, options: inOne).greatestDifference(from: whole) > 1)
    }

    @Test func paperNetworkInTiles() throws {
        var description = try ModelsExample.description()
        description.diffusion.network = .paper(try ModelsExample.paperUNet(width: 4))
        description.diffusion.prediction = .noise
        description.normalization = .paper
        let resolver = try SuperResolver(ModelsExample.model(description))
        let low = low(width: 43, height: 18)
        let result = try resolver.superResolve(low, options: Options(steps: 2, tile: 16, overlap: 8))
        #expect(result.width == 172 && result.height == 72 && result.pixels.allSatisfy { $0.isFinite })
        #expect(result.blockMean(by: 4).greatestDifference(from: low) < 1e-2)
    }

    /// As used, not as asked for.
    @Test func tilingIsTold() throws {
        let options = Options(tile: 28, overlap: 5)
        // Latents of one LR pixel, halved twice by the network; of two.
        let tiling = try SuperResolver(ModelsExample.model()).tiling(options)
        #expect(tiling == (28, 5))
        var description = try ModelsExample.description()
        description.autoencoder = try ModelsExample.decoded(ModelsExample.autoencoders[4])
        description.diffusion.statistics = LatentStatistics(channels: 3)
        let coarse = try SuperResolver(ModelsExample.model(description)).tiling(options)
        #expect(coarse == (24, 4))
        let regression = try SuperResolver(ModelsExample.newModel(TrainingConfiguration(model: .enhance, preset: .tiny)))
        #expect(regression.tiling(options) == (256, 32) && regression.tiling(Options(tile: 512, overlap: 64)) == (512, 64))
    }

    // MARK: - Cancelling

    @Test func cancelledAtAnyTime() throws {
        let resolver = try SuperResolver(try ModelsExample.model())
        let options = Options(steps: 2, tile: 16, overlap: 4)
        var asked = 0
        _ = try resolver.superResolve(
            low(), options: options,
            isCancelled: {
                asked += 1
                return false
            })
        #expect(asked > 6)
        for moment in 1...asked {
            var count = 0
            let failure = try #require(throws: Failure.self) {
                try resolver.superResolve(
                    low(), options: options,
                    isCancelled: {
                        count += 1
                        return count >= moment
                    })
            }
            #expect(failure.category == .interrupted && count == moment)
        }
    }
}
