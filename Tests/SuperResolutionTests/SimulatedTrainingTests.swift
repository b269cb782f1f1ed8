import Foundation
import Groundwork
import SolarImage
import SuperResolution
import TensorCore
import Testing

/// Training on low resolution that is simulated anew for every crop.
@Suite struct SimulatedTrainingTests {
    private static let arcsecPerPixel = 0.504

    /// A folder of maps of 0.504″ pixels.
    private func write(_ count: Int, side: Int, to folder: URL) throws {
        for index in 0..<count {
            var header = FITSHeader()
            for (keyword, text) in [("CTYPE1", "HPLN-TAN"), ("CTYPE2", "HPLT-TAN"), ("CUNIT1", "arcsec"), ("CUNIT2", "arcsec")] {
                header.set(keyword, .string(text))
            }
            for keyword in ["CDELT1", "CDELT2"] { header.set(keyword, .real(Self.arcsecPerPixel)) }
            header.set("HARPNUM", .integer(101 + index))
            let field = TrainingExample.field(width: side, height: side, seed: UInt64(index + 1))
            try FITSWriter.write(field, header: header, to: folder.appending(path: "map\(index).fits"))
        }
    }

    private func configuration(_ model: ModelKind, _ change: (inout Degradation) -> Void = { _ in }) throws -> TrainingConfiguration {
        var configuration = try TrainingExample.configuration(model)
        var degradation = try #require(Instrument.mdi.degradation)
        change(&degradation)
        configuration.simulate = degradation
        return configuration
    }

    /// The collection as a task of this configuration has it.
    private func simulated(_ folder: URL, _ degradation: Degradation) throws -> MagnetogramCollection {
        try TrainingExample.collection(folder).simulating(degradation, at: folder)
    }

    /// What can be measured of a low resolution whose truth is known: by sums over pixels, without a Fourier transform.
    private struct Measurement {
        let width: Double, gain: Double
        /// Of `count` pixels.
        let squares: Double, count: Int

        /// - Parameter wing: taken as known.
        init(of low: Image, truth: Image, wing: (fraction: Double, width: Double)) {
            let border = 28, inner = border / 4..<low.width - border / 4
            func blurred(_ width: Double) -> Image {
                let deviation = width / 2.354820045 / SimulatedTrainingTests.arcsecPerPixel, reach = border - 1
                let kernel = (-reach...reach).map { exp(-0.5 * Double($0 * $0) / (deviation * deviation)) }, sum = kernel.reduce(0, +)
                func across(_ image: Image) -> Image {
                    // Turned over, so that two passes do both axes.
                    var result = Image(width: image.height, height: image.width, repeating: 0)
                    for y in 0..<image.height {
                        for x in reach..<image.width - reach {
                            result[y, x] = Float((0..<kernel.count).reduce(0.0) { $0 + kernel[$1] * Double(image[x + $1 - reach, y]) } / sum)
                        }
                    }
                    return result
                }
                return across(across(truth))
            }
            let stray = blurred(wing.width)
            func fit(_ width: Double) -> (squares: Double, gain: Double) {
                let core = blurred(width)
                let mean = core.transformed { x, y, value in Float((1 - wing.fraction) * Double(value) + wing.fraction * Double(stray[x, y])) }
                    .blockMean(by: 4)
                var (xx, xy, yy) = (0.0, 0.0, 0.0)
                for y in inner {
                    for x in inner {
                        let (a, b) = (Double(mean[x, y]), Double(low[x, y]))
                        (xx, xy, yy) = (xx + a * a, xy + a * b, yy + b * b)
                    }
                }
                return (yy - xy * xy / xx, xy / xx)
            }
            // The least squares by golden section.
            let ratio = (5.0.squareRoot() - 1) / 2
            var (a, b) = (2.0, 5.0)
            for _ in 0..<16 {
                let (left, right) = (b - ratio * (b - a), a + ratio * (b - a))
                if fit(left).squares < fit(right).squares { b = right } else { a = left }
            }
            width = (a + b) / 2
            (squares, gain) = fit(width)
            count = inner.count * inner.count
        }
    }

    /// Twenty crops, each with conditions of its own: what is measured is what was drawn, to 2 %; of the blur of a single crop its noise tells 5 %.
    @Test func simulatesWhatItDraws() throws {
        try withTemporaryFolder { folder in
            try write(5, side: 240, to: folder)
            var degradation = try #require(Instrument.mdi.degradation)
            (degradation.weakFieldExcess, degradation.saturation) = (0...0, nil)
            let collection = try simulated(folder, degradation)
            var random = Random(seed: 5), widths: Set<Double> = []
            var (squares, count, ratio) = (0.0, 0, 0.0)
            for _ in 0..<20 {
                let crop = collection.randomCrop(size: 192, &random)
                var own = Random(seed: try #require(crop.draw), name: "degradation")
                let drawn = degradation.observation(&own)
                let low = Image(try collection.lowResolution([crop], scale: 4))
                let found = Measurement(
                    of: low, truth: Image(try collection.fields([crop])), wing: (drawn.psf.wingFraction, drawn.psf.wingWidth))
                #expect(abs(found.width / drawn.psf.width - 1) < 0.05, "\(found.width) for \(drawn.psf.width)")
                ratio += found.width / drawn.psf.width / 20
                #expect(abs(found.gain / (drawn.gain / degradation.gain) - 1) < 0.02, "\(found.gain) for \(drawn.gain)")
                // Noise in units of what it should be, on HMI's scale.
                squares += found.squares / (drawn.noise / degradation.gain) / (drawn.noise / degradation.gain)
                count += found.count - 2
                #expect(degradation.width.contains(drawn.psf.width) && degradation.noise.contains(drawn.noise / degradation.gain))
                widths.insert(drawn.psf.width)
            }
            #expect(widths.count == 20, "no two crops alike")
            #expect(abs(ratio - 1) < 0.01, "blur \(ratio)")
            #expect(abs((squares / Double(count)).squareRoot() - 1) < 0.02, "noise \((squares / Double(count)).squareRoot())")
        }
    }

    /// Of a uniform field only the gain is seen: its deviation, and that it stays alike over the stated width. White noise under a Gaussian of standard
    /// deviation s correlates by exp(−d² / 4s²) at a distance d.
    @Test func gainVariesFromPlaceToPlace() throws {
        try withTemporaryFolder { folder in
            try write(1, side: 256, to: folder)
            let map = folder.appending(path: "map0.fits")
            let header = try FITSFile(reading: map).firstImage().header
            try FileManager.default.removeItem(at: map)
            try FITSWriter.write(Image(width: 256, height: 256, repeating: 1000), header: header, to: map)
            var degradation = try #require(Instrument.mdi.degradation)
            (degradation.noise, degradation.gainScatter, degradation.weakFieldExcess) = (0...0, 1...1, 0...0)
            (degradation.gainVariation, degradation.gainVariationWidth) = (0.08...0.08, 10)
            let collection = try simulated(folder, degradation)
            var random = Random(seed: 3)
            var (squares, products, count) = (0.0, 0.0, 0)
            for _ in 0..<20 {
                let low = Image(try collection.lowResolution([collection.randomCrop(size: 192, &random)], scale: 4))
                for y in 0..<low.height {
                    for x in 2..<low.width {
                        // Half of the crops are of the other polarity.
                        let (here, near) = (Double(abs(low[x, y])) / 1000 - 1, Double(abs(low[x - 2, y])) / 1000 - 1)
                        (squares, products, count) = (squares + here * here, products + here * near, count + 1)
                    }
                }
            }
            #expect(abs((squares / Double(count)).squareRoot() / 0.08 - 1) < 0.05, "\((squares / Double(count)).squareRoot())")
            let deviation = 10 / 2.354820045 / (4 * Self.arcsecPerPixel)
            #expect(abs(products / squares - exp(-1 / (deviation * deviation))) < 0.03, "\(products / squares)")
        }
    }

    @Test func drawsDependOnTheSeedAlone() throws {
        try withTemporaryFolder { folder in
            try write(3, side: 64, to: folder)
            for kind in [ModelKind.enhance, .ddpmResidual] {
                func losses(seed: UInt64) throws -> [Float] {
                    var configuration = try configuration(kind)
                    configuration.seed = seed
                    let collection = try simulated(folder, try #require(configuration.simulate))
                    let model =
                        kind == .enhance
                        ? ModelsExample.newModel(configuration)
                        : try DiffusionTraining.model(configuration, autoencoder: nil, training: collection)
                    let task: any TrainingTask =
                        kind == .enhance
                        ? try RegressionTraining(configuration, model: model, training: collection, validation: nil)
                        : try DiffusionTraining(configuration, model: model, training: collection, validation: nil)
                    // In another order than the first time.
                    return try (seed == 2 ? [0, 1] : [1, 0]).map { try task.loss(batch: $0).loss.item }
                }
                let first = try losses(seed: 1)
                #expect(try losses(seed: 1) == first && first[0] != first[1])
            }
            let collection = try simulated(folder, try #require(Instrument.mdi.degradation))
            var random = Random(seed: 1)
            let crop = collection.randomCrop(size: 32, &random)
            var other = crop
            other.draw = try #require(crop.draw) + 1
            func low(_ crop: MagnetogramCollection.Crop) throws -> [Float] { try collection.lowResolution([crop], scale: 4).values }
            #expect(try low(crop) == low(crop) && low(other) != low(crop))
            // The plain block mean draws nothing, so that what was trained without simulation stays what it was.
            let plain = try TrainingExample.collection(folder)
            var same = Random(seed: 1)
            let unsimulated = plain.randomCrop(size: 32, &same)
            #expect(unsimulated.draw == nil && unsimulated.x == crop.x && unsimulated.orientation == crop.orientation)
            expectClose(
                try plain.lowResolution([unsimulated], scale: 4), blockMean(try plain.fields([unsimulated]), scale: 4), "", tolerance: 1e-6)
        }
    }

    /// The model says what it was made for; one of before does not, and was made for block means of HMI.
    @Test func modelTellsItsInput() throws {
        try withTemporaryFolder { folder in
            let data = folder.appending(path: "data")
            try createFolder(data)
            try write(3, side: 64, to: data)
            for (simulates, input) in [(true, ModelInput(instrument: "mdi", degradation: Instrument.mdi.degradation)), (false, nil)] {
                var configuration = try configuration(.enhance) { $0.noise = 4...20 }
                if !simulates { configuration.simulate = nil }
                (configuration.steps, configuration.validateEvery) = (1, 0)
                let run = try TrainingExample.run("\(simulates)", in: folder)
                _ = try Trainer(configuration, data: data, logger: .init(label: "test")).run(run, report: { _ in }, shouldStop: { false })
                #expect(try Model(reading: run.model).description.input == input)
            }
            #expect(try ModelsExample.decoded(ModelsExample.json, as: ModelDescription.self).input == nil)
        }
    }

    @Test func refusesWhatItCannotSimulate() throws {
        try withTemporaryFolder { folder in
            try TrainingExample.writeMaps(2, to: folder)
            func failure(_ configuration: TrainingConfiguration) throws -> Failure {
                try #require(throws: Failure.self) { try Trainer(configuration, data: folder, logger: .init(label: "test")) }
            }
            let bare = try failure(try configuration(.enhance))
            #expect(bare.category == .badData && bare.location?.contains("map0.fits, CDELT1") == true, "\(bare)")
            try FITSWriter.write(
                TrainingExample.field(width: 96, height: 80, seed: 1), header: FITSHeader(),
                extensions: [("LR", Image(width: 24, height: 20, repeating: 0), FITSHeader())], to: folder.appending(path: "pair.fits"))
            let pair = try failure(try configuration(.enhance))
            #expect(pair.category == .usage && pair.location?.contains("pair.fits") == true, "\(pair)")
        }
        let changes: [(inout Degradation) -> Void] = [
            { $0.noise = -1...4 }, { $0.gain = 0 }, { $0.wingFraction = 0...2 }, { $0.gainVariation = 0...2 },
        ]
        for change in changes {
            let configuration = try configuration(.enhance, change)
            let failure = #expect(throws: Failure.self) { try configuration.validate() }
            #expect(failure?.category == .configuration && failure?.problem.contains("simulate") == true)
        }
        var autoencoder = try TrainingExample.configuration(.vqgan)
        autoencoder.simulate = Instrument.mdi.degradation
        #expect(throws: Failure.self) { try autoencoder.validate() }
    }

    /// In a file an instrument's name stands for its ranges, and single ranges may be given.
    @Test func configurationFilesNameAnInstrument() throws {
        let plain = try TrainingExample.configuration(.enhance)
        #expect(plain.simulate == nil)
        let named = try plain.overlaid(with: ["simulate": "mdi"], at: "x.yaml")
        #expect(named.simulate == Instrument.mdi.degradation)
        #expect(try TrainingConfiguration(yaml: named.yaml(), at: "x.yaml") == named)
        let narrowed = try named.overlaid(with: ["simulate": ["noise": [4, 12]]], at: "x.yaml")
        #expect(narrowed.simulate?.noise == 4...12 && narrowed.simulate?.width == named.simulate?.width)
        for wrong: Any in ["hmi", "moon", ["noise": [12, 4]]] {
            #expect(throws: Failure.self) { try named.overlaid(with: ["simulate": wrong], at: "x.yaml") }
        }
    }
}
