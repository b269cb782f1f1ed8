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
    /// The number of the header and data unit there, 0 for the primary one.
    public var hdu: Int
    /// The middle of the exposure if the header has it (`T_OBS`); see ``init(reading:)``.
    public var time: ObservationTime?
    /// The active regions it shows, HARP and TARP before NOAA numbers. Empty if unknown, and for most full disks.
    public var regions: [Region]
    /// What its user should know of the file's data, such as that a check sum does not fit.
    public var remarks: [String] = []

    /// Reads the first two-dimensional image of a FITS file.
    ///
    /// The time is what the header tells (``ObservationTime/init(_:)-(FITSHeader)``), else that of the file name (`20150623_000000`, taken as TAI, as archives
    /// name their files). Where the disk is known and all pixels beyond the limb have one and the same value, that value is a fill and becomes NaN;
    /// measured values beyond the limb are kept, unless `masksOffDisk`: where the disk is known, all beyond it are NaN then, whatever they hold.
    /// - Throws: `Failure`: `.missingInput` if there is no such file; `.badData` if it holds no such image, none with a value, or one in a unit that
    ///   is not Gauss's, if a pixel is no field of the Sun, if keywords contradict each other, or if those of the grid make none.
    public init(reading url: URL, masksOffDisk: Bool = false) throws {
        self = try MagnetogramFile(reading: url, masksOffDisk: masksOffDisk).whole()
    }

    init(image: Image, file: MagnetogramFile) {
        (self.image, header, instrument, source, hdu) = (image, file.header, file.instrument, file.source, file.hdu)
        (time, regions) = (file.time, file.regions)
    }

    /// Where the pixels lie. Nil if the header does not tell.
    public var grid: PixelGrid? { PixelGrid(header) }

    /// Whether `QUALITY` has none of the bits that the instrument sets on unfit images. True without that keyword.
    public var isFit: Bool { (header.quality ?? 0) & instrument.unfitQualityBits == 0 }

    /// Whether it is mapped to heliographic coordinates (SHARP or SMARP CEA map) rather than as seen on the sky.
    public var isMap: Bool { grid?.projection == .cylindricalEqualArea }

    /// Under what conditions it was taken, as far as the header tells.
    public var conditions: ObservingConditions { instrument.conditions(header) }

    /// The side of a pixel in arcsec, from the header; if that tells nothing, nil.
    public var arcsecPerPixel: Double? { grid?.arcsecPerPixel }
}

extension Magnetogram {
    /// The part of `width` × `height` pixels from column `x` and row `y` on (from 0), with the header's grid and statistics to match.
    /// - Precondition: it lies within the image.
    package func cropped(x: Int, y: Int, width: Int, height: Int) -> Magnetogram {
        var part = part(x: x, y: y, width: width, height: height)
        part.header.updateStatistics(of: part.image)
        return part
    }

    /// The same, but with the header's statistics of the whole.
    package func part(x: Int, y: Int, width: Int, height: Int) -> Magnetogram {
        var part = self
        part.image = image.cropped(x: x, y: y, width: width, height: height)
        part.header.cropGrid(x: x, y: y)
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

    /// Both axes reversed, with the header's grid to match: turned by 180°, so that every pixel keeps its coordinates.
    package func turned() -> Magnetogram {
        var turned = self
        turned.image.pixels.reverse()
        turned.header.turnGrid(width: image.width, height: image.height)
        return turned
    }
}

extension PixelGrid {
    /// Whether solar north is nearer to the lower than to the upper edge of an image that is not mirrored, as in HMI's full disks: turned by 180° it is
    /// upright.
    package var isUpsideDown: Bool { determinant > 0 && abs(rotation) > 90 }
}
