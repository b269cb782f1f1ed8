import Groundwork

extension Image {
    /// In Gauss: what no pixel of any magnetogram reaches, but what stands for no value in integers of 16 bits does (−32768, 32767, 65535).
    ///
    /// The strongest fields known are of 8.2 kG (Castellanos Durán et al. 2020, ApJ 895, 129), 11.5 kG on MDI's scale.
    private static let strongestField: Float = 2e4

    /// Refuses a pixel that holds no magnetic field of the Sun; NaN is none.
    /// - Parameter location: the file, for messages.
    /// - Throws: `Failure` (`.badData`)
    package func checkField(at location: String) throws {
        let count = pixels.withUnsafeBufferPointer { $0.reduce(into: Int32(0)) { $0 &+= abs($1) > Self.strongestField ? 1 : 0 } }
        guard count > 0, let index = pixels.firstIndex(where: { abs($0) > Self.strongestField }) else { return }
        throw Failure(
            .badData, "the values are no solar magnetic field", at: location, expected: "at most \(Int(Self.strongestField)) Gauss",
            found: "\(pixels[index]) in column \(index % width), row \(index / width) (from 0); \(count) such pixels",
            remedy: "make NaN of values that stand for none")
    }
}
