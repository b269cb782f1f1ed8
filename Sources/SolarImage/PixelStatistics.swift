/// Statistics of the pixels of an image that have a value, eight at a time.
package struct PixelStatistics: Sendable {
    /// Pixels with a value.
    package private(set) var count = 0
    package private(set) var minimum = Double.infinity, maximum = -Double.infinity
    package private(set) var sum = 0.0, unsignedSum = 0.0
    /// Means of the second, third and fourth power of the deviation from ``mean``.
    package private(set) var moments = (second: 0.0, third: 0.0, fourth: 0.0)

    /// NaN if no pixel has a value.
    package var mean: Double { sum / Double(count) }

    package init(of image: Image) {
        image.pixels.withUnsafeBytes { bytes in
            var counts = Values(repeating: 0), sums = counts, unsignedSums = counts
            var least = Values(repeating: .infinity), greatest = -least
            let one = Values(repeating: 1), infinity = least
            for offset in stride(from: 0, to: bytes.count, by: 32) {
                let values = PixelStatistics.eight(bytes, at: offset), sizes = PixelStatistics.absolute(values)
                let isMissing = .!(sizes .< infinity)
                counts += one.replacing(with: 0, where: isMissing)
                sums += values.replacing(with: 0, where: isMissing)
                unsignedSums += sizes.replacing(with: 0, where: isMissing)
                least.replace(with: values, where: values .< least)
                greatest.replace(with: values, where: values .> greatest)
            }
            (count, sum, unsignedSum) = (Int(counts.sum()), sums.sum(), unsignedSums.sum())
            (minimum, maximum) = (least.min(), greatest.max())
            if minimum == -.infinity || maximum == .infinity {
                let finite = image.pixels.filter(\.isFinite).map(Double.init)
                (minimum, maximum) = (finite.min() ?? .infinity, finite.max() ?? -.infinity)
            }
            guard count > 0 else { return }
            let mean = Values(repeating: self.mean)
            var second = Values(repeating: 0), third = second, fourth = second
            for offset in stride(from: 0, to: bytes.count, by: 32) {
                var deviations = PixelStatistics.eight(bytes, at: offset) - mean
                deviations.replace(with: 0, where: .!(PixelStatistics.absolute(deviations) .< infinity))
                let squares = deviations * deviations
                second += squares
                third += squares * deviations
                fourth += squares * squares
            }
            moments = (second.sum() / Double(count), third.sum() / Double(count), fourth.sum() / Double(count))
        }
    }

    private typealias Values = SIMD8<Double>

    @inline(__always) private static func absolute(_ values: Values) -> Values {
        unsafeBitCast(unsafeBitCast(values, to: SIMD8<UInt64>.self) & 0x7FFF_FFFF_FFFF_FFFF, to: Values.self)
    }

    /// Eight 32-bit floats, beyond the end NaN.
    @inline(__always) private static func eight(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> Values {
        var values = SIMD8<Float>(repeating: .nan)
        if offset + 32 <= bytes.count {
            values = bytes.loadUnaligned(fromByteOffset: offset, as: SIMD8<Float>.self)
        } else {
            for index in 0..<(bytes.count - offset) / 4 { values[index] = bytes.loadUnaligned(fromByteOffset: offset + 4 * index, as: Float.self) }
        }
        return Values(
            Double(values[0]), Double(values[1]), Double(values[2]), Double(values[3]), Double(values[4]), Double(values[5]), Double(values[6]),
            Double(values[7]))
    }
}
