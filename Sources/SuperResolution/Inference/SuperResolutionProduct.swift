import Foundation
import Groundwork
import Logging
import SolarImage

/// From a magnetogram file to its super-resolved FITS file.
public struct SuperResolutionProduct {
    /// How the result is held to its input's block means.
    public enum Consistency: String, Sendable, Codable, CaseIterable {
        /// Exact for HMI-like input; half the correction for MDI, which is no noise-free block mean of what HMI would have seen.
        case auto
        case off
        case exact

        func weight(for instrument: Instrument) -> Double {
            switch self {
            case .auto: instrument == .mdi ? 0.5 : 1
            case .off: 0
            case .exact: 1
            }
        }
    }

    /// A part of the input.
    public enum Part: Sendable {
        /// These pixels.
        case frame(CropFrame)
        case region(RegionCrop)
    }

    public struct Options: Sendable {
        public var resolver = SuperResolver.Options()
        /// Samples to draw; from two on mean and standard deviations are written too.
        public var samples = 1
        /// Whether the primary image is the mean rather than the first sample.
        public var meanIsPrimary = false
        /// Whether all samples are written, if there are several.
        public var keepsSamples = false
        /// The period in arcsec from which on structure counts as fine; above 0.
        public var fineCutoff = 2.0
        /// Order of the Butterworth high-pass that separates fine from coarse structure, at least 1.
        public var fineOrder = 2
        public var consistency = Consistency.auto
        /// What fields of other instruments than HMI are divided by before; nil for the gain that their conditions tell.
        public var gain: Double?
        /// Goes on at a pixel scale the model was not made for, and with an image whose QUALITY says it is unfit.
        public var isForced = false
        /// Whether pixels without data become 0 instead of NaN.
        public var fillsOffDisk = false
        /// What is super-resolved; nil for all.
        public var part: Part?

        public init() {}
    }

    /// What was made of a file, for pictures.
    public struct Result: Sendable {
        /// The input as the model saw it.
        package let low: Magnetogram
        /// The first sample.
        package let sample: Magnetogram
        /// What several samples tell, on the grid of the sample.
        package var ensemble: EnsembleImages?
    }

    /// Pixel scales in arcsec that the models are made for: MDI's is 1.98, four HMI pixels are 2.02, a SMARP map's 0.12 degree about 1.97.
    private static let scales = 1.8...2.2
    /// Where the header tells none.
    private static let assumedScale = 2.0

    /// Gauss; ten times what any sunspot has.
    private static let strongestField: Float = 1e5

    private let resolver: SuperResolver
    private let model: Model
    /// A line for each file the model is made of.
    private let provenance: [String]
    /// The model's file name.
    private let name: String
    private let advice = Advice()
    private let logger: Logger

    /// - Parameters:
    ///   - file: the model's file, named with its digest in every output.
    ///   - adapter: what fine-tuning changed of it, named likewise.
    /// - Throws: `Failure`: `.missingInput`, `.badData`.
    public init(model file: URL, adapter: URL? = nil, logger: Logger) throws {
        model = try Model(reading: file)
        if let adapter { try model.apply(adapter: adapter) }
        resolver = try SuperResolver(model, at: file.path)
        name = file.lastPathComponent
        let files = [("model", file)] + (adapter.map { [("adapter", $0)] } ?? [])
        provenance = try files.map { "\($0) \($1.lastPathComponent), SHA-256 \(try sha256(of: $1))" }
        self.logger = logger
    }

    /// Refuses sampling options that the model cannot do, before any work.
    /// - Throws: `Failure` (`.usage`)
    public func check(_ options: Options) throws {
        try resolver.check(options.resolver)
        guard options.samples == 1 || resolver.isProbabilistic else {
            throw Failure(
                .usage, "samples of this model do not differ", expected: "1 sample of \(model.kind.rawValue), which is deterministic",
                found: "\(options.samples)", remedy: "leave --samples out, or give a diffusion model")
        }
    }

    /// Super-resolves one file.
    ///
    /// - Parameters:
    ///   - progress: told the fraction done, 0 … 1.
    ///   - isCancelled: asked now and then.
    /// - Throws: `Failure`: `.missingInput`, `.badData` (unreadable, unfit, wrong pixel scale), `.usage` (see ``check(_:)``), `.cannotWrite`,
    ///   `.interrupted`.
    @discardableResult
    public func make(
        _ input: URL, to output: URL, options: Options, overwrite: Bool, progress: (Double) -> Void, isCancelled: () -> Bool
    ) throws -> Result {
        let (low, part, remarks) = try prepared(input, options)
        for remark in remarks { advice.once(remark) { logger.warning("\($0)") } }
        var settings = options.resolver
        settings.consistency = options.consistency.weight(for: low.instrument)
        let (width, height) = (low.image.width * model.scale, low.image.height * model.scale)
        var ensemble =
            options.samples > 1 ? EnsembleStatistics(width: width, height: height, highPass: try highPass(for: low, options, at: input.path)) : nil
        let kept = options.samples > 1 && options.keepsSamples ? try ImageSpool(width: width, height: height, beside: output) : nil
        var high = low
        try resolver.superResolve(
            low.image, options: settings, samples: 0..<options.samples, progress: progress, isCancelled: isCancelled
        ) { sample, image in
            if sample == 0 { high.image = image }
            ensemble?.add(image)
            try kept?.append(options.fillsOffDisk ? image.filled() : image)
        }
        high.header.refineGrid(by: model.scale)
        describe(&high.header, of: low, part, options, settings)
        for remark in remarks { high.header.addHistory("sr: \(remark)") }
        var result = Result(low: low, sample: high)
        result.ensemble = ensemble.map { EnsembleImages($0) }
        ensemble = nil
        if options.meanIsPrimary, let mean = result.ensemble?.mean { high.image = mean }
        if options.fillsOffDisk { high.image = high.image.filled() }
        high.header.updateStatistics(of: high.image)
        let extensions = result.ensemble.map { self.extensions($0, high.header, options) } ?? []
        try FITSWriter.write(
            high.image, header: high.header, extensions: extensions, cube: kept.map { cube(of: $0, high.header) }, to: output, overwrite: overwrite)
        return result
    }

    /// What parts fine from coarse structure of the result.
    /// - Throws: `Failure` (`.usage`) if the result has no pixels for so fine structure.
    private func highPass(for low: Magnetogram, _ options: Options, at location: String) throws -> ButterworthHighPass {
        let pixel = (low.arcsecPerPixel ?? Self.assumedScale) / Double(model.scale)
        let frequency = pixel / options.fineCutoff
        guard frequency > 0, frequency <= 0.5 else {
            throw Failure(
                .usage, "the pixels are too large for the cut-off of fine structure", at: location,
                expected: String(format: "a period of at least two of the result's pixels, %.3f arcsec", 2 * pixel),
                found: String(format: "%g arcsec", options.fineCutoff), remedy: "give a larger --fine-cutoff")
        }
        return ButterworthHighPass(cutoff: frequency, order: options.fineOrder)
    }

    /// `MEAN`, `STD`, `STD_FINE` and `FINE`.
    private func extensions(_ ensemble: EnsembleImages, _ header: FITSHeader, _ options: Options) -> [FITSWriter.Extension] {
        let fine = """
            finer than \(String(format: "%g", options.fineCutoff)) arcsec: a Butterworth high-pass of order \(options.fineOrder), cut-off \
            \(String(format: "%.5g", ensemble.cutoff)) cycles per pixel
            """
        func item(_ name: String, _ image: Image, unit: String = "Gauss", _ comment: String) -> FITSWriter.Extension {
            let image = options.fillsOffDisk ? image.filled() : image
            var header = header
            header.set("BUNIT", .string(unit))
            header.updateStatistics(of: image)
            header.addComment("\(name): \(comment)")
            return (name, image, header)
        }
        return [
            item("MEAN", ensemble.mean, "mean of \(options.samples) samples"),
            item("STD", ensemble.deviation, "standard deviation (n - 1) of \(options.samples) samples"),
            item(
                "STD_FINE", ensemble.fineDeviation, "standard deviation (n - 1) of the structure of \(options.samples) samples \(fine)"),
            item(
                "FINE", ensemble.fineMask, unit: "",
                "1 where the modulus of STD's structure exceeds 3 times its median absolute deviation, else 0. Structure \(fine)"),
        ]
    }

    /// `SAMPLES`.
    private func cube(of samples: ImageSpool, _ header: FITSHeader) -> FITSWriter.Cube {
        var header = header
        header.removeStatistics()
        header.stackGrid("SAMPLE")
        return FITSWriter.Cube(name: "SAMPLES", header: header, count: samples.count, plane: samples.image(at:))
    }

    /// The input, cut out, checked and on HMI's scale, with the place it was cut from, and what is to be said of model and input.
    private func prepared(
        _ input: URL, _ options: Options
    ) throws -> (map: Magnetogram, part: (frame: CropFrame, region: Region?)?, remarks: [String]) {
        var map = try Magnetogram(reading: input)
        try checkGrid(map.header, at: input.path)
        if let strongest = map.image.pixels.lazy.filter({ !$0.isNaN }).map(abs).max(), strongest > Self.strongestField {
            throw Failure(
                .badData, "the values are no solar magnetic field", at: input.path, expected: "at most \(Self.strongestField) Gauss",
                found: "\(strongest)")
        }
        var part: (frame: CropFrame, region: Region?)?
        switch options.part {
        case .frame(let frame): part = (frame, nil)
        case .region(let crop): part = try crop.place(in: map)
        case nil: break
        }
        if let crop = part?.frame {
            guard crop.x >= 0, crop.y >= 0, crop.width > 0, crop.height > 0, crop.width <= map.image.width - crop.x,
                crop.height <= map.image.height - crop.y
            else {
                throw Failure(
                    .badData, "the crop does not lie in the image", at: input.path,
                    expected: "within \(map.image.width) × \(map.image.height) pixels",
                    found: "\(crop.width) × \(crop.height) from (\(crop.x), \(crop.y))")
            }
            map = map.cropped(x: crop.x, y: crop.y, width: crop.width, height: crop.height)
            guard map.image.pixels.contains(where: { !$0.isNaN }) else { throw Failure(.badData, "the crop holds no data", at: input.path) }
        }
        guard map.isFit || options.isForced else {
            throw Failure(
                .badData, "the image is marked unfit", at: "\(input.path), QUALITY",
                expected: "none of the bits 0x\(String(map.instrument.unfitQualityBits, radix: 16))",
                found: "0x\(String(map.header.quality ?? 0, radix: 16))", remedy: "use another frame, or --force")
        }
        if let scale = map.arcsecPerPixel {
            guard Self.scales.contains(scale) || options.isForced else {
                throw Failure(
                    .badData, "the pixel scale is not what the model is made for", at: input.path, expected: "1.8 … 2.2 arcsec a pixel",
                    found: String(format: "%.3f", scale), remedy: "give MDI or 4 × 4 averaged HMI magnetograms, or --force")
            }
        } else {
            let scale = map.conditions.arcsecPerPixel ?? Self.assumedScale
            logger.warning("\(input.lastPathComponent): the header tells no pixel scale; \(String(format: "%g", scale)) arcsec are assumed")
        }
        let remarks = (model.description.input ?? .blockMeans).remarks(on: map, by: name, isGainGiven: options.gain != nil)
        let gain = gain(of: map, options)
        if gain != 1 { map.image.pixels = map.image.pixels.map { $0 / Float(gain) } }
        return (map, part, remarks)
    }

    /// What the input is divided by.
    private func gain(of map: Magnetogram, _ options: Options) -> Double {
        map.instrument.isOther ? options.gain ?? map.conditions.gain : 1
    }

    /// Refuses a grid that is there but cannot be refined.
    private func checkGrid(_ header: FITSHeader, at location: String) throws {
        for keyword in ["CRPIX1", "CRPIX2", "CDELT1", "CDELT2"] where header.contains(keyword) {
            let value = header.real(keyword)
            guard let value, value != 0 || keyword.hasPrefix("CRPIX") else {
                throw Failure(
                    .badData, "the pixel grid is not valid", at: "\(location), \(keyword)",
                    expected: "a finite number\(keyword.hasPrefix("CDELT") ? " other than 0" : "")",
                    found: value.map { "\($0)" } ?? "none", remedy: "correct the keyword")
            }
        }
    }

    private func describe(
        _ header: inout FITSHeader, of low: Magnetogram, _ part: (frame: CropFrame, region: Region?)?, _ options: Options,
        _ settings: SuperResolver.Options
    ) {
        header.set("BUNIT", .string("Gauss"), comment: "Physical units of data")
        header.addHistory("Super-resolved \(model.scale) times by sr \(programVersion) from \(low.source.lastPathComponent)")
        for line in provenance { header.addHistory("sr: \(line)") }
        let tiles = "tile \(settings.tile), overlap \(settings.overlap)"
        if resolver.isProbabilistic {
            let samples =
                options.samples == 1 ? "1 sample" : "\(options.samples) samples, here \(options.meanIsPrimary ? "their mean" : "the first of them")"
            header.addHistory(
                "sr: \(settings.sampler.title(eta: settings.eta)), \(settings.steps) steps, seed \(settings.seed), \(samples), \(tiles)")
        } else {
            header.addHistory("sr: \(tiles)")
        }
        header.addHistory("sr: consistency with the input's block means, weight \(settings.consistency)")
        if low.instrument.isOther, let title = low.instrument.title {
            let source = options.gain == nil ? low.conditions.gainSource.map { " (\($0))" } ?? "" : ""
            header.addHistory("sr: \(title) field divided by \(String(format: "%.5g", gain(of: low, options)))\(source)")
        }
        if let (crop, region) = part {
            let centre = region.map { " around \($0)" } ?? ""
            header.addHistory("sr: input pixels \(crop.x), \(crop.y) (from 0), \(crop.width) x \(crop.height)\(centre)")
        }
    }
}

extension Image {
    /// With 0 in place of NaN.
    fileprivate func filled() -> Image { Image(width: width, height: height, pixels: pixels.map { $0.isNaN ? 0 : $0 }) }
}
