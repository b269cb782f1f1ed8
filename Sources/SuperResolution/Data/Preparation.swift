import Foundation
import Groundwork
import SolarImage

/// Training, validation and test crops of a set of magnetograms: decided here, then described or written.
package struct Preparation: Sendable {
    package let options: PreparationOptions
    package let survey: PreparationSurvey
    package let split: PreparationSplit

    package init(_ survey: PreparationSurvey, options: PreparationOptions) {
        self.options = options
        self.survey = survey
        split = PreparationSplit(survey.sources, options: options)
    }

    /// What was written.
    package struct Outcome: Sendable {
        package var crops: [PreparationPart: Int] = [:]
        /// Files that could be read at first, but not again.
        package var failures: [Failure] = []
    }

    /// Writes crops, manifest, fingerprint, configuration and, if asked for, pictures. One source is in memory at a time.
    /// - Parameters:
    ///   - inputs: as the user named them, for the record.
    ///   - report: called before each source with its index.
    /// - Throws: `Failure`: `.cannotWrite`; `.interrupted` once `isCancelled` says so, with all crops so far in the manifest.
    package func write(
        to folder: PreparedFolder, inputs: [String], report: (_ source: Int) -> Void = { _ in }, isCancelled: () -> Bool = { false }
    ) throws -> Outcome {
        try folder.create(withPreviews: options.previews)
        let manifest = try ManifestWriter(folder.manifest)
        var rejections = survey.rejections[...]
        func writeRejections(before number: Int) throws {
            while let rejection = rejections.first, rejection.number < number {
                try manifest.append(ManifestRejection(source: rejection.url.path, rejected: rejection.reason))
                rejections.removeFirst()
            }
        }
        let parts = split.partOfSource
        var names = NameList()
        var fingerprint = FieldFingerprint()
        var outcome = Outcome()
        for (index, source) in survey.sources.enumerated() {
            report(index)
            try writeRejections(before: source.number)
            let part = parts[index] ?? .train
            do {
                for crop in try crops(of: source) {
                    if isCancelled() {
                        throw Failure(
                            .interrupted, "interrupted; the crops so far are in the manifest", at: folder.url.path,
                            remedy: "add --overwrite to start anew")
                    }
                    let name = names.next(Self.name(of: crop.frame, in: source))
                    try write(crop, of: source, as: name, part, to: folder, manifest)
                    if part == .train { fingerprint.add(crop.map.image, arcsecPerPixel: source.arcsecPerPixel, month: source.month) }
                    outcome.crops[part, default: 0] += 1
                }
            } catch let failure as Failure where [.badData, .missingInput].contains(failure.category) {
                outcome.failures.append(failure)
                try manifest.append(
                    ManifestRejection(
                        source: source.url.path, rejected: PreparationRejection(number: source.number, url: source.url, failure: failure).reason))
            }
        }
        try writeRejections(before: .max)
        try writeAtomically(try jsonText(fingerprint, isIndented: true) + "\n", to: folder.fingerprint)
        try writeAtomically(options.yaml(inputs: inputs), to: folder.configuration)
        return outcome
    }

    private struct Crop {
        let frame: CropFrame
        let map: Magnetogram
        let statistics: FieldStatistics
    }

    /// All crops of a source, read again.
    private func crops(of source: PreparationSource) throws -> [Crop] {
        let map = try Magnetogram(reading: source.url)
        guard map.image.width == source.width, map.image.height == source.height else {
            throw Failure(
                .badData, "the file has changed while it was prepared", at: source.url.path, expected: "\(source.width) × \(source.height) pixels",
                found: "\(map.image.width) × \(map.image.height)", remedy: "prepare the files when nothing writes to them")
        }
        return try source.crops.map { frame in
            var crop = map.cropped(x: frame.x, y: frame.y, width: frame.width, height: frame.height)
            guard let statistics = FieldStatistics(of: crop.image) else {
                throw Failure(.badData, "no pixel of a crop has a value", at: source.url.path)
            }
            // Other units were converted when the file was read.
            crop.header.remove("_BUNIT")
            crop.header.set("BUNIT", .string("Gauss"))
            crop.header.addHistory(
                "sr \(programVersion) prepare: columns \(frame.x) to \(frame.x + frame.width - 1), rows \(frame.y) to \(frame.y + frame.height - 1) "
                    + "(from 0) of \(source.url.lastPathComponent), as 32-bit floats in Gauss; SHA-256 of the source \(source.sha256)")
            return Crop(frame: frame, map: crop, statistics: statistics)
        }
    }

    private func write(
        _ crop: Crop, of source: PreparationSource, as name: String, _ part: PreparationPart, to folder: PreparedFolder, _ manifest: ManifestWriter
    ) throws {
        let frame = crop.frame
        try FITSWriter.write(crop.map.image, header: crop.map.header, to: folder.part(part).appendingPathComponent("\(name).fits"), overwrite: true)
        if options.previews {
            try MagnetogramFigure([.init(crop.map)], title: name).write(to: folder.previews.appendingPathComponent("\(name).png"), overwrite: true)
        }
        try manifest.append(
            ManifestCrop(
                output: "\(part.rawValue)/\(name).fits", source: source.url.path, sha256: source.sha256, split: part,
                region: source.regions.map(\.description), instrument: source.instrument, time: source.time?.description, x: frame.x, y: frame.y,
                width: frame.width, height: frame.height, arcsecPerPixel: source.arcsecPerPixel, quality: source.quality, statistics: crop.statistics)
        )
    }

    /// The source's name without its ending, and the crop's place if it is not the whole map.
    private static func name(of frame: CropFrame, in source: PreparationSource) -> String {
        let stem = fitsStem(source.url.lastPathComponent)
        return frame.width == source.width && frame.height == source.height ? stem : "\(stem)_x\(frame.x)_y\(frame.y)"
    }

    /// Files of several folders may have one name; on some file systems also names that differ in case alone are one.
    private struct NameList {
        private var taken: Set<String> = []

        mutating func next(_ name: String) -> String {
            var candidate = name
            var number = 2
            while !taken.insert(candidate.lowercased()).inserted {
                candidate = "\(name)_\(number)"
                number += 1
            }
            return candidate
        }
    }
}

/// A file's name without the ending of FITS files.
package func fitsStem(_ name: String) -> String {
    let ending = [".fits.fz", ".fits.gz", ".fits", ".fit", ".fts"].first { name.lowercased().hasSuffix($0) }
    return String(name.dropLast(ending?.count ?? 0))
}
