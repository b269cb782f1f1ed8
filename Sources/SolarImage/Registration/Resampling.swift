import Groundwork

extension Image {
    /// The values at places between pixels, interpolated by ``ResamplingKernel``.
    ///
    /// A place is that of a pixel's centre where its components are whole numbers, from 0. Where some of the 8 × 8 pixels around a place are NaN or
    /// beyond the border, the others' weights are divided by their sum. The value is NaN if that is less than ½, as it is half a pixel beyond the
    /// border.
    /// - Parameter places: of the pixels of the result, row by row; NaN for those without a value.
    /// - Precondition: `places.count == width * height`, both at least 1.
    package func resampled(at places: [SIMD2<Double>], width: Int, height: Int) -> Image {
        precondition(places.count == width * height, "\(places.count) places for \(width) × \(height) pixels")
        var result = Image(width: width, height: height, repeating: .nan)
        let kernel = ResamplingKernel.standard
        pixels.withUnsafeBufferPointer { source in
            guard let start = source.baseAddress else { return }
            result.pixels.withUnsafeMutableBufferPointer { target in
                places.withUnsafeBufferPointer { places in
                    Parallel.forEachBlock(of: height, size: 16) { rows in
                        for index in rows.lowerBound * width..<rows.upperBound * width {
                            target[index] = value(at: places[index], start, kernel)
                        }
                    }
                }
            }
        }
        return result
    }

    @inline(__always)
    private func value(at place: SIMD2<Double>, _ source: UnsafePointer<Float>, _ kernel: ResamplingKernel) -> Float {
        // False for NaN.
        guard place.x >= -0.5, place.y >= -0.5, place.x <= Double(width) - 0.5, place.y <= Double(height) - 0.5 else { return .nan }
        let floor = (x: Int(place.x.rounded(.down)), y: Int(place.y.rounded(.down)))
        let across = kernel.weights(at: place.x - Double(floor.x)), up = kernel.weights(at: place.y - Double(floor.y))
        let (left, lower) = (floor.x - 3, floor.y - 3)
        if left >= 0, lower >= 0, left + 8 <= width, lower + 8 <= height {
            var sum = SIMD8<Float>.zero
            for j in 0..<8 {
                sum += UnsafeRawPointer(source + (lower + j) * width + left).loadUnaligned(as: SIMD8<Float>.self) * up[j]
            }
            let value = (sum * across).sum()
            if value.isFinite { return value }
        }
        return incompleteValue(left, lower, across, up, source)
    }

    /// The same from those pixels alone that have a value.
    private func incompleteValue(
        _ left: Int, _ lower: Int, _ across: SIMD8<Float>, _ up: SIMD8<Float>, _ source: UnsafePointer<Float>
    ) -> Float {
        var (sum, weight) = (0.0, 0.0)
        for j in 0..<8 where lower + j >= 0 && lower + j < height {
            for i in 0..<8 where left + i >= 0 && left + i < width {
                let value = source[(lower + j) * width + left + i]
                guard value.isFinite else { continue }
                let share = Double(across[i]) * Double(up[j])
                sum += share * Double(value)
                weight += share
            }
        }
        return weight >= 0.5 ? Float(sum / weight) : .nan
    }
}
