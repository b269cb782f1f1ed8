import Foundation
import Groundwork

/// How an image lies on another of the same grid: what is left of a shift, a change of scale and a rotation between two images that should coincide.
///
/// All of it is measured by ``CrossCorrelation``. A window biases the displacement that it is measured through towards 0, so the moving image is
/// brought onto the reference by what was found (``Image/resampled(by:)``) and measured again until nothing changes.
package struct Registration: Sendable, Equatable {
    /// The displacement of the moving image as a whole, in pixels, columns to the right and rows upwards: what lies at x in the reference lies at x +
    /// shift in the moving image. Where scales differ, it is that of where the field is strong.
    package let shift: SIMD2<Double>
    /// The correlation of the windowed images at that shift, −1 to 1.
    package let correlation: Double
    /// Shift, scale and rotation together, from the displacements of parts of the image. Nil if fewer than four parts correlate.
    package let fit: Fit?

    /// A similarity that was fitted to the displacements of parts of the image.
    package struct Fit: Sendable, Equatable {
        /// Sends points of the reference to where they lie in the moving image; its scale is the ratio of magnifications, moving to reference.
        package let similarity: Similarity
        /// Standard errors that the scatter of the parts tells: of the shift along either axis in pixels, of the scale, and of the rotation in
        /// degrees.
        package let shiftError: Double, scaleError: Double, rotationError: Double
        /// The number of parts that it rests on.
        package let parts: Int
    }

    /// Measures the displacement of the whole, then of square parts with a side of a quarter of the image's shorter side (but at least 32 pixels),
    /// each overlapping the next by half. A part counts if half of its pixels hold data in both images and its correlation r is at least ½; its
    /// weight in the least-squares fit is r²/(1 − r²), a ratio of signal to noise.
    ///
    /// Without noise, fields of 192 × 160 pixels with structure of some pixels are measured to 0.003 pixels in shift, 2·10⁻⁵ in scale and 0.002
    /// degrees in rotation; interpolation limits that. Noise adds what ``Fit`` tells.
    /// - Parameters:
    ///   - moving: the image whose place is sought.
    ///   - reference: the image it is compared with, better the one with less noise.
    ///   - limit: the greatest shift that is looked for along each axis, in pixels; by default a quarter of the shorter side.
    /// - Returns: nil if either image has one value only.
    /// - Precondition: the images have one size.
    package init?(of moving: Image, with reference: Image, limit: Int? = nil) {
        guard let first = CrossCorrelation(of: moving, with: reference)?.peak(limit: limit) else { return nil }
        var (shift, correlation) = (first.displacement, first.correlation)
        let centre = SIMD2(Double(reference.width - 1), Double(reference.height - 1)) / 2
        for _ in 0..<Registration.mostRounds {
            let brought = moving.resampled(by: Similarity(centre: centre, shift: shift))
            guard let rest = CrossCorrelation(of: brought, with: reference)?.peak(limit: 2) else { break }
            shift += rest.displacement
            correlation = rest.correlation
            if abs(rest.displacement).max() < 1e-4 { break }
        }
        self.shift = shift
        self.correlation = correlation
        fit = Registration.fit(of: moving, with: reference, start: Similarity(centre: centre, shift: shift))
    }

    private static let mostRounds = 5

    private static func fit(of moving: Image, with reference: Image, start: Similarity) -> Fit? {
        var similarity = start
        var fit: Fit?
        for _ in 0..<mostRounds {
            let brought = moving.resampled(by: similarity)
            guard let step = Fit(parts(of: brought, with: reference), centre: start.centre) else { return nil }
            similarity = similarity.after(step.similarity)
            fit = Fit(
                similarity: similarity, shiftError: step.shiftError, scaleError: step.scaleError, rotationError: step.rotationError, parts: step.parts
            )
            if abs(step.similarity.shift).max() < 1e-4, abs(step.similarity.scale - 1) < 1e-6, abs(step.similarity.rotation) < 1e-4 { break }
        }
        return fit
    }

    /// A part of the image: its middle in pixels, its displacement in pixels and the weight of that.
    fileprivate struct Part {
        var place: SIMD2<Double>, displacement: SIMD2<Double>, weight: Double
    }

    private static func parts(of moving: Image, with reference: Image) -> [Part] {
        let side = max(32, min(reference.width, reference.height) / 4)
        guard min(reference.width, reference.height) >= side else { return [] }
        /// As many places as lie half a part apart, spread evenly.
        func origins(_ length: Int) -> [Int] {
            let steps = 2 * (length - side) / side
            return steps == 0 ? [(length - side) / 2] : (0...steps).map { $0 * (length - side) / steps }
        }
        let places = origins(reference.height).flatMap { y in origins(reference.width).map { (x: $0, y: y) } }
        var parts = [Part?](repeating: nil, count: places.count)
        parts.withUnsafeMutableBufferPointer { parts in
            Parallel.forEach(places.count) { index in
                let (x, y) = places[index]
                let (m, r) = (moving.cropped(x: x, y: y, width: side, height: side), reference.cropped(x: x, y: y, width: side, height: side))
                guard 2 * zip(m.pixels, r.pixels).count(where: { $0.isFinite && $1.isFinite }) >= side * side,
                    let peak = CrossCorrelation(of: m, with: r)?.peak(limit: side / 8),
                    peak.correlation >= 0.5, abs(peak.displacement).max() < Double(side / 8)
                else { return }
                let place = SIMD2(Double(x), Double(y)) + Double(side - 1) / 2
                // Identical parts would have infinite weight.
                let squared = min(peak.correlation * peak.correlation, 1 - 1e-6)
                parts[index] = Part(place: place, displacement: peak.displacement, weight: squared / (1 - squared))
            }
        }
        return parts.compactMap(\.self)
    }
}

extension Registration.Fit {
    /// Least squares on displacements; parts that lie off by more than three times what their weight lets expect are left out, twice.
    fileprivate init?(_ parts: [Registration.Part], centre: SIMD2<Double>) {
        var parts = parts
        guard var solution = Registration.Fit.solution(parts, centre: centre) else { return nil }
        for _ in 0..<2 {
            let distances = parts.map { part in
                let rest = part.displacement - (solution.similarity(part.place) - part.place)
                return (part.weight * (rest * rest).sum()).squareRoot()
            }
            // The median of the length of a normally distributed vector is 1.177 standard deviations of a component.
            let limit = 3 * distances.sorted()[distances.count / 2] / 1.177
            let kept = parts.indices.filter { distances[$0] <= limit || limit == 0 }.map { parts[$0] }
            guard kept.count < parts.count, let next = Registration.Fit.solution(kept, centre: centre) else { break }
            (parts, solution) = (kept, next)
        }
        self = solution
    }

    /// With z the place from the centre and u the displacement as complex numbers, minimises Σ w |u − t − (s e^{iφ} − 1) z|².
    private static func solution(_ parts: [Registration.Part], centre: SIMD2<Double>) -> Registration.Fit? {
        guard parts.count >= 4 else { return nil }
        let sum = parts.reduce(0) { $0 + $1.weight }
        let meanPlace = parts.reduce(SIMD2(0, 0)) { $0 + $1.weight * ($1.place - centre) } / sum
        let meanDisplacement = parts.reduce(SIMD2(0, 0)) { $0 + $1.weight * $1.displacement } / sum
        var (spread, along, across) = (0.0, 0.0, 0.0)
        for part in parts {
            let (z, u) = (part.place - centre - meanPlace, part.displacement - meanDisplacement)
            spread += part.weight * (z * z).sum()
            along += part.weight * (z * u).sum()
            across += part.weight * (z.x * u.y - z.y * u.x)
        }
        guard spread > 0 else { return nil }
        let (a, b) = (along / spread, across / spread)
        let shift = meanDisplacement - SIMD2(a * meanPlace.x - b * meanPlace.y, b * meanPlace.x + a * meanPlace.y)
        let similarity = Similarity(centre: centre, shift: shift, scale: hypot(1 + a, b), rotation: atan2(b, 1 + a) * 180 / .pi)
        let rest = parts.reduce(0) { sum, part in
            let difference = part.displacement - (similarity(part.place) - part.place)
            return sum + part.weight * (difference * difference).sum()
        }
        // Each place lies in four parts, so that what its noise does to one it does to four.
        let variance = 4 * rest / Double(2 * parts.count - 4)
        let slopeError = (variance / spread).squareRoot()
        return Registration.Fit(
            similarity: similarity, shiftError: (variance / sum + slopeError * slopeError * (meanPlace * meanPlace).sum()).squareRoot(),
            scaleError: slopeError, rotationError: slopeError * 180 / .pi, parts: parts.count)
    }
}

private func abs(_ vector: SIMD2<Double>) -> SIMD2<Double> { SIMD2(Swift.abs(vector.x), Swift.abs(vector.y)) }
