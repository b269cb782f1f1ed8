import Groundwork
import SolarImage

extension FITSFile {
    /// The low resolution that stands beside a crop in the extension `LR`, on HMI's scale of Gauss; nil if there is none.
    /// - Parameter factor: what it is divided by; nil for the gain that its header tells, or 1 if that tells none.
    /// - Returns: with the instrument it is of, as far as the header tells.
    /// - Throws: `Failure` (`.badData`) if it cannot be read, if a pixel is no field of the Sun, or if its header tells a gain that no instrument has.
    package func lowResolution(dividedBy factor: Double? = nil) throws -> (image: Image, instrument: Instrument)? {
        guard let found = try image(named: "LR") else { return nil }
        try found.image.checkField(at: "\(url.path), extension LR")
        var low = found.image
        let gain = found.header.gain
        if factor == nil { try checkGain(found.header) }
        let divisor = factor ?? gain?.value ?? 1
        if divisor != 1 { low.pixels = low.pixels.map { $0 / Float(divisor) } }
        return (low, gain?.instrument ?? Instrument(header: found.header))
    }

    /// Refuses what nothing can be divided by, or what cannot be the factor between two instruments.
    private func checkGain(_ header: FITSHeader) throws {
        for keyword in (Instrument.all + [.unknown]).map(\.gainKeyword) {
            guard let card = header.card(keyword) else { continue }
            if let value = header.real(keyword), (0.01...100).contains(value) { continue }
            throw Failure(
                .badData, "the low resolution cannot be brought to HMI's scale", at: "\(url.path), extension LR, \(keyword)", expected: "0.01 … 100",
                found: card.value == .undefined ? "no value" : card.value.text, remedy: "correct the keyword, or prepare the pair again")
        }
    }
}
