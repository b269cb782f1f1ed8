import Foundation
import Groundwork
import SolarImage

/// A crop of an MDI magnetogram, and the same piece of the Sun as HMI saw it, on MDI's grid made finer: what a network is fine-tuned on.
package struct MagnetogramPair: Sendable {
    /// How pairs are made.
    package struct Options: Sendable, Equatable {
        /// How many times finer the high-resolution pixels are.
        package var scale = 4
        /// What MDI reads where HMI reads 1 G, recorded as `MDIFACT` with MDI's values, which stay as they are; nil for what the file's conditions say.
        package var factor: Double?
        /// Pairs whose fields correlate less are refused.
        package var minimumCorrelation = 0.7
        /// Shifts of at most so many high-resolution pixels along each axis are left as they are.
        package var shiftTolerance = 0.25

        package init() {}
    }

    /// HMI's field in Gauss where MDI's pixels are. World coordinates, observer and time of observation are MDI's; all else of the header is HMI's.
    package let high: Magnetogram
    /// MDI's field as the file has it, with its header.
    package let low: Magnetogram
    package let figures: MagnetogramPairFigures
    /// Why the pair is of no use: the two fields do not go together. Nil if they do.
    package let refusal: String?

    /// Resamples HMI's magnetogram onto a crop of MDI's grid, made `scale` times finer.
    ///
    /// Each high-resolution pixel is followed to the surface as MDI saw it, back or forth to where the rotating surface was when HMI looked, and to
    /// HMI's detector, and HMI's field is interpolated there (``ResamplingGeometry``, ``ResamplingKernel``). The field is a density and stays as it
    /// is, which keeps its integral over the Sun's surface. That over the plane of the sky is not kept, nor can it be: the two see a piece of the
    /// surface foreshortened differently (by 1 % at 58 degrees from the centre of the disk, if they are half a degree apart). No value is corrected
    /// for the angle between field and line of sight.
    ///
    /// Then the two fields are registered. If MDI's lies off by more than `shiftTolerance` and by more than three standard errors, HMI's field is
    /// resampled again with that shift, and the pair so made is taken if it correlates better.
    /// - Parameters:
    ///   - high: HMI's full disk, or a cutout; turned any way.
    ///   - low: MDI's, turned with solar north up.
    ///   - frame: of the crop, in pixels of MDI's grid made `scale` times finer; the whole image by default.
    /// - Throws: `Failure`: `.badData` naming file and keyword if coordinates, observer or time of either are missing or impossible, if the pixels of
    ///   `high` are not about `scale` times finer, or if it shows nothing of the crop; `.other` if there is no memory.
    /// - Precondition: the frame lies in the image and begins and ends at multiples of `scale`.
    package init(high: Magnetogram, low: Magnetogram, frame: CropFrame? = nil, options: Options = Options()) throws {
        let scale = options.scale
        let frame = frame ?? CropFrame(x: 0, y: 0, width: low.image.width * scale, height: low.image.height * scale)
        precondition(
            [frame.x, frame.y, frame.width, frame.height].allSatisfy { $0.isMultiple(of: scale) }, "\(frame) is not made of blocks of \(scale) pixels"
        )
        // Of the image as it is, since a finer grid has some of the keywords that are missing here.
        let source = try ResamplingGeometry.View(high), whole = try ResamplingGeometry.View(low)
        let crop = low.cropped(x: frame.x / scale, y: frame.y / scale, width: frame.width / scale, height: frame.height / scale)
        var fine = crop
        fine.header.refineGrid(by: scale)
        let geometry = ResamplingGeometry(of: ResamplingGeometry.View(try fine.worldCoordinates(), whole.observer, whole.time), in: source)
        try MagnetogramPair.checkScale(geometry, scale, high.source)

        func resampled(shift: SIMD2<Double> = .zero) throws -> Image {
            high.image.resampled(
                at: try geometry.places(width: frame.width, height: frame.height, shift: shift), width: frame.width, height: frame.height)
        }
        var field = try resampled()
        guard field.pixels.contains(where: \.isFinite) else {
            throw Failure(
                .badData, "shows nothing of the crop of the file it is paired with", at: high.source.path,
                expected: "data where columns \(frame.x)… and rows \(frame.y)… of \(low.source.lastPathComponent) lie", found: "none",
                remedy: "leave the pair out")
        }
        let minutes = (source.time.taiSeconds - whole.time.taiSeconds) / 60
        var figures = MagnetogramPairFigures(high: field, low: crop.image, scale: scale, minutes: minutes)
        if let shift = figures.significantShift(above: options.shiftTolerance) {
            let moved = try resampled(shift: shift)
            let after = figures.after(MagnetogramPairFigures(high: moved, low: crop.image, scale: scale, minutes: minutes))
            if after.correlation ?? -1 > figures.correlation ?? -1 { (field, figures) = (moved, after) }
        }
        self.figures = figures
        refusal = figures.refusal(below: options.minimumCorrelation)
        let record = Record(high: high, low: low, frame: frame, figures: figures, options: options)
        self.high = record.high(field, fine)
        self.low = record.low(crop)
    }

    /// Pixels much finer would need smoothing first, and much coarser ones show too little.
    private static func checkScale(_ geometry: ResamplingGeometry, _ scale: Int, _ file: URL) throws {
        let ratio = geometry.source.pixelSize / geometry.target.pixelSize
        guard !(0.8...1.25).contains(ratio) else { return }
        throw Failure(
            .badData, "the pixels have not the size to be paired", at: "\(file.path), CDELT1",
            expected: String(format: "about %.0f km in the middle of the disk, %d times finer than MDI's", geometry.target.pixelSize / 1000, scale),
            found: String(format: "%.0f km", geometry.source.pixelSize / 1000), remedy: "give full-resolution magnetograms")
    }
}
