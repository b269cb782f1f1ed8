import Groundwork
import SolarImage

/// Mean and standard deviation (n − 1) of samples as they come, of the samples themselves, of their structure finer than a cut-off and of the rest, in Gauss.
///
/// Memory does not grow with the number of samples: 24 bytes a pixel, and 8 more while one is added. Moments are those of the differences from the first
/// sample (Welford 1962), so that a small spread of strong field is not lost in rounding. The high-pass is linear: the fine part of a difference
/// is the difference of the fine parts. A pixel that is NaN in one sample is NaN in all results, and counts as 0 for the high-pass of its neighbours.
package struct EnsembleStatistics {
    /// What parts the fine structure from the coarse.
    package let highPass: ButterworthHighPass
    /// Samples so far.
    package private(set) var count = 0
    /// The first sample; NaN before there is one.
    package private(set) var first: Image
    /// Of each pixel; empty until there are two samples, which alone can differ.
    private var moments: [Moments] = []

    /// Of the differences from the first sample: means, and sums of squared deviations from them. The coarse part's mean is what the fine part's leaves.
    private struct Moments {
        var mean: Float = 0, fineMean: Float = 0
        var squares: Float = 0, fineSquares: Float = 0, coarseSquares: Float = 0

        /// - Parameter share: 1 over the number of samples, this one among them.
        mutating func add(_ difference: Double, fine: Double, share: Double) {
            let (total, part) = (difference - Double(mean), fine - Double(fineMean))
            let rest = total - part
            // The square of the deviation from the mean before, times (n − 1) / n.
            let weight = 1 - share
            squares += Float(weight * total * total)
            fineSquares += Float(weight * part * part)
            coarseSquares += Float(weight * rest * rest)
            mean += Float(share * total)
            fineMean += Float(share * part)
        }
    }

    /// - Parameter highPass: its cut-off is in cycles per pixel of the samples.
    /// - Precondition: width and height are at least 1.
    package init(width: Int, height: Int, highPass: ButterworthHighPass) {
        first = Image(width: width, height: height, repeating: .nan)
        self.highPass = highPass
    }

    /// - Precondition: the sample has the size of the others.
    package mutating func add(_ sample: Image) {
        let (width, height) = (first.width, first.height)
        precondition(sample.width == width && sample.height == height, "a sample of \(sample.width) × \(sample.height) among \(width) × \(height)")
        count += 1
        if count == 1 {
            first = sample
            return
        }
        if moments.isEmpty { moments = Array(repeating: Moments(), count: width * height) }
        let (reference, values, highPass, share) = (first.pixels, sample.pixels, highPass, 1 / Double(count))
        func difference(_ index: Int) -> Double { Double(values[index]) - Double(reference[index]) }
        var fine = [Double](repeating: 0, count: width * height)
        fine.withUnsafeMutableBufferPointer { fine in
            Parallel.forEachBlock(of: fine.count, size: Self.block) { block in
                for index in block where difference(index).isFinite { fine[index] = difference(index) }
            }
        }
        CosineFilter.apply(highPass.gain(at:), to: &fine, width: width, height: height)
        moments.withUnsafeMutableBufferPointer { moments in
            Parallel.forEachBlock(of: moments.count, size: Self.block) { block in
                for index in block { moments[index].add(difference(index), fine: fine[index], share: share) }
            }
        }
    }

    /// Pixels that a thread works on at a time.
    private static let block = 1 << 16

    /// The mean of the samples; NaN before there is one.
    package var mean: Image { count < 2 ? first : map { index, moments in Float(Double(first.pixels[index]) + Double(moments.mean)) } }

    /// The standard deviation of the samples. NaN before there are two, as all deviations.
    package var deviation: Image { deviation { $0.squares } }

    /// The standard deviation of the samples' structure finer than the cut-off: `STD_FINE`.
    package var fineDeviation: Image { deviation { $0.fineSquares } }

    /// The standard deviation of what the high-pass leaves of the samples: `STD_COARSE`.
    package var coarseDeviation: Image { deviation { $0.coarseSquares } }

    /// Where the uncertainty has fine structure, as the paper shows it (Ramunno et al. 2025): 1 where the modulus of the high-passed ``deviation`` exceeds
    /// three times its median absolute deviation, else 0. NaN where there are no data.
    package var fineMask: Image {
        var mask = deviation.filtered(gain: highPass.gain(at:))
        let threshold = 3 * mask.medianAbsoluteDeviation
        for index in mask.pixels.indices where !mask.pixels[index].isNaN { mask.pixels[index] = abs(mask.pixels[index]) > threshold ? 1 : 0 }
        return mask
    }

    private func deviation(_ squares: (Moments) -> Float) -> Image {
        let share = 1 / Double(count - 1)
        return map { _, moments in moments.mean.isNaN ? .nan : Float((Double(squares(moments)) * share).squareRoot()) }
    }

    /// An image of what `value` makes of each pixel's moments; NaN where there are none.
    private func map(_ value: (_ index: Int, _ moments: Moments) -> Float) -> Image {
        var result = Image(width: first.width, height: first.height, repeating: .nan)
        result.pixels.withUnsafeMutableBufferPointer { pixels in
            Parallel.forEachBlock(of: moments.count, size: Self.block) { block in
                for index in block { pixels[index] = value(index, moments[index]) }
            }
        }
        return result
    }
}
