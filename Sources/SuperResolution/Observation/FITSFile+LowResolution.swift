import SolarImage

extension FITSFile {
    /// The low resolution that stands beside a crop in the extension `LR`, on HMI's scale of Gauss; nil if there is none.
    /// - Parameter factor: what it is divided by; nil for the gain that its header tells.
    /// - Returns: with the instrument it is of, as far as the header tells.
    /// - Throws: `Failure` (`.badData`) if it cannot be read, or if a pixel is no field of the Sun.
    package func lowResolution(dividedBy factor: Double? = nil) throws -> (image: Image, instrument: Instrument)? {
        guard let found = try image(named: "LR") else { return nil }
        try found.image.checkField(at: "\(url.path), extension LR")
        var low = found.image
        let gain = found.header.gain
        let divisor = factor ?? gain?.value ?? 1
        if divisor != 1, divisor > 0 { low.pixels = low.pixels.map { $0 / Float(divisor) } }
        return (low, gain?.instrument ?? Instrument(header: found.header))
    }
}
