import SolarImage

extension MetricGroup {
    /// The deviation of the prediction's active-region size from the truth's in %: of all regions together, and of the one nearest to the middle of the
    /// map. Undefined where the truth has no active region.
    static let activeRegionSize = MetricGroup(
        name: "ar-size",
        metrics: [
            Metric(key: "ar_size_error", name: "AR size error", unit: "%", better: .lower, decimals: 1, isDeviation: true),
            Metric(key: "central_ar_size_error", name: "Central AR size error", unit: "%", better: .lower, decimals: 1, isDeviation: true),
        ],
        details: ["ar_size_px", "truth_ar_size_px", "central_ar_size_px", "truth_central_ar_size_px"],
        scoring: .eachSample { comparison, options in
            let predicted = comparison.prediction.activeRegionSize(threshold: options.regionThreshold)
            let expected = comparison.truth.regionMemo { comparison.truth.field.activeRegionSize(threshold: options.regionThreshold) }
            var values: Values = [
                "ar_size_px": Double(predicted.total), "truth_ar_size_px": Double(expected.total), "central_ar_size_px": Double(predicted.central),
                "truth_central_ar_size_px": Double(expected.central),
            ]
            guard expected.total > 0 else { return values }
            values["ar_size_error"] = 100 * Double(predicted.total - expected.total) / Double(expected.total)
            values["central_ar_size_error"] = 100 * Double(predicted.central - expected.central) / Double(expected.central)
            return values
        })
}

/// Pixels in active regions.
package struct ActiveRegionSize: Sendable, Equatable {
    /// In all regions together.
    package var total = 0
    /// In the region with the pixel nearest to the middle of the map; of several equally near ones, in the largest.
    package var central = 0
}

extension Image {
    /// The number of pixels in regions of |B| ≥ `threshold` Gauss, pixels connected by edge or corner, with everything their outer contours enclose.
    ///
    /// A pixel is outside all contours if weak pixels connected by edges lead from it out of the map; what cannot be reached so from outside is inside.
    /// That is the count of OpenCV's `findContours(RETR_EXTERNAL)` with `drawContours(thickness=FILLED)`. NaN counts as weak.
    package func activeRegionSize(threshold: Float) -> ActiveRegionSize {
        var states = pixels.map { !(abs($0) >= threshold) ? UInt8(0) : 1 }  // 0: weak and not reached, 1: strong, 2: reached
        var pending: [Int] = []
        var size = ActiveRegionSize()
        states.withUnsafeMutableBufferPointer { state in
            func reach(_ position: Int) {
                guard state[position] == 0 else { return }
                state[position] = 2
                pending.append(position)
            }
            for x in 0..<width {
                reach(x)
                reach((height - 1) * width + x)
            }
            for y in 0..<height {
                reach(y * width)
                reach((y + 1) * width - 1)
            }
            while let position = pending.popLast() {
                let x = position % width
                if x > 0 { reach(position - 1) }
                if x < width - 1 { reach(position + 1) }
                if position >= width { reach(position - width) }
                if position < (height - 1) * width { reach(position + width) }
            }
            // What is left is inside; each region is taken as a whole.
            var nearest = Int.max
            for start in state.indices where state[start] != 2 {
                var (count, distance) = (0, Int.max)
                state[start] = 2
                pending.append(start)
                while let position = pending.popLast() {
                    let (x, y) = (position % width, position / width)
                    let (dx, dy) = (2 * x - width + 1, 2 * y - height + 1)
                    count += 1
                    distance = min(distance, dx * dx + dy * dy)
                    for row in max(0, y - 1)...min(height - 1, y + 1) {
                        for column in max(0, x - 1)...min(width - 1, x + 1) where state[row * width + column] != 2 {
                            state[row * width + column] = 2
                            pending.append(row * width + column)
                        }
                    }
                }
                size.total += count
                if distance < nearest || (distance == nearest && count > size.central) { (nearest, size.central) = (distance, count) }
            }
        }
        return size
    }
}
