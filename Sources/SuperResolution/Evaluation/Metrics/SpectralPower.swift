import SolarImage

extension MetricGroup {
    /// The prediction's Fourier power over the truth's: beyond the low-resolution Nyquist frequency, beyond the paper's 2″ circle, and in four bands from
    /// zero up to that circle; and the correlation of the coefficients in each band. Of the first band the upper half also stands by itself: there the power of a
    /// blurred field fades.
    ///
    /// On the lattice of low resolution, where networks that work block by block leave traces: the power about the multiples of a quarter of a cycle per pixel along
    /// rows and columns, over that around, over the same of the truth.
    ///
    /// Block edges and invented noise have power too, so a ratio near 1 means structure only beside a high correlation. Undefined where the truth has no
    /// such power.
    static let spectrum = MetricGroup(
        name: "spectrum",
        metrics: [
            Metric(key: "power_ratio_nyquist", name: "Power ratio beyond LR's Nyquist frequency", better: .nearestToOne, decimals: 2),
            Metric(key: "power_ratio_2arcsec", name: "Power ratio beyond 2″", better: .nearestToOne, decimals: 2),
        ]
            + (1...4).map {
                Metric(key: "power_ratio_band_\($0)", name: "Power ratio at \(bandName($0)) cycles/px", better: .nearestToOne, decimals: 2)
            }
            + [
                Metric(key: "power_ratio_band_1_upper", name: "Power ratio at 0.03125–0.0625 cycles/px", better: .nearestToOne, decimals: 2),
                Metric(key: "lattice", name: "Power on the block lattice over that around", better: .nearestToOne, decimals: 2),
            ]
            + (1...4).map { Metric(key: "correlation_band_\($0)", name: "Correlation at \(bandName($0)) cycles/px", better: .higher, decimals: 2) },
        scoring: .eachSample { comparison, options in
            let edges = (0...4).map { Double($0) * bandWidth }
            let (prediction, truth) = (comparison.spectrum, comparison.truth.spectrum)
            // All bands in one pass; what lies beyond a frequency is a sum of them.
            let cuts = Set(edges + [bandWidth / 2, options.nyquist, options.circle]).sorted()
            let bands = prediction.bands(with: truth, edges: cuts + [.infinity])
            func band(from lower: Double, to upper: Double = .infinity) -> PowerSpectrum.Band {
                zip(cuts, bands).reduce(PowerSpectrum.Band()) { sum, entry in entry.0 >= lower && entry.0 < upper ? sum + entry.1 : sum }
            }
            var values: Values = [:]
            func add(_ band: PowerSpectrum.Band, ratio: String, correlation: String? = nil) {
                if band.second > 0 { values[ratio] = band.first / band.second }
                if let correlation, band.correlation.isFinite { values[correlation] = band.correlation }
            }
            add(band(from: options.nyquist), ratio: "power_ratio_nyquist")
            add(band(from: options.circle), ratio: "power_ratio_2arcsec")
            add(band(from: bandWidth / 2, to: bandWidth), ratio: "power_ratio_band_1_upper")
            let period = comparison.truth.factor
            let (excess, natural) = (prediction.latticeExcess(period: period), truth.latticeExcess(period: period))
            if natural > 0, excess.isFinite { values["lattice"] = excess / natural }
            for index in 1...4 {
                add(
                    band(from: edges[index - 1], to: edges[index]), ratio: "power_ratio_band_\(index)", correlation: "correlation_band_\(index)")
            }
            values.tallies["spectrum"] = prediction.tally
            return values
        })

    /// Cycles per pixel.
    private static let bandWidth = 0.0625

    private static func bandName(_ index: Int) -> String { "\(Ticks.label(Double(index - 1) * bandWidth))–\(Ticks.label(Double(index) * bandWidth))" }
}

extension Comparison {
    /// The power spectrum of the prediction under a Hann window; masked pixels count as the mean of the others.
    package var spectrum: PowerSpectrum { truth.spectrum(of: prediction) }
}

extension Truth {
    /// The truth's own, computed once.
    package var spectrum: PowerSpectrum { spectrumMemo { spectrum(of: field) } }

    func spectrum(of image: Image) -> PowerSpectrum { PowerSpectrum(of: masked(image)) }
}

extension PowerSpectrum {
    /// The mean power of a coefficient in Gauss², in 64 rings up to 0.5 cycles per pixel. Each map counts once in a ring.
    var tally: Tally {
        let rings = 64
        var tally = Tally(edges: (0...rings).map { Double($0) / Double(2 * rings) })
        for (frequency, power) in radial(bins: rings) { tally.add(power, to: min(rings - 1, Int(frequency * Double(2 * rings)))) }
        return tally
    }
}
