import SolarImage

extension Image {
    /// The SHA-256 of the pixels in hexadecimal: as little-endian 32-bit floats, row by row from the lowest, every NaN as 0x7FC00000.
    /// - Throws: `Failure` if libcrypto cannot compute it.
    package func pixelDigest() throws -> String {
        try pixels.map { ($0.isNaN ? Float.nan : $0).bitPattern.littleEndian }.withUnsafeBytes { try sha256(of: $0) }
    }
}
