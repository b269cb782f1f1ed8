import SolarImage

/// A map of which pictures are drawn, with all models' predictions.
struct EvaluationIllustration {
    /// How many maps pictures are drawn of: the first of that many regions.
    static let limit = 3

    let file: String
    let region: String?
    /// In Gauss, NaN without data.
    let truth: Image
    let lowResolution: Image
    let arcsecPerPixel: Double?
    var predictions: [(name: String, pictures: EvaluationCache.Pictures)] = []
}

extension EvaluationCache.Pictures {
    /// - Parameter samples: at least one, in Gauss.
    /// - Throws: `Failure` (`.badData`) if they are smaller than `trim`.
    init(_ samples: [Image], trim: Int, _ options: EvaluationOptions) throws {
        first = try samples[0].trimmed(toMultiplesOf: trim)
        guard samples.count > 1 else { return }
        var statistics = EnsembleStatistics(
            width: first.width, height: first.height, highPass: ButterworthHighPass(cutoff: options.circle, order: options.fineOrder))
        for sample in samples { statistics.add(try sample.trimmed(toMultiplesOf: trim)) }
        (deviation, fine) = (statistics.deviation, statistics.fineMask)
    }
}
