import Foundation
import Groundwork

/// A synthetic Sun as an instrument sees it at one moment.
package struct SyntheticDisk: Sendable {
    package var sun: SyntheticSun
    package var observer: SyntheticObserver
    package var camera: SyntheticCamera
    /// The middle of the exposure, seconds of atomic time since 1970-01-01T00:00:00 TAI.
    package var taiSeconds: Double
    /// The standard deviation in Gauss of noise that is independent from pixel to pixel, and the number that determines it.
    package var noise: Double, seed: UInt64

    package init(
        _ sun: SyntheticSun, from observer: SyntheticObserver, by camera: SyntheticCamera, at taiSeconds: Double, noise: Double = 0, seed: UInt64 = 1
    ) {
        (self.sun, self.observer, self.camera, self.taiSeconds, self.noise, self.seed) = (sun, observer, camera, taiSeconds, noise, seed)
    }

    /// Where a spot has drifted to by the time of observation: Carrington longitude and latitude in degrees.
    package func position(of spot: SyntheticSun.Spot) -> (longitude: Double, latitude: Double) {
        (spot.longitude + SyntheticSun.drift(latitude: spot.latitude, seconds: taiSeconds - sun.epoch), spot.latitude)
    }

    /// The pixel (from 0, centres at integers) that shows a Carrington position in degrees; nil if it is hidden. It may lie out of the frame.
    package func pixel(longitude: Double, latitude: Double) -> SIMD2<Double>? {
        let view = SyntheticView(observer, camera)
        let (place, z) = view.pixel(longitude: longitude, latitude: latitude)
        return z >= 1 / view.distance ? place : nil
    }

    /// The pixel that shows the centre of a spot; nil if it is hidden.
    package func pixel(of spot: SyntheticSun.Spot) -> SIMD2<Double>? {
        let (longitude, latitude) = position(of: spot)
        return pixel(longitude: longitude, latitude: latitude)
    }

    /// The disk's centre (pixels from 0) and its radius in pixels.
    package var limb: (centre: SIMD2<Double>, radius: Double) {
        let view = SyntheticView(observer, camera)
        return (view.centre, view.diskRadius)
    }

    /// The field in Gauss, `camera.height` rows of `camera.width` values from the lowest row on; NaN where a pixel's centre lies beyond the limb.
    ///
    /// A pixel's value is the mean over its area, computed at 2 × 2 Gauss-Legendre nodes: of a spot of width σ the relative error is about
    /// 7·10⁻⁴ (pixel/σ)⁴. Spots end at 6σ, where they have 1.5·10⁻⁸ of their peak.
    package func field() -> [Float] {
        let view = SyntheticView(observer, camera), width = camera.width
        let footprints = sun.spots.compactMap { footprint(of: $0, view) }
        var pixels = [Float](repeating: .nan, count: width * camera.height)
        pixels.withUnsafeMutableBufferPointer { pixels in
            nonisolated(unsafe) let pixels = pixels
            Parallel.forEachBlock(of: camera.height, size: 16) { rows in
                for y in rows {
                    guard let disk = columns(ofRow: y, centre: view.centre, radius: view.diskRadius) else { continue }
                    for x in disk { pixels[y * width + x] = noise(at: y * width + x) }
                    for spot in footprints {
                        guard let near = columns(ofRow: y, centre: spot.centre, radius: spot.radius), near.overlaps(disk) else { continue }
                        for x in near.clamped(to: disk) { pixels[y * width + x] += Float(mean(of: spot, x, y, view)) }
                    }
                }
            }
        }
        return pixels
    }
}

extension SyntheticDisk {
    /// A spot, and the circle of pixels outside of which it has no field.
    private struct Footprint {
        var centre: SIMD2<Double>, radius: Double
        /// Its centre at the epoch, in the axes of ``SyntheticView/heliographic(_:)``.
        var start: (west: Double, meridian: Double, north: Double)
        var peak: Double
        /// 1/2σ², and the square of the chord beyond which the field is nil.
        var sharpness: Double, reach: Double
    }

    /// Nil if the spot is wholly hidden.
    private func footprint(of spot: SyntheticSun.Spot, _ view: SyntheticView) -> Footprint? {
        let sigma = spot.width * .pi / 180, reach = 6 * sigma
        let (longitude, latitude) = position(of: spot)
        // Differential rotation stretches a spot by the difference between the drifts of its ends and its middle.
        let ends = [latitude - 6 * spot.width, latitude + 6 * spot.width]
        let stretch = (ends + [min(max(0, ends[0]), ends[1])]).reduce(0.0) {
            max($0, abs(SyntheticSun.drift(latitude: $1, seconds: taiSeconds - sun.epoch) - longitude + spot.longitude) * .pi / 180)
        }
        let extent = reach + stretch
        let (place, z) = view.pixel(longitude: longitude, latitude: latitude)
        guard z > -extent else { return nil }
        // 2 % more than the extent seen from the nearest point of the Sun, since perspective shifts the middle; one pixel for the nodes.
        return Footprint(
            centre: place, radius: 1.02 * extent / (view.distance - 1) / view.step + 1,
            start: view.components(longitude: spot.longitude, latitude: spot.latitude), peak: spot.peak, sharpness: 1 / (2 * sigma * sigma),
            reach: reach * reach)
    }

    /// The columns whose pixel centres lie in a circle.
    private func columns(ofRow y: Int, centre: SIMD2<Double>, radius: Double) -> ClosedRange<Int>? {
        let dy = Double(y) - centre.y, square = radius * radius - dy * dy
        guard square >= 0 else { return nil }
        let first = max(0, (centre.x - square.squareRoot()).rounded(.up))
        let last = min(Double(camera.width - 1), (centre.x + square.squareRoot()).rounded(.down))
        return first <= last ? Int(first)...Int(last) : nil
    }

    /// The mean of a spot's field over a pixel.
    private func mean(of spot: Footprint, _ x: Int, _ y: Int, _ view: SyntheticView) -> Double {
        let node = 1 / 12.0.squareRoot()
        let (left, right, low, high) = (Double(x) - node, Double(x) + node, Double(y) - node, Double(y) + node)
        return
            (value(of: spot, left, low, view) + value(of: spot, right, low, view) + value(of: spot, left, high, view)
            + value(of: spot, right, high, view)) / 4
    }

    /// A spot's field at a place on the detector; nil beyond the limb.
    @inline(__always) private func value(of spot: Footprint, _ x: Double, _ y: Double, _ view: SyntheticView) -> Double {
        let (u, v) = view.plane(x, y)
        guard let seen = view.surface(u, v) else { return 0 }
        let now = view.heliographic(seen)
        // Back to where that point of the surface was at the epoch.
        let drift = SyntheticSun.drift(squaredSine: now.north * now.north, seconds: taiSeconds - sun.epoch)
        let (cosine, sine) = (cos(drift), sin(drift))
        let west = now.west * cosine - now.meridian * sine - spot.start.west
        let meridian = now.meridian * cosine + now.west * sine - spot.start.meridian
        let north = now.north - spot.start.north
        let chord = west * west + meridian * meridian + north * north
        guard chord < spot.reach else { return 0 }
        let field = spot.peak * exp(-chord * spot.sharpness)
        guard sun.isRadial else { return field }
        // The cosine between the vertical and the line of sight.
        let toward = view.distance - seen.z
        return field * (seen.z * view.distance - 1) / (seen.x * seen.x + seen.y * seen.y + toward * toward).squareRoot()
    }

    /// The sum of four uniform numbers, close to a normal distribution and never beyond 3.5 standard deviations.
    @inline(__always) private func noise(at index: Int) -> Float {
        guard noise > 0 else { return 0 }
        let bits = SyntheticSun.mixed(seed, UInt64(index))
        let sum = (bits & 0xFFFF) + ((bits >> 16) & 0xFFFF) + ((bits >> 32) & 0xFFFF) + (bits >> 48)
        return Float(noise * 3.0.squareRoot() * (Double(sum) / 65536 - 2 + 2 / 65536))
    }
}
