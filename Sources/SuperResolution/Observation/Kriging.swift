import Foundation
import Groundwork
import SolarImage

/// The best linear estimate of a field of known power spectrum S from an observation of its block means, known in geostatistics as kriging (Matheron 1963,
/// *Economic Geology* 58, 1246) and in signal processing as a Wiener filter: x̂ = S Aᵀ (A S Aᵀ + R)⁻¹ y, where A blurs and averages over blocks and R is
/// the variance of the noise.
///
/// Fields are continued by reflection at their borders, as their block means then are too. In cosine transforms, which need no room for the continuation, A
/// takes 16 coefficients of the field (for blocks of 4 × 4) to one of the means, so that A S Aᵀ + R is a number for each. An estimate costs a transform
/// of the means and one of the field, 8 bytes a pixel: 128 MiB for 4096².
///
/// Where there is noise its weight depends on how strongly the field varies, which differs by a factor of a hundred between quiet Sun and spots: S stands for
/// a region as a whole. The field about a pixel is taken to be m times as strong as S has it, with m from the variance of low resolution there; an estimate
/// of m² S from noise R is one of S from noise R/m². The mean is kept as it is, whatever the noise.
package struct Kriging: Sendable {
    package let observation: LinearObservation
    package let spectrum: FieldSpectrum
    /// High-resolution pixels per low-resolution pixel along an axis.
    package let factor: Int

    package init(_ observation: LinearObservation, spectrum: FieldSpectrum, factor: Int = 4) {
        precondition(factor > 0, "blocks of \(factor) pixels")
        (self.observation, self.spectrum, self.factor) = (observation, spectrum, factor)
    }

    // MARK: - Estimates

    /// The estimate in Gauss, `factor` times as large; NaN counts as 0, and pixels inside a NaN pixel are NaN again.
    package func estimate(from low: Image) -> Image {
        var coefficients = low.pixels.map { $0.isFinite ? Double($0) : 0 }
        CosineTransform.forward(&coefficients, width: low.width, height: low.height)
        let field = blended(over: low) { strength in
            var field = spread(coefficients, width: low.width, height: low.height, strength: strength)
            CosineTransform.inverse(&field, width: low.width * factor, height: low.height * factor)
            return field
        }
        var image = Image(width: low.width * factor, height: low.height * factor, pixels: field)
        image.mask(whereEmpty: low, factor: factor)
        return image
    }

    // MARK: - The operator

    /// A coefficient along one axis that a coefficient of the block means is made of.
    private struct Alias {
        var index: Int
        /// What the mean over a block makes of it.
        var gain: Double
        /// Cycles per high-resolution pixel, squared.
        var square: Double
    }

    /// For each coefficient of `count` block means along an axis its aliases: with f = `factor`, those of index 2nm ± q below fn. Of index 0 there is
    /// one: the others vanish in the mean over a block. Index n (2m + 1) vanishes likewise.
    private func aliases(count: Int) -> [[Alias]] {
        var result = [[Alias]](repeating: [], count: count)
        for index in 0..<count * factor {
            let period = (index + count) / (2 * count)
            let coefficient = abs(index - 2 * count * period)
            guard coefficient < count, coefficient > 0 || index == 0 else { continue }
            let frequency = Double(index) / Double(2 * count * factor)
            let mean = index == 0 ? 1 : sin(Double(factor) * .pi * frequency) / (Double(factor) * sin(.pi * frequency))
            // Cosines of unit norm: those of the means have `factor` times fewer terms.
            let gain = (period.isMultiple(of: 2) ? mean : -mean) / Double(factor).squareRoot()
            result[coefficient].append(Alias(index: index, gain: gain, square: frequency * frequency))
        }
        return result
    }

    /// Calls `body` for each coefficient of `height` × `width` block means with the places of its aliases among the field's coefficients, what the observation
    /// makes of them and their power in Gauss²; on several threads, no place twice.
    private func forEachCoefficient(
        width: Int, height: Int,
        _ body: (
            _ coefficient: Int, _ places: UnsafeBufferPointer<Int>, _ gains: UnsafeBufferPointer<Double>, _ powers: UnsafeBufferPointer<Double>
        ) -> Void
    ) {
        let (across, up) = (aliases(count: width), aliases(count: height))
        let isBlurred = observation.psf != .none
        Parallel.forEachBlock(of: height, size: 8) { rows in
            withUnsafeTemporaryAllocation(of: Int.self, capacity: factor * factor) { places in
                withUnsafeTemporaryAllocation(of: Double.self, capacity: 2 * factor * factor) { values in
                    let gains = UnsafeMutableBufferPointer(rebasing: values[..<(factor * factor)])
                    let powers = UnsafeMutableBufferPointer(rebasing: values[(factor * factor)...])
                    for y in rows {
                        for x in 0..<width {
                            var count = 0
                            for vertical in up[y] {
                                for horizontal in across[x] {
                                    let square = vertical.square + horizontal.square
                                    places[count] = vertical.index * width * factor + horizontal.index
                                    gains[count] = vertical.gain * horizontal.gain * (isBlurred ? observation.transfer(atSquare: square) : 1)
                                    powers[count] = spectrum.power(atSquare: square)
                                    count += 1
                                }
                            }
                            body(
                                y * width + x, UnsafeBufferPointer(rebasing: places[..<count]), UnsafeBufferPointer(rebasing: gains[..<count]),
                                UnsafeBufferPointer(rebasing: powers[..<count]))
                        }
                    }
                }
            }
        }
    }

    /// S Aᵀ (A S Aᵀ + R/m²)⁻¹ of coefficients of low resolution, `height` rows of `width`: coefficients of the field.
    /// - Parameter strength: m.
    func spread(_ low: [Double], width: Int, height: Int, strength: Double) -> [Double] {
        let variance = observation.noise * observation.noise / (strength * strength)
        var result = [Double](repeating: 0, count: low.count * factor * factor)
        result.withUnsafeMutableBufferPointer { result in
            low.withUnsafeBufferPointer { low in
                forEachCoefficient(width: width, height: height) { coefficient, places, gains, powers in
                    // Of the mean of the field nothing is held back.
                    var total = coefficient == 0 ? 0 : variance
                    for index in places.indices { total += powers[index] * gains[index] * gains[index] }
                    // Optics may leave nothing of a coefficient.
                    let weight = total > 0 ? low[coefficient] / total : 0
                    for index in places.indices { result[places[index]] = powers[index] * gains[index] * weight }
                }
            }
        }
        return result
    }

    /// A of coefficients of a field: those of low resolution, `height` rows of `width`.
    func fold(_ field: [Double], width: Int, height: Int) -> [Double] {
        var result = [Double](repeating: 0, count: width * height)
        result.withUnsafeMutableBufferPointer { result in
            field.withUnsafeBufferPointer { field in
                forEachCoefficient(width: width, height: height) { coefficient, places, gains, _ in
                    var sum = 0.0
                    for index in places.indices { sum += gains[index] * field[places[index]] }
                    result[coefficient] = sum
                }
            }
        }
        return result
    }

    // MARK: - Strength

    /// Mean square, in Gauss², of what block means leave out of a block, by the variance v of the block means of the 3 × 3 blocks about it: a floor, then
    /// as v, in the strongest fields as √v. Measured on the maps of ``FieldSpectrum/activeRegions`` by `Scripts/kriging.py`.
    package static func unresolvedVariance(about v: Double) -> Double { 10.1 + 0.433 * v / (1 + v / 4370).squareRoot() }

    /// The strengths m for which estimates are made; those between, in logarithm, are mixed of the two next to them.
    private static let levels = (0..<4).map { exp2(2 * Double($0) - 3) }

    /// How many times as strongly the field varies about each pixel of low resolution as ``spectrum`` has it.
    func strengths(of low: Image) -> [Double] {
        let left = unresolvedDeviation
        let noise = observation.noise * observation.noise
        return low.neighbourhoodVariance().map { Self.unresolvedVariance(about: max(0, $0 - noise)).squareRoot() / left }
    }

    /// The standard deviation, in Gauss, of what exact block means leave out of a field of this spectrum, here of 64 × 64 blocks.
    private var unresolvedDeviation: Double {
        let side = 64
        let lines = aliases(count: side)
        let isSeen = Set(lines.joined().map(\.index))
        var sum = 0.0
        for y in lines {
            for x in lines {
                var (power, seen, cross) = (0.0, 0.0, 0.0)
                for vertical in y {
                    for horizontal in x {
                        let (s, gain) = (spectrum.power(atSquare: vertical.square + horizontal.square), vertical.gain * horizontal.gain)
                        power += s
                        seen += s * gain * gain
                        cross += s * s * gain * gain
                    }
                }
                sum += power - cross / seen
            }
        }
        // The coefficients that vanish in block means.
        let count = side * factor
        for y in 0..<count {
            for x in 0..<count where !(isSeen.contains(x) && isSeen.contains(y)) {
                sum += spectrum.power(atSquare: Double(x * x + y * y) / Double(4 * count * count))
            }
        }
        return (sum / Double(count * count)).squareRoot()
    }

    /// A field mixed, pixel by pixel, of those for the strengths on either side of the strength there; without noise the same for any.
    func blended(over low: Image, _ field: (_ strength: Double) -> [Double]) -> [Float] {
        guard observation.noise > 0 else { return field(1).map { Float($0) } }
        let last = Double(Self.levels.count - 1)
        let places = strengths(of: low).map { min(max(log2($0 / Self.levels[0]) / 2, 0), last) }
        let (least, most) = (places.min() ?? 0, places.max() ?? 0)
        var result = [Float](repeating: 0, count: places.count * factor * factor)
        for (index, strength) in Self.levels.enumerated() where Double(index) > least - 1 && Double(index) < most + 1 {
            let part = field(strength)
            result.withUnsafeMutableBufferPointer { result in
                part.withUnsafeBufferPointer { part in
                    BicubicUpsampling(scale: factor).forEachRow(of: places, width: low.width, height: low.height) { y, row in
                        for (x, place) in row.enumerated() {
                            let weight = 1 - abs(min(max(place, least), most) - Double(index))
                            if weight > 0 { result[y * row.count + x] += Float(weight * part[y * row.count + x]) }
                        }
                    }
                }
            }
        }
        return result
    }
}

extension Image {
    /// The variance in Gauss² of the finite pixels among the 3 × 3 about each pixel, by their number; 0 where there are none.
    package func neighbourhoodVariance() -> [Double] {
        var result = [Double](repeating: 0, count: pixels.count)
        for y in 0..<height {
            for x in 0..<width {
                var (count, sum, squares) = (0.0, 0.0, 0.0)
                for j in max(0, y - 1)...min(height - 1, y + 1) {
                    for i in max(0, x - 1)...min(width - 1, x + 1) where self[i, j].isFinite {
                        let value = Double(self[i, j])
                        count += 1
                        sum += value
                        squares += value * value
                    }
                }
                if count > 0 { result[y * width + x] = max(0, squares / count - sum / count * (sum / count)) }
            }
        }
        return result
    }
}
