import Foundation
import SolarImage
import SuperResolution

/// Values computed by `Scripts/make-metric-fixtures.py` with other programs.
enum MetricFixture {
    static func load<Content: Decodable>(_ name: String) throws -> Content {
        let file = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().appending(path: "Fixtures/Metrics/\(name)")
        return try JSONDecoder().decode(Content.self, from: Data(contentsOf: file))
    }

    /// Rows of values, null for NaN.
    static func image(_ rows: [[Float?]]) -> Image {
        Image(width: rows[0].count, height: rows.count, pixels: rows.flatMap { $0 }.map { $0 ?? .nan })
    }

    /// Noise that is the same everywhere: normal-like, of unit variance.
    static func noise(width: Int, height: Int, seed: UInt64 = 1) -> Image {
        var state = seed
        func uniform() -> Float {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Float(state >> 40) / Float(1 << 24)
        }
        return Image(width: width, height: height, pixels: (0..<width * height).map { _ in (0..<12).reduce(-6) { sum, _ in sum + uniform() } })
    }

    /// Two smooth spots of opposite polarity, up to 3000 G.
    static func spots(width: Int, height: Int) -> Image {
        var image = Image(width: width, height: height, repeating: 0)
        func spot(_ x: Int, _ y: Int, at centre: (Float, Float), size: Float) -> Float {
            let (dx, dy) = (Float(x) - centre.0 * Float(width), Float(y) - centre.1 * Float(height))
            return exp(-(dx * dx + dy * dy) / (2 * size * size * Float(width * width)))
        }
        for y in 0..<height {
            for x in 0..<width { image[x, y] = 3000 * spot(x, y, at: (0.35, 0.5), size: 0.1) - 2500 * spot(x, y, at: (0.7, 0.4), size: 0.07) }
        }
        return image
    }
}

extension Image {
    /// The greatest modulus of the difference over pixels where both hold data.
    func greatestDifference(from other: Image) -> Float {
        zip(pixels, other.pixels).map { $0.0.isNaN || $0.1.isNaN ? 0 : abs($0.0 - $0.1) }.max() ?? .nan
    }

    func transformed(_ transform: (_ x: Int, _ y: Int, _ value: Float) -> Float) -> Image {
        Image(width: width, height: height, pixels: pixels.enumerated().map { transform($0 % width, $0 / width, $1) })
    }
}

extension Score {
    /// A made-up score of a model on a map of 32 × 32 pixels.
    static func made(
        _ model: String, on file: String, region: String? = nil, values: [String: Double] = [:], tallies: [String: Tally] = [:]
    ) throws -> Score {
        let map = Image(width: 32, height: 32, repeating: 0)
        var score = try Score.rows(
            model: model, file: file, region: region, samples: [map], truth: Truth(map), groups: [], options: EvaluationOptions())[0]
        (score.values, score.tallies) = (values, tallies)
        return score
    }
}
