import Foundation
import Groundwork
import SolarImage
import Testing

/// Files of `Tests/Fixtures/SolarImage`, made by `Scripts/make-solar-fixtures.py`.
enum Fixture {
    static func url(_ name: String) -> URL {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Fixtures/SolarImage/\(name)")
    }

    /// The trimmed header of a real file.
    static func header(_ name: String) throws -> FITSHeader {
        let text = try String(contentsOf: url("\(name).header"), encoding: .utf8)
        return FITSHeader(FITSCard.cards(from: text.split(separator: "\n").map(String.init)))
    }

    /// The integers that the script fills its images with.
    static func pattern(_ width: Int, _ height: Int) -> Image {
        Image(
            width: width, height: height,
            pixels: (0..<width * height).map { index in
                let (x, y) = (index % width, index / width)
                return Float((x * 37 + y * 101 + x * y * 7) % 2001 - 1000)
            })
    }

    static let expected: Result<Expected, any Error> = Result {
        try JSONDecoder().decode(Expected.self, from: Data(contentsOf: url("expected.json")))
    }
}

/// What astropy, sunpy, numpy and scipy computed.
struct Expected: Decodable, Sendable {
    struct Time: Decodable, Sendable {
        var text: String, utc: String, taiSeconds: Double
    }
    struct Corners: Decodable, Sendable {
        var corners: [[Double]], plane: [[Double]]
    }
    /// A header value is a number or a text.
    enum Value: Decodable, Sendable {
        case number(Double), text(String)

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            self = if let number = try? container.decode(Double.self) { .number(number) } else { .text(try container.decode(String.self)) }
        }
    }
    struct Grid: Decodable, Sendable {
        var name: String, header: [String: Value], points: [[Double]], plane: [[Double]], diskCentre: [Double], pixelArea: Double,
            changed: [String: Corners]

        var fitsHeader: FITSHeader {
            var result = FITSHeader()
            for (keyword, value) in header {
                switch value {
                case .number(let number): result.set(keyword, .real(number))
                case .text(let text): result.set(keyword, .string(text))
                }
            }
            return result
        }
    }
    struct Transform: Decodable, Sendable {
        var width: Int, height: Int, coefficients: [Double]
    }
    struct Spectrum: Decodable, Sendable {
        var width: Int, height: Int, beyondLow: Double, beyondHigh: Double, band: Double, correlation: Double, radial: [Double], amplitude: [Double]
        var highPass: [Double]
    }
    var times: [Time], grids: [Grid], mapPixelArea: Double, statistics: [String: Double], transforms: [Transform], spectra: [Spectrum]
}

/// Whether two numbers agree to a relative (and, near zero, the same absolute) tolerance.
func near(_ a: Double, _ b: Double, _ tolerance: Double = 1e-12) -> Bool { abs(a - b) <= tolerance * max(1, abs(a), abs(b)) }

/// A folder that is gone after `body`.
func withTemporaryFolder<Result>(_ body: (URL) throws -> Result) throws -> Result {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("solar-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    return try body(folder)
}

/// Runs `body`, which must throw a `Failure` of that category whose message holds all the words.
func expectFailure(
    _ category: Failure.Category, _ words: String..., sourceLocation: SourceLocation = #_sourceLocation, _ body: () throws -> Void
) {
    do {
        try body()
        Issue.record("nothing was thrown", sourceLocation: sourceLocation)
    } catch let failure as Failure {
        #expect(failure.category == category, "\(failure)", sourceLocation: sourceLocation)
        for word in words { #expect(failure.description.contains(word), "\(word) is not in: \(failure)", sourceLocation: sourceLocation) }
    } catch {
        Issue.record("\(error) is no Failure", sourceLocation: sourceLocation)
    }
}
