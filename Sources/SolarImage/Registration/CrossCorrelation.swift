import Foundation

/// The cross-correlation of two images on one grid as a function of their displacement, c(d) = Σ r(x) m(x + d) / √(Σr² Σm²), through their Fourier
/// transforms.
///
/// From each image the mean is taken, pixels that are NaN in either become 0, and the Hann window of ``PowerSpectrum`` takes the borders to 0; r is
/// the reference then, m the moving image. A displacement has columns (to the right) and rows (upwards): what lies at x in the reference lies at x +
/// d in the moving image. (`skimage.registration.phase_cross_correlation` with `normalization=None` gives −d, rows first.)
package struct CrossCorrelation: Sendable {
    private let width: Int, height: Int
    /// R* M / √(Σ|R|² Σ|M|²) of the transforms, real and imaginary part in turn, as ``FourierTransform`` stores them.
    private let product: [Double]

    /// Nil if either image has one value only.
    /// - Precondition: the images have one size.
    package init?(of moving: Image, with reference: Image) {
        precondition(moving.width == reference.width && moving.height == reference.height, "images of different sizes")
        let (m, r) = (PowerSpectrum(of: moving.masked(like: reference)).transform, PowerSpectrum(of: reference.masked(like: moving)).transform)
        (width, height) = (r.width, r.height)
        var (powerM, powerR) = (0.0, 0.0)
        var product = [Double](repeating: 0, count: r.coefficients.count)
        r.forEachFrequency { index, _, multiplicity in
            let (re, im) = (2 * index, 2 * index + 1)
            let (a, b, c, d) = (r.coefficients[re], r.coefficients[im], m.coefficients[re], m.coefficients[im])
            powerR += multiplicity * (a * a + b * b)
            powerM += multiplicity * (c * c + d * d)
            product[re] = a * c + b * d
            product[im] = a * d - b * c
        }
        let scale = 1 / (powerM * powerR).squareRoot()
        guard scale.isFinite else { return nil }
        for index in product.indices { product[index] *= scale }
        self.product = product
    }

    /// The displacement of the greatest correlation and that correlation, −1 to 1.
    ///
    /// The greatest correlation at whole pixels is refined by evaluating the trigonometric polynomial that interpolates it on ever finer lattices
    /// around, with steps of 1/10 and 1/100 pixel (a discrete Fourier transform by matrix products, Guizar-Sicairos, Thurman & Fienup 2008, Opt.
    /// Lett. 33, 156), then by a parabola through the finest.
    /// - Parameter limit: the greatest whole displacement that is looked at along each axis, in pixels; by default a quarter of the shorter side.
    package func peak(limit: Int? = nil) -> (displacement: SIMD2<Double>, correlation: Double) {
        var (centre, correlation) = wholePeak(limit: max(0, min(limit ?? min(width, height) / 4, (min(width, height) - 1) / 2)))
        let radius = 10
        let side = 2 * radius + 1
        for step in [0.1, 0.01] {
            let values = lattice(around: centre, step: step, radius: radius)
            let best = values.indices.max { values[$0] < values[$1] } ?? 0
            var offset = SIMD2(Double(best % side - radius), Double(best / side - radius))
            correlation = values[best]
            if step == 0.01 {
                func vertex(_ stride: Int, _ position: Int) -> Double {
                    guard position > 0, position < side - 1 else { return 0 }
                    let (before, after) = (values[best - stride], values[best + stride])
                    let curvature = before - 2 * values[best] + after
                    return curvature < 0 ? 0.5 * (before - after) / curvature : 0
                }
                offset += SIMD2(vertex(1, best % side), vertex(side, best / side))
            }
            centre += offset * step
        }
        return (centre, correlation)
    }

    /// The greatest correlation at whole displacements of at most `limit` along each axis.
    private func wholePeak(limit: Int) -> (displacement: SIMD2<Double>, correlation: Double) {
        // With P = R* M, the correlation Σ Re(P e^{iθ}) = Σ (Re P cos θ − Im P sin θ) is the real minus the imaginary part of the transform of the
        // real field Re P − Im P, since Re P is even and Im P odd (Hartley's transform is its own inverse; Bracewell 1983, J. Opt. Soc. Am. 73,
        // 1832).
        let half = width / 2 + 1
        var field = [Double](repeating: 0, count: width * height)
        for row in 0..<height {
            for column in 0..<width {
                let isStored = column < half
                let index = (isStored ? row : (height - row) % height) * half + (isStored ? column : width - column)
                field[row * width + column] = product[2 * index] - (isStored ? 1 : -1) * product[2 * index + 1]
            }
        }
        let transform = FourierTransform(of: field, width: width, height: height).coefficients
        var best = (displacement: SIMD2(0.0, 0.0), correlation: -Double.infinity)
        for y in -limit...limit {
            for x in -limit...limit {
                let (column, row) = (abs(x), ((x < 0 ? -y : y) + height) % height)
                let index = 2 * (row * half + column)
                let correlation = transform[index] - (x < 0 ? -1 : 1) * transform[index + 1]
                if correlation > best.correlation { best = (SIMD2(Double(x), Double(y)), correlation) }
            }
        }
        return best
    }

    /// The correlation at `2 * radius + 1` squared displacements, rows from the lowest.
    private func lattice(around centre: SIMD2<Double>, step: Double, radius: Int) -> [Double] {
        let (side, half) = (2 * radius + 1, width / 2 + 1)
        /// cos and sin of 2π · frequency · displacement.
        func waves(_ count: Int, _ length: Int, _ middle: Double) -> [SIMD2<Double>] {
            (0..<side).flatMap { place in
                let displacement = middle + Double(place - radius) * step
                return (0..<count).map { index in
                    let angle = 2 * Double.pi * Double(index <= length / 2 ? index : index - length) / Double(length) * displacement
                    return SIMD2(cos(angle), sin(angle))
                }
            }
        }
        let (across, up) = (waves(half, width, centre.x), waves(height, height, centre.y))
        // Rows of P, weighted by how many coefficients of the whole transform each stands for, at each column displacement.
        var rows = [SIMD2<Double>](repeating: SIMD2(0, 0), count: height * side)
        product.withUnsafeBufferPointer { product in
            for row in 0..<height {
                for place in 0..<side {
                    var (re, im) = (0.0, 0.0)
                    for column in 0..<half {
                        let isAlone = column == 0 || 2 * column == width
                        let (a, b, wave) = (product[2 * (row * half + column)], product[2 * (row * half + column) + 1], across[place * half + column])
                        re += (isAlone ? 1 : 2) * (a * wave.x - b * wave.y)
                        im += (isAlone ? 1 : 2) * (a * wave.y + b * wave.x)
                    }
                    rows[row * side + place] = SIMD2(re, im)
                }
            }
        }
        return (0..<side * side).map { index in
            (0..<height).reduce(0) { sum, row in
                let (value, wave) = (rows[row * side + index % side], up[index / side * height + row])
                return sum + value.x * wave.x - value.y * wave.y
            }
        }
    }
}

extension Image {
    /// NaN where `other` is NaN too.
    fileprivate func masked(like other: Image) -> Image {
        Image(width: width, height: height, pixels: zip(pixels, other.pixels).map { $1.isFinite ? $0 : .nan })
    }
}
