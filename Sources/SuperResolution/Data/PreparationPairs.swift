import Foundation
import Groundwork
import SolarImage
import TensorCore

/// The low resolution of a crop: MDI's field in MDI's Gauss, and how it goes with the crop.
package struct LowResolution: Sendable {
    /// ``PreparationOptions/scale`` times fewer pixels along each axis than the crop.
    package var map: Magnetogram
    package var statistics: PairStatistics

    package init(map: Magnetogram, statistics: PairStatistics) { (self.map, self.statistics) = (map, statistics) }
}

/// Where the low resolution of a crop came from, and how it goes with the crop; a part of the crop's line in the manifest.
package struct PairStatistics: Sendable, Codable, Equatable {
    package enum Kind: String, Sendable, Codable { case simulated, registered, matched }

    package var kind: Kind
    /// MDI's file and its SHA-256; nil if simulated.
    package var source: String?
    package var sha256: String?
    /// ISO 8601, UTC.
    package var time: String?
    /// What the low resolution is to be divided by.
    package var factor: Double
    /// Pearson's, of the two images on the finer grid they share: that of the crop, or if MDI was never on it, that of its block means.
    package var correlation: Double?
    /// Σxy/Σx² of MDI (y) on HMI (x) on that grid, and of the block means.
    package var slope: Double?, slopeOfMeans: Double?
    /// How far MDI lies from HMI, in pixels of the crop, to the right and upwards.
    package var shift: [Double]?
    /// Of matched pairs: all figures of their registration.
    package var registration: MagnetogramPairFigures?

    package init(
        kind: Kind, source: String? = nil, sha256: String? = nil, time: String? = nil, factor: Double, correlation: Double? = nil,
        slope: Double? = nil, slopeOfMeans: Double? = nil, shift: [Double]? = nil, registration: MagnetogramPairFigures? = nil
    ) {
        self.registration = registration
        (self.kind, self.source, self.sha256, self.time, self.factor) = (kind, source, sha256, time, factor)
        func finite(_ number: Double?) -> Double? { number.flatMap { $0.isFinite ? $0 : nil } }
        (self.correlation, self.slope, self.slopeOfMeans) = (finite(correlation), finite(slope), finite(slopeOfMeans))
        self.shift = shift.flatMap { $0.allSatisfy(\.isFinite) ? $0 : nil }
    }

    package enum CodingKeys: String, CodingKey {
        case kind, source, sha256, time, correlation, slope, shift, registration
        case factor = "mdi_factor"
        case slopeOfMeans = "slope_of_means"
    }
}

/// What gives crops their low resolution.
package protocol LowResolutionSource: Sendable {
    /// For one map of HMI, called once.
    /// - Parameters:
    ///   - map: its file.
    ///   - sha256: of the file.
    ///   - geometry: of the map, upright.
    /// - Throws: ``Unpaired`` if the map has no partner; `Failure` (`.badData`) if something is wrong with one of the files.
    func partner(of map: MagnetogramFile, sha256: String, geometry: MapGeometry) throws -> any LowResolutionPartner
}

/// The partner of one map.
package protocol LowResolutionPartner {
    /// How many pixels around a crop its low resolution depends on.
    var margin: Int { get }

    /// - Parameters:
    ///   - surroundings: a part of the upright map: the crop with up to ``margin`` pixels around it, fewer at the borders of the map.
    ///   - inner: the crop's place in these surroundings.
    ///   - frame: its place in the upright map.
    /// - Throws: ``Unpaired`` if what there is does not go with the crop; `Failure` (`.badData`).
    func lowResolution(of surroundings: Magnetogram, inner: CropFrame, frame: CropFrame) throws -> LowResolution
}

/// Why there is no low resolution.
package struct Unpaired: Error {
    package var reason: String

    package init(_ reason: String) { self.reason = reason }
}

extension LowResolution {
    /// The keyword for what the values are to be divided by, to be on HMI's scale of Gauss.
    package static let factorKeyword = "MDIFACT"

    /// - Parameters:
    ///   - image: in MDI's Gauss.
    ///   - crop: the crop, whose grid the header gets, coarsened; other keywords it has from there.
    ///   - history: how the image came about.
    package init(image: Image, of crop: Magnetogram, scale: Int, statistics: PairStatistics, history: String) {
        var map = crop
        map.image = image
        map.header.binGrid(by: scale)
        map.header.updateStatistics(of: image)
        map.header.set("BUNIT", .string("Gauss"))
        map.header.set(Self.factorKeyword, .real(statistics.factor), comment: "MDI's Gauss: divide by this for HMI's")
        map.header.addHistory(history)
        self.init(map: map, statistics: statistics)
    }
}

/// Makes the low resolution of each crop by ``MDISimulation``.
package struct SimulatedPairs: LowResolutionSource {
    package var simulation: MDISimulation
    package var seed: UInt64

    package init(_ simulation: MDISimulation, seed: UInt64) { (self.simulation, self.seed) = (simulation, seed) }

    package func partner(of map: MagnetogramFile, sha256: String, geometry: MapGeometry) throws -> any LowResolutionPartner {
        guard let arcsecPerPixel = geometry.arcsecPerPixel else {
            throw Failure(
                .badData, "the header does not say how large a pixel is, so that MDI cannot be simulated", at: "\(map.source.path), CDELT1",
                expected: "a scale", found: "none")
        }
        return Partner(simulation: simulation, arcsecPerPixel: arcsecPerPixel, seed: seed, name: "MDI noise of \(sha256)")
    }

    private struct Partner: LowResolutionPartner {
        let simulation: MDISimulation
        let arcsecPerPixel: Double
        let seed: UInt64
        let name: String

        /// Beyond four standard deviations of the blur there is 6·10⁻⁵ of its weight; whole blocks.
        var margin: Int {
            let deviation = simulation.blurWidth / (8 * log(2.0)).squareRoot() / arcsecPerPixel
            return Int((4 * deviation / Double(simulation.scale)).rounded(.up)) * simulation.scale
        }

        func lowResolution(of surroundings: Magnetogram, inner: CropFrame, frame: CropFrame) throws -> LowResolution {
            let crop = surroundings.cropped(x: inner.x, y: inner.y, width: inner.width, height: inner.height)
            let scale = simulation.scale
            // Blurred with its surroundings, but with noise of its own.
            var random = Random(seed: seed, name: "\(name) \(frame.x) \(frame.y)")
            var quiet = simulation
            quiet.noise = 0
            let blurred = quiet.lowResolution(of: surroundings.image, arcsecPerPixel: arcsecPerPixel, random: random)
            var image = blurred.cropped(x: inner.x / scale, y: inner.y / scale, width: inner.width / scale, height: inner.height / scale)
            if simulation.noise > 0 {
                let deviates = random.normal([image.height, image.width]).values
                for index in image.pixels.indices { image.pixels[index] += deviates[index] * Float(simulation.noise) }
            }
            let comparison = FieldComparison(of: image, with: crop.image.blockMean(by: scale))
            return LowResolution(
                image: image, of: crop, scale: scale,
                statistics: PairStatistics(
                    kind: .simulated, factor: simulation.factor, correlation: comparison.correlation, slopeOfMeans: comparison.slopeThroughOrigin),
                history: String(
                    format: "sr \(programVersion): MDI simulated: blurred to %g arcsec, mean of %d x %d pixels, times %g, noise of %g G",
                    simulation.blurWidth, scale, scale, simulation.factor, simulation.noise))
        }
    }
}

/// Takes as low resolution block means of MDI's maps that lie on the grid of HMI's, matched by the time and the regions in the files' names.
package struct RegisteredPairs: LowResolutionSource {
    private let files: [Key: [URL]]
    private let folder: URL
    private let scale: Int
    private let factor: Double
    private let minimumCorrelation: Double

    private struct Key: Hashable {
        var time: String
        var regions: [Region]

        init?(_ name: String) {
            guard let time = name.firstMatch(of: /(?:^|\D)(\d{8}_\d{6})(?:\D|$)/)?.1 else { return nil }
            self.time = String(time)
            regions = Region.regions(header: FITSHeader(), fileName: name).sorted()
        }
    }

    /// - Throws: `Failure`: `.missingInput` if there is no such folder, `.badData` if it cannot be read or holds no FITS file.
    package init(folder: URL, scale: Int, factor: Double, minimumCorrelation: Double) throws {
        let all = try fitsFiles(in: folder)
        guard !all.isEmpty else { throw Failure(.badData, "the folder holds no FITS file to pair with", at: folder.path) }
        var files: [Key: [URL]] = [:]
        for url in all { if let key = Key(url.lastPathComponent) { files[key, default: []].append(url) } }
        (self.files, self.folder, self.scale, self.factor, self.minimumCorrelation) = (files, folder, scale, factor, minimumCorrelation)
    }

    package func partner(of map: MagnetogramFile, sha256: String, geometry: MapGeometry) throws -> any LowResolutionPartner {
        let name = map.source.lastPathComponent
        guard let key = Key(name) else { throw Unpaired("its name has no time such as 20110402_204800 to find its pair by") }
        // In one folder with MDI's the file itself has the same time and regions.
        let own = map.source.resolvingSymlinksInPath().path
        let found = (files[key] ?? []).filter { $0.resolvingSymlinksInPath().path != own }
        guard let url = found.first else { throw Unpaired("no file in \(folder.path) has the time and the regions of its name") }
        guard found.count == 1 else {
            throw Unpaired("several files have the time and the regions of its name: \(found.map(\.lastPathComponent).joined(separator: ", "))")
        }
        var other = try Magnetogram(reading: url)
        guard other.image.width == map.width, other.image.height == map.height else {
            throw Unpaired(
                "\(url.lastPathComponent) is not on its grid: \(other.image.width) × \(other.image.height) pixels instead of "
                    + "\(map.width) × \(map.height)")
        }
        if geometry.isUpsideDown { other = other.turned() }
        return Partner(
            map: other, sha256: try SuperResolution.sha256(of: url), scale: scale, factor: factor, minimumCorrelation: minimumCorrelation)
    }

    private struct Partner: LowResolutionPartner {
        let map: Magnetogram
        let sha256: String
        let scale: Int
        let factor: Double
        let minimumCorrelation: Double

        var margin: Int { 0 }

        func lowResolution(of surroundings: Magnetogram, inner: CropFrame, frame: CropFrame) throws -> LowResolution {
            let crop = surroundings.cropped(x: inner.x, y: inner.y, width: inner.width, height: inner.height)
            let field = map.image.cropped(x: frame.x, y: frame.y, width: frame.width, height: frame.height)
            let image = field.blockMean(by: scale)
            let comparison = FieldComparison(of: field, with: crop.image)
            let means = FieldComparison(of: image, with: crop.image.blockMean(by: scale))
            let registration = Registration(of: field, with: crop.image)
            let statistics = PairStatistics(
                kind: .registered, source: map.source.path, sha256: sha256, time: map.time?.description, factor: factor,
                correlation: comparison.correlation, slope: comparison.slopeThroughOrigin, slopeOfMeans: means.slopeThroughOrigin,
                shift: registration.map { [$0.shift.x, $0.shift.y] })
            guard comparison.correlation >= minimumCorrelation else {
                throw Unpaired(
                    String(
                        format: "its correlation with \(map.source.lastPathComponent) of %.3f is below %.3f (slope %.3f, shift %.2f, %.2f pixels)",
                        comparison.correlation, minimumCorrelation, comparison.slopeThroughOrigin, registration?.shift.x ?? .nan,
                        registration?.shift.y ?? .nan))
            }
            return LowResolution(
                image: image, of: crop, scale: scale, statistics: statistics,
                history: "sr \(programVersion): mean of \(scale) x \(scale) pixels of \(map.source.lastPathComponent), SHA-256 \(sha256)")
        }
    }
}

extension PreparationOptions {
    /// What gives crops their low resolution; nil if nothing does, or if crops themselves come with it (``MatchedPairs``).
    /// - Throws: `Failure` if what it needs is not there.
    func lowResolutionSource() throws -> (any LowResolutionSource)? {
        switch lowResolution {
        case .none: nil
        case .simulated(let simulation): SimulatedPairs(simulation, seed: seed)
        case .registered(let folder):
            try RegisteredPairs(folder: folder, scale: scale, factor: factor, minimumCorrelation: minimumCorrelation)
        case .matched: nil
        }
    }
}
