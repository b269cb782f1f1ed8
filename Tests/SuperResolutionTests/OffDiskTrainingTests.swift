import Foundation
import SolarImage
import SuperResolution
import TensorCore
import Testing

/// Off the disk nothing is learned, whatever the pixels hold.
@Suite struct OffDiskTrainingTests {
    /// Where the limb runs through a map of 96 × 80 pixels.
    private static let limb = 50.0
    private static let radius = 960 / 0.5

    private static func isOnDisk(_ x: Int, _ y: Int) -> Bool {
        let (dx, dy) = (Double(x) - (limb - radius), Double(y) - 40)
        return dx * dx + dy * dy <= radius * radius
    }

    /// Three maps across the western limb, with what `value` gives beyond it.
    private func write(to folder: URL, knowsDisk: Bool = true, beyond value: (Int, Int) -> Float) throws {
        for index in 0..<3 {
            var header = FITSHeader()
            for (keyword, text) in [("CTYPE1", "HPLN-TAN"), ("CTYPE2", "HPLT-TAN"), ("CUNIT1", "arcsec"), ("CUNIT2", "arcsec")] {
                header.set(keyword, .string(text))
            }
            for (keyword, number) in [("CDELT1", 0.5), ("CDELT2", 0.5), ("CRPIX1", Self.limb - Self.radius + 1), ("CRPIX2", 41)] {
                header.set(keyword, .real(number))
            }
            if knowsDisk { header.set("RSUN_OBS", .real(960)) }
            header.set("HARPNUM", .integer(index + 1))
            let field = TrainingExample.field(width: 96, height: 80, seed: UInt64(index + 1)).transformed { x, y, pixel in
                Self.isOnDisk(x, y) ? pixel : value(x, y)
            }
            try FITSWriter.write(field, header: header, to: folder.appending(path: "map\(index).fits"))
        }
    }

    private func task(_ kind: ModelKind, _ folder: URL) throws -> any TrainingTask {
        var configuration = try TrainingExample.configuration(kind)
        (configuration.latentCrops, configuration.batchSize) = (0, 4)
        let collection = try TrainingExample.collection(folder)
        if kind == .corrdiff {
            return try CorrDiffRegressionTraining(
                configuration, model: ModelsExample.newModel(configuration), training: collection, validation: collection)
        }
        if kind.isDiffusion {
            let autoencoder = kind.hasAutoencoder ? try ModelsExample.model(kind: .vqgan) : nil
            let model = try DiffusionTraining.model(configuration, autoencoder: autoencoder, training: collection)
            return try DiffusionTraining(configuration, model: model, training: collection, validation: collection)
        }
        let model = ModelsExample.newModel(configuration)
        return kind == .vqgan
            ? try AutoencoderTraining(configuration, model: model, training: collection, validation: collection)
            : try RegressionTraining(configuration, model: model, training: collection, validation: collection)
    }

    /// As HMI's disks have it: noise for 45″ beyond the limb, and spikes of thousands of Gauss on it.
    private func spikes(_ x: Int, _ y: Int) -> Float {
        Double(x) < Self.limb + 3 ? [4857, -4857][(x + y) % 2] : Float((x * 37 + y * 101) % 121 - 60)
    }

    @Test(arguments: [ModelKind.vqgan, .ldmResidual, .ddpm, .ddpmResidual, .enhance, .progressive, .corrdiff])
    func lossDoesNotDependOnWhatIsOffTheDisk(_ kind: ModelKind) throws {
        try withTemporaryFolder { folder in
            func figures(_ name: String, knowsDisk: Bool = true, _ value: (Int, Int) -> Float) throws -> [Double] {
                let data = folder.appending(path: name)
                try FileManager.default.createDirectory(at: data, withIntermediateDirectories: true)
                try write(to: data, knowsDisk: knowsDisk, beyond: value)
                let task = try task(kind, data)
                return try (0..<3).map { Double(try task.loss(batch: $0).loss.item) } + [try #require(try task.validationLoss())]
            }
            let clean = try figures("clean") { _, _ in .nan }
            #expect(try figures("spikes", spikes) == clean)
            #expect(try figures("unknown", knowsDisk: false, spikes) != clean)
        }
    }

    /// The loss is the mean over pixels on the disk alone, and what a network makes of the others has no gradient.
    @Test func lossIsTheMeanOverTheDisk() throws {
        try withTemporaryFolder { folder in
            try write(to: folder, beyond: spikes)
            let collection = try TrainingExample.collection(folder)
            var random = Random(seed: 3)
            var seen = 0
            for _ in 0..<24 {
                let crop = collection.randomCrop(size: 32, &random)
                let (field, known) = try collection.maskedFields([crop])
                let guess = Parameter(random.normal(field.shape) * 50)
                let (loss, gradients) = valueWithGradient(at: [guess]) { (guess.tensor - field).squared().mean(weightedBy: known) }
                let mask = known?.values ?? [Float](repeating: 1, count: field.count)
                let (guesses, truths) = (guess.value.values, field.values)
                let terms = mask.indices.filter { mask[$0] == 1 }.map { index -> Double in
                    let difference = Double(guesses[index] - truths[index])
                    return difference * difference
                }
                #expect(Set(mask).isSubset(of: [0, 1]))
                if !terms.isEmpty { #expect(abs(Double(loss.item) / (terms.reduce(0, +) / Double(terms.count)) - 1) < 1e-5) }
                let gradient = try #require(gradients[guess])
                #expect(zip(gradient.values, mask).allSatisfy { ($0 == 0) == ($1 == 0) })
                if mask.contains(0), mask.contains(1) { seen += 1 }
            }
            #expect(seen > 2, "crops across the limb")
        }
    }

    /// The limb of a real disk of HMI: beyond it up to 4356 G, on it 37.
    @Test func realLimb() throws {
        let file = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "Fixtures/SolarImage/Instruments/limb.fits")
        try withTemporaryFolder { folder in
            try FileManager.default.copyItem(at: file, to: folder.appending(path: "limb.fits"))
            let raw = try Magnetogram(reading: file)
            #expect(raw.image.pixels.filter { abs($0) > 100 }.count > 50)
            let collection = try TrainingExample.collection(folder)
            var random = Random(seed: 0)
            var crop = collection.randomCrop(size: 96, &random)
            (crop.orientation, crop.reversesPolarity) = (0, false)
            let (field, known) = try collection.maskedFields([crop])
            let mask = try #require(known).values
            #expect(mask.filter { $0 == 1 }.count == 2334)
            #expect((field.values.map(abs).max() ?? 0) < 37 && zip(field.values, mask).allSatisfy { $1 == 1 || $0 == 0 })
            // Blocks across the limb are the mean of what is on the disk, not diluted by what is not.
            let low = try collection.lowResolution([crop], scale: 4).values
            let (whole, diluted) = (Image(field), blockMean(field, scale: 4).values)
            let masked = Image(width: 96, height: 96, pixels: zip(whole.pixels, mask).map { $1 == 1 ? $0 : .nan }).blockMean(by: 4)
            #expect(zip(low, masked.pixels).allSatisfy { $0 == ($1.isNaN ? 0 : $1) } && low != diluted)
        }
    }
}
