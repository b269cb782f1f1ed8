import Foundation
import SolarImage
import Testing

/// `sr infer --samples`: what several samples have in common, and where they differ.
@Suite struct InferEnsembleTests {
    private static let side = 96
    private static let extensions = ["MEAN", "STD", "STD_FINE", "FINE"]

    private func image(_ name: String, _ file: FITSFile) throws -> FITSImage { try #require(try file.image(named: name), "there is no \(name)") }

    /// The names of a file's units, of the primary one none.
    private func names(_ file: FITSFile) throws -> [String] { try file.contents().map { $0.name ?? "" } }

    private func sumOfSquares(_ image: Image) -> Double { image.pixels.reduce(0) { $0 + Double($1) * Double($1) } }

    /// The planes of the cube that ends a file.
    private func samples(_ file: FITSFile) throws -> [[Float]] {
        let last = try #require(try file.contents().last?.content)
        guard case .image(let axes) = last, axes.count == 3 else {
            Issue.record("no cube: \(last)")
            return []
        }
        let bytes = try Data(contentsOf: file.url), count = axes[0] * axes[1]
        // A data unit is filled up to whole blocks.
        let start = bytes.count - (4 * count * axes[2] + 2879) / 2880 * 2880
        return (0..<axes[2]).map { plane in
            (0..<count).map { pixel -> Float in
                let place = start + 4 * (plane * count + pixel)
                return Float(bitPattern: bytes[place..<place + 4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) })
            }
        }
    }

    @Test func extensionsHoldMeanAndDeviation() throws {
        try withFolder { folder in
            let file = try inferLow(folder, "--samples", "2")
            #expect(try names(file) == [""] + Self.extensions)
            let first = try file.firstImage().image
            let (mean, deviation) = (try image("MEAN", file), try image("STD", file))
            #expect(mean.header.real("CRPIX1") == (10.25 - 0.5) * 4 + 0.5 && deviation.image.width == Self.side)
            var greatest: Float = 0
            for index in first.pixels.indices {
                // Of two values, each lies the deviation / √2 from the mean.
                let expected = abs(first.pixels[index] - mean.image.pixels[index]) * Float(2).squareRoot()
                #expect(abs(deviation.image.pixels[index] - expected) <= 1e-3 + 1e-3 * expected)
                greatest = max(greatest, expected)
            }
            #expect(greatest > 0.1, "the samples are the same")
            let (fine, mask) = (try image("STD_FINE", file), try image("FINE", file))
            #expect(Set(mask.image.pixels) == [0, 1] && mask.header.string("BUNIT") == nil && fine.header.string("BUNIT") == "Gauss")
            #expect(sumOfSquares(fine.image) > 0 && sumOfSquares(fine.image) < sumOfSquares(deviation.image), "a part of the deviation")
        }
    }

    @Test func longerCutoffsTakeMoreForFine() throws {
        try withFolder { folder in
            var powers: [Double] = []
            for cutoff in ["1", "2", "4"] {
                let fine = try image("STD_FINE", inferLow(folder, "--samples", "2", "--fine-cutoff", cutoff, "--fine-order", "3"))
                let comments = fine.header.cards.filter { $0.keyword == "COMMENT" }.map(\.comment).joined(separator: " ")
                #expect(comments.contains("finer than \(cutoff) arcsec") && comments.contains("order 3,"), "\(comments)")
                powers.append(sumOfSquares(fine.image))
            }
            #expect(powers[0] < powers[1] && powers[1] < powers[2], "\(powers)")
        }
    }

    @Test func samplesAreKept() throws {
        try withFolder { folder in
            let single = try inferLow(folder).firstImage().image
            let file = try inferLow(folder, "--samples", "2", "--keep-samples")
            #expect(try names(file) == [""] + Self.extensions + ["SAMPLES"])
            let (planes, mean) = (try samples(file), try image("MEAN", file).image.pixels)
            try #require(planes.count == 2 && planes[0].count == mean.count)
            #expect(try planes[0] == file.firstImage().image.pixels, "the primary image is the first sample")
            #expect(planes[0] == single.pixels, "which does not depend on the number of samples")
            let errors = mean.indices.map { index in
                abs((planes[0][index] + planes[1][index]) / 2 - mean[index]) / max(1, abs(mean[index]))
            }
            #expect((errors.max() ?? .infinity) < 1e-4, "the mean is that of the samples")
            #expect(files(under: folder) == ["config.yaml", "low.fits", "low_sr.fits"])
        }
    }

    @Test func primaryMayBeTheMean() throws {
        try withFolder { folder in
            let file = try inferLow(folder, "--samples", "2", "--keep-samples", "--primary", "mean")
            let primary = try file.firstImage().image
            #expect(try primary == image("MEAN", file).image)
            #expect(try samples(file).first != primary.pixels, "the samples are kept as they are")
        }
    }

    @Test func offDiskStandsInAllExtensions() throws {
        func blank(_ image: inout Image, _: inout FITSHeader) { image[5, 7] = .nan }
        try withFolder { folder in
            for fill in ["nan", "zero"] {
                let file = try inferLow(folder, "--samples", "2", "--keep-samples", "--off-disk", fill, change: blank)
                var images = [try file.firstImage().image.pixels]
                for name in Self.extensions { images.append(try image(name, file).image.pixels) }
                images += try samples(file)
                try #require(images.count == 7)
                for (number, pixels) in images.enumerated() {
                    let isSound = pixels.indices.allSatisfy { index in
                        let isBlank = index % Self.side / 4 == 5 && index / Self.side / 4 == 7
                        return isBlank ? (fill == "nan" ? pixels[index].isNaN : pixels[index] == 0) : pixels[index].isFinite
                    }
                    #expect(isSound, "\(fill), image \(number)")
                }
            }
        }
    }

    @Test func previewShowsTheEnsemble() throws {
        try withFolder { folder in
            func height(samples: String) throws -> Int {
                _ = try inferLow(folder, "--preview", "--samples", samples)
                let bytes = try [UInt8](Data(contentsOf: folder.appendingPathComponent("low_sr.png")))
                try #require(bytes.starts(with: [0x89, 0x50, 0x4E, 0x47]) && bytes.count > 24)
                return bytes[20..<24].reduce(0) { $0 << 8 | Int($1) }
            }
            let (one, several) = (try height(samples: "1"), try height(samples: "2"))
            #expect(several > one, "a second row of panels")
        }
    }

    @Test func cutoffBelowTheResultsPixelsIsRefused() throws {
        let model = try TinyModels.shared.get().model
        try withFolder { folder in
            let (input, output) = (folder.appendingPathComponent("low.fits"), folder.appendingPathComponent("out"))
            try TestMap.writeLow(to: input)
            let result = try sr([
                "infer", input.path, "--model", model.path, "--steps", "1", "--samples", "2", "--fine-cutoff", "0.9", "--keep-samples", "--output",
                output.path, "--no-progress",
            ])
            expectRefusal(result, 64, ["low.fits", "0.990 arcsec", "found 0.9 arcsec", "give a larger --fine-cutoff"], output: output)
        }
    }
}
