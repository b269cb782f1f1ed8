import SolarImage

extension MetricGroup {
    /// The deviation of the prediction's active-region size from the truth's in %; undefined where the truth has no active region.
    static let activeRegionSize = MetricGroup(
        name: "ar-size",
        metrics: [Metric(key: "ar_size_error", name: "AR size error", unit: "%", better: .lower, decimals: 1, isDeviation: true)],
        details: ["ar_size_px", "truth_ar_size_px"],
        scoring: .eachSample { comparison, options in
            let predicted = Double(comparison.prediction.activeRegionSize(threshold: options.regionThreshold))
            let expected = Double(comparison.truth.field.activeRegionSize(threshold: options.regionThreshold))
            var values = ["ar_size_px": predicted, "truth_ar_size_px": expected]
            if expected > 0 { values["ar_size_error"] = 100 * (predicted - expected) / expected }
            return values
        })
}

extension Image {
    /// The number of pixels in regions of |B| ≥ `threshold` Gauss, pixels connected by edge or corner, with everything their outer contours enclose.
    ///
    /// A pixel is outside all contours if weak pixels connected by edges lead from it out of the map; what cannot be reached so from outside is inside.
    /// That is the count of OpenCV's `findContours(RETR_EXTERNAL)` with `drawContours(thickness=FILLED)`. NaN counts as weak.
    package func activeRegionSize(threshold: Float) -> Int {
        var states = pixels.map { !(abs($0) >= threshold) ? UInt8(0) : 1 }  // 0: weak and not reached, 1: strong, 2: reached
        var reached = 0
        var pending: [Int] = []
        states.withUnsafeMutableBufferPointer { state in
            func visit(_ position: Int) {
                guard state[position] == 0 else { return }
                state[position] = 2
                reached += 1
                pending.append(position)
            }
            for x in 0..<width {
                visit(x)
                visit((height - 1) * width + x)
            }
            for y in 0..<height {
                visit(y * width)
                visit((y + 1) * width - 1)
            }
            while let position = pending.popLast() {
                let x = position % width
                if x > 0 { visit(position - 1) }
                if x < width - 1 { visit(position + 1) }
                if position >= width { visit(position - width) }
                if position < (height - 1) * width { visit(position + width) }
            }
        }
        return pixels.count - reached
    }
}
