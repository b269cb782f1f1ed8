import Foundation

/// What an instrument made of the Sun in one image, against what HMI's 720-second magnetograms show of it: y = gain · block mean(PSF ∗ x) + noise.
public struct ObservingConditions: Sendable, Equatable {
    /// Calibration level, such as `1.8.2`; nil if the header does not tell.
    public var level: String?
    /// Seconds that were averaged; nil if the header does not tell.
    public var exposure: Double?
    /// What the instrument reads where HMI reads 1 G.
    public var gain = 1.0
    /// Who measured it; nil where there was nothing to measure.
    public var gainSource: String?
    /// Why the gain is not to be relied on; nil where it is.
    public var gainDoubt: String?
    public var psf = PointSpreadFunction.none
    /// Standard deviation of the noise in the instrument's Gauss, root mean square over the disk; 0 where it is part of the field.
    public var noise = 0.0
    /// How the noise varies over the disk; nil if that is not known.
    public var noisePattern: DiskPattern?
    /// In the instrument's Gauss, what no field exceeds; nil for none.
    public var saturation: Double?
    /// The side of a pixel; by the header, else of the instrument's full disks, if that tells anything.
    public var arcsecPerPixel: Double?

    public init(arcsecPerPixel: Double? = nil) { self.arcsecPerPixel = arcsecPerPixel }
}

extension ObservingConditions {
    /// Standard deviation of the noise in the instrument's Gauss, root mean square over an image as the detector recorded it, or a part of it.
    /// - Parameter grid: of the image; nil if it is not known where it lies.
    public func noise(over grid: PixelGrid?, width: Int, height: Int) -> Double {
        guard let noisePattern, let disk = grid?.disk else { return noise }
        var (sum, count) = (0.0, 0)
        for y in stride(from: 0, to: height, by: max(1, height / 32)) {
            for x in stride(from: 0, to: width, by: max(1, width / 32)) {
                let place = (SIMD2(Double(x), Double(y)) - disk.centre) / disk.radius
                guard (place * place).sum() <= 1 else { continue }
                let factor = noisePattern.factor(at: place)
                (sum, count) = (sum + factor * factor, count + 1)
            }
        }
        return count > 0 ? noise * (sum / Double(count)).squareRoot() : noise
    }
}
