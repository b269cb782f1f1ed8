import Foundation
import SolarImage

/// What a model was trained to super-resolve.
package struct ModelInput: Sendable, Codable, Equatable {
    /// The ``Instrument/name``.
    package var instrument: String
    /// What its conditions were drawn from for every crop; nil for block means of HMI, and for pairs, which are as they are.
    package var degradation: Degradation?

    package init(instrument: String, degradation: Degradation? = nil) { (self.instrument, self.degradation) = (instrument, degradation) }

    /// Whether it was trained on what an instrument other than HMI makes of the Sun.
    package func isObserved(by other: Instrument) -> Bool { other.isOther && other.name == instrument }

    /// Plain block means of HMI: that of files which tell nothing else.
    package static let blockMeans = ModelInput(instrument: Instrument.reference.name)
}

extension ModelInput: CustomStringConvertible {
    /// For people, such as `block means of HMI`.
    package var description: String {
        let title = Instrument(name: instrument)?.title ?? instrument
        if instrument == Instrument.reference.name, degradation == nil { return "block means of \(title)" }
        guard let degradation else { return title }
        return "\(title), simulated: "
            + String(
                format: "blur of %g to %g arcsec, up to %g %% of it in a wing, noise of %g to %g G on HMI's scale", degradation.width.lowerBound,
                degradation.width.upperBound, 100 * degradation.wingFraction.upperBound, degradation.noise.lowerBound,
                degradation.noise.upperBound)
    }
}

extension ModelInput {
    /// What the user of a model should know of an input that it was not made for, or whose scale is uncertain; one sentence each, alike for all inputs of
    /// a kind.
    /// - Parameters:
    ///   - map: as the file has it.
    ///   - model: the name of its file.
    ///   - scales: arcsec per LR pixel of what it was trained on; nil if its file does not tell.
    ///   - isGainGiven: whether the user says what the input is divided by.
    func remarks(on map: Magnetogram, by model: String, trainedFor scales: ClosedRange<Double>?, isGainGiven: Bool) -> [String] {
        let (own, conditions) = (Instrument(name: instrument), map.conditions)
        let titles = (own?.title ?? instrument, map.instrument.title ?? "an unknown instrument")
        var remarks: [String] = []
        if own != map.instrument, !(own == .reference && !map.instrument.isOther) {
            remarks.append(
                own == .reference
                    ? "the model \(model) was trained on block means of \(titles.0): it has seen neither \(titles.1)'s blur nor its noise"
                    : "the model \(model) was trained for \(titles.0), the input is of \(titles.1)")
        } else if let degradation, conditions.noise > 0 {
            let noise = conditions.noise / conditions.gain, width = conditions.psf.width
            if !degradation.noise.contains(noise) || !degradation.width.contains(width) {
                remarks.append(
                    "the model \(model) was trained for "
                        + String(
                            format: "a blur of %g to %g arcsec and noise of %g to %g G, the input has %g arcsec and %.3g G",
                            degradation.width.lowerBound, degradation.width.upperBound, degradation.noise.lowerBound, degradation.noise.upperBound,
                            width, noise))
            }
        }
        if let scales, let scale = map.arcsecPerPixel, !(0.9 * scales.lowerBound...1.1 * scales.upperBound).contains(scale) {
            remarks.append(
                "the model \(model) was trained for pixels of \(scales.text("%.3g")) arcsec, the input's are of \(String(format: "%.2g", scale)) arcsec"
            )
        }
        if let doubt = conditions.gainDoubt, map.instrument.isOther, !isGainGiven {
            let level = conditions.level.map { " of level \($0)" } ?? ""
            remarks.append(
                "the factor \(String(format: "%.3g", conditions.gain)) from HMI to \(titles.1)\(level) is uncertain: \(doubt); --mdi-factor sets another"
            )
        }
        return remarks
    }
}
