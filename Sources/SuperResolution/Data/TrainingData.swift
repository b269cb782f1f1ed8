import Foundation

/// The magnetograms that a model was trained on. Folders of the same files have equal ones, whatever these are called.
package struct TrainingData: Sendable, Codable, Equatable {
    /// The SHA-256, in hexadecimal, of the digests of the magnetograms' headers one after the other, in their order as text: see
    /// ``MagnetogramCollection/Entry/digest``. Models of earlier versions tell that of the pixels.
    package var sha256: String
    /// From the least to the greatest side of a pixel of HR; nil if no header tells.
    package var arcsecPerPixel: ClosedRange<Double>?

    private enum CodingKeys: String, CodingKey {
        case sha256
        case arcsecPerPixel = "arcsec_per_pixel"
    }

    package init(sha256: String, arcsecPerPixel: ClosedRange<Double>?) { (self.sha256, self.arcsecPerPixel) = (sha256, arcsecPerPixel) }

    func check(_ check: Check) throws {
        if let range = arcsecPerPixel { try check(range.lowerBound > 0, "pixels of more than 0 arcsec", range) }
    }
}

extension TrainingData: CustomStringConvertible {
    /// For people: pixels to 0.001 arcsec, and the digest.
    package var description: String {
        "pixels of \(arcsecPerPixel.map { "\($0.text("%.3f")) arcsec" } ?? "unknown size"), SHA-256 \(sha256)"
    }
}

extension ClosedRange<Double> {
    /// Both ends in a format, such as `0.5 to 0.6`, or one where they look alike.
    func text(_ format: String) -> String {
        let ends = [lowerBound, upperBound].map { String(format: format, $0) }
        return ends[0] == ends[1] ? ends[0] : ends.joined(separator: " to ")
    }
}
