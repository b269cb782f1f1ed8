import SolarImage

extension MetricGroup {
    /// The prediction's Fourier power over the truth's beyond two frequencies: the low-resolution Nyquist frequency and the paper's 2″ circle.
    ///
    /// Block edges have power there too, so a ratio near 1 means structure only beside a high correlation. Undefined for a truth without such power.
    static let spectrum = MetricGroup(
        name: "spectrum",
        metrics: [
            Metric(key: "power_ratio_nyquist", name: "Power ratio beyond LR's Nyquist frequency", better: .nearestToOne, decimals: 2),
            Metric(key: "power_ratio_2arcsec", name: "Power ratio beyond 2″", better: .nearestToOne, decimals: 2),
        ],
        scoring: .eachSample { comparison, options in
            let (prediction, truth) = comparison.spectra()
            var values: Values = [:]
            for (key, frequency) in [("power_ratio_nyquist", options.nyquist), ("power_ratio_2arcsec", options.circle)] {
                let power = truth.power(beyond: frequency)
                if power > 0 { values[key] = prediction.power(beyond: frequency) / power }
            }
            return values
        })
}

extension Comparison {
    /// The power spectra of prediction and truth under a Hann window; masked pixels count as the mean of the others in both.
    package func spectra() -> (prediction: PowerSpectrum, truth: PowerSpectrum) {
        func masked(_ image: Image) -> Image {
            guard let valid = truth.valid else { return image }
            return Image(width: image.width, height: image.height, pixels: zip(image.pixels, valid).map { $1 ? $0 : .nan })
        }
        return (PowerSpectrum(of: masked(prediction)), PowerSpectrum(of: masked(truth.field)))
    }
}
