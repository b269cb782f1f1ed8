import Foundation
import SolarImage

extension SuperResolutionProduct {
    /// All but what is known only afterwards: which sample an image is, and how far it is from the input.
    func provenance(of source: Source, _ options: Options) -> Provenance {
        var result = modelProvenance
        let settings = options.resolver, header = source.map.header
        result.add("SRINPUT", .string(source.map.source.lastPathComponent), "input")
        result.add("SRINREC", header.string("DRMS_ID").map { .string($0) }, "its record at JSOC")
        result.add("SRINSHA", .string(source.digest))
        let part = source.part.map { "\($0.frame.x),\($0.frame.y),\($0.frame.width),\($0.frame.height)" }
        result.add("SRCROP", part.map { .string($0) }, "part of it: x, y from 0, width, height")
        result.add("SRGAIN", .real(source.gain), "its values were divided by this")
        if resolver.isProbabilistic, options.samples > 0 {
            result.add("SRSEED", Int(exactly: settings.seed).map { .integer($0) } ?? .string("\(settings.seed)"), "seed of the noise")
            result.add("SRNSAMP", .integer(options.samples), "samples drawn")
            result.add("SRSAMPLR", .string(settings.sampler.rawValue), "sampler")
            result.add("SRSTEPS", .integer(settings.steps), "denoising steps")
            result.add("SRETA", settings.sampler == .ddim ? .real(settings.eta) : nil, "eta of DDIM")
            result.add("SRNOISE", .string(settings.noise.rawValue), "noise of each map its own, or shared by all of a shape")
        }
        let (side, overlap) = resolver.tiling(settings)
        result.add("SRTILE", .integer(side), "side of a tile, input pixels")
        result.add("SROVERLP", .integer(overlap), "overlap of tiles, input pixels")
        result.add("SRCONSIS", .string(options.consistency.rawValue), "how it is held to the input")
        let held = held(source, options)
        result.add("SRHELDBY", .string(held == nil ? "nothing" : held == .exact ? "means" : "kriging"), "the correction that this came to")
        result.add("SROFFDSK", .string(options.fillsOffDisk ? "zero" : "nan"), "where there are no data")
        if options.samples > 1 {
            result.add("SRPRIMRY", .string(options.meanIsPrimary ? "mean" : "sample"), "primary image")
            result.add("SRFCUT", .real(options.fineCutoff), "fine structure: shorter than this, arcsec")
            result.add("SRFORDER", .integer(options.fineOrder), "order of its Butterworth high-pass")
        }
        return result
    }

    func describe(_ header: inout FITSHeader, of source: Source, _ options: Options) {
        header.becomeProduct(provenance(of: source, options), scale: model.scale, date: FITSHeader.dateOfWriting())
        header.addHistory("sr \(programVersion): super-resolved \(model.scale) times; the keywords SR... tell how")
        if source.map.instrument.isOther, let title = source.map.instrument.title, !source.map.header.isProduct {
            let origin = options.gain == nil ? source.map.conditions.gainSource.map { " (\($0))" } ?? "" : ""
            header.addHistory("sr: \(title) field divided by \(String(format: "%.5g", source.gain))\(origin)")
        }
        if source.map.hdu > 0 {
            header.addHistory("sr: input is HDU \(source.map.hdu)\(header.string("EXTNAME").map { " (\($0))" } ?? "")")
        }
        for remark in source.remarks { header.addHistory("sr: \(remark)") }
        if let (crop, region) = source.part {
            let centre = region.map { " around \($0)" } ?? ""
            header.addHistory("sr: input pixels \(crop.x), \(crop.y) (from 0), \(crop.width) x \(crop.height)\(centre)")
        }
    }
}

extension FITSHeader {
    /// Which sample of a model an image is: a number from 1, or what the samples were made into.
    mutating func addSample(_ value: FITSCard.Value) { set("SRSAMPLE", value, comment: "which sample this is") }

    /// What only the finished field tells.
    /// - Parameter observation: what the field is compared with its input by.
    mutating func finish(_ image: Image, of low: Image, by observation: LinearObservation, factor: Int) {
        set(
            "SRRESID", .real(image.residual(of: low, by: observation, factor: factor)),
            comment: observation == .exact ? "largest |block mean - input|, Gauss" : "largest |block mean of blurred - input|, Gauss")
        updateStatistics(of: image)
    }
}
