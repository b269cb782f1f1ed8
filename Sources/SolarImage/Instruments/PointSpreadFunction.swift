import Foundation

/// What an instrument makes of a point: a Gaussian core and a wing of stray light, a wider Gaussian. Its integral is 1.
public struct PointSpreadFunction: Sendable, Codable, Equatable {
    /// Full width at half maximum of the core in arcsec; 0 for a point.
    public var width: Double
    /// The share of the light in the wing, 0 … 1.
    public var wingFraction: Double
    /// Full width at half maximum of the wing in arcsec.
    public var wingWidth: Double

    public init(width: Double, wingFraction: Double = 0, wingWidth: Double = 0) {
        (self.width, self.wingFraction, self.wingWidth) = (width, wingFraction, wingWidth)
    }

    /// A point stays a point.
    public static let none = PointSpreadFunction(width: 0)

    /// Its Fourier transform at a frequency in cycles per arcsec: real, 1 at zero frequency.
    public func transfer(at frequency: Double) -> Double {
        let core = PointSpreadFunction.transfer(width, frequency)
        return wingFraction == 0 ? core : (1 - wingFraction) * core + wingFraction * PointSpreadFunction.transfer(wingWidth, frequency)
    }

    /// How far from a point, in arcsec, it need be followed: four standard deviations of the core, beyond which there is 3·10⁻⁴ of it, or three of the
    /// wing, beyond which there is 1 % of that.
    public var reach: Double {
        max(4 * PointSpreadFunction.deviation(width), wingFraction > 0 ? 3 * PointSpreadFunction.deviation(wingWidth) : 0)
    }

    /// The standard deviation of a Gaussian of that full width at half maximum.
    private static func deviation(_ width: Double) -> Double { width / (8 * log(2.0)).squareRoot() }

    private static func transfer(_ width: Double, _ frequency: Double) -> Double {
        let argument = .pi * deviation(width) * frequency
        return exp(-2 * argument * argument)
    }

    private enum CodingKeys: String, CodingKey {
        case width
        case wingFraction = "wing-fraction"
        case wingWidth = "wing-width"
    }
}

extension Image {
    /// The image blurred: the mean of the pixels that hold data, weighted by the function. NaN stays NaN and does not spread; borders are continued by
    /// reflection.
    /// - Parameter arcsecPerPixel: above 0.
    package func blurred(by psf: PointSpreadFunction, arcsecPerPixel: Double) -> Image {
        guard psf != .none else { return self }
        func smooth(_ image: Image) -> Image { image.filtered { psf.transfer(at: $0 / arcsecPerPixel) } }
        var result = smooth(self)
        guard pixels.contains(where: { !$0.isFinite }) else { return result }
        let weights = smooth(Image(width: width, height: height, pixels: pixels.map { $0.isFinite ? 1 : .nan }))
        for index in result.pixels.indices { result.pixels[index] /= weights.pixels[index] }
        return result
    }
}
