import Foundation
import SolarImage

/// How well the two fields of a pair go together, by the means of HMI's over blocks of high-resolution pixels and MDI's own values.
package struct MagnetogramPairFigures: Sendable, Codable, Equatable {
    /// By how much HMI's exposure is later than MDI's, in minutes.
    package let timeDifference: Double
    /// MDI's pixels with data in both.
    package let count: Int
    /// Pearson's correlation; nil if a field has one value only.
    package let correlation: Double?
    /// Slope of MDI's values on HMI's means, of the line through the origin; about 1.4. Nil if HMI's are 0.
    package let slopeThroughOrigin: Double?
    /// The same of the line with an intercept, which is in Gauss; nil if HMI's field has one value only.
    package let slope: Double?, intercept: Double?
    /// How far MDI's field lay off HMI's by their world coordinates, in high-resolution pixels, columns to the right and rows upwards; nil if nothing
    /// could be registered.
    package private(set) var shift: [Double]?
    /// The standard error of ``shift`` along each axis.
    package private(set) var shiftError: Double?
    /// How far it lies off in the pair as it is: ``shift`` itself if that was not corrected.
    package let residualShift: [Double]?
    /// Whether HMI's field was shifted by ``shift``.
    package private(set) var isShifted = false
    /// How much larger MDI shows things than HMI, its standard error, and how far MDI's field is turned counter-clockwise, in degrees. Nil if too few
    /// parts of the crop correlate.
    package let scale: Double?, scaleError: Double?, rotation: Double?

    package enum CodingKeys: String, CodingKey {
        case count, correlation, slope, intercept, shift, scale, rotation
        case timeDifference = "time_difference_minutes"
        case slopeThroughOrigin = "slope_through_origin"
        case shiftError = "shift_error"
        case residualShift = "residual_shift"
        case isShifted = "is_shifted"
        case scaleError = "scale_error"
    }

    /// - Parameters:
    ///   - high: HMI's field on MDI's grid made `scale` times finer.
    ///   - minutes: ``timeDifference``.
    init(high: Image, low: Image, scale factor: Int, minutes: Double) {
        let mean = high.blockMean(by: factor)
        let comparison = FieldComparison(of: low, with: mean)
        timeDifference = minutes
        func known(_ number: Double) -> Double? { number.isFinite ? number : nil }
        (count, correlation, slopeThroughOrigin) = (comparison.count, known(comparison.correlation), known(comparison.slopeThroughOrigin))
        (slope, intercept) = (known(comparison.slope), known(comparison.intercept))
        let registration = Registration(of: low, with: mean, limit: MagnetogramPairFigures.farthest)
        let fit = registration?.fit
        let measured = (fit?.similarity.shift ?? registration?.shift).map { $0 * Double(factor) }
        shift = measured.map { [$0.x, $0.y] }
        residualShift = shift
        shiftError = (fit?.shiftError ?? registration.flatMap { mean.shiftError(correlation: $0.correlation) }).map { $0 * Double(factor) }
        (scale, scaleError, rotation) = (fit?.similarity.scale, fit?.scaleError, fit?.similarity.rotation)
    }

    /// How many of MDI's pixels of 2″ a shift may measure: pointings are known better than that.
    private static let farthest = 8

    /// The shift if it exceeds both `tolerance` along an axis and three standard errors.
    func significantShift(above tolerance: Double) -> SIMD2<Double>? {
        guard let shift, let shiftError else { return nil }
        let greatest = max(abs(shift[0]), abs(shift[1]))
        return greatest > max(tolerance, 3 * shiftError) ? SIMD2(shift[0], shift[1]) : nil
    }

    /// The figures of the pair that was made with ``shift``.
    func after(_ later: MagnetogramPairFigures) -> MagnetogramPairFigures {
        var figures = later
        (figures.shift, figures.shiftError, figures.isShifted) = (shift, shiftError, true)
        return figures
    }

    func refusal(below minimum: Double) -> String? {
        guard let correlation, let slopeThroughOrigin else { return "one of the two fields has one value only" }
        if correlation >= minimum { return nil }
        let place = residualShift.map { String(format: ", with a shift of %.2f, %.2f high-resolution pixels", $0[0], $0[1]) } ?? ""
        return String(format: "the two fields correlate by %.3f, less than %g; their slope is %.3f", correlation, minimum, slopeThroughOrigin) + place
    }
}

extension Image {
    /// The standard error of a shift between this field and another that correlates with it by r, in pixels along the worse axis: √(1 − r²)/(r k √n),
    /// with k² the mean square of the field's slope over its variance (the bound of Cramér and Rao for noise that is independent from pixel to
    /// pixel). Twice that, since solar change is not.
    fileprivate func shiftError(correlation: Double) -> Double? {
        guard correlation > 0 else { return nil }
        let known = pixels.lazy.filter(\.isFinite).map(Double.init)
        let count = Double(known.count), mean = known.reduce(0, +) / count
        let variance = known.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / count
        func slopeSquare(_ stride: Int, _ columns: Range<Int>, _ rows: Range<Int>) -> Double {
            var (sum, count) = (0.0, 0.0)
            for y in rows {
                for x in columns {
                    let difference = Double(pixels[y * width + x + stride] - pixels[y * width + x - stride]) / 2
                    if difference.isFinite { (sum, count) = (sum + difference * difference, count + 1) }
                }
            }
            return sum / count
        }
        guard width > 2, height > 2 else { return nil }
        let least = min(slopeSquare(1, 1..<width - 1, 0..<height), slopeSquare(width, 0..<width, 1..<height - 1))
        let error = 2 * ((1 - correlation * correlation) * variance / (least * count)).squareRoot() / correlation
        return error.isFinite ? error : nil
    }
}
