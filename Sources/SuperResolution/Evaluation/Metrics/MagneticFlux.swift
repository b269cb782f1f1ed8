import SolarImage

extension MetricGroup {
    /// Unsigned flux Σ|B|·A and net flux ΣB·A: the prediction's deviation from the truth in % of the truth's unsigned flux (net flux itself may be near zero).
    ///
    /// Undefined for a truth without flux. The fluxes themselves, in Mx, are details that need the pixel area.
    static let flux = MetricGroup(
        name: "flux",
        metrics: [
            Metric(key: "unsigned_flux_error", name: "Unsigned flux error", unit: "%", better: .lower, decimals: 2, isDeviation: true),
            Metric(key: "net_flux_error", name: "Net flux error", unit: "%", better: .lower, decimals: 2, isDeviation: true),
        ],
        details: ["unsigned_flux_mx", "truth_unsigned_flux_mx", "net_flux_mx", "truth_net_flux_mx"],
        scoring: .eachSample { comparison, _ in
            let predictedUnsigned = comparison.sumOverValidPixels { prediction, _ in Double(abs(prediction)) }
            let trueUnsigned = comparison.sumOverValidPixels { _, truth in Double(abs(truth)) }
            let predictedNet = comparison.sumOverValidPixels { prediction, _ in Double(prediction) }
            let trueNet = comparison.sumOverValidPixels { _, truth in Double(truth) }
            var values: Values = [:]
            if trueUnsigned > 0 {
                values["unsigned_flux_error"] = 100 * (predictedUnsigned - trueUnsigned) / trueUnsigned
                values["net_flux_error"] = 100 * (predictedNet - trueNet) / trueUnsigned
            }
            if let area = comparison.truth.pixelArea {
                values["unsigned_flux_mx"] = predictedUnsigned * area
                values["truth_unsigned_flux_mx"] = trueUnsigned * area
                values["net_flux_mx"] = predictedNet * area
                values["truth_net_flux_mx"] = trueNet * area
            }
            return values
        })
}
