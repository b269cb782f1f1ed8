import Foundation
import SolarImage
import TensorCore

extension Degradation {
    /// An observation drawn from the ranges.
    package func observation(_ random: inout Random) -> Observation {
        func draw(_ range: ClosedRange<Double>) -> Double {
            range.lowerBound + Double(random.uniform()) * (range.upperBound - range.lowerBound)
        }
        var observation = Observation()
        observation.psf = PointSpreadFunction(width: draw(width), wingFraction: draw(wingFraction), wingWidth: wingWidth)
        observation.gain = gain * draw(gainScatter)
        observation.weakFieldExcess = draw(weakFieldExcess)
        observation.noise = gain * draw(noise)
        observation.saturation = saturation
        return observation
    }

    /// The low resolution of a crop, simulated under conditions of its own, as a model sees it: divided by the nominal ``gain``.
    /// - Parameters:
    ///   - image: the crop with `margin` pixels around it, in Gauss.
    ///   - random: the crop's own.
    /// - Returns: of the crop alone, `scale` times smaller along each axis; NaN where a block holds no data.
    func lowResolution(of image: Image, margin: Int, arcsecPerPixel: Double, scale: Int, _ random: inout Random) -> Image {
        let observation = observation(&random), border = margin / scale
        var shifted = image
        if misregistration > 0 {
            let deviates = random.normal([2]).values.map { Double(max(-Self.largestShift, min(Self.largestShift, $0))) }
            shifted = image.shifted(x: deviates[0] * misregistration / arcsecPerPixel, y: deviates[1] * misregistration / arcsecPerPixel)
        }
        var blurred = observation.mean(of: shifted, arcsecPerPixel: arcsecPerPixel, scale: scale)
        varyGain(of: &blurred, arcsecPerPixel: arcsecPerPixel * Double(scale), &random)
        var low = blurred.cropped(x: border, y: border, width: blurred.width - 2 * border, height: blurred.height - 2 * border)
        observation.addNoise(to: &low, &random)
        low.pixels = low.pixels.map { $0 / Float(gain) }
        return low
    }

    /// Multiplies by one plus a Gaussian random field, that of ``gainVariation``.
    private func varyGain(of low: inout Image, arcsecPerPixel: Double, _ random: inout Random) {
        guard gainVariation.upperBound > 0 else { return }
        let deviation = gainVariation.lowerBound + Double(random.uniform()) * (gainVariation.upperBound - gainVariation.lowerBound)
        let psf = PointSpreadFunction(width: gainVariationWidth)
        let deviates = Image(width: low.width, height: low.height, pixels: random.normal([low.height, low.width]).values)
        let smooth = deviates.blurred(by: psf, arcsecPerPixel: arcsecPerPixel)
        // White noise under a Gaussian of standard deviation s pixels keeps 1 / (4 π s²) of its variance.
        let width = gainVariationWidth / (8 * log(2)).squareRoot() / arcsecPerPixel
        let scale = Float(deviation * max(1, (4 * Double.pi).squareRoot() * width))
        for index in low.pixels.indices { low.pixels[index] *= 1 + scale * smooth.pixels[index] }
    }

    /// How many pixels around a crop its low resolution may depend on; whole blocks.
    func margin(arcsecPerPixel: Double, scale: Int) -> Int {
        var widest = Observation()
        widest.psf = PointSpreadFunction(width: width.upperBound, wingFraction: wingFraction.upperBound, wingWidth: wingWidth)
        let shift = Int((Double(Self.largestShift) * misregistration / arcsecPerPixel).rounded(.up))
        return widest.margin(arcsecPerPixel: arcsecPerPixel, scale: scale) + (shift + scale - 1) / scale * scale
    }

    /// In standard deviations.
    private static let largestShift: Float = 3
}

extension Image {
    /// The image moved by parts of a pixel, bilinearly; continued by its edge pixels. NaN spreads to what is next to it.
    fileprivate func shifted(x: Double, y: Double) -> Image {
        func taps(_ shift: Double, _ count: Int) -> [(low: Int, high: Int, weight: Float)] {
            (0..<count).map { index in
                let position = Double(index) - shift
                let below = position.rounded(.down)
                func clamped(_ index: Double) -> Int { min(max(Int(index), 0), count - 1) }
                return (clamped(below), clamped(below + 1), Float(position - below))
            }
        }
        let (columns, rows) = (taps(x, width), taps(y, height))
        var result = self
        result.pixels.withUnsafeMutableBufferPointer { target in
            pixels.withUnsafeBufferPointer { source in
                for (j, row) in rows.enumerated() {
                    for (i, column) in columns.enumerated() {
                        func mixed(_ line: Int) -> Float {
                            let values = (source[line * width + column.low], source[line * width + column.high])
                            return column.weight == 0 ? values.0 : values.0 + column.weight * (values.1 - values.0)
                        }
                        let values = (mixed(row.low), mixed(row.high))
                        target[j * width + i] = row.weight == 0 ? values.0 : values.0 + row.weight * (values.1 - values.0)
                    }
                }
            }
        }
        return result
    }
}
