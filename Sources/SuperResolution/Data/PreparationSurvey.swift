import Foundation
import Groundwork
import SolarImage
import TensorCore

/// A file that crops are taken from, with what is known of it after one reading.
package struct PreparationSource: Sendable {
    /// Its place among the inputs.
    package let number: Int
    package let url: URL
    package let sha256: String
    package let instrument: Instrument
    package let time: ObservationTime?
    package let regions: [Region]
    package let quality: UInt32?
    package let arcsecPerPixel: Double?
    package let width, height: Int
    package let crops: [CropFrame]

    /// Pixels of all its crops.
    package var pixels: Int { crops.reduce(0) { $0 + $1.width * $1.height } }

    /// Year and month of observation, such as `2012-03`, in UTC.
    package var month: String? { time.map { String($0.description.prefix(7)) } }
}

/// A file that is left out.
package struct PreparationRejection: Sendable {
    package let number: Int
    package let url: URL
    package let reason: String
    /// What is wrong with the file; nil if it is sound, but not wanted.
    package let failure: Failure?

    init(number: Int, url: URL, reason: String) {
        (self.number, self.url, self.reason, failure) = (number, url, reason, nil)
    }

    init(number: Int, url: URL, failure: Failure) {
        var text = failure
        text.location = nil
        (self.number, self.url, self.reason, self.failure) = (number, url, text.description, failure)
    }
}

/// All inputs looked at, one in memory at a time: which are taken and which not.
package struct PreparationSurvey: Sendable {
    package private(set) var sources: [PreparationSource] = []
    package private(set) var rejections: [PreparationRejection] = []

    /// Reads every file and decides where its crops are.
    ///
    /// The places depend on the seed and the file's content, not on its name or on other files.
    /// - Parameter report: called before each file with its number.
    /// - Throws: `Failure` (`.interrupted`) once `isCancelled` says so. Files that cannot be used become ``rejections``.
    package init(
        of files: [URL], options: PreparationOptions, report: (_ number: Int) -> Void = { _ in }, isCancelled: () -> Bool = { false }
    ) throws {
        var seen: [String: URL] = [:]
        for (number, url) in files.enumerated() {
            if isCancelled() { throw Failure(.interrupted, "interrupted; nothing was written") }
            report(number)
            do {
                let digest = try sha256(of: url)
                if let first = seen[digest] {
                    rejections.append(PreparationRejection(number: number, url: url, reason: "the same file as \(first.path)"))
                    continue
                }
                seen[digest] = url
                switch try Self.examine(url, number, digest, options) {
                case .source(let source): sources.append(source)
                case .unwanted(let reason): rejections.append(PreparationRejection(number: number, url: url, reason: reason))
                }
            } catch let failure as Failure {
                rejections.append(PreparationRejection(number: number, url: url, failure: failure))
            }
        }
        rejectOtherScales()
    }

    private enum Finding {
        case source(PreparationSource)
        case unwanted(String)
    }

    private static func examine(_ url: URL, _ number: Int, _ digest: String, _ options: PreparationOptions) throws -> Finding {
        let map = try Magnetogram(reading: url)
        let (width, height) = (map.image.width, map.image.height)
        if let wanted = options.instrument, map.instrument != .unknown, map.instrument != wanted {
            return .unwanted("it is of \(map.instrument.rawValue), not of \(wanted.rawValue)")
        }
        let instrument = map.instrument == .unknown ? options.instrument ?? .unknown : map.instrument
        let unfit = (map.header.quality ?? 0) & (instrument.unfitQualityBits | options.qualityMask)
        guard unfit == 0 else {
            return .unwanted("QUALITY \((map.header.quality ?? 0).hexadecimal) has bits that mark it as unfit: \(unfit.hexadecimal)")
        }
        guard !map.showsWholeDisk else { return .unwanted("full disks are not prepared by this version") }
        let smallest = PreparationOptions.smallestSide
        guard min(width, height) >= smallest else {
            return .unwanted("its \(width) × \(height) pixels are fewer than \(smallest) × \(smallest)")
        }
        var random = Random(seed: options.seed, name: digest)
        let crops = map.image.cropFrames(options, &random)
        guard !crops.isEmpty else { return .unwanted("in no crop do half of the pixels have a value") }
        return .source(
            PreparationSource(
                number: number, url: url, sha256: digest, instrument: instrument, time: map.time, regions: map.regions, quality: map.header.quality,
                arcsecPerPixel: map.arcsecPerPixel, width: width, height: height, crops: crops))
    }

    /// A network learns structure by the size of it in pixels, so all files must have pixels of about one size: within 10 % of the median, of two
    /// middle ones the finer. Files that do not tell are taken.
    private mutating func rejectOtherScales() {
        let scales = sources.compactMap(\.arcsecPerPixel).sorted()
        guard !scales.isEmpty else { return }
        let median = scales[(scales.count - 1) / 2]
        let isOther = { (source: PreparationSource) in source.arcsecPerPixel.map { abs($0 / median - 1) > 0.1 } ?? false }
        for source in sources where isOther(source) {
            let reason = String(
                format: "its pixels of %.3g arcsec differ by more than 10 %% from the %.3g arcsec of most files", source.arcsecPerPixel ?? 0, median)
            rejections.append(PreparationRejection(number: source.number, url: source.url, reason: reason))
        }
        sources.removeAll(where: isOther)
        rejections.sort { $0.number < $1.number }
    }
}

extension Magnetogram {
    /// Whether it is a full disk: the disk fits into the image (to 2 % of its radius), or the image has the size of the instruments' full disks, with
    /// the centre of the disk and a part of the limb in it. Where the header does not tell, whether nothing but the corners is without values.
    var showsWholeDisk: Bool {
        if isMap { return false }
        let (width, height) = (image.width, image.height)
        let corners = [(0, 0), (width - 1, 0), (0, height - 1), (width - 1, height - 1)]
        guard let disk = grid?.disk else {
            return corners.allSatisfy { image[$0.0, $0.1].isNaN } && !image[width / 2, height / 2].isNaN
        }
        let (centre, radius) = (disk.centre, 0.98 * disk.radius)
        func contains(_ reach: Double) -> Bool {
            centre.x >= reach && centre.y >= reach && centre.x + reach < Double(width) && centre.y + reach < Double(height)
        }
        let hasLimb = corners.contains { hypot(Double($0.0) - centre.x, Double($0.1) - centre.y) > disk.radius }
        return contains(radius) || (width == height && [1024, 4096].contains(width) && contains(0) && hasLimb)
    }
}
