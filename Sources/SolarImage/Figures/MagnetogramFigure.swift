import Foundation

/// A picture of one magnetogram or of several side by side: symmetric grey scales for fields, others for what is derived from them, a colour bar for
/// each scale, and, if wanted, a part of every panel enlarged below it.
package struct MagnetogramFigure: Sendable {
    /// One image with its title.
    package struct Panel: Sendable {
        package var image: Image
        package var title: String
        /// The side of a pixel in arcsec, for a scale bar; nil draws none.
        package var arcsecPerPixel: Double?
        /// By default that of the figure, for fields.
        package var scale: ColourScale?
        /// What the axes beside the panel show; nil draws none.
        package var coordinates: Coordinates?
        package var mask: Mask?
        /// Drawn over the image, in its coordinates if it has them, else in pixels from the image's lower left corner.
        package var annotations: [Annotation] = []

        package init(
            _ image: Image, title: String, arcsecPerPixel: Double? = nil, scale: ColourScale? = nil, coordinates: Coordinates? = nil,
            mask: Mask? = nil, annotations: [Annotation] = []
        ) {
            (self.image, self.title, self.arcsecPerPixel) = (image, title, arcsecPerPixel)
            (self.scale, self.coordinates, self.mask, self.annotations) = (scale, coordinates, mask, annotations)
        }

        /// A magnetogram with north up: one taken upside down, as HMI's full disks are, is turned by 180°.
        /// - Parameter title: by default region and time.
        package init(_ magnetogram: Magnetogram, title: String? = nil) {
            var image = magnetogram.image
            if let rotation = magnetogram.grid?.rotation, abs(rotation) > 90 { image.pixels.reverse() }
            let time = magnetogram.time.map { "\($0.description.prefix(16).replacing("T", with: " ")) UT" }
            let parts = [magnetogram.instrument.title, magnetogram.regions.first?.description, time].compactMap(\.self)
            self.init(
                image, title: title ?? (parts.isEmpty ? magnetogram.source.deletingPathExtension().lastPathComponent : parts.joined(separator: "  ")),
                arcsecPerPixel: magnetogram.arcsecPerPixel)
        }
    }

    /// The coordinates of an image's left and right and of its lower and upper edge, both in one unit: the panel's sides are drawn as long as these ranges.
    package struct Coordinates: Sendable, Equatable {
        package var x: ClosedRange<Double>, y: ClosedRange<Double>
        package var xLabel: String, yLabel: String

        package init(x: ClosedRange<Double>, y: ClosedRange<Double>, xLabel: String, yLabel: String) {
            (self.x, self.y, self.xLabel, self.yLabel) = (x, y, xLabel, yLabel)
        }
    }

    /// Pixels that are painted over, as ``Image/pixels`` are ordered; the title bears the colour.
    package struct Mask: Sendable, Equatable {
        package var pixels: [Bool]
        /// 0xRRGGBB.
        package var colour: UInt32

        /// - Parameter colour: by default an orange that stands out from every grey.
        package init(_ pixels: [Bool], colour: UInt32 = 0xFF5000) { (self.pixels, self.colour) = (pixels, colour) }
    }

    package enum Annotation: Sendable, Equatable {
        /// Around (x, y), its label above it.
        case circle(x: Double, y: Double, radius: Double, label: String)
        /// From the lower left corner (x, y).
        case rectangle(x: Double, y: Double, width: Double, height: Double)
    }

    /// A part of an image in fractions of its width and height, from its lower left corner: the same part of the Sun whatever the resolution.
    package struct Region: Sendable, Equatable {
        package var x: Double, y: Double, width: Double, height: Double

        package init(x: Double, y: Double, width: Double, height: Double) { (self.x, self.y, self.width, self.height) = (x, y, width, height) }

        /// The part of `width` × `height` pixels from column `x` and row `y` on.
        package init(x: Int, y: Int, width: Int, height: Int, of image: Image) {
            let (columns, rows) = (Double(image.width), Double(image.height))
            self.init(x: Double(x) / columns, y: Double(y) / rows, width: Double(width) / columns, height: Double(height) / rows)
        }
    }

    package var panels: [Panel]
    /// A line above all panels.
    package var title: String?
    /// Panels in a row; by default up to three, and two where there are four.
    package var columns: Int?
    /// The field in Gauss that is white; minus it is black, 0 mid-grey. Above 0.
    package var limit: Double
    /// The unit on the colour bar of fields.
    package var unit: String
    /// The longest side of a panel.
    package var panelSize: Double
    /// What is marked in every panel and shown enlarged below it.
    package var zoom: Region?

    package init(
        _ panels: [Panel], title: String? = nil, columns: Int? = nil, limit: Double = 1500, unit: String = "G", panelSize: Double? = nil,
        zoom: Region? = nil
    ) {
        self.panels = panels
        self.title = title
        self.columns = columns
        self.limit = limit
        self.unit = unit
        self.panelSize = panelSize ?? (panels.count == 1 ? 1024 : 640)
        self.zoom = zoom
    }

    /// The scale of panels that have none of their own.
    package var fieldScale: ColourScale { ColourScale(.field(limit: limit), label: unit) }

    /// Draws the picture and writes it as PNG, PDF or SVG by the name's ending.
    /// - Throws: `Failure`, as ``Canvas/draw(to:width:height:overwrite:_:)``.
    package func write(to url: URL, overwrite: Bool = false) throws {
        let layout = try Canvas.measure(for: url) { MagnetogramFigureLayout(self, on: $0) }
        try Canvas.draw(to: url, width: layout.width, height: layout.height, overwrite: overwrite) { canvas in
            if let title {
                canvas.text(title, x: layout.margin, y: layout.margin + 18, size: 18, bold: true, maximumWidth: layout.width - 2 * layout.margin)
            }
            for (index, panel) in panels.enumerated() { draw(panel, index, layout, on: canvas) }
            for bar in layout.bars { draw(bar, on: canvas) }
            if let swatch = layout.noData {
                canvas.fill(swatch, Canvas.Colour(rgb: ColourScale.noData))
                canvas.stroke(swatch, .black)
                canvas.text("no data", x: swatch.x + 21, y: swatch.y + 12, size: 12)
            }
        }
    }
}

// MARK: - Drawing

extension MagnetogramFigure {
    /// The zoom's frames: a colour that neither greys nor the other scales hold.
    private static let frameColour = Canvas.Colour(0, 0.62, 0.95)

    private func draw(_ panel: Panel, _ index: Int, _ layout: MagnetogramFigureLayout, on canvas: Canvas) {
        let frame = layout.frame(index)
        let lines = layout.titles[index]
        for (number, line) in lines.enumerated() {
            let y = frame.y - 8 - Double(lines.count - 1 - number) * MagnetogramFigureLayout.titleLine
            var x = frame.x
            if let mask = panel.mask, number == 0 {
                canvas.fill(Canvas.Rectangle(x: x, y: y - 11, width: 12, height: 12), Canvas.Colour(rgb: mask.colour))
                x += MagnetogramFigureLayout.swatch
            }
            canvas.text(line, x: x, y: y, size: 14, bold: true, maximumWidth: layout.cellWidth - (x - frame.x))
        }
        var colours = (panel.scale ?? fieldScale).colours(panel.image)
        if let mask = panel.mask, mask.pixels.count == colours.count {
            for (pixel, isMasked) in mask.pixels.enumerated() where isMasked { colours[pixel] = mask.colour }
        }
        canvas.pixels(colours, width: panel.image.width, height: panel.image.height, in: frame)
        outline(frame, .black, on: canvas)
        draw(panel.annotations, of: panel, in: frame, on: canvas)
        if let coordinates = panel.coordinates { drawAxes(coordinates, beside: frame, on: canvas) }
        if let arcsec = panel.arcsecPerPixel, arcsec > 0 {
            drawScaleBar(arcsecPerUnit: arcsec * Double(panel.image.width) / frame.width, in: frame, on: canvas)
        }
        guard let zoom else { return }
        let marked = Canvas.Rectangle(
            x: frame.x + zoom.x * frame.width, y: frame.y + (1 - zoom.y - zoom.height) * frame.height, width: zoom.width * frame.width,
            height: zoom.height * frame.height)
        canvas.stroke(marked, Self.frameColour, lineWidth: 2)
        // The whole image, so large that its part fills the frame, which cuts off the rest: the edges need not be those of pixels.
        let enlarged = layout.zoomFrame(index)
        let whole = Canvas.Rectangle(
            x: enlarged.x - zoom.x * enlarged.width / zoom.width, y: enlarged.y - (1 - zoom.y - zoom.height) * enlarged.height / zoom.height,
            width: enlarged.width / zoom.width, height: enlarged.height / zoom.height)
        canvas.clipped(to: enlarged) { canvas.pixels(colours, width: panel.image.width, height: panel.image.height, in: whole) }
        canvas.stroke(enlarged, Self.frameColour, lineWidth: 2)
        if let arcsec = panel.arcsecPerPixel, arcsec > 0 {
            drawScaleBar(arcsecPerUnit: arcsec * Double(panel.image.width) / whole.width, in: enlarged, on: canvas)
        }
    }

    private func outline(_ frame: Canvas.Rectangle, _ colour: Canvas.Colour, on canvas: Canvas) {
        canvas.stroke(Canvas.Rectangle(x: frame.x - 0.5, y: frame.y - 0.5, width: frame.width + 1, height: frame.height + 1), colour)
    }

    private func draw(_ annotations: [Annotation], of panel: Panel, in frame: Canvas.Rectangle, on canvas: Canvas) {
        guard !annotations.isEmpty else { return }
        let xRange = panel.coordinates?.x ?? 0...Double(panel.image.width), yRange = panel.coordinates?.y ?? 0...Double(panel.image.height)
        let across = frame.width / (xRange.upperBound - xRange.lowerBound), up = frame.height / (yRange.upperBound - yRange.lowerBound)
        func x(_ value: Double) -> Double { frame.x + (value - xRange.lowerBound) * across }
        func y(_ value: Double) -> Double { frame.y + frame.height - (value - yRange.lowerBound) * up }
        let halo = Canvas.Colour(grey: 0, opacity: 0.6), colour = Canvas.Colour(0.45, 1, 0.95)
        canvas.clipped(to: frame) {
            for annotation in annotations {
                switch annotation {
                case .rectangle(let left, let bottom, let width, let height):
                    let rectangle = Canvas.Rectangle(x: x(left), y: y(bottom + height), width: width * across, height: height * up)
                    canvas.stroke(rectangle, halo, lineWidth: 4)
                    canvas.stroke(rectangle, colour, lineWidth: 2)
                case .circle(let centreX, let centreY, let radius, _):
                    canvas.circle(x: x(centreX), y: y(centreY), radius: radius * across, halo, lineWidth: 4)
                    canvas.circle(x: x(centreX), y: y(centreY), radius: radius * across, colour, lineWidth: 2)
                }
            }
            // Labels last, so that no line crosses them.
            for case .circle(let centreX, let centreY, let radius, let label) in annotations {
                let width = canvas.textWidth(label, size: 12) + 8
                let top = max(y(centreY) - radius * across - 20, frame.y + 2)
                let left = min(max(x(centreX) - width / 2, frame.x + 2), frame.x + frame.width - width - 2)
                canvas.fill(Canvas.Rectangle(x: left, y: top, width: width, height: 16), Canvas.Colour(grey: 0.15))
                canvas.text(label, x: left + width / 2, y: top + 12.5, size: 12, anchor: .centre, colour: colour)
            }
        }
    }

    private func drawAxes(_ coordinates: Coordinates, beside frame: Canvas.Rectangle, on canvas: Canvas) {
        if let axis = PlotAxis(.linear, showing: [], fixed: coordinates.x, isRoomy: false) {
            canvas.drawHorizontalAxis(axis, below: frame, grid: nil)
        }
        if let axis = PlotAxis(.linear, showing: [], fixed: coordinates.y, isRoomy: false) {
            canvas.drawVerticalAxis(axis, leftOf: frame, grid: nil)
        }
        canvas.text(
            coordinates.xLabel, x: frame.x + frame.width / 2, y: frame.y + frame.height + 36, size: 12, anchor: .centre, maximumWidth: frame.width)
        canvas.text(
            coordinates.yLabel, x: frame.x - 46, y: frame.y + frame.height / 2, size: 12, anchor: .centre, turned: true, maximumWidth: frame.height)
    }

    private func drawScaleBar(arcsecPerUnit: Double, in frame: Canvas.Rectangle, on canvas: Canvas) {
        let length = Ticks.roundStep(atMost: 0.3 * frame.width * arcsecPerUnit)
        let label = Ticks.label(length) + "″"
        let bar = length / arcsecPerUnit
        let width = max(bar, canvas.textWidth(label, size: 13)) + 16
        let box = Canvas.Rectangle(x: frame.x + 8, y: frame.y + frame.height - 40, width: width, height: 32)
        canvas.fill(box, Canvas.Colour(grey: 1, opacity: 0.8))
        canvas.fill(Canvas.Rectangle(x: box.x + (width - bar) / 2, y: box.y + 24, width: bar, height: 3), .black)
        canvas.text(label, x: box.x + width / 2, y: box.y + 17, anchor: .centre)
    }

    private func draw(_ bar: MagnetogramFigureLayout.Bar, on canvas: Canvas) {
        let frame = bar.frame
        canvas.pixels(bar.scale.ramp, width: 1, height: 256, in: frame)
        canvas.stroke(frame, .black)
        for tick in bar.ticks {
            let y = frame.y + frame.height * (1 - bar.scale.position(of: tick.value))
            canvas.line([(frame.x + frame.width, y), (frame.x + frame.width + 5, y)], .black)
            canvas.label(tick, x: bar.labelRight, y: y + 4.5, anchor: .right)
        }
        if bar.isLabelTurned {
            canvas.text(
                bar.scale.label, x: bar.labelRight + 18, y: frame.y + frame.height / 2, anchor: .centre, turned: true, maximumWidth: frame.height)
        } else {
            canvas.text(bar.scale.label, x: frame.x + frame.width / 2, y: frame.y - 8, size: 14, anchor: .centre, bold: true)
        }
    }
}
