import SolarImage

extension FITSFile {
    /// The low resolution that stands beside a crop in the extension `LR`, on HMI's scale of Gauss; nil if there is none.
    /// - Parameter factor: what it is divided by; nil for its `MDIFACT`.
    /// - Throws: `Failure` (`.badData`) if it cannot be read.
    package func lowResolution(dividedBy factor: Double? = nil) throws -> Image? {
        guard let extensionImage = try image(named: "LR") else { return nil }
        var low = extensionImage.image
        if let factor = factor ?? extensionImage.header.real(LowResolution.factorKeyword), factor != 1, factor > 0 {
            low.pixels = low.pixels.map { $0 / Float(factor) }
        }
        return low
    }
}
