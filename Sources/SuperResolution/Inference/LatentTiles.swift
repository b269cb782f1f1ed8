import TensorCore

/// A rectangle of rows and columns.
package struct TileRectangle: Sendable, Equatable {
    package var rows, columns: Range<Int>

    package init(rows: Range<Int>, columns: Range<Int>) { (self.rows, self.columns) = (rows, columns) }
}

/// How a field of latents is worked on in parts, so that memory does not grow with the image.
package enum LatentTiles {
    /// Rectangles of at most `size` that cover the field, neighbours sharing at least `overlap`; those at the far edge are moved inwards to keep their size.
    /// - Parameter unit: divides where tiles begin, so that a network that halves its input sees every place in the same phase.
    /// - Precondition: `unit` divides height, width and size.
    package static func overlapping(height: Int, width: Int, size: Int, overlap: Int, unit: Int = 1) -> [TileRectangle] {
        precondition(height % unit == 0 && width % unit == 0 && size % unit == 0, "tiles of \(size) in \(height) × \(width) in steps of \(unit)")
        func starts(_ extent: Int) -> [Int] {
            let size = min(size, extent)
            guard extent > size else { return [0] }
            let (step, places) = (max(1, (size - overlap) / unit), (extent - size) / unit)
            let count = (places + step - 1) / step + 1
            // Spread evenly, so that no two tiles share much more than needed.
            return (0..<count).map { $0 * places / (count - 1) * unit }
        }
        return starts(height).flatMap { y in
            starts(width).map { x in TileRectangle(rows: y..<min(height, y + size), columns: x..<min(width, x + size)) }
        }
    }

    /// Weights of a tile's values, `[1, rows, columns, 1]`, falling linearly to the edges over `overlap` and never zero.
    package static func weights(rows: Int, columns: Int, overlap: Int) -> Tensor {
        func ramp(_ count: Int) -> [Float] {
            (0..<count).map { min(1, (Float(min($0, count - 1 - $0)) + 1) / Float(max(1, overlap) + 1)) }
        }
        let horizontal = ramp(columns)
        return Tensor(shape: [1, rows, columns, 1], values: ramp(rows).flatMap { row in horizontal.map { row * $0 } })
    }

    /// Works on cores of `size` one after the other: `body` gets a core with up to `halo` around it and gives the values of that whole rectangle times `factor`
    /// in size; those of the core go to the result. Exact when no value depends on more than `halo` around it.
    ///
    /// - Parameter batch: fields that are worked on together: what `body` gives has as many.
    package static func assemble(
        batch: Int = 1, height: Int, width: Int, size: Int, halo: Int, factor: Int, channels: Int, isCancelled: () -> Bool,
        body: (TileRectangle) -> Tensor?
    ) -> Tensor? {
        var result = Tensor(zeros: [batch, height * factor, width * factor, channels])
        for y in stride(from: 0, to: height, by: size) {
            for x in stride(from: 0, to: width, by: size) {
                if isCancelled() { return nil }
                let core = TileRectangle(rows: y..<min(height, y + size), columns: x..<min(width, x + size))
                let padded = TileRectangle(
                    rows: max(0, y - halo)..<min(height, y + size + halo), columns: max(0, x - halo)..<min(width, x + size + halo))
                guard let tile = body(padded) else { continue }
                let (top, left) = ((y - padded.rows.lowerBound) * factor, (x - padded.columns.lowerBound) * factor)
                let part = tile.sliced(axis: 1, range: top..<top + core.rows.count * factor)
                    .sliced(axis: 2, range: left..<left + core.columns.count * factor)
                result.setWindow(part, row: y * factor, column: x * factor)
            }
        }
        return result
    }
}

extension Tensor {
    /// The part of `[1, height, width, channels]` in a rectangle.
    package func window(_ rectangle: TileRectangle) -> Tensor {
        sliced(axis: 1, range: rectangle.rows).sliced(axis: 2, range: rectangle.columns)
    }
}
