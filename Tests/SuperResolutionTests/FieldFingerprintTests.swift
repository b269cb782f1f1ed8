import Foundation
import SolarImage
import SuperResolution
import Testing

@Suite struct FieldFingerprintTests {
    @Test func hasTheStatisticsOfAllPixels() throws {
        let images = [MetricFixture.spots(width: 60, height: 50), MetricFixture.noise(width: 64, height: 64).transformed { 25 * $2 + Float($0) }]
        var fingerprint = FieldFingerprint()
        for (index, image) in images.enumerated() { fingerprint.add(image, arcsecPerPixel: 0.5 + Double(index) / 100, month: "2012-0\(4 - index)") }
        fingerprint.add(Image(width: 10, height: 10, repeating: .nan), arcsecPerPixel: nil, month: nil)

        struct Content: Decodable {
            var crops: Int, pixels: Int, mean: Double, months: [String], missingFraction: Double, standardDeviation: Double
            var unsignedPercentiles: [String: Double], fractionBelow: [String: Double], arcsecPerPixel: [Double]
        }
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let content = try decoder.decode(Content.self, from: JSONEncoder().encode(fingerprint))
        let values = images.flatMap { $0.pixels.map(Double.init) }
        let mean = values.reduce(0, +) / Double(values.count)
        let deviation = (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)).squareRoot()
        let sorted = values.map(abs).sorted()
        #expect(content.crops == 3 && content.pixels == values.count + 100 && content.months == ["2012-03", "2012-04"])
        #expect(abs(content.mean - mean) < 1e-9 * deviation && abs(content.standardDeviation / deviation - 1) < 1e-9)
        #expect(abs(content.missingFraction - 100 / Double(values.count + 100)) < 1e-12 && content.arcsecPerPixel == [0.5, 0.51])
        for (name, percent) in [("50", 50), ("90", 90), ("99", 99), ("99.9", 99.9), ("100", 100)] {
            let expected = sorted[max(0, Int((percent / 100 * Double(sorted.count)).rounded(.up)) - 1)]
            #expect(abs((content.unsignedPercentiles[name] ?? .nan) / expected - 1) < 2e-4)
        }
        for limit in [10.0, 50, 100, 300, 1000] {
            #expect(content.fractionBelow[String(format: "%g", limit)] == Double(sorted.count { $0 < limit }) / Double(sorted.count))
        }
    }
}
