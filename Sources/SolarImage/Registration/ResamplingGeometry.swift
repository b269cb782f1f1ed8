import Groundwork

/// Where the pixels of one image of the Sun lie in another, which was taken from elsewhere at another time: through the surface, whose features the
/// differential rotation carries along.
package struct ResamplingGeometry: Sendable {
    /// An image as geometry sees it.
    package struct View: Sendable {
        package let coordinates: WorldCoordinates
        package let observer: Observer
        package let time: ObservationTime

        package init(_ coordinates: WorldCoordinates, _ observer: Observer, _ time: ObservationTime) {
            (self.coordinates, self.observer, self.time) = (coordinates, observer, time)
        }

        /// - Throws: `Failure` (`.badData`) that names file and keyword: as ``Magnetogram/worldCoordinates()`` and ``Magnetogram/observer()``, and if
        ///   the image is a map, or its time is not known.
        package init(_ magnetogram: Magnetogram) throws {
            let path = magnetogram.source.path
            coordinates = try magnetogram.worldCoordinates()
            guard coordinates.frame == .helioprojective else {
                throw Failure(
                    .badData, "the image is a map of the Sun's surface", at: "\(path), CTYPE1", expected: "the Sun as seen on the sky",
                    found: magnetogram.header.string("CTYPE1"), remedy: "give a full disk or a cutout of one")
            }
            observer = try magnetogram.observer()
            guard let time = magnetogram.time else {
                throw Failure(
                    .badData, "the time of the observation is not known", at: "\(path), T_OBS", expected: "a time", found: "none",
                    remedy: "take the keyword from the archive's file")
            }
            self.time = time
        }

        /// The side of a pixel in metres, in the middle of the disk.
        package var pixelSize: Double { coordinates.grid.arcsecPerPixel * (observer.distance - observer.solarRadius) * .pi / (180 * 3600) }
    }

    /// Whose pixels are sought.
    package let target: View
    /// In which they are sought.
    package let source: View

    package init(of target: View, in source: View) { (self.target, self.source) = (target, source) }

    /// The places in the source that show what pixels of the target show; NaN where either observer sees nothing of the Sun there.
    ///
    /// By target pixel → sky → Carrington coordinates → where they were at the source's time → sky → source pixel.
    /// - Throws: `Failure` (`.other`) if there is no memory for it.
    package func places(of pixels: [SIMD2<Double>]) throws -> [SIMD2<Double>] {
        let surface = target.observer.carrington(at: try target.coordinates.world(at: pixels))
        let moved = SolarRotation.rotated(surface, by: source.time.taiSeconds - target.time.taiSeconds)
        return try source.coordinates.pixels(at: source.observer.helioprojective(at: moved))
    }

    /// The same for all pixels of an image of `width` × `height` pixels, row by row, to 10⁻³ pixels.
    ///
    /// Computed for every eighth pixel along each axis and interpolated between them by cubic polynomials (Lagrange's) where that agrees in the
    /// middle of a cell to 10⁻⁴ pixels, where it is about at its worst; elsewhere, as at the limb, computed for every pixel.
    /// - Parameter shift: how far the target's pixels lie off what its coordinates say, in pixels: the pixel x is taken to be x − shift.
    /// - Throws: `Failure` (`.other`) if there is no memory for it.
    package func places(width: Int, height: Int, shift: SIMD2<Double> = .zero) throws -> [SIMD2<Double>] {
        let lattice = Lattice(width: width, height: height)
        let nodes = try places(of: lattice.nodes.map { $0 - shift }), middles = try places(of: lattice.middles.map { $0 - shift })
        var result = [SIMD2<Double>](repeating: SIMD2(.nan, .nan), count: width * height)
        var isUneven = [Bool](repeating: false, count: middles.count)
        result.withUnsafeMutableBufferPointer { result in
            isUneven.withUnsafeMutableBufferPointer { isUneven in
                Parallel.forEach(lattice.rows) { row in
                    for column in 0..<lattice.columns {
                        let cell = row * lattice.columns + column
                        isUneven[cell] = lattice.isUneven(column, row, nodes, middle: middles[cell])
                        if !isUneven[cell] { lattice.interpolate(column, row, nodes, into: result) }
                    }
                }
            }
        }
        let rest = isUneven.indices.filter { isUneven[$0] }.flatMap { lattice.pixels(ofCell: $0) }
        let exact = try places(of: rest.map { SIMD2(Double($0 % width), Double($0 / width)) - shift })
        for (index, place) in zip(rest, exact) { result[index] = place }
        return result
    }
}

extension ResamplingGeometry {
    /// Cells of 8 × 8 pixels, with nodes at their corners and around them.
    private struct Lattice {
        static let step = 8
        static let tolerance = 1e-4
        /// For each pixel along a cell, the weights of four nodes: one before the cell, its two ends, one after.
        static let weights = (0..<step).map { pixel in
            let t = Double(pixel) / Double(step)
            return SIMD4(-t * (t - 1) * (t - 2) / 6, (t + 1) * (t - 1) * (t - 2) / 2, -(t + 1) * t * (t - 2) / 2, (t + 1) * t * (t - 1) / 6)
        }

        let width: Int, height: Int
        /// Cells.
        let columns: Int, rows: Int

        init(width: Int, height: Int) {
            (self.width, self.height) = (width, height)
            (columns, rows) = ((width + Lattice.step - 1) / Lattice.step, (height + Lattice.step - 1) / Lattice.step)
        }

        /// Three more than cells along each axis, from the one before the first pixel on.
        var nodes: [SIMD2<Double>] {
            points(columns + 3, rows + 3, first: -Lattice.step)
        }

        /// Of the cells; pixels too.
        var middles: [SIMD2<Double>] {
            points(columns, rows, first: Lattice.step / 2)
        }

        private func points(_ columns: Int, _ rows: Int, first: Int) -> [SIMD2<Double>] {
            (0..<columns * rows).map { index in
                let (x, y) = (first + index % columns * Lattice.step, first + index / columns * Lattice.step)
                return SIMD2(Double(x), Double(y))
            }
        }

        /// Whether a cell must be computed pixel by pixel: the polynomials miss its middle, or the limb passes through it or nearby.
        func isUneven(_ column: Int, _ row: Int, _ nodes: [SIMD2<Double>], middle: SIMD2<Double>) -> Bool {
            let weights = Lattice.weights[Lattice.step / 2]
            var value = SIMD2<Double>.zero
            var isBeyondLimb = middle.x.isNaN
            for j in 0..<4 {
                for i in 0..<4 {
                    let node = nodes[(row + j) * (columns + 3) + column + i]
                    value += weights[i] * weights[j] * node
                    isBeyondLimb = isBeyondLimb && node.x.isNaN
                }
            }
            let error = value - middle
            // False for NaN.
            return !(max(abs(error.x), abs(error.y)) <= Lattice.tolerance) && !isBeyondLimb
        }

        func interpolate(_ column: Int, _ row: Int, _ nodes: [SIMD2<Double>], into result: UnsafeMutableBufferPointer<SIMD2<Double>>) {
            let (left, lower) = (column * Lattice.step, row * Lattice.step)
            for j in 0..<min(Lattice.step, height - lower) {
                let up = Lattice.weights[j]
                /// The nodes of the four columns, interpolated to this row.
                func node(_ i: Int) -> SIMD2<Double> {
                    let first = row * (columns + 3) + column + i, stride = columns + 3
                    let lower = up[0] * nodes[first] + up[1] * nodes[first + stride]
                    return lower + up[2] * nodes[first + 2 * stride] + up[3] * nodes[first + 3 * stride]
                }
                let (a, b, c, d) = (node(0), node(1), node(2), node(3))
                for i in 0..<min(Lattice.step, width - left) {
                    let across = Lattice.weights[i]
                    let first = across[0] * a + across[1] * b, second = across[2] * c + across[3] * d
                    result[(lower + j) * width + left + i] = first + second
                }
            }
        }

        /// The indices of a cell's pixels in the image.
        func pixels(ofCell cell: Int) -> [Int] {
            let (left, lower) = (cell % columns * Lattice.step, cell / columns * Lattice.step)
            return (lower..<min(lower + Lattice.step, height)).flatMap { y in
                (left..<min(left + Lattice.step, width)).map { y * width + $0 }
            }
        }
    }
}
