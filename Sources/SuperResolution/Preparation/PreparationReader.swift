import Foundation
import Groundwork
import SolarImage
import TensorCore

/// Reads one file and takes its crops.
package struct PreparationReader: Sendable {
    private let options: PreparationOptions
    private let catalogue: ActiveRegionCatalogue?
    /// What gives crops their low resolution; nil if nothing does, or if crops come with it, by ``matches``.
    private let pairs: (any LowResolutionSource)?
    private let matches: MatchedPairs?

    /// Memory to use again for the next file. Sendable, for who has it has it alone.
    final class Workspace: @unchecked Sendable {
        fileprivate let bytes = FileBytes()
        fileprivate let images = MapCutter.Memory()
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
        matches = try MatchedPairs(options, files: files)
        pairs =
            switch options.lowResolution {
            case .none, .matched: nil
            case .simulated(let observation, let instrument): SimulatedPairs(observation, of: instrument, seed: options.seed, scale: options.scale)
            case .registered(let folder):
                try RegisteredPairs(
                    folder: folder, scale: options.scale, factor: options.factor, minimumCorrelation: options.minimumCorrelation)
            }
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
        let file = try MagnetogramFile(reading: url, bytes: isInMemory ? workspace.bytes : nil, masksOffDisk: true)
        let instrument = file.instrument == .unknown ? options.instrument ?? .unknown : file.instrument
        if let reason = unfitness(of: file, instrument) { return .unwanted(reason) }
        let map = try UprightMap(file, sha256: digest)
        let cutter: any CropCutter
        do { cutter = try self.cutter(of: map, workspace.images) } catch let unpaired as Unpaired { return .unwanted(unpaired.reason) }

        let shown = try shownRegions(in: cutter), geometry = cutter.geometry
        let placement = CropPlacement(
            width: cutter.width, height: cutter.height, geometry: geometry, regions: shown.map(\.pixel),
            random: Random(seed: options.seed, name: digest), options: options)
        var crops: [PreparationCrop] = []
        var refusals: [PreparationSource.Refusal] = []
        for cut in try cutter.cuts(by: placement) {
            do {
                let crop = try crop(cut, of: file, in: geometry, shown)
                try take(crops.count, crop)
                crops.append(crop.description)
            } catch let unpaired as Unpaired {
                refusals.append(PreparationSource.Refusal(frame: cut.frame, reason: unpaired.reason))
            }
        }
        guard !crops.isEmpty else {
            return .unwanted(refusals.isEmpty ? absence(geometry, shown) : Set(refusals.map(\.reason)).sorted().joined(separator: "; "))
        }
        return .source(
            PreparationSource(
                number: number, url: url, sha256: digest, instrument: instrument, taiSeconds: geometry.time?.taiSeconds, regions: file.regions,
                quality: file.header.quality, arcsecPerPixel: geometry.arcsecPerPixel, width: cutter.width, height: cutter.height,
                isTurned: cutter.isTurned, crops: crops, refusals: refusals))
    }
}

extension PreparationReader {
    private func unfitness(of file: MagnetogramFile, _ instrument: Instrument) -> String? {
        if let wanted = options.instrument, file.instrument != .unknown, file.instrument != wanted {
            return "it is of \(file.instrument), not of \(wanted)"
        }
        if options.lowResolution != .none, instrument.isOther {
            return "it is of \(instrument), and the crops of pairs are of \(Instrument.reference)"
        }
        let quality = file.header.quality ?? 0, unfit = quality & (instrument.unfitQualityBits | options.qualityMask)
        if unfit != 0 { return "QUALITY \(quality.hexadecimal) has bits that mark it as unfit: \(unfit.hexadecimal)" }
        let smallest = PreparationOptions.smallestSide
        if min(file.width, file.height) < smallest {
            return "its \(file.width) × \(file.height) pixels are fewer than \(smallest) × \(smallest)"
        }
        return nil
    }

    /// - Throws: ``Unpaired`` if the map has no partner; `Failure` (`.badData`).
    private func cutter(of map: UprightMap, _ memory: MapCutter.Memory) throws -> any CropCutter {
        guard let matches else { return MapCutter(map, partner: try pairs?.partner(of: map), memory: memory) }
        let low = try matches.partner(of: map.file.source)
        return try MatchedCutter(
            high: map, low: try UprightMap(MagnetogramFile(reading: low, masksOffDisk: true), sha256: sha256(of: low)), options: options)
    }

    /// - Throws: ``Unpaired`` if there is nothing to make it of; `Failure` (`.badData`).
    private func crop(_ cut: CropCut, of file: MagnetogramFile, in geometry: MapGeometry, _ shown: [ShownRegion]) throws -> Crop {
        var (map, low, history) = try cut.make()
        let known = PixelStatistics(of: map.image), pixels = map.image.pixels.count
        guard let statistics = FieldStatistics(known, pixels: pixels) else { throw Unpaired("no pixel has a value") }
        map.header.updateStatistics(known)
        let regions = file.regions + shown.filter { cut.frame.contains($0.pixel) }.map(\.region).filter { !file.regions.contains($0) }
        map.regions = regions
        low?.map.regions = regions
        map.header.describeCrop(of: file, regions, history)
        low?.map.header.describeCrop(of: file, regions, history)
        let description = PreparationCrop(
            frame: cut.frame, statistics: statistics, regions: regions, mu: geometry.mu(at: cut.frame.middle),
            footprint: CropFootprint(cut.frame, in: geometry), pair: low?.statistics)
        return Crop(description: description, map: map, low: low?.map)
    }

    /// The catalogue's regions in the map; none if they cannot be found and are not needed, since crops are placed otherwise.
    private func shownRegions(in cutter: any CropCutter) throws -> [ShownRegion] {
        guard let catalogue else { return [] }
        do {
            return try catalogue.regions(in: cutter.geometry, width: cutter.width, height: cutter.height)
        } catch  where options.centre != .noaa {
            return []
        }
    }

    /// Why no crop was found.
    private func absence(_ geometry: MapGeometry, _ shown: [ShownRegion]) -> String {
        if options.centre == .noaa, shown.isEmpty { return "it shows no active region of those in --regions" }
        let limit = String(format: "%g", options.minimumMu)
        return geometry.disk == nil && !geometry.isMap
            ? "in no crop do half of the pixels have a value" : "no crop has a centre with μ of at least \(limit) and a value in half of its pixels"
    }
}

extension FITSHeader {
    /// Describes a crop of `file`, whose pixels became Gauss when they were read.
    fileprivate mutating func describeCrop(of file: MagnetogramFile, _ regions: [Region], _ history: String) {
        remove("_BUNIT")
        set("BUNIT", .string("Gauss"))
        let numbers = regions.compactMap { if case .noaa(let number) = $0 { number } else { nil } }
        if regions != file.regions, let first = numbers.first {
            set("NOAA_AR", .integer(first), comment: "active region")
            set("NOAA_ARS", .string(numbers.map(String.init).joined(separator: ",")), comment: "active regions")
        }
        addHistory(history)
    }
}
