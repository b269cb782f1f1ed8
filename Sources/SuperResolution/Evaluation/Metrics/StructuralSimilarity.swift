import Foundation
import Groundwork
import SolarImage

extension MetricGroup {
    static let structuralSimilarity = MetricGroup(
        name: "ssim", metrics: [Metric(key: "ssim", name: "SSIM", better: .higher, decimals: 3)],
        scoring: .eachSample { comparison, options in
            structuralSimilarityIndex(comparison, clip: options.clip).map { ["ssim": $0] } ?? [:]
        })
}

/// The mean structural similarity index (Wang et al. 2004, *IEEE Trans. Image Processing* 13, 600) of fields scaled to [−1, 1].
///
/// Windows are Gaussian with σ = 1.5 pixels, cut at 11 × 11 pixels; variances are those of the population; K₁ = 0.01, K₂ = 0.03, L = 2. The mean is over
/// the windows that lie wholly inside the map and hold no masked pixel, so that a map masked along an edge scores as the map cut there.
/// Without masked pixels this is scikit-image's `structural_similarity(gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=2)`.
/// - Returns: nil if there is no such window.
package func structuralSimilarityIndex(_ comparison: Comparison, clip: Float) -> Double? {
    let radius = 5
    let size = 2 * radius + 1
    let (width, height) = (comparison.prediction.width, comparison.prediction.height)
    guard width >= size, height >= size else { return nil }
    let (columns, rows) = (width - 2 * radius, height - 2 * radius)
    var window = (-radius...radius).map { exp(-0.5 * Double($0 * $0) / (1.5 * 1.5)) }
    let total = window.reduce(0, +)
    window = window.map { $0 / total }
    let weights = window
    let (c1, c2) = (0.02 * 0.02, 0.06 * 0.06)  // (K₁ L)², (K₂ L)²
    let valid = comparison.truth.valid
    var sums = [Double](repeating: 0, count: rows)
    var counts = [Int](repeating: 0, count: rows)

    comparison.prediction.pixels.withUnsafeBufferPointer { predicted in
        comparison.truth.field.pixels.withUnsafeBufferPointer { expected in
            sums.withUnsafeMutableBufferPointer { sums in
                counts.withUnsafeMutableBufferPointer { counts in
                    Parallel.forEachBlock(of: rows, size: 32) { block in
                        let first = block.lowerBound * width
                        let count = (block.count + 2 * radius) * width
                        let a = (first..<first + count).map { normalized(predicted[$0], clip: clip) }
                        let b = (first..<first + count).map { normalized(expected[$0], clip: clip) }
                        // Weighted along columns first: the fields, their squares and their product, one row of each after the other.
                        var moments = [Double](repeating: 0, count: 5 * width)
                        for y in block {
                            verticalMoments(a, b, start: (y - block.lowerBound) * width, width: width, weights: weights, into: &moments)
                            let masked = valid.map { maskedColumns($0, start: y * width, width: width, rows: size) }
                            for x in 0..<columns {
                                if let masked, masked[x..<x + size].contains(true) { continue }
                                var (ma, mb, aa, bb, ab) = (0.0, 0.0, 0.0, 0.0, 0.0)
                                for (k, weight) in weights.enumerated() {
                                    ma += weight * moments[x + k]
                                    mb += weight * moments[width + x + k]
                                    aa += weight * moments[2 * width + x + k]
                                    bb += weight * moments[3 * width + x + k]
                                    ab += weight * moments[4 * width + x + k]
                                }
                                let structure = 2 * (ab - ma * mb) + c2
                                let variances = (aa - ma * ma) + (bb - mb * mb) + c2
                                sums[y] += (2 * ma * mb + c1) * structure / ((ma * ma + mb * mb + c1) * variances)
                                counts[y] += 1
                            }
                        }
                    }
                }
            }
        }
    }
    let count = counts.reduce(0, +)
    return count == 0 ? nil : sums.reduce(0, +) / Double(count)
}

private func verticalMoments(_ a: [Double], _ b: [Double], start: Int, width: Int, weights: [Double], into moments: inout [Double]) {
    a.withUnsafeBufferPointer { a in
        b.withUnsafeBufferPointer { b in
            moments.withUnsafeMutableBufferPointer { moments in
                moments.update(repeating: 0)
                for (k, weight) in weights.enumerated() {
                    let row = start + k * width
                    for x in 0..<width {
                        let (p, q) = (a[row + x], b[row + x])
                        let (wp, wq) = (weight * p, weight * q)
                        moments[x] += wp
                        moments[width + x] += wq
                        moments[2 * width + x] += wp * p
                        moments[3 * width + x] += wq * q
                        moments[4 * width + x] += wp * q
                    }
                }
            }
        }
    }
}

/// For each column, whether any of `rows` pixels upwards from `start` is masked.
private func maskedColumns(_ valid: [Bool], start: Int, width: Int, rows: Int) -> [Bool] {
    var masked = [Bool](repeating: false, count: width)
    for row in 0..<rows {
        for x in 0..<width where !valid[start + row * width + x] { masked[x] = true }
    }
    return masked
}
