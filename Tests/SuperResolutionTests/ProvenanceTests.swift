import Foundation
import SolarImage
import SuperResolution
import Testing

/// Digests of pixels, and the dates of products.
@Suite struct ProvenanceTests {
    /// By numpy and hashlib.
    @Test func digestOfPixels() throws {
        let image = Image(width: 2, height: 2, pixels: [0, 1.5, -2.25, .nan])
        #expect(try image.pixelDigest() == "62669f27e0f44928673efcc405475abcb477a4cde37310b639d866684b6ddc7c")
        let other = Image(width: 2, height: 2, pixels: [0, 1.5, -2.25, Float(bitPattern: 0xFFC0_0001)])
        #expect(try other.pixelDigest() == image.pixelDigest(), "one NaN is as good as another")
    }
}
