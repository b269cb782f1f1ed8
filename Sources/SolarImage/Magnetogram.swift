import Foundation
import Groundwork

/// A magnetogram: the line-of-sight (or radial) magnetic field with what its header tells about it.
public struct Magnetogram: Sendable {
    /// The field in Gauss (Mx/cm² averaged over a pixel); NaN off the disk and where data are missing.
    public var image: Image
    public var header: FITSHeader
    public var instrument: Instrument
    /// The file it was read from.
    public var source: URL
    /// The middle of the exposure if the header has it (`T_OBS`); see ``init(reading:)``.
    public var time: ObservationTime?
    /// The active regions it shows, HARP and TARP before NOAA numbers. Empty if unknown, and for most full disks.
    public var regions: [Region]

    /// Reads the first two-dimensional image of a FITS file.
    ///
    /// The time is that of `T_OBS`, else `T_REC`, else `DATE-OBS` or `DATE_OBS`, else of the file name (`20150623_000000`, taken as TAI, as archives
    /// name their files). Where the disk is known and all pixels beyond the limb have one and the same value, that value is a fill and becomes NaN;
    /// measured values beyond the limb are kept.
    /// - Throws: `Failure`: `.missingInput` if there is no such file; `.badData` if it holds no such image, none with a value, or one in a unit that
    ///   is not Gauss's.
    public init(reading url: URL) throws {
        let file = try FITSFile(reading: url).firstImage()
        image = file.image
        header = file.header
        instrument = Instrument(header: header)
        source = url
        let name = url.lastPathComponent
        regions = Region.regions(header: header, fileName: name)
        let stamp = name.firstMatch(of: /(?:^|\D)(\d{8}_\d{6})(?:\D|$)/).map { "\($0.1)_TAI" }
        time =
            (["T_OBS", "T_REC", "DATE-OBS", "DATE_OBS"].map { header.string($0) } + [stamp]).lazy.compactMap { $0.flatMap { ObservationTime($0) } }
            .first
        let factor = try Magnetogram.gaussPerUnit(header, at: "\(url.path), HDU \(file.hdu)")
        if factor != 1 { for index in image.pixels.indices { image.pixels[index] *= factor } }
        removeOffDiskFill()
    }

    /// Where the pixels lie. Nil if the header does not tell.
    public var grid: PixelGrid? { PixelGrid(header) }

    /// Whether `QUALITY` has none of the bits that the instrument sets on unfit images. True without that keyword.
    public var isFit: Bool { (header.quality ?? 0) & instrument.unfitQualityBits == 0 }

    /// Whether it is mapped to heliographic coordinates (SHARP or SMARP CEA map) rather than as seen on the sky.
    public var isMap: Bool { grid?.projection == .cylindricalEqualArea }

    /// The side of a pixel in arcsec, from the header; if that tells nothing, nil.
    public var arcsecPerPixel: Double? { grid?.arcsecPerPixel }
}

extension Magnetogram {
    /// The part of `width` × `height` pixels from column `x` and row `y` on (from 0), with the header's grid and statistics to match.
    /// - Precondition: it lies within the image.
    package func cropped(x: Int, y: Int, width: Int, height: Int) -> Magnetogram {
        var part = self
        part.image = image.cropped(x: x, y: y, width: width, height: height)
        part.header.cropGrid(x: x, y: y)
        part.header.updateStatistics(of: part.image)
        return part
    }

    /// The mean over blocks of `factor` × `factor` pixels, with the header's grid and statistics to match.
    /// - Precondition: the image holds a block.
    package func binned(by factor: Int) -> Magnetogram {
        var coarse = self
        coarse.image = image.blockMean(by: factor)
        coarse.header.binGrid(by: factor)
        coarse.header.updateStatistics(of: coarse.image)
        return coarse
    }

    /// Gauss for one of the file's units; 1 where it names none.
    private static func gaussPerUnit(_ header: FITSHeader, at location: String) throws -> Float {
        // Files exported from JSOC in 2025 call the keyword _BUNIT.
        guard let unit = header.string("BUNIT") ?? header.string("_BUNIT") else { return 1 }
        switch unit.lowercased().filter({ !$0.isWhitespace }) {
        case "gauss", "g", "mx/cm^2", "mx/cm2", "mx/cm**2", "mxcm^-2", "mxcm-2", "maxwell/cm^2": return 1
        case "kg", "kgauss", "kilogauss": return 1000
        case "t", "tesla": return 10000
        case "mt": return 10
        default:
            throw Failure(
                .badData, "the image is not a magnetogram", at: "\(location), BUNIT", expected: "Gauss or Mx/cm^2", found: unit,
                remedy: "give a magnetogram, or correct the keyword")
        }
    }

    private mutating func removeOffDiskFill() {
        guard let mask = grid?.onDisk(width: image.width, height: image.height) else { return }
        let outside = mask.indices.filter { !mask[$0] && image.pixels[$0].isFinite }
        // Few pixels may be equal by chance: values are stored in steps of 0.1 G.
        guard outside.count >= 16, let fill = outside.first.map({ image.pixels[$0] }), outside.allSatisfy({ image.pixels[$0] == fill }) else {
            return
        }
        for index in outside { image.pixels[index] = .nan }
    }
}
