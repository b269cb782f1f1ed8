import SolarImage

/// What several samples of one field tell: the extensions `MEAN`, `STD`, `STD_FINE` and `FINE` of a product, in Gauss (`FINE`: 1 and 0), NaN without data.
package struct EnsembleImages: Sendable {
    package let mean: Image, deviation: Image, fineDeviation: Image, fineMask: Image
    /// Where fine structure begins, in cycles per pixel.
    package let cutoff: Double

    package init(mean: Image, deviation: Image, fineDeviation: Image, fineMask: Image, cutoff: Double) {
        (self.mean, self.deviation, self.fineDeviation, self.fineMask, self.cutoff) = (mean, deviation, fineDeviation, fineMask, cutoff)
    }

    /// - Parameter statistics: of two samples or more.
    package init(_ statistics: EnsembleStatistics) {
        // The mask first, which takes the most memory to make.
        fineMask = statistics.fineMask
        (mean, deviation, fineDeviation) = (statistics.mean, statistics.deviation, statistics.fineDeviation)
        cutoff = statistics.highPass.cutoff
    }
}
