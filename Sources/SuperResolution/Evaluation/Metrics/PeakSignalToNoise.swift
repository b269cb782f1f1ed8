import Foundation
import SolarImage

extension MetricGroup {
    /// PSNR = 10 log10(R² / MSE) in dB over the pixels with data, for fields scaled to [−1, 1], so R = 2; infinite for equal fields.
    static let peakSignalToNoise = MetricGroup(
        name: "psnr", metrics: [Metric(key: "psnr", name: "PSNR", unit: "dB", better: .higher, decimals: 1)],
        scoring: .eachSample { comparison, options in
            let count = comparison.truth.validCount
            guard count > 0 else { return [:] }
            let clip = options.clip
            let error = comparison.sumOverValidPixels { prediction, truth in
                let difference = normalized(prediction, clip: clip) - normalized(truth, clip: clip)
                return difference * difference
            }
            return ["psnr": 10 * log10(4 * Double(count) / error)]
        })
}

/// A field in Gauss clipped to ±`clip` and divided by it.
@inline(__always)
func normalized(_ field: Float, clip: Float) -> Double {
    Double(min(max(field, -clip), clip)) / Double(clip)
}
