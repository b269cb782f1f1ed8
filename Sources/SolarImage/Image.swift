/// A two-dimensional field of 32-bit values in FITS order: row 0 is the lowest (north up means the last row is the northernmost). NaN marks pixels without data.
public struct Image: Sendable, Equatable {
    /// Columns, at least 1.
    public let width: Int
    /// Rows, at least 1.
    public let height: Int
    /// `height` rows of `width` values.
    public var pixels: [Float]

    /// - Precondition: `pixels.count == width * height`, both at least 1.
    public init(width: Int, height: Int, pixels: [Float]) {
        precondition(width > 0 && height > 0 && pixels.count == width * height, "an image of \(width) × \(height) cannot hold \(pixels.count) pixels")
        self.width = width
        self.height = height
        self.pixels = pixels
    }

    public init(width: Int, height: Int, repeating value: Float) {
        self.init(width: width, height: height, pixels: Array(repeating: value, count: width * height))
    }

    /// The value in column `x` of row `y`, both from 0.
    public subscript(x: Int, y: Int) -> Float {
        get { pixels[y * width + x] }
        set { pixels[y * width + x] = newValue }
    }
}
