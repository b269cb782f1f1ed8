import SolarImage

/// A map of which pictures are drawn, with all models' predictions.
struct EvaluationIllustration {
    /// How many maps pictures are drawn of: the first of that many regions.
    static let limit = 3

    let file: String
    let region: String?
    /// In Gauss, NaN without data.
    var truth: Image
    var lowResolution: Image
    let arcsecPerPixel: Double?
    /// Whether the images have to be turned by 180° for north to be up.
    let isUpsideDown: Bool
    var predictions: [(name: String, pictures: EvaluationCache.Pictures)] = []

    /// The same with north up.
    var upright: EvaluationIllustration {
        guard isUpsideDown else { return self }
        var result = self
        result.truth.pixels.reverse()
        result.lowResolution.pixels.reverse()
        for index in predictions.indices {
            result.predictions[index].pictures.first.pixels.reverse()
            result.predictions[index].pictures.deviation?.pixels.reverse()
            result.predictions[index].pictures.fine?.pixels.reverse()
        }
        return result
    }
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
