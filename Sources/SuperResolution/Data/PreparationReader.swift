import Foundation
import Groundwork
import SolarImage
import TensorCore

/// Reads one file and takes its crops.
package struct PreparationReader: Sendable {
    private let options: PreparationOptions
    private let catalogue: ActiveRegionCatalogue?
    private let pairs: (any LowResolutionSource)?
    private let matches: MatchedPairs?

    /// Memory to use again for the next file. Sendable, for who has it has it alone.
    final class Workspace: @unchecked Sendable {
        fileprivate let bytes = FileBytes()
        fileprivate var images: [Image] = []
        fileprivate var wholes: [Image] = []
        var histogram = FieldHistogram()
    }

    /// A crop with its pixels.
    package struct Crop {
        package let description: PreparationCrop
        package let map: Magnetogram
        package let low: Magnetogram?
    }

    package enum Finding {
        case source(PreparationSource)
        case unwanted(String)
    }

    /// Rows of the catalogue of active regions that were left out.
    package var warnings: [Failure] { catalogue?.warnings ?? [] }

    /// MDI's files that are paired with none of the files to read.
    package var unmatched: [MagnetogramPairMatching.Unmatched] { matches?.unmatched ?? [] }

    /// - Parameter files: that will be read.
    /// - Throws: `Failure` if the catalogue or the folder of pairs cannot be read.
    package init(_ options: PreparationOptions, files: [URL]) throws {
        self.options = options
        catalogue = options.regions.isEmpty ? nil : try ActiveRegionCatalogue(reading: options.regions)
        pairs = try options.lowResolutionSource()
        matches = try MatchedPairs(options, files: files)
    }

    /// Reads a file and hands its crops to `take` one by one, with their numbers.
    ///
    /// The places of crops depend on the seed and the file's content, not on its name or on other files.
    /// - Throws: `Failure` (`.badData`, `.missingInput`) if something is wrong with the file; whatever `take` throws.
    func read(
        _ url: URL, number: Int, in workspace: Workspace, take: (_ index: Int, _ crop: Crop) throws -> Void = { _, _ in }
    ) throws -> Finding {
        // Once, unless it is very large.
        let isInMemory = try workspace.bytes.read(url)
        let digest = try isInMemory ? sha256(of: workspace.bytes.all) : sha256(of: url)
        let file = try MagnetogramFile(reading: url, bytes: isInMemory ? workspace.bytes : nil)
        let instrument = file.instrument == .unknown ? options.instrument ?? .unknown : file.instrument
        if let reason = unfitness(of: file, instrument) { return .unwanted(reason) }
        if let matches {
            do {
                return try readPair(file, matches.partner(of: url), instrument, digest, number: number, take: take)
            } catch let unpaired as Unpaired {
                return .unwanted(unpaired.reason)
            }
        }
        let (geometry, isTurned) = try geometry(of: file)
        let shown = try activeRegions(in: geometry, width: file.width, height: file.height)
        var crops: [PreparationCrop] = []
        do {
            let partner = try pairs?.partner(of: file, sha256: digest, geometry: geometry)
            let parts = try parts(of: file, isTurned, geometry, shown, digest, margin: partner?.margin ?? 0, workspace)
            for (index, frame) in parts.frames.enumerated() {
                let (surroundings, place) = try parts.map(index)
                let inner = CropFrame(x: frame.x - place.x, y: frame.y - place.y, width: frame.width, height: frame.height)
                let low = try partner?.lowResolution(of: surroundings, inner: inner, frame: frame)
                var map = place == frame ? surroundings : surroundings.part(x: inner.x, y: inner.y, width: inner.width, height: inner.height)
                let known = PixelStatistics(of: map.image)
                guard let statistics = FieldStatistics(known, pixels: map.image.pixels.count) else { continue }
                map.header.updateStatistics(known, pixels: map.image.pixels.count)
                let regions = regions(of: file, shown, in: frame)
                func described(_ map: Magnetogram) -> Magnetogram {
                    var map = map
                    map.regions = regions
                    describe(&map.header, frame, regions, file, digest, isTurned)
                    return map
                }
                let description = PreparationCrop(
                    frame: frame, statistics: statistics, regions: regions, mu: geometry.mu(at: frame.middle),
                    footprint: CropFootprint(frame, in: geometry), pair: low?.statistics)
                try take(crops.count, Crop(description: description, map: described(map), low: (low?.map).map(described)))
                crops.append(description)
            }
        } catch let unpaired as Unpaired {
            return .unwanted(unpaired.reason)
        }
        guard !crops.isEmpty else { return .unwanted(absence(geometry, shown)) }
        return .source(
            PreparationSource(
                number: number, url: url, sha256: digest, instrument: instrument, taiSeconds: file.time?.taiSeconds, regions: file.regions,
                quality: file.header.quality, arcsecPerPixel: geometry.arcsecPerPixel, width: file.width, height: file.height, isTurned: isTurned,
                crops: crops))
    }
}

extension PreparationReader {
    /// Crops of a full disk of MDI on its grid made finer, each with HMI's field resampled there.
    private func readPair(
        _ file: MagnetogramFile, _ partner: URL, _ instrument: Instrument, _ digest: String, number: Int,
        take: (_ index: Int, _ crop: Crop) throws -> Void
    ) throws -> Finding {
        let lowFile = try MagnetogramFile(reading: partner)
        let lowDigest = try sha256(of: partner)
        let isTurned = try geometry(of: lowFile).isTurned
        let low = isTurned ? try lowFile.whole().turned() : try lowFile.whole()
        var fine = low.header
        fine.refineGrid(by: options.scale)
        let geometry = try MapGeometry(fine, time: low.time, at: partner.path)
        let (width, height) = (low.image.width * options.scale, low.image.height * options.scale)
        let shown = try activeRegions(in: geometry, width: width, height: height)
        let frames = frames(
            CropPlacement(width: width, height: height, geometry: geometry, options: options), low.image.replicated(by: options.scale), shown, digest)
        guard !frames.isEmpty else { return .unwanted(absence(geometry, shown)) }
        let high = try file.whole()
        var pairOptions = MagnetogramPair.Options()
        (pairOptions.scale, pairOptions.factor, pairOptions.minimumCorrelation) = (options.scale, options.factor, options.minimumCorrelation)
        var crops: [PreparationCrop] = []
        var refusals: [PreparationSource.Refusal] = []
        for frame in frames {
            let pair = try MagnetogramPair(high: high, low: low, frame: frame, options: pairOptions)
            guard pair.refusal == nil, let statistics = FieldStatistics(of: pair.high.image) else {
                refusals.append(.init(frame: frame, reason: "\(pair.refusal ?? "no pixel has a value"); paired with \(partner.lastPathComponent)"))
                continue
            }
            let regions = regions(of: file, shown, in: frame)
            func described(_ map: Magnetogram) -> Magnetogram {
                var map = map
                map.regions = regions
                map.header.setRegions(regions, unless: file.regions)
                map.header.addHistory(
                    "SHA-256 of \(file.source.lastPathComponent) \(digest), of \(partner.lastPathComponent) \(lowDigest)")
                return map
            }
            let figures = pair.figures
            let description = PreparationCrop(
                frame: frame, statistics: statistics, regions: regions, mu: geometry.mu(at: frame.middle),
                footprint: CropFootprint(frame, in: geometry),
                pair: PairStatistics(
                    kind: .matched, source: partner.path, sha256: lowDigest, time: low.time?.description, factor: options.factor,
                    correlation: figures.correlation, slopeOfMeans: figures.slopeThroughOrigin, shift: figures.shift, registration: figures))
            try take(crops.count, Crop(description: description, map: described(pair.high), low: described(pair.low)))
            crops.append(description)
        }
        guard !crops.isEmpty else { return .unwanted(Set(refusals.map(\.reason)).sorted().joined(separator: "; ")) }
        return .source(
            PreparationSource(
                number: number, url: file.source, sha256: digest, instrument: instrument, taiSeconds: low.time?.taiSeconds, regions: file.regions,
                quality: file.header.quality, arcsecPerPixel: geometry.arcsecPerPixel, width: width, height: height, isTurned: isTurned,
                crops: crops, refusals: refusals))
    }

    private func regions(of file: MagnetogramFile, _ shown: [ShownRegion], in frame: CropFrame) -> [Region] {
        file.regions + shown.filter { frame.contains($0.pixel) }.map(\.region).filter { !file.regions.contains($0) }
    }

    /// - Parameter image: that tells where pixels have values, and where the field is strong; nil if only the first, and that is not known.
    private func frames(_ placement: CropPlacement, _ image: Image?, _ shown: [ShownRegion], _ digest: String) -> [CropFrame] {
        let isFit = { (frame: CropFrame) in image?.isMostlyKnown(frame) ?? true }
        if let whole = placement.whole { return placement.isAllowed(whole) && isFit(whole) ? [whole] : [] }
        switch options.centre {
        case .random:
            var random = Random(seed: options.seed, name: digest)
            return placement.random(&random, isFit: isFit)
        case .strongest: return image.map(placement.strongest) ?? []
        case .noaa: return placement.around(shown.map(\.pixel), isFit: isFit)
        }
    }

    private func unfitness(of file: MagnetogramFile, _ instrument: Instrument) -> String? {
        if let wanted = options.instrument, file.instrument != .unknown, file.instrument != wanted {
            return "it is of \(file.instrument.rawValue), not of \(wanted.rawValue)"
        }
        if options.lowResolution != .none, instrument == .mdi { return "it is of mdi, and the crops of pairs are of hmi" }
        let quality = file.header.quality ?? 0, unfit = quality & (instrument.unfitQualityBits | options.qualityMask)
        if unfit != 0 { return "QUALITY \(quality.hexadecimal) has bits that mark it as unfit: \(unfit.hexadecimal)" }
        let smallest = PreparationOptions.smallestSide
        if min(file.width, file.height) < smallest {
            return "its \(file.width) × \(file.height) pixels are fewer than \(smallest) × \(smallest)"
        }
        return nil
    }

    /// Of the upright map.
    private func geometry(of file: MagnetogramFile) throws -> (geometry: MapGeometry, isTurned: Bool) {
        var geometry = try MapGeometry(file.header, time: file.time, at: file.source.path)
        let isTurned = geometry.isUpsideDown
        if isTurned {
            var header = file.header
            header.turnGrid(width: file.width, height: file.height)
            geometry = try MapGeometry(header, time: file.time, at: file.source.path)
        }
        // An image that has room for the disk shows all of it, to 2 % of its radius; one that has not is a cutout.
        if let disk = geometry.disk, 2 * 0.98 * disk.radius <= Double(min(file.width, file.height)) {
            let (low, high) = (disk.centre - 0.98 * disk.radius, disk.centre + 0.98 * disk.radius)
            guard low.min() >= 0, high.x < Double(file.width), high.y < Double(file.height) else {
                throw Failure(
                    .badData, "the disk is out of the frame", at: "\(file.source.path), CRPIX1, CRPIX2",
                    expected: "a disk within \(file.width) × \(file.height) pixels",
                    found: String(format: "one of radius %.0f around column %.0f, row %.0f", disk.radius, disk.centre.x, disk.centre.y),
                    remedy: "correct the header")
            }
        }
        return (geometry, isTurned)
    }

    private struct ShownRegion {
        var region: Region
        /// In the upright map.
        var pixel: SIMD2<Double>
        var area: Int
    }

    /// The catalogue's regions that a map shows, the largest first.
    private func activeRegions(in geometry: MapGeometry, width: Int, height: Int) throws -> [ShownRegion] {
        guard let catalogue else { return [] }
        do {
            let map = CropFrame(x: 0, y: 0, width: width, height: height)
            return try geometry.places(of: catalogue)
                .filter { map.contains($0.pixel) }  // NaN lies nowhere
                .map { ShownRegion(region: $0.position.region, pixel: $0.pixel, area: $0.position.area ?? -1) }
                .sorted { (-$0.area, $0.region) < (-$1.area, $1.region) }
        } catch {
            // Crops that are placed otherwise need no coordinates.
            guard options.centre == .noaa else { return [] }
            throw error
        }
    }

    /// Why no crop was found.
    private func absence(_ geometry: MapGeometry, _ shown: [ShownRegion]) -> String {
        if options.centre == .noaa, shown.isEmpty { return "it shows no active region of those in --regions" }
        let limit = String(format: "%g", options.minimumMu)
        return geometry.disk == nil && !geometry.isMap
            ? "in no crop do half of the pixels have a value" : "no crop has a centre with μ of at least \(limit) and a value in half of its pixels"
    }

    /// Crops of an upright map: their places, and how to get each with its surroundings, and the place of these.
    private typealias Parts = (frames: [CropFrame], map: (Int) throws -> (map: Magnetogram, place: CropFrame))

    private func parts(
        of file: MagnetogramFile, _ isTurned: Bool, _ geometry: MapGeometry, _ shown: [ShownRegion], _ digest: String, margin: Int,
        _ workspace: Workspace
    ) throws -> Parts {
        let placement = CropPlacement(width: file.width, height: file.height, geometry: geometry, options: options)
        func grown(_ frame: CropFrame) -> CropFrame {
            let (x, y) = (max(0, frame.x - margin), max(0, frame.y - margin))
            return CropFrame(
                x: x, y: y, width: min(file.width, frame.x + frame.width + margin) - x, height: min(file.height, frame.y + frame.height + margin) - y)
        }
        // Where the disk is known, so are, as a rule, the pixels that have a value: only the rows of the crops need be read then.
        if options.centre != .strongest, geometry.disk != nil, placement.whole == nil {
            let frames = frames(placement, nil, shown, digest), places = frames.map(grown)
            if places.reduce(0, { $0 + $1.width * $1.height }) <= file.width * file.height / 2 {
                let maps = try file.parts(places.map { ($0.x, $0.y, $0.width, $0.height) }, isTurned: isTurned, reusing: &workspace.images)
                let areKnown = frames.indices.allSatisfy { index in
                    let (frame, place) = (frames[index], places[index])
                    return maps[index].image.isMostlyKnown(
                        CropFrame(x: frame.x - place.x, y: frame.y - place.y, width: frame.width, height: frame.height))
                }
                if areKnown { return (frames, { (maps[$0], places[$0]) }) }
            }
        }
        let map = try file.whole(isTurned: isTurned, reusing: &workspace.wholes)
        let found = frames(placement, map.image, shown, digest)
        return (
            found,
            { index in
                let place = grown(found[index])
                return (map.part(x: place.x, y: place.y, width: place.width, height: place.height), place)
            }
        )
    }

    /// What the header of a crop says beyond its grid and statistics.
    private func describe(
        _ header: inout FITSHeader, _ frame: CropFrame, _ regions: [Region], _ file: MagnetogramFile, _ digest: String, _ isTurned: Bool
    ) {
        // Other units were converted when the file was read.
        header.remove("_BUNIT")
        header.set("BUNIT", .string("Gauss"))
        header.setRegions(regions, unless: file.regions)
        header.addHistory(
            "sr \(programVersion) prepare: columns \(frame.x) to \(frame.x + frame.width - 1), rows \(frame.y) to \(frame.y + frame.height - 1) "
                + "(from 0) of \(file.source.lastPathComponent)\(isTurned ? " turned by 180 degrees" : ""), as 32-bit floats in Gauss; SHA-256 of "
                + "the source \(digest)")
    }
}

extension FITSHeader {
    /// Notes the NOAA regions that a crop shows, unless they are `known` as the whole file's.
    fileprivate mutating func setRegions(_ regions: [Region], unless known: [Region]) {
        let numbers = regions.compactMap { if case .noaa(let number) = $0 { number } else { nil } }
        guard regions != known, let first = numbers.first else { return }
        set("NOAA_AR", .integer(first), comment: "active region")
        set("NOAA_ARS", .string(numbers.map(String.init).joined(separator: ",")), comment: "active regions")
    }
}
