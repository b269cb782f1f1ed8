import Foundation
import SolarImage
import Testing

/// The lines and areas of a picture, as its SVG file has them; texts and pixels are left out.
struct Drawing {
    struct Shape {
        let colour: Canvas.Colour
        let isFilled: Bool
        /// Corners and the points that lead curves; where a shape is closed, its first point is its last too.
        let points: [SIMD2<Double>]

        var low: SIMD2<Double> { SIMD2(points.map(\.x).min() ?? .nan, points.map(\.y).min() ?? .nan) }
        var high: SIMD2<Double> { SIMD2(points.map(\.x).max() ?? .nan, points.map(\.y).max() ?? .nan) }
        var size: SIMD2<Double> { high - low }
        var middle: SIMD2<Double> { (low + high) / 2 }
        var isArea: Bool { size.x > 0 && size.y > 0 }
    }

    let shapes: [Shape]

    init(_ write: (URL) throws -> Void) throws {
        let text: String = try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("x.svg")
            try write(url)
            return try String(contentsOf: url, encoding: .utf8)
        }
        shapes = text.components(separatedBy: "<path").dropFirst().compactMap { piece in
            piece.range(of: "/>").flatMap { Shape(String(piece[..<$0.lowerBound])) }
        }
    }

    func filled(_ colour: Canvas.Colour) -> [Shape] { shapes.filter { $0.isFilled && $0.has(colour) } }
    func outlined(_ colour: Canvas.Colour) -> [Shape] { shapes.filter { !$0.isFilled && $0.has(colour) } }

    /// The frame of a plot, which is the widest thing in the colour of its axes.
    func frame() throws -> Shape { try #require(outlined(Canvas.Colour(grey: 0.4)).filter(\.isArea).max { $0.size.x < $1.size.x }) }
}

extension Drawing.Shape {
    fileprivate init?(_ element: String) {
        func value(of property: String) -> Canvas.Colour? {
            // Cairo 1.16 writes it into a style, 1.18 into an attribute of its own.
            guard let start = element.range(of: property + ":rgb(") ?? element.range(of: property + "=\"rgb(") else { return nil }
            let parts = element[start.upperBound...].prefix { $0 != ")" }.split(separator: ",").compactMap { part in
                Double(part.trimmingCharacters(in: CharacterSet(charactersIn: " %")))
            }
            return parts.count == 3 ? Canvas.Colour(parts[0] / 100, parts[1] / 100, parts[2] / 100) : nil
        }
        let fill = value(of: "fill")
        guard let colour = fill ?? value(of: "stroke"), let path = element.range(of: " d=\"") else { return nil }
        let numbers = element[path.upperBound...].prefix { $0 != "\"" }.split(separator: " ").compactMap { Double($0) }
        guard numbers.count >= 2 else { return nil }
        self.colour = colour
        isFilled = fill != nil
        points = stride(from: 0, to: numbers.count - 1, by: 2).map { SIMD2(numbers[$0], numbers[$0 + 1]) }
    }

    fileprivate func has(_ other: Canvas.Colour) -> Bool {
        abs(colour.red - other.red) < 1e-3 && abs(colour.green - other.green) < 1e-3 && abs(colour.blue - other.blue) < 1e-3
    }
}

/// Width and height from the header of a PNG file.
func pngSize(_ file: Data) throws -> (width: Int, height: Int) {
    let bytes = [UInt8](file)
    try #require(bytes.count > 24 && bytes.starts(with: [0x89, 0x50, 0x4E, 0x47]))
    func word(_ at: Int) -> Int { bytes[at..<at + 4].reduce(0) { $0 << 8 | Int($1) } }
    return (word(16), word(20))
}

/// The PNG file that `write` writes.
func png(_ write: (URL) throws -> Void) throws -> Data {
    try withTemporaryFolder { folder in
        let url = folder.appendingPathComponent("x.png")
        try write(url)
        return try Data(contentsOf: url)
    }
}

/// Has `write` write PNG, PDF and SVG, each of which must begin as its format does.
func expectPictures(sourceLocation: SourceLocation = #_sourceLocation, _ write: (URL) throws -> Void) throws {
    try withTemporaryFolder { folder in
        for (format, start) in [("png", [0x89, 0x50, 0x4E, 0x47]), ("pdf", Array("%PDF".utf8)), ("svg", Array("<?xml".utf8))] as [(String, [UInt8])] {
            let url = folder.appendingPathComponent("x.\(format)")
            try write(url)
            #expect(try Data(contentsOf: url).starts(with: start), "\(format)", sourceLocation: sourceLocation)
        }
    }
}
