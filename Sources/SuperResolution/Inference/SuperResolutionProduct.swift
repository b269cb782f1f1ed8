import Foundation
import Groundwork
import Logging
import SolarImage

/// From a magnetogram file to its super-resolved FITS file.
public struct SuperResolutionProduct {
    /// A part of the input.
    public enum Part: Sendable {
        /// These pixels.
        case frame(CropFrame)
        case region(RegionCrop)
    }

    public struct Options: Sendable {
        public var resolver = SuperResolver.Options()
        /// Samples to draw; from two on mean and standard deviations are written too. 0 for the mean that a `corrdiff` model has without any.
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

    let resolver: SuperResolver
    let model: Model
    /// What the model is made of.
    let modelProvenance: Provenance
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
        var provenance = Provenance()
        provenance.add("SRVERS", .string(programVersion), "version of sr")
        provenance.add("SRMODEL", .string(file.lastPathComponent), "model")
        provenance.add("SRMSHA", .string(try sha256(of: file)))
        provenance.add("SRADAPT", try adapter.map { .string(try sha256(of: $0)) })
        modelProvenance = provenance
        self.logger = logger
    }

    /// Refuses sampling options that the model cannot do, before any work.
    /// - Throws: `Failure` (`.usage`)
    public func check(_ options: Options) throws {
        try resolver.check(options.resolver)
        guard options.samples > 0 || resolver.hasMean else {
            throw Failure(
                .usage, "this model has no mean without samples", expected: "at least 1 sample of \(model.kind.rawValue)", found: "0",
                remedy: "give a corrdiff model, or draw samples and take --primary mean")
        }
        guard options.samples <= 1 || resolver.isProbabilistic else {
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
    /// - Throws: `Failure`: `.missingInput`, `.badData` (unreadable, unfit, wrong pixel scale, a result that is not finite), `.usage` (see ``check(_:)``),
    ///   `.cannotWrite`, `.interrupted`.
    @discardableResult
    public func make(
        _ input: URL, to output: URL, options: Options, overwrite: Bool, progress: (Double) -> Void, isCancelled: () -> Bool
    ) throws -> Result {
        let source = try prepared(input, options), low = source.map
        for remark in source.remarks { advice.once(remark) { logger.warning("\($0)") } }
        var settings = options.resolver
        settings.observation = held(source, options)
        settings.isMap = source.map.isMap
        let (width, height) = (low.image.width * model.scale, low.image.height * model.scale)
        var ensemble =
            options.samples > 1 ? EnsembleStatistics(width: width, height: height, highPass: try highPass(for: low, options, at: input.path)) : nil
        let kept = options.samples > 1 && options.keepsSamples ? try ImageSpool(width: width, height: height, beside: output) : nil
        let limb = SolarLimb(low, scale: model.scale)
        var high = low
        let field = limb?.continued(low.image) ?? low.image
        if options.samples == 0, var mean = try resolver.mean(of: field, options: settings, isCancelled: isCancelled) {
            limb?.cut(&mean)
            high.image = mean
        }
        try resolver.superResolve(
            field, options: settings, samples: 0..<options.samples, progress: progress, isCancelled: isCancelled
        ) { sample, image in
            var image = image
            limb?.cut(&image)
            if sample == 0 { high.image = image }
            ensemble?.add(image)
            try kept?.append(options.fillsOffDisk ? image.filled() : image)
        }
        high.header.refineGrid(by: model.scale)
        describe(&high.header, of: source, options)
        var result = Result(low: low, sample: high)
        result.ensemble = ensemble.map { EnsembleImages($0) }
        ensemble = nil
        if options.meanIsPrimary, let mean = result.ensemble?.mean { high.image = mean }
        let observation = settings.observation ?? observation(of: source)
        let extensions = result.ensemble.map { self.extensions($0, high.header, low.image, observation, options) } ?? []
        let cube = kept.map { self.cube(of: $0, high.header) }
        if resolver.isProbabilistic {
            high.header.addSample(options.samples == 0 ? .string("regression") : options.meanIsPrimary ? .string("mean") : .integer(1))
        }
        high.header.finish(high.image, of: low.image, by: observation, factor: model.scale)
        if options.fillsOffDisk { high.image = high.image.filled() }
        try FITSWriter.write(high.image, header: high.header, extensions: extensions, cube: cube, to: output, overwrite: overwrite)
        return result
    }

    /// What an earlier result was made otherwise by than these options and this model would: none if there is nothing left to do.
    /// - Throws: `Failure` as ``make(_:to:options:overwrite:progress:isCancelled:)`` for the input.
    public func differences(of output: URL, from input: URL, options: Options) throws -> [String] {
        let expected = try provenance(of: prepared(input, options), options)
        guard let file = try? FITSFile(reading: output), let header = try? file.firstPlane().header else { return ["it is no FITS image"] }
        let lacksSamples = options.samples > 1 && options.keepsSamples && !((try? file.contents()) ?? []).contains { $0.name == "SAMPLES" }
        return expected.differences(from: header) + (lacksSamples ? ["no extension SAMPLES"] : [])
    }

    /// An earlier result, for pictures.
    /// - Throws: `Failure`: as ``make(_:to:options:overwrite:progress:isCancelled:)`` for the input, `.badData` if the result cannot be read.
    public func result(at output: URL, of input: URL, options: Options) throws -> Result {
        let low = try prepared(input, options).map
        let file = try FITSFile(reading: output), primary = try file.firstImage()
        var sample = low
        (sample.image, sample.header) = (primary.image, primary.header)
        var result = Result(low: low, sample: sample)
        if options.samples > 1, let mean = try file.image(named: "MEAN"), let deviation = try file.image(named: "STD"),
            let fineDeviation = try file.image(named: "STD_FINE"), let fineMask = try file.image(named: "FINE")
        {
            result.ensemble = EnsembleImages(
                mean: mean.image, deviation: deviation.image, fineDeviation: fineDeviation.image, fineMask: fineMask.image,
                cutoff: try highPass(for: low, options, at: input.path).cutoff)
        }
        return result
    }

    /// The observation by which a result is held to its input; nil for none.
    func held(_ source: Source, _ options: Options) -> LinearObservation? {
        options.consistency.observation(observation(of: source), isKnownToModel: resolver.knowsObservations(of: source.map.instrument))
    }

    /// How the input came about.
    private func observation(of source: Source) -> LinearObservation {
        var observation = Observation(of: source.map)
        if source.map.instrument.isOther { observation.gain = source.gain }
        return LinearObservation(observation, arcsecPerPixel: (source.map.arcsecPerPixel ?? Self.assumedScale) / Double(model.scale))
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
    private func extensions(
        _ ensemble: EnsembleImages, _ header: FITSHeader, _ low: Image, _ observation: LinearObservation, _ options: Options
    ) -> [FITSWriter.Extension] {
        let fine = """
            finer than \(String(format: "%g", options.fineCutoff)) arcsec: a Butterworth high-pass of order \(options.fineOrder), cut-off \
            \(String(format: "%.5g", ensemble.cutoff)) cycles per pixel
            """
        func item(_ name: String, _ image: Image, isField: Bool = false, unit: String = "Gauss", _ comment: String) -> FITSWriter.Extension {
            var header = header
            header.set("BUNIT", .string(unit))
            header.addSample(.string(name.lowercased()))
            // Statistics of a field; what the input's keywords mean is none of a deviation or of a mask.
            if isField { header.finish(image, of: low, by: observation, factor: model.scale) } else { header.removeStatistics() }
            header.addComment("\(name): \(comment)")
            return (name, options.fillsOffDisk ? image.filled() : image, header)
        }
        return [
            item("MEAN", ensemble.mean, isField: true, "mean of \(options.samples) samples"),
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

    /// An input, ready for the model.
    struct Source {
        /// Cut out, on HMI's scale of Gauss.
        var map: Magnetogram
        /// The place it was cut from, and the region that it was to show.
        var part: (frame: CropFrame, region: Region?)?
        /// Of the pixels, as they were read.
        var digest: String
        /// What instruments and programs divided the field by, all together.
        var gain: Double
        /// What is to be said of model and input.
        var remarks: [String]
    }

    /// The input, cut out, checked and on HMI's scale.
    private func prepared(_ input: URL, _ options: Options) throws -> Source {
        var map = try Magnetogram(reading: input)
        guard !map.header.isProduct || options.isForced else {
            let model = map.header.string("SRMODEL").map { " of \($0)" } ?? ""
            throw Failure(
                .badData, "the image is super-resolved already", at: "\(input.path), SRVERS", expected: "a magnetogram as an instrument made it",
                found: "a product\(model)", remedy: "give what it was made of, or --force")
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
        let digest = try map.image.pixelDigest()
        let remarks = map.remarks + model.description.remarks(on: map, by: name, isGainGiven: options.gain != nil)
        let applied = map.header.appliedGain, gain = applied ?? (map.instrument.isOther ? options.gain ?? map.conditions.gain : 1)
        if applied == nil, gain != 1 { map.image.pixels = map.image.pixels.map { $0 / Float(gain) } }
        return Source(map: map, part: part, digest: digest, gain: gain, remarks: remarks)
    }
}

extension Image {
    /// With 0 in place of NaN.
    fileprivate func filled() -> Image { Image(width: width, height: height, pixels: pixels.map { $0.isNaN ? 0 : $0 }) }
}
