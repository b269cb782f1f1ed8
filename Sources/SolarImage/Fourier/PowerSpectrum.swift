import Foundation

/// The Fourier power of an image under a Hann window, by spatial frequency in cycles per pixel (0.5 is the Nyquist frequency along an axis, 0.707 the
/// corner).
///
/// The mean of the finite pixels is subtracted, NaN becomes 0, and the window w(x, y) = sin²(π(x + ½)/W) · sin²(π(y + ½)/H) takes the borders to 0,
/// since a jump from one border to the other would put power into all high frequencies. Power is divided by W·H·Σw², so that white noise of variance
/// σ² has power σ² in all W·H coefficients together, in Gauss².
package struct PowerSpectrum: Sendable {
    /// Transform of the windowed image, not divided by anything.
    package let transform: FourierTransform
    private let normalisation: Double

    package init(of image: Image) {
        let (width, height) = (image.width, image.height)
        let finite = image.pixels.lazy.filter(\.isFinite)
        let mean = finite.reduce(0.0) { $0 + Double($1) } / Double(max(1, finite.count))
        func window(_ count: Int) -> [Double] {
            (0..<count).map {
                let sine = sin(Double.pi * (Double($0) + 0.5) / Double(count))
                return sine * sine
            }
        }
        let (across, up) = (window(width), window(height))
        var values = [Double](repeating: 0, count: width * height)
        image.pixels.withUnsafeBufferPointer { pixels in
            values.withUnsafeMutableBufferPointer { values in
                for y in 0..<height {
                    for x in 0..<width where pixels[y * width + x].isFinite {
                        values[y * width + x] = (Double(pixels[y * width + x]) - mean) * across[x] * up[y]
                    }
                }
            }
        }
        transform = FourierTransform(of: values, width: width, height: height)
        func sumOfSquares(_ window: [Double]) -> Double { window.reduce(0) { $0 + $1 * $1 } }
        normalisation = 1 / (Double(width * height) * sumOfSquares(across) * sumOfSquares(up))
    }

    /// The power of two images in a band of frequencies, in Gauss², and what is common to both: Re ΣFG*.
    package struct Band: Sendable, Equatable {
        package var first = 0.0, second = 0.0, common = 0.0

        package init(first: Double = 0, second: Double = 0, common: Double = 0) {
            (self.first, self.second, self.common) = (first, second, common)
        }

        /// −1 to 1; NaN if either has no power in the band.
        package var correlation: Double { common / (first * second).squareRoot() }

        package static func + (a: Band, b: Band) -> Band {
            Band(first: a.first + b.first, second: a.second + b.second, common: a.common + b.common)
        }
    }

    /// The power in bands of frequency, all of them in one pass.
    /// - Parameters:
    ///   - other: an image of the same size.
    ///   - edges: in ascending order, in cycles per pixel. A band holds the frequencies above one edge and up to the next; the last may be infinite.
    /// - Returns: a band for each two neighbouring edges.
    package func bands(with other: PowerSpectrum, edges: [Double]) -> [Band] {
        let (width, height, half) = (transform.width, transform.height, transform.halfWidth)
        precondition(width == other.transform.width && height == other.transform.height, "spectra of different sizes")
        var bands = [Band](repeating: Band(), count: max(0, edges.count - 1))
        let squares = edges.map { $0 * $0 }
        transform.coefficients.withUnsafeBufferPointer { a in
            other.transform.coefficients.withUnsafeBufferPointer { b in
                for row in 0..<height {
                    let vertical = Double(row <= height / 2 ? row : row - height) / Double(height)
                    // Along a row the frequency only grows, so that each band is a run of columns.
                    var column = 0
                    func columns(upTo square: Double) -> Int {
                        guard square.isFinite else { return half }
                        var end = min(half, Int((max(0, square - vertical * vertical)).squareRoot() * Double(width)))
                        func frequency(_ column: Int) -> Double {
                            let horizontal = Double(column) / Double(width)
                            return horizontal * horizontal + vertical * vertical
                        }
                        while end < half, frequency(end) <= square { end += 1 }
                        while end > 0, frequency(end - 1) > square { end -= 1 }
                        return end
                    }
                    for (index, square) in squares.enumerated() {
                        let end = columns(upTo: square)
                        if index > 0 {
                            var band = Band()
                            for column in column..<max(column, end) {
                                let (re, im) = (2 * (row * half + column), 2 * (row * half + column) + 1)
                                let weight: Double = column == 0 || (width % 2 == 0 && column == width / 2) ? 1 : 2
                                band.first += weight * (a[re] * a[re] + a[im] * a[im])
                                band.second += weight * (b[re] * b[re] + b[im] * b[im])
                                band.common += weight * (a[re] * b[re] + a[im] * b[im])
                            }
                            bands[index - 1] = bands[index - 1] + band
                        }
                        column = max(column, end)
                    }
                }
            }
        }
        return bands.map { Band(first: $0.first * normalisation, second: $0.second * normalisation, common: $0.common * normalisation) }
    }

    /// The power, in Gauss², at frequencies above `lower` and up to `upper` cycles per pixel.
    package func power(from lower: Double, to upper: Double = .infinity) -> Double { bands(with: self, edges: [lower, upper])[0].first }

    /// The mean power of a coefficient in rings of equal width.
    /// - Parameter bins: how many rings divide 0 … 0.5 cycles per pixel; by default half the shorter side.
    /// - Returns: for each ring with a coefficient in it the middle frequency in cycles per pixel and the mean power in Gauss². Zero frequency is
    ///   left out.
    package func radial(bins: Int? = nil) -> [(frequency: Double, power: Double)] {
        let bins = max(1, bins ?? min(transform.width, transform.height) / 2)
        var sums = [Double](repeating: 0, count: bins), counts = sums
        transform.coefficients.withUnsafeBufferPointer { values in
            transform.forEachFrequency { index, frequency, multiplicity in
                guard frequency > 0, frequency <= 0.5 else { return }
                let bin = min(bins - 1, Int(frequency * 2 * Double(bins)))
                sums[bin] += multiplicity * (values[2 * index] * values[2 * index] + values[2 * index + 1] * values[2 * index + 1])
                counts[bin] += multiplicity
            }
        }
        return (0..<bins).filter { counts[$0] > 0 }.map { ((Double($0) + 0.5) / Double(2 * bins), sums[$0] / counts[$0] * normalisation) }
    }

    /// The power about the frequencies k/period and l/period cycles per pixel (k and l not both 0), each over the power around it: the mean of those ratios.
    ///
    /// About means up to one coefficient away, as far as the window spreads a single frequency; around, three to six away.
    /// - Returns: 1 for smooth spectra; NaN where the image is too small to tell.
    package func latticeExcess(period: Int) -> Double {
        let (width, height, half) = (transform.width, transform.height, transform.halfWidth)
        guard min(width, height) >= 16 * period else { return .nan }
        func power(_ column: Int, _ row: Int) -> Double {
            // A real image has conjugate coefficients at opposite frequencies.
            let (x, y) = ((column + width) % width, (row + height) % height)
            let (storedX, storedY) = x < half ? (x, y) : (width - x, (height - y) % height)
            let place = 2 * (storedY * half + storedX)
            return transform.coefficients[place] * transform.coefficients[place] + transform.coefficients[place + 1]
                * transform.coefficients[place + 1]
        }
        var ratios: [Double] = []
        for row in 0..<period {
            for column in 0...period / 2 where row > 0 || column > 0 {
                let (x, y) = ((column * width + period / 2) / period, (row * height + period / 2) / period)
                var (near, around, count) = (0.0, 0.0, 0.0)
                for dy in -6...6 {
                    for dx in -6...6 {
                        switch max(abs(dx), abs(dy)) {
                        case ...1: near += power(x + dx, y + dy)
                        case 3...:
                            around += power(x + dx, y + dy)
                            count += 1
                        default: break
                        }
                    }
                }
                if around > 0 { ratios.append(near / 9 / (around / count)) }
            }
        }
        return ratios.reduce(0, +) / Double(ratios.count)
    }

    /// The amplitude |F| of the windowed image with zero frequency in the centre (column W/2, row H/2), in Gauss.
    package var amplitude: Image {
        let (width, height, half) = (transform.width, transform.height, transform.halfWidth)
        var result = Image(width: width, height: height, repeating: 0)
        for row in 0..<height {
            for column in 0..<width {
                // Beyond the middle of the row stands the conjugate of the coefficient at the opposite frequency.
                let isStored = column < half
                let index = (isStored ? row : (height - row) % height) * half + (isStored ? column : width - column)
                let (re, im) = (transform.coefficients[2 * index], transform.coefficients[2 * index + 1])
                result[(column + width / 2) % width, (row + height / 2) % height] = Float((re * re + im * im).squareRoot())
            }
        }
        return result
    }
}
