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
        let blurred = observation.mean(of: image, arcsecPerPixel: arcsecPerPixel, scale: scale)
        var low = blurred.cropped(x: border, y: border, width: blurred.width - 2 * border, height: blurred.height - 2 * border)
        observation.addNoise(to: &low, &random)
        low.pixels = low.pixels.map { $0 / Float(gain) }
        return low
    }

    /// How many pixels around a crop its low resolution may depend on; whole blocks.
    func margin(arcsecPerPixel: Double, scale: Int) -> Int {
        var widest = Observation()
        widest.psf = PointSpreadFunction(width: width.upperBound, wingFraction: wingFraction.upperBound, wingWidth: wingWidth)
        return widest.margin(arcsecPerPixel: arcsecPerPixel, scale: scale)
    }
}
