import Foundation

/// A shift, change of scale and rotation of the plane: a point z (as the complex number x + iy, in pixels from 0) goes to c + t + s e^{iφ} (z − c), c
/// being the middle of the image.
package struct Similarity: Sendable, Equatable {
    /// c, in pixels.
    package let centre: SIMD2<Double>
    /// t, in pixels: how far the centre moves, columns to the right and rows upwards.
    package var shift: SIMD2<Double>
    /// s: how much larger the moving image shows things than the reference.
    package var scale: Double
    /// φ in degrees, counter-clockwise.
    package var rotation: Double

    package init(centre: SIMD2<Double>, shift: SIMD2<Double> = SIMD2(0, 0), scale: Double = 1, rotation: Double = 0) {
        (self.centre, self.shift, self.scale, self.rotation) = (centre, shift, scale, rotation)
    }

    /// Where a point of the reference lies in the moving image.
    package func callAsFunction(_ point: SIMD2<Double>) -> SIMD2<Double> {
        centre + shift + turned(point - centre)
    }

    private func turned(_ vector: SIMD2<Double>) -> SIMD2<Double> {
        let (a, b) = (scale * cos(rotation * .pi / 180), scale * sin(rotation * .pi / 180))
        return SIMD2(a * vector.x - b * vector.y, b * vector.x + a * vector.y)
    }

    /// This after another about the same centre.
    func after(_ first: Similarity) -> Similarity {
        Similarity(centre: centre, shift: shift + turned(first.shift), scale: scale * first.scale, rotation: rotation + first.rotation)
    }
}

extension Image {
    /// The image resampled so that each pixel holds the value at the place that `similarity` sends it to: a moving image brought onto its reference.
    ///
    /// Values between pixels are those of cubic convolution with a = −½ (Keys 1981, IEEE Trans. ASSP 29, 1153). NaN where one of its 4 × 4 pixels is
    /// NaN or beyond the border, unless its weight is 0.
    package func resampled(by similarity: Similarity) -> Image {
        /// The weights of the four pixels around a place that lies `t` (0 ..< 1) beyond the second of them.
        func weights(_ t: Double) -> SIMD4<Double> {
            SIMD4(
                ((-0.5 * t + 1) * t - 0.5) * t, (1.5 * t - 2.5) * t * t + 1, ((-1.5 * t + 2) * t + 0.5) * t, (0.5 * t - 0.5) * t * t)
        }
        var result = Image(width: width, height: height, repeating: .nan)
        pixels.withUnsafeBufferPointer { source in
            for y in 0..<height {
                for x in 0..<width {
                    let place = similarity(SIMD2(Double(x), Double(y)))
                    // Also keeps what follows within the range of Int.
                    guard place.x > -1, place.y > -1, place.x < Double(width), place.y < Double(height) else { continue }
                    let (left, lower) = (Int(place.x.rounded(.down)), Int(place.y.rounded(.down)))
                    let (across, up) = (weights(place.x - Double(left)), weights(place.y - Double(lower)))
                    var sum = 0.0
                    for j in 0..<4 where up[j] != 0 {
                        for i in 0..<4 where across[i] != 0 {
                            let (column, row) = (left + i - 1, lower + j - 1)
                            let isInside = column >= 0 && row >= 0 && column < width && row < height
                            sum += isInside ? Double(source[row * width + column]) * across[i] * up[j] : .nan
                        }
                    }
                    result[x, y] = Float(sum)
                }
            }
        }
        return result
    }
}
