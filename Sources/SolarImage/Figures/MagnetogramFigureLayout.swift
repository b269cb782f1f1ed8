/// Where the parts of a ``MagnetogramFigure`` stand: panels in cells of one size, titles above them, axes beside and zooms below them, colour bars at the right.
struct MagnetogramFigureLayout {
    /// A colour bar and the panels' scale that it explains.
    struct Bar {
        let scale: ColourScale
        let ticks: [Ticks.Tick]
        let frame: Canvas.Rectangle
        /// Where the labels of the ticks end.
        let labelRight: Double
        /// A long label stands beside the bar rather than above it.
        let isLabelTurned: Bool
    }

    static let titleLine = 17.0, swatch = 18.0
    let margin = 16.0
    private let gap = 16.0, barWidth = 16.0
    let cellWidth: Double
    /// Lines of each panel's title.
    let titles: [[String]]
    private(set) var bars: [Bar] = []
    /// The swatch of missing values.
    private(set) var noData: Canvas.Rectangle?
    let width: Double, height: Double

    private let columns: Int
    private let cellHeight: Double, titleHeight: Double, axisWidth: Double, axisHeight: Double, zoomHeight: Double, top: Double
    private let shapes: [(width: Double, height: Double)]
    private let zoom: MagnetogramFigure.Region?

    init(_ figure: MagnetogramFigure, on canvas: Canvas) {
        let panels = figure.panels
        columns = max(1, min(figure.columns ?? (panels.count == 4 ? 2 : 3), panels.count))
        let rows = max(1, (panels.count + columns - 1) / columns)
        // Panels may show one field at several resolutions, so the most finely sampled sets the scale; small ones grow by a whole factor.
        let images = panels.filter { $0.coordinates == nil }.map(\.image)
        let finest = Double(images.flatMap { [$0.width, $0.height] }.max() ?? 1)
        let enlarged = max(1, (min(400, figure.panelSize) / finest).rounded(.up))
        let scale = finest * enlarged > figure.panelSize ? figure.panelSize / finest : enlarged
        let shapes: [(width: Double, height: Double)] = panels.map { panel in
            guard let coordinates = panel.coordinates else { return (Double(panel.image.width), Double(panel.image.height)) }
            let x = coordinates.x.upperBound - coordinates.x.lowerBound, y = coordinates.y.upperBound - coordinates.y.lowerBound
            let scale = figure.panelSize / max(x, y) / scale
            return (x * scale, y * scale)
        }
        let cellWidth = max(((shapes.map(\.width).max() ?? 1) * scale).rounded(), 160)
        let cellHeight = max(((shapes.map(\.height).max() ?? 1) * scale).rounded(), 160)
        (self.shapes, self.cellWidth, self.cellHeight, zoom) = (shapes, cellWidth, cellHeight, figure.zoom)
        titles = panels.map { canvas.lines($0.title, size: 14, bold: true, width: cellWidth - ($0.mask == nil ? 0 : Self.swatch)) }
        titleHeight = titles.contains { $0.count > 1 } ? 26 + Self.titleLine : 26
        let hasAxes = panels.contains { $0.coordinates != nil }
        (axisWidth, axisHeight) = hasAxes ? (60, 44) : (0, 0)
        zoomHeight =
            figure.zoom.map { zoom in
                shapes.map { shape in
                    Self.fitted(shape, cellWidth, cellHeight).width * (zoom.height * shape.height) / (zoom.width * shape.width)
                }.max().map { $0.rounded() + 8 } ?? 0
            } ?? 0
        top = margin + (figure.title == nil ? 0 : 32)
        let rowHeight = titleHeight + cellHeight + axisHeight + zoomHeight + gap
        height = max(top + Double(rows) * rowHeight - gap + margin, top + titleHeight + 160 + margin)

        // One bar a scale.
        var scales: [ColourScale] = []
        for panel in panels where !scales.contains(panel.scale ?? figure.fieldScale) { scales.append(panel.scale ?? figure.fieldScale) }
        let hasGaps = panels.contains { $0.image.pixels.contains { !$0.isFinite } }
        let available = min(height - top - titleHeight - margin, 480)
        var x = margin + Double(columns) * (axisWidth + cellWidth + gap)
        if hasGaps { noData = Canvas.Rectangle(x: x, y: top + titleHeight + available - 16, width: 16, height: 16) }
        for scale in scales {
            let frame = Canvas.Rectangle(x: x, y: top + titleHeight, width: barWidth, height: available - (hasGaps ? 32 : 0))
            let ticks = scale.ticks(atMost: max(2, min(9, Int(frame.height / 26))))
            let labels = ticks.map { canvas.width(of: $0) }.max() ?? 0
            let isTurned = canvas.textWidth(scale.label, size: 14, bold: true) > 40
            let labelRight = frame.x + frame.width + 8 + labels
            bars.append(Bar(scale: scale, ticks: ticks, frame: frame, labelRight: labelRight, isLabelTurned: isTurned))
            x = labelRight + (isTurned ? 40 : 20)
        }
        width = max(x, (noData?.x ?? 0) + 76) - 8 + margin / 2
    }

    private static func fitted(_ shape: (width: Double, height: Double), _ width: Double, _ height: Double) -> (width: Double, height: Double) {
        let scale = min(width / shape.width, height / shape.height)
        return (max(1, (shape.width * scale).rounded()), max(1, (shape.height * scale).rounded()))
    }

    /// The largest rectangle of the panel's shape in its cell.
    func frame(_ index: Int) -> Canvas.Rectangle {
        let size = Self.fitted(shapes[index], cellWidth, cellHeight)
        let x = margin + Double(index % columns) * (axisWidth + cellWidth + gap) + axisWidth
        let y = top + Double(index / columns) * (titleHeight + cellHeight + axisHeight + zoomHeight + gap) + titleHeight
        return Canvas.Rectangle(x: x, y: y, width: size.width, height: size.height)
    }

    /// Below the panel, as wide as it, of the zoom's shape.
    func zoomFrame(_ index: Int) -> Canvas.Rectangle {
        let frame = frame(index), shape = shapes[index]
        guard let zoom else { return frame }
        return Canvas.Rectangle(
            x: frame.x, y: frame.y + frame.height + axisHeight + 8, width: frame.width,
            height: (frame.width * (zoom.height * shape.height) / (zoom.width * shape.width)).rounded())
    }
}
