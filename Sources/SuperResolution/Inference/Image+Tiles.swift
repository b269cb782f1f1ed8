import SolarImage

extension Image {
    /// The image continued by its edge pixels until both sides are multiples of `multiple`.
    func paddedByEdge(toMultiplesOf multiple: Int) -> Image {
        let columns = (width + multiple - 1) / multiple * multiple
        let rows = (height + multiple - 1) / multiple * multiple
        guard columns != width || rows != height else { return self }
        var result = Image(width: columns, height: rows, repeating: 0)
        for y in 0..<rows {
            for x in 0..<columns { result[x, y] = self[min(x, width - 1), min(y, height - 1)] }
        }
        return result
    }

    /// Whether no pixel under a tile of latents has data.
    func isEmpty(_ tile: TileRectangle, latentsPerPixel: Double) -> Bool {
        func pixels(_ range: Range<Int>) -> Range<Int> {
            Int(Double(range.lowerBound) / latentsPerPixel)..<Int((Double(range.upperBound) / latentsPerPixel).rounded(.up))
        }
        return pixels(tile.rows).allSatisfy { y in pixels(tile.columns).allSatisfy { x in self[x, y].isNaN } }
    }

    /// Sets the pixels under NaN of a coarser image to NaN.
    package mutating func mask(whereEmpty low: Image, factor: Int) {
        for y in 0..<low.height {
            for x in 0..<low.width where low[x, y].isNaN {
                for j in 0..<factor {
                    for i in 0..<factor { self[x * factor + i, y * factor + j] = .nan }
                }
            }
        }
    }
}
