import Foundation
import Groundwork
import Logging
import SolarImage
import TensorCore

/// The magnetograms of a folder, known by their headers: what training draws its crops from. Their pixels are in a ``MagnetogramStore``.
package final class MagnetogramCollection: Sendable {
    /// A square cut out of a magnetogram, turned, mirrored or of reversed polarity: the Sun's field has no preferred orientation or sign.
    package struct Crop: Sendable, Equatable {
        package var file: Int
        /// The lowest left pixel. Beyond the edge a map continues as its mirror image.
        package var x, y: Int
        /// Side in HR pixels.
        package var size: Int
        /// 0 … 7: quarter turns (the lower two bits), then mirrored (4).
        package var orientation: Int
        package var reversesPolarity: Bool
        /// What the conditions and the noise of its low resolution are drawn by; nil where these are not drawn.
        package var draw: UInt64?
    }

    package struct Entry: Sendable {
        package let url: URL
        package let width, height: Int
        package let regions: [Region]
        /// Pixels per pixel of the low resolution that stands beside it, as in a pair; nil if there is none.
        package let pairScale: Int?
        /// The instrument that this low resolution is of.
        package let pairInstrument: Instrument?
        /// Whether it was resampled to a map rather than as observed.
        package let isMap: Bool
        /// The side of a pixel, if the header tells; of a map in degrees, as it appears in the centre of the disk.
        package let arcsecPerPixel: Double?
        /// The SHA-256 of the file's headers in hexadecimal (``SolarImage/FITSFile/headers``).
        package let digest: String

        package init(
            url: URL, width: Int, height: Int, regions: [Region], pairScale: Int? = nil, pairInstrument: Instrument? = nil,
            isMap: Bool = false, arcsecPerPixel: Double? = nil, digest: String
        ) {
            (self.url, self.width, self.height, self.regions, self.isMap) = (url, width, height, regions, isMap)
            (self.pairScale, self.pairInstrument, self.arcsecPerPixel, self.digest) = (pairScale, pairInstrument, arcsecPerPixel, digest)
        }
    }

    package let entries: [Entry]
    package let store: MagnetogramStore
    /// What the low resolution of crops is simulated by; nil for the plain block mean.
    package let degradation: Degradation?
    /// The pixels of each entry and those before it.
    private let pixelsUpTo: [Int]

    /// Opens every FITS file of a folder (not of the folders in it) and reads its headers.
    ///
    /// Pixels off the disk are taken to hold no data. Files whose headers cannot be used are left out with a warning; those whose pixels cannot be, when they are
    /// read.
    /// - Parameter store: nil for one of its own.
    /// - Throws: `Failure`: `.missingInput` if there is no such folder, `.badData` if no file in it can be used.
    package convenience init(folder: URL, store: MagnetogramStore? = nil, logger: Logger) throws {
        let files = try fitsFiles(in: folder)
        var entries: [Entry] = []
        var reasons: [String] = []
        func read(_ index: Int) -> Result<Entry, any Error> { Result { try Entry(reading: files[index]) } }
        let found = FITSFile.allowsThreads ? Parallel.map(files.count, read) : files.indices.map(read)
        for (index, result) in found.enumerated() {
            do {
                // A bad one once more and alone: cfitsio has one list of messages for all threads.
                if case .success(let entry) = result { entries.append(entry) } else { entries.append(try read(index).get()) }
            } catch let failure as Failure {
                logger.warning("left out: \(failure)")
                reasons.append(failure.description)
            }
        }
        guard !entries.isEmpty else {
            throw Self.nothingToTrainOn(in: folder, reasons)
        }
        self.init(entries: entries, store: store ?? MagnetogramStore(logger: logger))
    }

    private static func nothingToTrainOn(in folder: URL, _ reasons: [String]) -> Failure {
        Failure(
            .badData, "no FITS file can be trained on", at: folder.path, expected: "magnetograms as \(FITSName.endings)",
            found: reasons.isEmpty ? "no such file" : reasons.prefix(3).joined(separator: "; "), remedy: "prepare a folder with `sr prepare`")
    }

    package init(entries: [Entry], store: MagnetogramStore, degradation: Degradation? = nil) {
        (self.entries, self.store, self.degradation) = (entries, store, degradation)
        var sum = 0
        pixelsUpTo = entries.map { entry in
            sum += entry.width * entry.height
            return sum
        }
    }

    /// Refuses magnetograms without low resolution beside them.
    /// - Throws: `Failure` (`.badData`)
    func requirePairs(scale: Int, at folder: URL) throws {
        guard let entry = entries.first(where: { $0.pairScale != scale }) else { return }
        throw Failure(
            .badData, "the folder does not hold pairs", at: folder.path, expected: "an extension LR, \(scale) times coarser, in every file",
            found: "\(entry.pairScale.map { "one \($0) times coarser" } ?? "none") in \(entry.url.lastPathComponent)",
            remedy: "prepare pairs with `sr prepare --pairs`, or let MDI be simulated with --simulate mdi")
    }

    /// The same with the low resolution of crops simulated, instead of the plain block mean.
    /// - Throws: `Failure`: `.badData` if a header does not tell how large pixels are, `.usage` if there are pairs, whose low resolution stands beside them.
    package func simulating(_ degradation: Degradation, at folder: URL) throws -> MagnetogramCollection {
        if let pair = entries.first(where: { $0.pairScale != nil }) {
            throw Failure(
                .usage, "the folder holds pairs, whose low resolution need not be simulated", at: pair.url.path, expected: "maps alone",
                found: "an extension LR", remedy: "leave --simulate out")
        }
        if let entry = entries.first(where: { $0.arcsecPerPixel == nil }) {
            throw Failure(
                .badData, "the header does not say how large a pixel is, so that no instrument can be simulated", at: "\(entry.url.path), CDELT1",
                expected: "a scale", found: "none", remedy: "leave the file out of \(folder.lastPathComponent)")
        }
        return MagnetogramCollection(entries: entries, store: store, degradation: degradation)
    }

    /// Magnetograms of whole regions apart from the rest, about a tenth, for validation: nothing of a validation region is trained on.
    package func splitByRegion() -> (training: MagnetogramCollection, validation: MagnetogramCollection?) {
        let groups = regionGroups
        guard groups.count >= 3 else { return (self, nil) }
        // From the smallest group up, so that the large ones remain to be learned from, but not only the very smallest.
        let ordered = groups.sorted { (area($0), $0[0]) < (area($1), $1[0]) }
        let total = area(Array(entries.indices))
        var (held, heldArea) = ([Int](), 0)
        for group in ordered.dropFirst(groups.count / 3) where heldArea + area(group) <= total / 8 || held.isEmpty {
            held += group
            heldArea += area(group)
        }
        guard held.count < entries.count else { return (self, nil) }
        let validation = Set(held)
        return (subset { !validation.contains($0) }, subset { validation.contains($0) })
    }

    /// Indices of magnetograms that belong together: those that share a region, and those without one, since nothing tells them apart.
    private var regionGroups: [[Int]] {
        RegionGroups.groups(entries.map { entry -> [Region?] in entry.regions.isEmpty ? [nil] : entry.regions })
    }

    /// The pixels of magnetograms.
    private func area(_ group: [Int]) -> Int { group.reduce(0) { $0 + entries[$1].width * entries[$1].height } }

    /// A fold for each magnetogram, 0 ..< count, whole regions in one, each fold of about as many pixels as any other; nil if `count` is 0. Magnetograms without a
    /// region, such as parts of the quiet Sun, each stand alone, so that no fold lacks their kind.
    package func folds(_ count: Int) -> [Int]? {
        guard count > 0 else { return nil }
        var result = [Int](repeating: 0, count: entries.count), filled = [Int](repeating: 0, count: count)
        for group in RegionGroups.groups(entries.map(\.regions)).sorted(by: { (-area($0), $0[0]) < (-area($1), $1[0]) }) {
            let fold = filled.indices.min { filled[$0] < filled[$1] } ?? 0
            for index in group { result[index] = fold }
            filled[fold] += area(group)
        }
        return result
    }

    private func subset(_ isIncluded: (Int) -> Bool) -> MagnetogramCollection {
        MagnetogramCollection(entries: entries.indices.filter(isIncluded).map { entries[$0] }, store: store, degradation: degradation)
    }

    /// A crop at a place drawn at random, every pixel of the collection as likely as any other.
    package func randomCrop(size: Int, _ random: inout Random) -> Crop {
        let pixel = Double(random.uniform()) * Double(pixelsUpTo.last ?? 0)
        // The first magnetogram that the pixel does not lie beyond.
        var (file, last) = (0, entries.count - 1)
        while file < last {
            let middle = (file + last) / 2
            if pixel < Double(pixelsUpTo[middle]) { last = middle } else { file = middle + 1 }
        }
        // Of a pair, whole pixels of the low resolution.
        let unit = entries[file].pairScale ?? 1
        func place(_ extent: Int) -> Int { random.integer(below: max(1, (extent - size) / unit + 1)) * unit }
        var crop = Crop(
            file: file, x: place(entries[file].width), y: place(entries[file].height), size: size, orientation: random.integer(below: 8),
            reversesPolarity: random.integer(below: 2) == 1)
        if degradation != nil { crop.draw = UInt64(random.integer(below: 1 << 24)) << 24 | UInt64(random.integer(below: 1 << 24)) }
        return crop
    }

    /// - Throws: `Failure`: what ``MagnetogramStore/fields(of:)`` throws; `.badData` if no file of the collection has pixels that can be used.
    private func fields(of crop: Crop) throws -> MagnetogramStore.Fields {
        let entry = entries[crop.file]
        let fields = try store.fields(of: entry)
        if store.reason(against: entry) != nil, entries.allSatisfy({ store.reason(against: $0) != nil }) {
            throw Self.nothingToTrainOn(in: entry.url.deletingLastPathComponent(), entries.compactMap(store.reason))
        }
        return fields
    }

    /// Crops in Gauss, pixels without data as 0, `[crops.count, size, size, 1]`; all of one size.
    /// - Throws: `Failure` if a file can no longer be read.
    package func fields(_ crops: [Crop]) throws -> Tensor { try maskedFields(crops).field }

    /// The same with a mask of that shape: 1 where a pixel has data, 0 off the disk and where data are missing; nil if all have data.
    package func maskedFields(_ crops: [Crop]) throws -> (field: Tensor, known: Tensor?) {
        let images = try crops.map { piece($0, of: try fields(of: $0).high) }
        let known = images.flatMap { $0.pixels.map { $0.isNaN ? Float(0) : 1 } }
        let field = Self.tensor(images)
        return (field, known.contains(0) ? Tensor(shape: field.shape, values: known) : nil)
    }

    /// The low resolution of crops: what ``degradation`` makes of them, else the mean over every block of `scale` × `scale` pixels, or, of pairs, what
    /// stands beside them.
    ///
    /// - Parameter scale: divides the crops' size
    /// - Returns: `[crops.count, size / scale, size / scale, 1]` in Gauss, pixels without data as 0
    /// - Throws: `Failure` if a file can no longer be read, or (`.badData`) if a pair is of another scale.
    package func lowResolution(_ crops: [Crop], scale: Int) throws -> Tensor {
        let images = try crops.map { crop -> Image in
            let fields = try fields(of: crop)
            guard let low = fields.low else {
                guard let degradation, let draw = crop.draw, let arcsecPerPixel = entries[crop.file].arcsecPerPixel else {
                    return piece(crop, of: fields.high).blockMean(by: scale)
                }
                var random = Random(seed: draw, name: "degradation")
                let margin = degradation.margin(arcsecPerPixel: arcsecPerPixel, scale: scale)
                return degradation.lowResolution(
                    of: piece(crop, of: fields.high, margin: margin), margin: margin, arcsecPerPixel: arcsecPerPixel, scale: scale, &random)
            }
            guard entries[crop.file].pairScale == scale else {
                throw Failure(
                    .badData, "the pair is of another scale", at: entries[crop.file].url.path, expected: "\(scale)",
                    found: entries[crop.file].pairScale.map { "\($0)" })
            }
            var coarse = crop
            (coarse.x, coarse.y, coarse.size) = (crop.x / scale, crop.y / scale, crop.size / scale)
            return piece(coarse, of: low)
        }
        return Self.tensor(images)
    }

    /// The power spectrum of the fields, of squares drawn at random that lie within their maps.
    /// - Returns: nil if the maps are too small to have any.
    /// - Throws: `Failure` if a file can no longer be read.
    package func spectrum(seed: UInt64) throws -> FieldSpectrum? {
        let (count, side) = (128, 256)
        var random = Random(seed: seed, name: "field spectrum")
        let crops = (0..<count).map { _ in
            var crop = randomCrop(size: side, &random)
            crop.size = min(side, entries[crop.file].width, entries[crop.file].height)
            return crop
        }
        let squares = Parallel.map(count) { index in Result { Image(try fields([crops[index]])) } }
        return FieldSpectrum(of: try squares.map { try $0.get() })
    }

    /// What a model that is trained on the collection keeps of it.
    /// - Throws: `Failure` if libcrypto cannot compute a digest.
    package func trainingData() throws -> TrainingData {
        let scales = entries.compactMap(\.arcsecPerPixel).sorted()
        return TrainingData(
            sha256: try sha256(ofText: entries.map(\.digest).sorted().joined()),
            arcsecPerPixel: scales.first.flatMap { first in scales.last.map { first...$0 } })
    }

    /// Images of one size as `[images.count, height, width, 1]`, NaN as 0.
    private static func tensor(_ images: [Image]) -> Tensor {
        Tensor(
            shape: [images.count, images.first?.height ?? 0, images.first?.width ?? 0, 1],
            values: images.flatMap { $0.pixels.map { $0.isNaN ? 0 : $0 } })
    }

    /// A crop of an image with `margin` pixels around it, turned as it is to be; NaN where there are no data.
    private func piece(_ crop: Crop, of image: Image, margin: Int = 0) -> Image {
        let size = crop.size + 2 * margin
        let sign: Float = crop.reversesPolarity ? -1 : 1
        func mirrored(_ index: Int, _ count: Int) -> Int {
            let period = ((index % (2 * count)) + 2 * count) % (2 * count)
            return period < count ? period : 2 * count - 1 - period
        }
        let columns = (0..<size).map { mirrored(crop.x - margin + $0, image.width) }
        let rows = (0..<size).map { mirrored(crop.y - margin + $0, image.height) * image.width }
        var target = [Float](repeating: 0, count: size * size)
        image.pixels.withUnsafeBufferPointer { pixels in
            for j in 0..<size {
                for i in 0..<size {
                    var (x, y) = (i, j)
                    switch crop.orientation & 3 {
                    case 1: (x, y) = (j, size - 1 - i)
                    case 2: (x, y) = (size - 1 - i, size - 1 - j)
                    case 3: (x, y) = (size - 1 - j, i)
                    default: break
                    }
                    if crop.orientation & 4 != 0 { x = size - 1 - x }
                    target[j * size + i] = pixels[rows[y] + columns[x]] * sign
                }
            }
        }
        return Image(width: size, height: size, pixels: target)
    }
}

extension MagnetogramCollection.Entry {
    /// That of a file, by its headers alone.
    /// - Throws: `Failure`: `.missingInput`; `.badData` as ``Magnetogram/init(reading:)`` but for what only the pixels tell, and for a low resolution that
    ///   does not belong to the image.
    init(reading url: URL) throws {
        let map = try MagnetogramFile(reading: url, masksOffDisk: true)
        let low = try map.file.lowResolutionPlane()
        self.init(
            url: url, width: map.width, height: map.height, regions: map.regions, pairScale: try low.map { try map.scale(to: $0.plane) },
            pairInstrument: low?.instrument, isMap: map.grid?.projection == .cylindricalEqualArea, arcsecPerPixel: map.grid?.arcsecPerPixel,
            digest: try map.file.headerDigest())
    }
}

extension MagnetogramFile {
    fileprivate func scale(to low: FITSPlane) throws -> Int {
        let scale = width / max(1, low.width)
        guard scale >= 1, low.width * scale == width, low.height * scale == height else {
            throw Failure(
                .badData, "the low resolution does not belong to the image", at: "\(source.path), extension LR",
                expected: "a size that divides \(width) × \(height)", found: "\(low.width) × \(low.height)")
        }
        return scale
    }
}
