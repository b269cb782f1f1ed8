import SolarImage

extension MetricGroup {
    /// The standard deviation of the prediction over the truth's where the low-resolution field, repeated over its blocks, is within ±10 G: power that
    /// comes of invented noise shows as a ratio above 1. Chosen by the truth instead, the pixels would favour blur. Undefined without such pixels.
    static let quietSun = MetricGroup(
        name: "quiet-sun",
        metrics: [Metric(key: "quiet_std_ratio", name: "Quiet-Sun std over the truth's", better: .nearestToOne, decimals: 2)],
        details: ["quiet_std_g", "truth_quiet_std_g"],
        scoring: .eachSample { comparison, _ in
            let truth = comparison.truth
            var (count, sums, squares) = (0.0, SIMD2<Double>.zero, SIMD2<Double>.zero)
            let (width, factor, columns) = (truth.field.width, truth.factor, truth.lowResolution.width)
            for (block, low) in truth.lowResolution.pixels.enumerated() where abs(low) <= 10 {
                let corner = block / columns * factor * width + block % columns * factor
                for row in 0..<factor {
                    for index in corner + row * width..<corner + row * width + factor where truth.valid?[index] != false {
                        let values = SIMD2(Double(comparison.prediction.pixels[index]), Double(truth.field.pixels[index]))
                        count += 1
                        sums += values
                        squares += values * values
                    }
                }
            }
            guard count > 1 else { return [:] }
            let deviations = (squares / count - (sums / count) * (sums / count)).clamped(lowerBound: .zero, upperBound: .init(repeating: .infinity))
                .squareRoot()
            var values: Values = ["quiet_std_g": deviations.x, "truth_quiet_std_g": deviations.y]
            if deviations.y > 0 { values["quiet_std_ratio"] = deviations.x / deviations.y }
            return values
        })
}
