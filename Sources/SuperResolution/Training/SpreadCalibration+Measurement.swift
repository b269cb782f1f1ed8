import SolarImage
import TensorCore

extension SpreadCalibration {
    /// Measures how much wider a `corrdiff` model's ensembles must be on magnetograms that it has not seen: the root of mean squared error over variance, by
    /// strength of low resolution.
    ///
    /// The error is that of the mean of n samples, larger by √(1 + 1/n) than that of the mean of all.
    /// - Throws: `Failure` if a file can no longer be read.
    init(of model: Model, on collection: MagnetogramCollection, cropSize: Int) throws {
        let (crops, count) = (collection.fixedCrops(32, size: cropSize, seed: 1), 8)
        let resolver = try SuperResolver(model)
        var options = SuperResolver.Options()
        options.observation = nil
        var (errors, variances) = ([Double](repeating: 0, count: Self.strengths.count), [Double](repeating: 0, count: Self.strengths.count))
        for crop in crops {
            options.isMap = collection.entries[crop.file].isMap
            let values = try collection.lowResolution([crop], scale: model.scale)
            let (low, truth) = (Image(values), try collection.maskedFields([crop]))
            let strengths = model.corrdiff?.configuration.unit(values).strength.values ?? []
            var (sums, squares) = ([Double](repeating: 0, count: cropSize * cropSize), [Double](repeating: 0, count: cropSize * cropSize))
            try resolver.superResolve(low, options: options, samples: 0..<count) { _, image in
                for index in sums.indices {
                    let value = Double(image.pixels[index])
                    sums[index] += value
                    squares[index] += value * value
                }
            }
            let (field, known, n) = (truth.field.values, truth.known?.values, Double(count))
            for index in sums.indices where known.map({ $0[index] > 0 }) ?? true {
                let mean = sums[index] / n
                let error = (Double(field[index]) - mean) * (Double(field[index]) - mean) / (1 + 1 / n)
                let variance = max(0, squares[index] - n * mean * mean) / (n - 1)
                let strength = strengths[index / cropSize / model.scale * low.width + index % cropSize / model.scale]
                for (place, weight) in Self.shares(of: strength, among: Self.strengths) {
                    errors[place] += Double(weight) * error
                    variances[place] += Double(weight) * variance
                }
            }
        }
        self.init(
            strengths: Self.strengths,
            factors: zip(errors, variances).map { error, variance in
                // Where nothing was seen, and from networks that have learned nothing, nothing follows.
                variance > 0 && error > 0 ? min(max(Float((error / variance).squareRoot()), 0.5), 2) : 1
            })
    }
}
