import Foundation
import Groundwork
import SolarImage
import SuperResolution
import TensorCore
import Testing

/// What a model tells of the data that it was trained on, and of inputs unlike them.
@Suite struct TrainedDataTests {
    /// - Parameter cdelt: pixel size and unit, of a map in degrees if that is `deg`; nil for a header without a grid.
    private func header(_ cdelt: (Double, String)?) -> FITSHeader {
        var header = FITSHeader()
        header.set("BUNIT", .string("Gauss"))
        guard let cdelt else { return header }
        let projections = cdelt.1 == "deg" ? ["CRLN-CEA", "CRLT-CEA"] : ["HPLN-TAN", "HPLT-TAN"]
        for axis in 1...2 {
            header.set("CTYPE\(axis)", .string(projections[axis - 1]))
            header.set("CUNIT\(axis)", .string(cdelt.1))
            header.set("CDELT\(axis)", .real(cdelt.0))
        }
        return header
    }

    private func image(_ width: Int, _ height: Int, _ value: (Int) -> Int) -> Image {
        Image(width: width, height: height, pixels: (0..<width * height).map { Float(value($0)) })
    }

    private func numbered(_ step: Float) -> Image { Image(width: 9, height: 7, pixels: (0..<63).map { step * Float($0) - 10.5 }) }

    /// The digest of three maps, a pair among them: that of the blocks of their headers, whatever the files are called.
    @Test func digestIsThatOfTheHeaders() throws {
        let files = [
            (numbered(1), nil), (numbered(2), nil), (image(8, 8) { $0 * 7 % 11 - 5 }, image(2, 2) { $0 * 3 % 5 - 2 }),
        ]
        func write(_ names: [String], _ files: [(Image, Image?)], _ body: (URL) throws -> Void) throws {
            try withTemporaryFolder { folder in
                for (name, (high, low)) in zip(names, files) {
                    try FITSWriter.write(
                        high, header: header(nil), extensions: low.map { [("LR", $0, header(nil))] } ?? [], to: folder.appending(path: name))
                }
                try body(folder)
            }
        }
        func data(_ names: [String], _ files: [(Image, Image?)]) throws -> TrainingData {
            var data: TrainingData?
            try write(names, files) { data = try TrainingExample.collection($0).trainingData() }
            return try #require(data)
        }
        let found = try data(["a.fits", "b.fits", "c.fits"], files)
        #expect(found.arcsecPerPixel == nil)
        #expect(try data(["z.fits", "y.fits", "x.fits"], files) == found)
        // Each image takes one block behind its header, whose last block has END in it.
        try write(["a.fits", "b.fits", "c.fits"], files) { folder in
            let digests = try fitsFiles(in: folder).map { file in
                var headers = Data(), rest = try Data(contentsOf: file)
                while !rest.isEmpty {
                    let block = Data(rest.prefix(2880))
                    headers += block
                    let records = stride(from: 0, to: 2880, by: 80).map { String(decoding: block[$0..<$0 + 80], as: UTF8.self) }
                    let isLast = records.contains { $0.hasPrefix("END  ") }
                    rest = Data(rest.dropFirst(isLast ? 2 * 2880 : 2880))
                }
                return try headers.withUnsafeBytes { try sha256(of: $0) }
            }
            #expect(try Array(digests.sorted().joined().utf8).withUnsafeBytes { try sha256(of: $0) } == found.sha256)
        }
        // Another pixel, which DATASUM tells, and one map less.
        var other = files
        other[2].1?[1, 0] += 1
        #expect(try data(["a.fits", "b.fits", "c.fits"], other).sha256 != found.sha256)
        #expect(try data(["a.fits", "b.fits"], files).sha256 != found.sha256)
    }

    /// A map in degrees counts as it appears in the centre of the disk: 0.03° are 0.5048″ at one astronomical unit.
    @Test func rangeOfPixelScales() throws {
        try withTemporaryFolder { folder in
            for (index, cdelt) in [(0.6, "arcsec"), (0.03, "deg"), nil, (0.52, "arcsec")].enumerated() {
                try FITSWriter.write(numbered(1), header: header(cdelt), to: folder.appending(path: "map\(index).fits"))
            }
            let range = try #require(try TrainingExample.collection(folder).trainingData().arcsecPerPixel)
            let expected = 0.03 * .pi / 180 * 6.96e8 / (1.49597870691e11 - 6.96e8) * 180 * 3600 / .pi
            #expect(abs(range.lowerBound / expected - 1) < 1e-3 && range.upperBound == 0.6, "\(range)")
        }
    }

    @Test(arguments: [ModelKind.vqgan, .enhance, .ddpm]) func modelsTell(_ kind: ModelKind) throws {
        try withTemporaryFolder { folder in
            let data = folder.appending(path: "data")
            try createFolder(data)
            for (index, arcsec) in [0.504, 0.51].enumerated() {
                var header = header((arcsec, "arcsec"))
                header.set("HARPNUM", .integer(100 + index))
                try FITSWriter.write(
                    TrainingExample.field(width: 48, height: 40, seed: UInt64(index + 1)), header: header,
                    to: data.appending(path: "map\(index).fits"))
            }
            var configuration = try TrainingExample.configuration(kind)
            (configuration.steps, configuration.validateEvery) = (1, 0)
            let run = try TrainingExample.run("run", in: folder)
            _ = try Trainer(configuration, data: data, logger: .init(label: "test")).run(run, report: { _ in }, shouldStop: { false })
            let model = try Model(reading: run.model)
            let expected = try TrainingExample.collection(data).trainingData()
            #expect(model.description.data == expected && expected.arcsecPerPixel == 0.504...0.51)
            #expect(model.data == "pixels of 0.504 to 0.510 arcsec, SHA-256 \(expected.sha256)")
            #expect(try ModelsExample.model().data == "not told")
        }
    }

    @Test func forPeople() {
        func text(_ range: ClosedRange<Double>?) -> String { TrainingData(sha256: "ab12", arcsecPerPixel: range).description }
        #expect(text(0.504...0.5041) == "pixels of 0.504 arcsec, SHA-256 ab12" && text(nil) == "pixels of unknown size, SHA-256 ab12")
    }

    /// Inputs whose pixels are of other size than those of training by more than a tenth are remarked on: MDI's are not, in a model of HMI's.
    @Test(
        arguments: [
            (1.98, nil), (2.016, nil), (2.2, nil), (1.82, nil), (2.25, "2.02 arcsec, the input's are of 2.2 arcsec"),
            (1.79, "2.02 arcsec, the input's are of 1.8 arcsec"),
        ] as [(Double, String?)]) func remarks(arcsec: Double, remark: String?) throws
    {
        try withTemporaryFolder { folder in
            let file = folder.appending(path: "map.fits")
            var header = header((arcsec, "arcsec"))
            for (keyword, text) in [("TELESCOP", "SDO/HMI"), ("INSTRUME", "HMI_SIDE1")] { header.set(keyword, .string(text)) }
            try FITSWriter.write(numbered(1), header: header, to: file)
            let map = try Magnetogram(reading: file)
            func remarks(_ data: TrainingData?, _ map: Magnetogram) throws -> [String] {
                var description = try ModelsExample.description()
                description.data = data
                return description.remarks(on: map, by: "100%s.safetensors", isGainGiven: false)
            }
            let own = TrainingData(sha256: "", arcsecPerPixel: 0.504...0.504)
            #expect(try remarks(own, map) == (remark.map { ["the model 100%s.safetensors was trained for pixels of \($0)"] } ?? []))
            // Neither a model that does not tell nor a header that does not can be compared.
            #expect(try remarks(nil, map).isEmpty && remarks(TrainingData(sha256: "", arcsecPerPixel: nil), map).isEmpty)
            try FITSWriter.write(numbered(1), header: self.header(nil), to: folder.appending(path: "bare.fits"))
            #expect(try remarks(own, Magnetogram(reading: folder.appending(path: "bare.fits"))).isEmpty)
            // A wider range ends where its ends do.
            #expect(try remarks(TrainingData(sha256: "", arcsecPerPixel: 0.46...0.55), map).isEmpty)
        }
    }
}
