/// What lies above a cut-off frequency: gain 1/√(1 + (cutoff/f)^{2·order}), which is 1/√2 at the cut-off (Butterworth 1930, Experimental Wireless 7, 536).
package struct ButterworthHighPass: Sendable, Equatable {
    /// Cycles per pixel.
    package let cutoff: Double
    package let order: Int

    /// - Precondition: `cutoff` is finite and above 0, `order` at least 1.
    package init(cutoff: Double, order: Int) {
        precondition(cutoff > 0 && cutoff.isFinite && order >= 1, "a Butterworth filter of order \(order) at \(cutoff)")
        (self.cutoff, self.order) = (cutoff, order)
    }

    /// Of a frequency in cycles per pixel; 0 at zero frequency.
    package func gain(at frequency: Double) -> Double {
        let ratio = (cutoff / frequency) * (cutoff / frequency)
        var power = ratio
        for _ in 1..<order { power *= ratio }
        return 1 / (1 + power).squareRoot()
    }
}
