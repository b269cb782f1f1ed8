import Foundation
import Groundwork
import SolarImage

/// The low resolution of a crop: the field of another instrument in that instrument's Gauss, and how it goes with the crop.
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
    /// Its file and that file's SHA-256; nil if simulated.
    package var source: String?
    package var sha256: String?
    /// ISO 8601, UTC.
    package var time: String?
    /// What the low resolution is to be divided by.
    package var factor: Double
    /// Pearson's, of the two images on the finer grid they share: that of the crop, or if the other was never on it, that of its block means.
    package var correlation: Double?
    /// Σxy/Σx² of the low resolution (y) on HMI (x) on that grid, and of the block means.
    package var slope: Double?, slopeOfMeans: Double?
    /// How far it lies from HMI, in pixels of the crop, to the right and upwards.
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
    /// - Throws: ``Unpaired`` if the map has no partner; `Failure` (`.badData`) if something is wrong with one of the files.
    func partner(of map: UprightMap) throws -> any LowResolutionPartner
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
    /// - Parameters:
    ///   - image: in the instrument's Gauss.
    ///   - instrument: what it is of.
    ///   - crop: the crop, whose grid the header gets, coarsened; other keywords it has from there.
    ///   - history: how the image came about.
    package init(image: Image, by instrument: Instrument, of crop: Magnetogram, scale: Int, statistics: PairStatistics, history: String) {
        var map = crop
        map.image = image
        map.header.binGrid(by: scale)
        map.header.updateStatistics(of: image)
        map.header.set("BUNIT", .string("Gauss"))
        map.header.setGain(statistics.factor, of: instrument)
        map.header.addHistory(history)
        self.init(map: map, statistics: statistics)
    }
}

extension FITSHeader {
    /// Records what the values are to be divided by, to be on HMI's scale of Gauss.
    mutating func setGain(_ gain: Double, of instrument: Instrument) {
        set(instrument.gainKeyword, .real(gain), comment: "divide by this for the scale of HMI")
    }
}
