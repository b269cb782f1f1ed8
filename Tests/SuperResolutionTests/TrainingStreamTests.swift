import Foundation
import Groundwork
import SolarImage
import SuperResolution
import TensorCore
import Testing

/// Magnetograms that are read while a run goes on, with more of them than memory holds.
@Suite struct TrainingStreamTests {
    private let all = MemorySize(bytes: 1 << 30)
    private let none = MemorySize(bytes: 0)

    private func trainer(_ configuration: TrainingConfiguration, _ data: URL, _ memory: MemorySize) throws -> Trainer {
        try Trainer(configuration, data: data, memory: memory, logger: .init(label: "test"))
    }

    /// A folder of three maps to train on and one for validation.
    private func withData(_ body: (_ folder: URL, _ data: URL) throws -> Void) throws {
        try withTemporaryFolder { folder in
            let data = folder.appendingPathComponent("data")
            for (part, count) in [("train", 3), ("validation", 1)] {
                try createFolder(data.appendingPathComponent(part))
                try TrainingExample.writeMaps(count, to: data.appendingPathComponent(part))
            }
            try body(folder, data)
        }
    }

    private func configuration(_ kind: ModelKind) throws -> TrainingConfiguration {
        var configuration = try TrainingExample.configuration(kind)
        (configuration.steps, configuration.validateEvery, configuration.saveEvery) = (12, 6, 6)
        if kind == .corrdiff { configuration.regressionTraining.steps = 8 }
        return configuration
    }

    /// Flips the lowest bit of a value in a file's data, which the header does not tell.
    private func damage(_ file: URL) throws {
        var bytes = try Data(contentsOf: file)
        bytes[bytes.count - 2880 * 3 + 3] ^= 1
        try bytes.write(to: file, options: .atomic)
    }

    // MARK: - Memory

    /// Micro-batches ask for parts of batches; the crops are those of whole ones.
    @Test func partsOfABatchAreThoseOfTheWhole() throws {
        try withData { folder, data in
            var configuration = try configuration(.enhance)
            (configuration.batchSize, configuration.accumulate, configuration.microBatch) = (3, 2, 2)
            let collection = try TrainingExample.collection(data.appendingPathComponent("train"))
            let task = try RegressionTraining(configuration, model: ModelsExample.newModel(configuration), training: collection, validation: nil)
            let parts = MicroBatches(configuration).parts
            #expect(parts.map(\.members) == [0..<2, 2..<3, 0..<2, 2..<3])
            // Announced or not, in their order or not.
            let unannounced = try parts.map { try task.loss(batch: $0.batch, members: $0.members).loss.item }
            task.prepare(parts)
            #expect(try parts.map { try task.loss(batch: $0.batch, members: $0.members).loss.item } == unannounced)
            task.prepare(parts.reversed())
            #expect(try parts.map { try task.loss(batch: $0.batch, members: $0.members).loss.item } == unannounced)
            #expect(task.secondsWaited > 0)
        }
    }

    @Test func noMoreIsKeptThanMemoryHolds() throws {
        try withTemporaryFolder { folder in
            try TrainingExample.writeMaps(6, to: folder)
            let bytes = 4 * 96 * 80
            let store = MagnetogramStore(memory: MemorySize(bytes: 3 * bytes + 5), logger: .init(label: "test"))
            let collection = try MagnetogramCollection(folder: folder, store: store, logger: .init(label: "test"))
            #expect(store.keptBytes == 0)
            let whole = try TrainingExample.collection(folder)
            var random = Random(seed: 5)
            for _ in 0..<40 {
                let crop = collection.randomCrop(size: 32, &random)
                #expect(try collection.fields([crop]).values == whole.fields([crop]).values)
                #expect(store.keptBytes <= 3 * bytes && store.keptBytes % bytes == 0)
            }
            #expect(store.keptBytes == 3 * bytes && whole.store.keptBytes == 6 * bytes)
        }
    }

    /// Every thread that asks gets the same fields, whoever reads them.
    @Test func manyMayAskAtATime() throws {
        try withTemporaryFolder { folder in
            try TrainingExample.writeMaps(4, to: folder)
            let store = MagnetogramStore(memory: MemorySize(bytes: 2 * 4 * 96 * 80), logger: .init(label: "test"))
            let collection = try MagnetogramCollection(folder: folder, store: store, logger: .init(label: "test"))
            var random = Random(seed: 6)
            let crops = (0..<64).map { _ in collection.randomCrop(size: 32, &random) }
            let found = Parallel.map(crops.count) { index in Result { try collection.fields([crops[index]]).values } }
            let whole = try TrainingExample.collection(folder)
            for (crop, values) in zip(crops, found) { #expect(try values.get() == whole.fields([crop]).values) }
        }
    }

    /// Maps are found as by their areas one after the other, however many there are.
    @Test func drawsAreThoseOfASumOverAreas() throws {
        let entries = (0..<500).map { index in
            MagnetogramCollection.Entry(
                url: URL(fileURLWithPath: "/\(index)"), width: 32 + index * 37 % 1000, height: 32 + index * 53 % 900, regions: [], digest: "")
        }
        let collection = MagnetogramCollection(entries: entries, store: MagnetogramStore(logger: .init(label: "test")))
        let areas = entries.map { $0.width * $0.height }
        var (random, again) = (Random(seed: 9), Random(seed: 9))
        for _ in 0..<2000 {
            var pixel = Double(again.uniform()) * Double(areas.reduce(0, +)), file = 0
            while file < areas.count - 1, pixel >= Double(areas[file]) {
                pixel -= Double(areas[file])
                file += 1
            }
            #expect(collection.randomCrop(size: 32, &random).file == file)
            again = random
        }
    }

    // MARK: - Files that change

    /// A file whose header promises what its pixels do not hold counts for nothing, and the others are trained on.
    @Test func aFileWithoutData() throws {
        try withData { folder, data in
            let file = data.appendingPathComponent("train/map9.fits")
            try TrainingExample.write(Image(width: 96, height: 80, repeating: .nan), harp: 109, to: file)
            let collection = try TrainingExample.collection(data.appendingPathComponent("train"))
            let index = try #require(collection.entries.firstIndex { $0.url.lastPathComponent == "map9.fits" })
            var random = Random(seed: 4)
            var crop = collection.randomCrop(size: 32, &random)
            (crop.file, crop.x, crop.y) = (index, 8, 4)
            let (field, known) = try collection.maskedFields([crop])
            #expect(field.values.allSatisfy { $0 == 0 } && known?.values.allSatisfy { $0 == 0 } == true)
            #expect(collection.store.reason(against: collection.entries[index])?.contains("no pixel has a value") == true)

            for kind in [ModelKind.vqgan, .ddpm, .enhance, .corrdiff] {
                let run = try TrainingExample.run("\(kind)", in: folder)
                _ = try trainer(configuration(kind), data, none).run(run, report: { _ in }, shouldStop: { false })
                #expect(try trainer(configuration(kind), data, none).remarks(resuming: run) == [])
            }

            let alone = folder.appendingPathComponent("alone")
            try createFolder(alone)
            try FileManager.default.copyItem(at: file, to: alone.appendingPathComponent("map9.fits"))
            crop.file = 0
            let failure = try #require(throws: Failure.self) { try TrainingExample.collection(alone).fields([crop]) }
            #expect(failure.problem == "no FITS file can be trained on" && failure.found?.contains("map9.fits") == true, "\(failure)")
        }
    }

    /// The run ends with the file's name, and goes on bit for bit once the file is whole again.
    @Test(arguments: [false, true]) func aFileThatBecomesUnreadable(isGone: Bool) throws {
        try withData { folder, data in
            let (run, whole) = (try TrainingExample.run("run", in: folder), try TrainingExample.run("whole", in: folder))
            var configuration = try configuration(.ddpm)
            configuration.steps = 30
            let file = data.appendingPathComponent("train/map1.fits"), bytes = try Data(contentsOf: file)
            let failure = try #require(throws: Failure.self) {
                try trainer(configuration, data, none).run(run) { progress in
                    guard progress.step == 7 else { return }
                    do {
                        try FileManager.default.removeItem(at: file)
                        if !isGone { try bytes.prefix(bytes.count - 2880 * 4).write(to: file) }
                    } catch { Issue.record(error) }
                } shouldStop: {
                    false
                }
            }
            #expect(failure.category == (isGone ? .missingInput : .badData) && failure.location?.hasPrefix(file.path) == true, "\(failure)")
            try bytes.write(to: file)
            #expect(try trainer(configuration, data, none).remarks(resuming: run) == [])
            for run in [run, whole] { _ = try trainer(configuration, data, none).run(run, report: { _ in }, shouldStop: { false }) }
            try TrainingExample.expectSameFiles(run.model, whole.model)
        }
    }

    @Test func aMapThatChangesDuringTheRun() throws {
        try withData { folder, data in
            let file = data.appendingPathComponent("train/map2.fits")
            let field = { (seed: UInt64) in TrainingExample.field(width: 96, height: 80, seed: seed) }
            /// At once: a reader sees the one or the other.
            func replace(_ image: Image) throws {
                let other = folder.appendingPathComponent("other.fits")
                try TrainingExample.write(image, harp: 103, to: other)
                #expect(rename(other.path, file.path) == 0)
            }
            // Its pixels alone, or all of it.
            let changes: [() throws -> Void] = [{ try damage(file) }, { try replace(field(77)) }]
            for (index, change) in changes.enumerated() {
                let run = try TrainingExample.run("run\(index)", in: folder)
                try replace(field(3))
                let failure = try #require(throws: Failure.self) {
                    try trainer(configuration(.enhance), data, none).run(run) { progress in
                        guard progress.step == 3 else { return }
                        do { try change() } catch { Issue.record(error) }
                    } shouldStop: {
                        false
                    }
                }
                #expect(failure.category == .badData && failure.location == file.path && failure.problem.contains("not what it was"), "\(failure)")
            }
        }
    }

    /// Where the header does not tell, the map is refused when it is read.
    @Test func aMapThatChangedBeforeTheRunGoesOn() throws {
        try withData { folder, data in
            let run = try TrainingExample.run("run", in: folder)
            let file = data.appendingPathComponent("train/map0.fits")
            var step = 0
            _ = try trainer(configuration(.ddpm), data, all).run(run, report: { step = $0.step }, shouldStop: { step == 6 })
            try damage(file)
            let failure = try #require(throws: Failure.self) {
                let trainer = try trainer(configuration(.ddpm), data, all)
                _ = try trainer.remarks(resuming: run)
                _ = try trainer.run(run, report: { _ in }, shouldStop: { false })
            }
            #expect(failure.category == .badData && failure.location == file.path, "\(failure)")
        }
    }

    /// Checkpoints of earlier versions know magnetograms by their pixels alone.
    @Test func checkpointsThatKnowPixelsAlone() throws {
        try withData { folder, data in
            let run = try TrainingExample.run("run", in: folder)
            var step = 0
            _ = try trainer(configuration(.vqgan), data, all).run(run, report: { step = $0.step }, shouldStop: { step == 6 })
            func files(_ part: String) throws -> String {
                let maps = try fitsFiles(in: data.appendingPathComponent(part))
                let parts = try maps.map { file in
                    #"{"name":"\#(file.lastPathComponent)","digest":"\#(try Magnetogram(reading: file).image.pixelDigest().prefix(16))"}"#
                }
                return "[\(parts.joined(separator: ","))]"
            }
            let checkpoint = try SafetensorsFile(reading: run.last)
            let known = #"{"training":\#(try files("train")),"validation":\#(try files("validation"))}"#
            try writeSafetensors(
                try checkpoint.names.map { ($0, try checkpoint.tensor(named: $0)) },
                metadata: ["sr.progress": try #require(checkpoint.metadata["sr.progress"]), "sr.data": known], to: run.last)
            func remarks() throws -> [String] { try trainer(configuration(.vqgan), data, all).remarks(resuming: run) }
            // But for what the checkpoint does not tell either: its digest, configuration and program.
            #expect(try remarks().count == 2)
            let file = data.appendingPathComponent("train/map1.fits")
            try damage(file)
            let failure = try #require(throws: Failure.self) { try remarks() }
            #expect(failure.location == run.last.path && failure.found == "1 changed: map1.fits", "\(failure)")
        }
    }

    /// The same pixels in another file are the same.
    @Test func otherHeadersOfTheSamePixels() throws {
        try withData { folder, data in
            let run = try TrainingExample.run("run", in: folder)
            var step = 0
            _ = try trainer(configuration(.ddpm), data, all).run(run, report: { step = $0.step }, shouldStop: { step == 6 })
            let file = data.appendingPathComponent("train/map0.fits")
            let map = try Magnetogram(reading: file)
            var header = map.header
            header.addHistory("touched")
            try FITSWriter.write(map.image, header: header, to: file, overwrite: true)
            #expect(try trainer(configuration(.ddpm), data, all).remarks(resuming: run) == [])
        }
    }
}
