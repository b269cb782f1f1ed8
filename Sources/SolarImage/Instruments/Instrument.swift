import Foundation

/// The magnetograph a file comes from, with what its files do differently from others'.
public enum Instrument: String, Sendable, Codable {
    /// Helioseismic and Magnetic Imager on SDO: 4096² full disks of 0.5″ pixels, since 2010.
    case hmi
    /// Michelson Doppler Imager on SOHO: 1024² full disks of 2″ pixels, 1995 to 2011.
    case mdi
    /// Another, or a file whose header does not tell.
    case unknown

    /// Recognises the instrument by `TELESCOP`, `INSTRUME`, `CAMERA` and `CONTENT`.
    public init(header: FITSHeader) {
        let words = ["TELESCOP", "INSTRUME", "CAMERA", "CONTENT"].compactMap { header.string($0)?.uppercased() }
        if words.contains(where: { $0.hasPrefix("HMI") || $0.hasSuffix("/HMI") }) {
            self = .hmi
        } else if words.contains(where: { $0.hasPrefix("MDI") || $0.hasSuffix("/MDI") }) {
            self = .mdi
        } else {
            self = .unknown
        }
    }

    /// The same; of a header with none of these keywords by the file's name, if that begins as archives name their files: `hmi.M_720s.…`,
    /// `mdi_fd….fits`.
    public init(header: FITSHeader, fileName: String) {
        self.init(header: header)
        guard self == .unknown, ["TELESCOP", "INSTRUME", "CAMERA", "CONTENT"].allSatisfy({ header.string($0) == nil }) else { return }
        guard let name = fileName.prefixMatch(of: /(?i)(hmi|mdi)[^a-z]/)?.1 else { return }
        self = name.lowercased() == "hmi" ? .hmi : .mdi
    }

    /// The bits of `QUALITY` that mark an image as unfit.
    ///
    /// - HMI: the top bit, set where no line-of-sight observable could be made (JSOC, "Level-1.5 quality bits"). Lower bits only remark on the
    ///   conditions.
    /// - MDI: record missing (0x2), more than 1 % of the image missing (0x78), on-board processing error (0x80), cosmic rays (0x400) and improbable
    ///   statistics (0x800) (SOI, "MDI standard quality bit definitions"). 0x200, "not in the prime 60 s programme", stands on good magnetograms.
    public var unfitQualityBits: UInt32 {
        switch self {
        case .hmi, .unknown: 0x8000_0000
        case .mdi: 0x0000_0CFA
        }
    }
}

extension FITSHeader {
    /// `QUALITY` as a word of 32 bits, whether stored as a number (negative if the top bit is set) or in hexadecimal text. Nil if there is none.
    public var quality: UInt32? { integer("QUALITY").map { UInt32(truncatingIfNeeded: $0) } }

    /// The distance of the observer from the centre of the Sun in metres. Nil if the header has none.
    ///
    /// Early MDI files put the astronomical unit into `DSUN_OBS` whatever the distance, and the true one, in astronomical units, into `OBS_DIST`.
    package var observerDistance: Double? {
        (real("OBS_DIST").map { $0 * 149_597_870_691 } ?? real("DSUN_OBS")).flatMap { $0 > 0 ? $0 : nil }
    }

    /// The radius of the Sun in metres that the file was made with: `RSUN_REF`, or 696,000,000 m as both instruments use.
    package var solarRadius: Double {
        real("RSUN_REF").flatMap { $0 > 0 ? $0 : nil } ?? 696_000_000
    }

    /// The angular radius of the Sun in arcsec: `RSUN_OBS`, early MDI's `OBS_R0`, or from radius and distance. Nil if the header has none of them.
    package var angularRadius: Double? {
        if let radius = real("RSUN_OBS") ?? real("OBS_R0"), radius > 0 { return radius }
        return observerDistance.flatMap { $0 > solarRadius ? asin(solarRadius / $0) * PixelGrid.arcsecPerRadian : nil }
    }
}
