import Groundwork
import SolarImage

extension FITSFile {
    /// The low resolution that stands beside a crop in the extension `LR`, on HMI's scale of Gauss; nil if there is none.
    /// - Parameter factor: what it is divided by; nil for the gain that its header tells, or 1 if that tells none.
    /// - Returns: with the instrument it is of, as far as the header tells.
    /// - Throws: `Failure` (`.badData`) if it cannot be read, if a pixel is no field of the Sun, or if its header tells a gain that no instrument has.
    package func lowResolution(dividedBy factor: Double? = nil) throws -> (image: Image, instrument: Instrument)? {
        guard let plane = try plane(named: "LR") else { return nil }
        var low = try image(plane).image
        try low.checkField(at: "\(url.path), extension LR")
        if factor == nil { try checkGain(plane.header) }
        let divisor = factor ?? plane.header.gain?.value ?? 1
        if divisor != 1 { low.pixels = low.pixels.map { $0 / Float(divisor) } }
        return (low, instrument(of: plane))
    }

    /// The same as far as its header tells, without its pixels.
    /// - Throws: `Failure` (`.badData`) if it is no image, or if its header tells a gain that no instrument has.
    package func lowResolutionPlane() throws -> (plane: FITSPlane, instrument: Instrument)? {
        guard let plane = try plane(named: "LR") else { return nil }
        try checkGain(plane.header)
        return (plane, instrument(of: plane))
    }

    private func instrument(of plane: FITSPlane) -> Instrument { plane.header.gain?.instrument ?? Instrument(header: plane.header) }

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
