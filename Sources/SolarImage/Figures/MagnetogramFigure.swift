import Foundation

/// A picture of one magnetogram or of several side by side, with one symmetric grey scale and one colour bar.
package struct MagnetogramFigure: Sendable {
    /// One image with its title.
    package struct Panel: Sendable {
        package var image: Image
        package var title: String
        /// The side of a pixel in arcsec, for a scale bar; nil draws none.
        package var arcsecPerPixel: Double?

        package init(_ image: Image, title: String, arcsecPerPixel: Double? = nil) {
            self.image = image
            self.title = title
            self.arcsecPerPixel = arcsecPerPixel
        }

        /// A magnetogram with north up: one taken upside down, as HMI's full disks are, is turned by 180°.
        /// - Parameter title: by default region and time.
        package init(_ magnetogram: Magnetogram, title: String? = nil) {
            var image = magnetogram.image
            if let rotation = magnetogram.grid?.rotation, abs(rotation) > 90 { image.pixels.reverse() }
            let name = magnetogram.instrument == .unknown ? nil : magnetogram.instrument.rawValue.uppercased()
            let time = magnetogram.time.map { "\($0.description.prefix(16).replacing("T", with: " ")) UT" }
            let parts = [name, magnetogram.regions.first?.description, time].compactMap(\.self)
            self.init(
                image, title: title ?? (parts.isEmpty ? magnetogram.source.deletingPathExtension().lastPathComponent : parts.joined(separator: "  ")),
                arcsecPerPixel: magnetogram.arcsecPerPixel)
        }
    }

    package var panels: [Panel]
    /// A line above all panels.
    package var title: String?
    /// Panels in a row; by default up to three, and two where there are four.
    package var columns: Int?
    /// The field in Gauss that is white; minus it is black, 0 mid-grey. Above 0.
    package var limit: Double
    /// The unit on the colour bar.
    package var unit: String
    /// The longest side of a panel.
    package var panelSize: Double

    package init(
        _ panels: [Panel], title: String? = nil, columns: Int? = nil, limit: Double = 1500, unit: String = "G", panelSize: Double? = nil
    ) {
        self.panels = panels
        self.title = title
        self.columns = columns
        self.limit = limit
        self.unit = unit
        self.panelSize = panelSize ?? (panels.count == 1 ? 1024 : 640)
    }

    /// Where a pixel has no value: a pale blue, which no grey is.
    static let noData: UInt32 = 0xC9D6E8

    /// Grey for each pixel as 0xRRGGBB.
    package static func colours(_ image: Image, limit: Double) -> [UInt32] {
        image.pixels.map { value in
            guard value.isFinite else { return noData }
            let grey = UInt32((min(max(Double(value) / limit, -1), 1) * 127.5 + 127.5).rounded())
            return grey << 16 | grey << 8 | grey
        }
    }

    /// Draws the picture and writes it as PNG, PDF or SVG by the name's ending.
    /// - Throws: `Failure`, as ``Canvas/draw(to:width:height:overwrite:_:)``.
    package func write(to url: URL, overwrite: Bool = false) throws {
        let layout = Layout(self)
        try Canvas.draw(to: url, width: layout.width, height: layout.height, overwrite: overwrite) { canvas in
            if let title {
                canvas.text(title, x: layout.margin, y: layout.margin + 18, size: 18, bold: true, maximumWidth: layout.width - 2 * layout.margin)
            }
            for (index, panel) in panels.enumerated() { draw(panel, in: layout.frame(index, of: panel), cellWidth: layout.cellWidth, on: canvas) }
            drawColourBar(in: layout.colourBar, on: canvas)
        }
    }
}

extension MagnetogramFigure {
    /// Panels in cells of one size, titles above them, the colour bar at the right.
    private struct Layout {
        let margin = 16.0, titleHeight = 26.0, gap = 16.0, barWidth = 16.0, barLabels = 68.0
        let columns: Int, rows: Int
        let cellWidth: Double, cellHeight: Double, top: Double

        init(_ figure: MagnetogramFigure) {
            columns = max(1, min(figure.columns ?? (figure.panels.count == 4 ? 2 : 3), figure.panels.count))
            rows = max(1, (figure.panels.count + columns - 1) / columns)
            // Panels may show one field at several resolutions, so the most finely sampled sets the scale; small ones grow by a whole factor.
            let width = Double(figure.panels.map(\.image.width).max() ?? 1), height = Double(figure.panels.map(\.image.height).max() ?? 1)
            let enlarged = max(1, (min(400, figure.panelSize) / max(width, height)).rounded(.up))
            let scale = max(width, height) * enlarged > figure.panelSize ? figure.panelSize / max(width, height) : enlarged
            cellWidth = max((width * scale).rounded(), 160)
            cellHeight = max((height * scale).rounded(), 160)
            top = margin + (figure.title == nil ? 0 : 32)
        }

        var width: Double { margin * 2 + Double(columns) * (cellWidth + gap) + barWidth + barLabels }
        var height: Double { top + Double(rows) * (titleHeight + cellHeight + gap) - gap + margin }

        /// The largest rectangle of the panel's shape in its cell.
        func frame(_ index: Int, of panel: Panel) -> Canvas.Rectangle {
            let (width, height) = (Double(panel.image.width), Double(panel.image.height))
            let scale = min(cellWidth / width, cellHeight / height)
            let x = margin + Double(index % columns) * (cellWidth + gap),
                y = top + Double(index / columns) * (titleHeight + cellHeight + gap) + titleHeight
            return Canvas.Rectangle(x: x, y: y, width: (width * scale).rounded(), height: (height * scale).rounded())
        }

        var colourBar: Canvas.Rectangle {
            let height = self.height - top - titleHeight - margin
            return Canvas.Rectangle(x: margin + Double(columns) * (cellWidth + gap), y: top + titleHeight, width: barWidth, height: min(height, 480))
        }
    }

    private func draw(_ panel: Panel, in frame: Canvas.Rectangle, cellWidth: Double, on canvas: Canvas) {
        canvas.text(panel.title, x: frame.x, y: frame.y - 8, size: 14, bold: true, maximumWidth: cellWidth)
        canvas.pixels(MagnetogramFigure.colours(panel.image, limit: limit), width: panel.image.width, height: panel.image.height, in: frame)
        canvas.stroke(Canvas.Rectangle(x: frame.x - 0.5, y: frame.y - 0.5, width: frame.width + 1, height: frame.height + 1), .black)
        guard let arcsec = panel.arcsecPerPixel, arcsec > 0 else { return }
        let arcsecPerUnit = arcsec * Double(panel.image.width) / frame.width
        let length = Ticks.roundStep(atMost: 0.3 * frame.width * arcsecPerUnit)
        let label = Ticks.label(length) + "″"
        let bar = length / arcsecPerUnit
        let width = max(bar, canvas.textWidth(label, size: 13)) + 16
        let box = Canvas.Rectangle(x: frame.x + 8, y: frame.y + frame.height - 40, width: width, height: 32)
        canvas.fill(box, Canvas.Colour(grey: 1, opacity: 0.8))
        canvas.fill(Canvas.Rectangle(x: box.x + (width - bar) / 2, y: box.y + 24, width: bar, height: 3), .black)
        canvas.text(label, x: box.x + width / 2, y: box.y + 17, anchor: .centre)
    }

    private func drawColourBar(in bar: Canvas.Rectangle, on canvas: Canvas) {
        let hasGaps = panels.contains { $0.image.pixels.contains { !$0.isFinite } }
        let scale = Canvas.Rectangle(x: bar.x, y: bar.y, width: bar.width, height: bar.height - (hasGaps ? 32 : 0))
        let ramp = Image(width: 1, height: 256, pixels: (0..<256).map { Float((Double($0) / 127.5 - 1) * limit) })
        canvas.pixels(MagnetogramFigure.colours(ramp, limit: limit), width: 1, height: 256, in: scale)
        canvas.stroke(scale, .black)
        let step = Ticks.roundStep(atMost: limit / 2)
        let count = Int(limit / step + 1e-9)
        for tick in -count...count {
            let y = scale.y + scale.height / 2 * (1 - Double(tick) * step / limit)
            canvas.line([(scale.x + scale.width, y), (scale.x + scale.width + 5, y)], .black)
            canvas.text(Ticks.label(Double(tick) * step), x: scale.x + scale.width + 52, y: y + 4.5, anchor: .right)
        }
        canvas.text(unit, x: scale.x + scale.width / 2, y: scale.y - 8, size: 14, anchor: .centre, bold: true)
        guard hasGaps else { return }
        let swatch = Canvas.Rectangle(x: bar.x, y: bar.y + bar.height - 16, width: 16, height: 16)
        let colour = MagnetogramFigure.noData
        canvas.fill(swatch, Canvas.Colour(Double(colour >> 16) / 255, Double(colour >> 8 & 255) / 255, Double(colour & 255) / 255))
        canvas.stroke(swatch, .black)
        canvas.text("no data", x: swatch.x + 21, y: swatch.y + 12, size: 12)
    }
}
