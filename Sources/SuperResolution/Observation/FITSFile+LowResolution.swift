import SolarImage

extension FITSFile {
    /// The low resolution that stands beside a crop in the extension `LR`, on HMI's scale of Gauss: divided by the gain that its header tells; nil if there
    /// is none.
    /// - Returns: with the instrument it is of, as far as the header tells.
    /// - Throws: `Failure` (`.badData`) if it cannot be read.
    package func lowResolution() throws -> (image: Image, instrument: Instrument)? {
        guard let found = try image(named: "LR") else { return nil }
        var low = found.image
        let gain = found.header.gain
        if let gain, gain.value != 1 { low.pixels = low.pixels.map { $0 / Float(gain.value) } }
        return (low, gain?.instrument ?? Instrument(header: found.header))
    }
}
