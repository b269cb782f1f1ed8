import Foundation
import Groundwork
import SolarImage

/// Training, validation and test crops of a set of magnetograms: decided here, then described, or put in their places.
package struct Preparation: Sendable {
    package let options: PreparationOptions
    package let survey: PreparationSurvey
    package let split: PreparationSplit

    package init(_ survey: PreparationSurvey, options: PreparationOptions) {
        self.options = options
        self.survey = survey
        split = PreparationSplit(survey.sources, options: options)
    }

    /// Puts the crops of a staging folder into their parts, in place of former ones, and writes manifest, fingerprint and configuration. If that is
    /// interrupted, it can be done again.
    /// - Parameter inputs: as the user named them, for the record.
    /// - Returns: how many crops each part has.
    /// - Throws: `Failure` (`.cannotWrite`).
    package func write(_ staging: PreparationStaging, to folder: PreparedFolder, inputs: [String]) throws -> [PreparationPart: Int] {
        let crops = plan()
        let fingerprint = try fingerprint(crops, staging)
        try folder.clear(but: crops.map(\.output), previews: options.previews ? crops.map(\.preview) : [])
        for crop in crops {
            try folder.move(staging.file(crop.source.number, crop.index, "fits"), to: crop.output)
            if options.previews { try folder.move(staging.file(crop.source.number, crop.index, "png"), to: crop.preview) }
        }
        sync()  // until the disk has all crops
        try writeAtomically(try jsonText(fingerprint, isIndented: true) + "\n", to: folder.fingerprint)
        try writeAtomically(options.yaml(inputs: inputs), to: folder.configuration)
        try writeAtomically(try manifest(crops), to: folder.manifest)
        staging.discard()
        return Dictionary(grouping: crops, by: \.part).mapValues(\.count)
    }

    /// A crop that is in a part.
    private struct Planned {
        let source: PreparationSource
        let index: Int
        let part: PreparationPart
        let name: String

        var crop: PreparationCrop { source.crops[index] }
        var output: String { "\(part.rawValue)/\(name).fits" }
        var preview: String { "\(name).png" }
    }

    private func plan() -> [Planned] {
        let parts = split.partOfCrop
        var names = NameList()
        return split.items.compactMap { item in
            let source = survey.sources[item.source]
            guard let part = parts[item] else { return nil }
            return Planned(source: source, index: item.crop, part: part, name: names.next(Self.name(of: source.crops[item.crop].frame, in: source)))
        }
    }

    private func fingerprint(_ crops: [Planned], _ staging: PreparationStaging) throws -> FieldFingerprint {
        var fingerprint = FieldFingerprint()
        for planned in crops where planned.part == .train {
            fingerprint.add(
                planned.crop.statistics, try staging.histogram(of: planned.source.number, planned.index), pixels: planned.crop.pixels,
                arcsecPerPixel: planned.source.arcsecPerPixel,
                month: planned.source.month)
        }
        return fingerprint
    }

    /// All lines, in the order of the inputs.
    private func manifest(_ crops: [Planned]) throws -> String {
        var lines: [(number: Int, text: String)] = []
        for planned in crops {
            lines.append((planned.source.number, try jsonText(ManifestCrop(planned.crop, of: planned.source, planned.part, planned.output))))
        }
        func leaveOut(_ frame: CropFrame, of source: PreparationSource, _ reason: String) throws {
            let text = "its crop at column \(frame.x), row \(frame.y): \(reason)"
            lines.append((source.number, try jsonText(ManifestRejection(source: source.url.path, rejected: text))))
        }
        for (item, reason) in split.leftOut.sorted(by: { $0.key < $1.key }) {
            let place = split.items[item], source = survey.sources[place.source]
            try leaveOut(source.crops[place.crop].frame, of: source, reason)
        }
        for source in survey.sources { for refusal in source.refusals { try leaveOut(refusal.frame, of: source, refusal.reason) } }
        for rejection in survey.rejections {
            lines.append((rejection.number, try jsonText(ManifestRejection(source: rejection.url.path, rejected: rejection.reason))))
        }
        let order = lines.indices.sorted { (lines[$0].number, $0) < (lines[$1].number, $1) }
        return order.map { lines[$0].text + "\n" }.joined()
    }

    /// The source's name without its ending, and the crop's place if it is not the whole map.
    private static func name(of frame: CropFrame, in source: PreparationSource) -> String {
        let stem = FITSName.stem(source.url.lastPathComponent)
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

extension ManifestCrop {
    fileprivate init(_ crop: PreparationCrop, of source: PreparationSource, _ part: PreparationPart, _ output: String) {
        self.init(
            output: output, source: source.url.path, sha256: source.sha256, split: part, region: crop.regions.map(\.description),
            instrument: source.instrument, time: source.time?.description, x: crop.frame.x, y: crop.frame.y, width: crop.frame.width,
            height: crop.frame.height, turned: source.isTurned, mu: crop.mu,
            carrington: crop.footprint.map { [$0.longitude, $0.latitude] }, arcsecPerPixel: source.arcsecPerPixel, quality: source.quality,
            statistics: crop.statistics, pair: crop.pair)
    }
}
