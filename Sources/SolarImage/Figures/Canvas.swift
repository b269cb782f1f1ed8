import CCairo
import Foundation
import Groundwork

/// A surface to draw on with Cairo, in units of which one is a pixel of a PNG file and a point (1/72 inch) of a PDF or SVG file; y runs downwards.
package final class Canvas {
    /// Red, green and blue, 0 to 1.
    package struct Colour: Sendable {
        package var red: Double, green: Double, blue: Double, opacity = 1.0

        package init(_ red: Double, _ green: Double, _ blue: Double, opacity: Double = 1) {
            (self.red, self.green, self.blue, self.opacity) = (red, green, blue, opacity)
        }

        package init(grey: Double, opacity: Double = 1) { self.init(grey, grey, grey, opacity: opacity) }

        /// - Parameter rgb: 0xRRGGBB.
        package init(rgb: UInt32) { self.init(Double(rgb >> 16 & 255) / 255, Double(rgb >> 8 & 255) / 255, Double(rgb & 255) / 255) }

        package static let black = Colour(grey: 0.1), white = Colour(grey: 1)
    }

    package struct Rectangle: Sendable {
        package var x: Double, y: Double, width: Double, height: Double

        package init(x: Double, y: Double, width: Double, height: Double) { (self.x, self.y, self.width, self.height) = (x, y, width, height) }
    }

    /// The smallest text, 8 points on a screen of 96 pixels an inch.
    package static let smallestText = 11.0

    package let width: Double, height: Double
    private let context: OpaquePointer

    private init(width: Double, height: Double, context: OpaquePointer) {
        (self.width, self.height, self.context) = (width, height, context)
    }

    /// Gives `body` a canvas of which nothing is kept, so that a figure can measure its texts before its size is known.
    /// - Throws: `Failure` (`.other`) if Cairo fails; what `body` throws.
    package static func measure<Value>(for url: URL, _ body: (Canvas) throws -> Value) throws -> Value {
        let surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, 1, 1)
        defer { cairo_surface_destroy(surface) }
        let context = cairo_create(surface)
        defer { cairo_destroy(context) }
        guard cairo_status(context) == CAIRO_STATUS_SUCCESS, let context else { throw failure(cairo_status(context), url) }
        return try body(Canvas(width: 1, height: 1, context: context))
    }

    /// Draws on a white page and writes it; the name's ending (`png`, `pdf` or `svg`) tells the format.
    /// - Throws: `Failure`: `.cannotWrite` if the file exists and `overwrite` is false or if it cannot be written, `.usage` for another ending,
    ///   `.other` if Cairo fails.
    package static func draw(to url: URL, width: Double, height: Double, overwrite: Bool = false, _ body: (Canvas) -> Void) throws {
        guard overwrite || !FileManager.default.fileExists(atPath: url.path) else {
            throw Failure(.cannotWrite, "exists already", at: url.path, remedy: "choose another name or allow overwriting")
        }
        let (width, height) = (width.rounded(.up), height.rounded(.up))
        // Into memory: of a failed write to a file Cairo does not always tell.
        let file = Bytes()
        let closure = Unmanaged.passUnretained(file).toOpaque()
        let surface: OpaquePointer?
        switch url.pathExtension.lowercased() {
        case "png": surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, CInt(width), CInt(height))
        case "pdf": surface = cairo_pdf_surface_create_for_stream(Bytes.append, closure, width, height)
        case "svg": surface = cairo_svg_surface_create_for_stream(Bytes.append, closure, width, height)
        default:
            throw Failure(.usage, "the format of the picture is not known", at: url.path, expected: "a name ending in .png, .pdf or .svg")
        }
        // A surface that is given up still writes.
        defer { withExtendedLifetime(file) { cairo_surface_destroy(surface) } }
        let context = cairo_create(surface)
        defer { cairo_destroy(context) }
        guard cairo_status(context) == CAIRO_STATUS_SUCCESS, let context else { throw failure(cairo_status(context), url) }
        let canvas = Canvas(width: width, height: height, context: context)
        canvas.fill(Rectangle(x: 0, y: 0, width: width, height: height), .white)
        body(canvas)
        var status = cairo_status(context)
        guard status == CAIRO_STATUS_SUCCESS else { throw failure(status, url) }
        if url.pathExtension.lowercased() == "png" {
            status = cairo_surface_write_to_png_stream(surface, Bytes.append, closure)
        } else {
            cairo_surface_finish(surface)
            status = cairo_surface_status(surface)
        }
        guard status == CAIRO_STATUS_SUCCESS else { throw failure(status, url) }
        try writeAtomically(file.data, to: url)
    }

    /// What Cairo writes.
    private final class Bytes {
        private(set) var data = Data()

        static let append: cairo_write_func_t = { closure, bytes, count in
            guard let closure, let bytes else { return CAIRO_STATUS_WRITE_ERROR }
            Unmanaged<Bytes>.fromOpaque(closure).takeUnretainedValue().data.append(bytes, count: Int(count))
            return CAIRO_STATUS_SUCCESS
        }
    }

    private static func failure(_ status: cairo_status_t, _ url: URL) -> Failure {
        Failure(.other, "the picture cannot be drawn", at: url.path, found: "Cairo: \(String(cString: cairo_status_to_string(status)))")
    }
}

// MARK: - Drawing

extension Canvas {
    package func fill(_ rectangle: Rectangle, _ colour: Colour) {
        set(colour)
        cairo_rectangle(context, rectangle.x, rectangle.y, rectangle.width, rectangle.height)
        cairo_fill(context)
    }

    package func stroke(_ rectangle: Rectangle, _ colour: Colour, lineWidth: Double = 1) {
        set(colour)
        cairo_set_line_width(context, lineWidth)
        cairo_rectangle(context, rectangle.x, rectangle.y, rectangle.width, rectangle.height)
        cairo_stroke(context)
    }

    /// A line through the points; fewer than two draw nothing.
    /// - Parameter dashes: lengths of dashes and gaps in turn; none for an unbroken line.
    package func line(_ points: [(x: Double, y: Double)], _ colour: Colour, lineWidth: Double = 1, dashes: [Double] = []) {
        guard let first = points.first else { return }
        set(colour)
        cairo_set_line_width(context, lineWidth)
        cairo_set_line_join(context, CAIRO_LINE_JOIN_ROUND)
        cairo_set_dash(context, dashes, CInt(dashes.count), 0)
        cairo_move_to(context, first.x, first.y)
        for point in points.dropFirst() { cairo_line_to(context, point.x, point.y) }
        cairo_stroke(context)
        cairo_set_dash(context, nil, 0, 0)
    }

    /// The area within the points, at least three.
    package func fill(_ points: [(x: Double, y: Double)], _ colour: Colour) {
        guard let first = points.first else { return }
        set(colour)
        cairo_move_to(context, first.x, first.y)
        for point in points.dropFirst() { cairo_line_to(context, point.x, point.y) }
        cairo_close_path(context)
        cairo_fill(context)
    }

    package func disk(x: Double, y: Double, radius: Double, _ colour: Colour) {
        set(colour)
        cairo_new_sub_path(context)
        cairo_arc(context, x, y, radius, 0, 2 * .pi)
        cairo_fill(context)
    }

    /// Draws `body` within the rectangle alone.
    package func clipped(to rectangle: Rectangle, _ body: () -> Void) {
        cairo_save(context)
        cairo_rectangle(context, rectangle.x, rectangle.y, rectangle.width, rectangle.height)
        cairo_clip(context)
        body()
        cairo_restore(context)
    }

    package func circle(x: Double, y: Double, radius: Double, _ colour: Colour, lineWidth: Double = 1) {
        set(colour)
        cairo_set_line_width(context, lineWidth)
        cairo_new_sub_path(context)
        cairo_arc(context, x, y, radius, 0, 2 * .pi)
        cairo_stroke(context)
    }

    /// Which part of a text stands at the given place.
    package enum Anchor: Sendable {
        case left, centre, right
    }

    /// Writes one line of text. `y` is its base line; `turned` writes upwards.
    /// - Parameter maximumWidth: a longer text is set smaller, down to ``smallestText``, then cut with an ellipsis.
    package func text(
        _ text: String, x: Double, y: Double, size: Double = 13, anchor: Anchor = .left, bold: Bool = false, turned: Bool = false,
        colour: Colour = .black,
        maximumWidth: Double = .infinity
    ) {
        var (text, size) = (text, max(size, Canvas.smallestText))
        while self.textWidth(text, size: size, bold: bold) > maximumWidth, size > Canvas.smallestText { size = max(Canvas.smallestText, size - 0.5) }
        if self.textWidth(text, size: size, bold: bold) > maximumWidth {
            while !text.isEmpty, self.textWidth(text + "…", size: size, bold: bold) > maximumWidth { text.removeLast() }
            text += "…"
        }
        let length = textWidth(text, size: size, bold: bold)
        let shift = anchor == .left ? 0 : anchor == .centre ? length / 2 : length
        set(colour)
        cairo_save(context)
        cairo_translate(context, x, y)
        if turned { cairo_rotate(context, -.pi / 2) }
        cairo_move_to(context, -shift, 0)
        cairo_show_text(context, text)
        cairo_restore(context)
        cairo_new_path(context)
    }

    /// The text in up to `maximumLines` lines, broken at spaces and after hyphens and underscores so that each is no wider than `width`, if that can be.
    package func lines(_ text: String, size: Double, bold: Bool = false, width: Double, maximumLines: Int = 2) -> [String] {
        var lines = [""]
        var word = ""
        func flush() {
            let candidate = (lines.last ?? "") + word
            if lines.last != "", lines.count < maximumLines,
                textWidth(candidate.trimmingCharacters(in: .whitespaces), size: size, bold: bold) > width
            {
                lines.append(word)
            } else {
                lines[lines.count - 1] = candidate
            }
            word = ""
        }
        for character in text {
            word.append(character)
            if character == " " || character == "-" || character == "_" { flush() }
        }
        flush()
        return lines.map { $0.trimmingCharacters(in: .whitespaces) }
    }

    package func textWidth(_ text: String, size: Double, bold: Bool = false) -> Double {
        cairo_select_font_face(context, "sans-serif", CAIRO_FONT_SLANT_NORMAL, bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL)
        cairo_set_font_size(context, size)
        var extents = cairo_text_extents_t()
        cairo_text_extents(context, text, &extents)
        return extents.x_advance
    }

    /// Draws pixels, the first row at the bottom, into a rectangle: with sharp edges if enlarged, averaged if reduced.
    /// - Parameter colours: `width` × `height` values 0xRRGGBB.
    package func pixels(_ colours: [UInt32], width: Int, height: Int, in rectangle: Rectangle) {
        precondition(colours.count == width * height, "\(width) × \(height) pixels, but \(colours.count) colours")
        let surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, CInt(width), CInt(height))
        defer { cairo_surface_destroy(surface) }
        guard let data = cairo_image_surface_get_data(surface) else { return }
        let stride = Int(cairo_image_surface_get_stride(surface))
        colours.withUnsafeBytes { colours in
            guard let source = colours.baseAddress else { return }
            for row in 0..<height { memcpy(data + (height - 1 - row) * stride, source + row * width * 4, width * 4) }
        }
        cairo_surface_mark_dirty(surface)
        cairo_save(context)
        cairo_rectangle(context, rectangle.x, rectangle.y, rectangle.width, rectangle.height)
        cairo_clip(context)
        cairo_translate(context, rectangle.x, rectangle.y)
        cairo_scale(context, rectangle.width / Double(width), rectangle.height / Double(height))
        cairo_set_source_surface(context, surface, 0, 0)
        let pattern = cairo_get_source(context)
        cairo_pattern_set_filter(pattern, rectangle.width < Double(width) ? CAIRO_FILTER_GOOD : CAIRO_FILTER_NEAREST)
        cairo_pattern_set_extend(pattern, CAIRO_EXTEND_PAD)
        cairo_paint(context)
        cairo_restore(context)
    }

    private func set(_ colour: Colour) { cairo_set_source_rgba(context, colour.red, colour.green, colour.blue, colour.opacity) }
}
