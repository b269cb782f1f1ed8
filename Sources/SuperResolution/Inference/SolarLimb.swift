import SolarImage

/// The edge of the Sun in an image whose pixels become `scale` times finer.
///
/// Pixels of the input are too coarse to draw it: where it has no data beyond the limb, its edge is a staircase. Models see it continued by a pixel, and the
/// result ends where the finer grid meets the disk.
struct SolarLimb {
    private let centre: SIMD2<Double>, radius: Double
    private let scale: Int

    /// Nil where nothing of the image is known to lie beyond the limb: on maps, without a radius, and well inside the disk.
    init?(_ map: Magnetogram, scale: Int) {
        guard let disk = map.grid?.disk else { return nil }
        (centre, radius, self.scale) = (disk.centre, disk.radius, scale)
        let (right, top) = (Double(map.image.width) - 0.5, Double(map.image.height) - 0.5)
        let corners = [SIMD2(-0.5, -0.5), SIMD2(right, -0.5), SIMD2(-0.5, top), SIMD2(right, top)]
        guard corners.contains(where: { distance($0) > radius }) else { return nil }
    }

    /// Of a place in the input from the centre of the disk, in the input's pixels.
    private func distance(_ place: SIMD2<Double>) -> Double { ((place - centre) * (place - centre)).sum().squareRoot() }

    /// The input, in which pixels without data whose centre lies beyond the limb but not all of whose finer pixels do have the mean of their neighbours.
    /// Data missing on the disk stay missing.
    func continued(_ low: Image) -> Image {
        var result = low
        for y in 0..<low.height {
            for x in 0..<low.width where low[x, y].isNaN {
                // The instruments' own masks end at the limb to a thousandth of a pixel.
                let away = distance(SIMD2(Double(x), Double(y)))
                guard away > radius - 0.01, away < radius + 1 else { continue }
                var (sum, count) = (Float(0), Float(0))
                for row in max(0, y - 1)...min(low.height - 1, y + 1) {
                    for column in max(0, x - 1)...min(low.width - 1, x + 1) where !low[column, row].isNaN {
                        (sum, count) = (sum + low[column, row], count + 1)
                    }
                }
                if count > 0 { result[x, y] = sum / count }
            }
        }
        return result
    }

    /// Takes what lies beyond the limb from the result.
    func cut(_ high: inout Image) {
        let scale = Double(scale), middle = (centre + 0.5) * scale - 0.5, radius = radius * scale
        for y in 0..<high.height {
            let dy = Double(y) - middle.y, square = radius * radius - dy * dy
            let half = square > 0 ? square.squareRoot() : -1
            for x in 0..<high.width where abs(Double(x) - middle.x) > half { high[x, y] = .nan }
        }
    }
}
