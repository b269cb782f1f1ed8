import Foundation
import Groundwork
import SolarImage

// The figures of one map.
extension EvaluationFigures {
    /// The low-resolution map, the true one and every prediction with a part of each enlarged, all in Gauss on one scale.
    /// - Parameters:
    ///   - map: what the title calls the map.
    ///   - number: of the map, in the files' names.
    ///   - zoom: what is enlarged; by default the most mixed square, ``Image/mostMixedSquare()``.
    package func sideBySide(
        lowResolution: Image, truth: Image, predictions: [(name: String, image: Image)], map: String, number: Int = 1,
        zoom: MagnetogramFigure.Region? = nil
    ) throws -> Figure {
        let part = zoom ?? truth.mostMixedSquare()
        func panel(_ image: Image, _ title: String) -> MagnetogramFigure.Panel {
            let scale = arcsecPerPixel.map { $0 * Double(truth.width) / Double(image.width) }
            return MagnetogramFigure.Panel(image, title: title, arcsecPerPixel: scale)
        }
        let panels = [panel(lowResolution, "low resolution"), panel(truth, "truth")] + predictions.map { panel($0.image, $0.name) }
        let (columns, size) = Self.grid(panels.count)
        let figure = MagnetogramFigure(panels, title: map, columns: columns, unit: "B (G)", panelSize: size, zoom: part)
        return try write(
            "side-by-side-\(number)", title: "Predictions side by side: \(map)",
            caption:
                "\(map): the input, the truth and, of every model, one prediction; north is up, as far as the header tells, and grey is 0 G. Below each map the marked part is enlarged"
                + (zoom == nil ? ": the square in which both polarities are strongest (largest product of positive and negative flux)." : "."),
            shown: panels.map(\.title)
        ) { try figure.write(to: $0, overwrite: true) }
    }

    /// The Fourier amplitudes of truth and predictions under a Hann window, with the circles of LR's Nyquist frequency and of 2″.
    package func fourierAmplitudes(truth: Image, predictions: [(name: String, image: Image)], map: String) throws -> Figure {
        let amplitudes = ([("truth", truth)] + predictions.map { ($0.name, $0.image) }).map { ($0.0, PowerSpectrum(of: $0.1).amplitude) }
        let reference = amplitudes[0].1.finiteValues().sorted()
        func part(_ fraction: Double) -> Double { reference.isEmpty ? 0 : Double(reference[Int(fraction * Double(reference.count - 1))]) }
        let upper = part(1) > 0 ? part(1) : 1
        // A tenth of what is rarely undercut, so that a model's lack of power shows, yet six decades at most.
        let lower = max(min(part(0.05), upper / 10) / 10, upper * 1e-6)
        let scale = ColourScale(.logarithmic(lower: lower, upper: upper), label: "Fourier amplitude (G)")
        let panels = amplitudes.map { name, amplitude in
            MagnetogramFigure.Panel(
                amplitude, title: name, scale: scale, coordinates: .frequencies(of: amplitude),
                annotations: [
                    .circle(x: 0, y: 0, radius: nyquist, label: nyquistLabel), .circle(x: 0, y: 0, radius: circle, label: period(circle)),
                ])
        }
        let (columns, _) = Self.grid(panels.count)
        let figure = MagnetogramFigure(panels, title: map, columns: columns, panelSize: 300)
        return try write(
            "fourier-amplitude", title: "Fourier amplitude",
            caption: "\(map): amplitude of the two-dimensional Fourier transform under a Hann window, zero frequency in the middle, in cycles per "
                + "high-resolution pixel. Circles: the Nyquist frequency of the low-resolution map (\(period(nyquist))), beyond which the input "
                + "holds nothing, and \(period(circle)).",
            shown: panels.map(\.title)
        ) { try figure.write(to: $0, overwrite: true) }
    }

    /// Mean power by spatial frequency, in cycles per high-resolution pixel and Gauss².
    /// - Returns: nil without a point.
    package func radialSpectra(
        truth: [(frequency: Double, power: Double)], predictions: [(name: String, points: [(frequency: Double, power: Double)])]
    ) throws -> Figure? {
        guard predictions.contains(where: { !$0.points.isEmpty }) else { return nil }
        func points(_ values: [(frequency: Double, power: Double)]) -> [(x: Double, y: Double)] { values.map { ($0.frequency, $0.power) } }
        var markers = [LinePlot.Marker(x: nyquist, label: nyquistLabel), LinePlot.Marker(x: circle, label: period(circle))]
        if arcsecPerPixel != nil {
            for frequency in [nyquist / 2, (nyquist + circle) / 2, 0.375, 0.5] where !markers.contains(where: { abs($0.x - frequency) < 0.04 }) {
                markers.append(LinePlot.Marker(x: frequency, label: period(frequency)))
            }
        }
        let plot = LinePlot(
            title: "Radial power spectra", xLabel: "spatial frequency (cycles/pixel; periods above)", yLabel: "mean power of a coefficient (G²)",
            xRange: 0...0.5, markers: markers.sorted { $0.x < $1.x },
            series: [LinePlot.Series(name: "truth", points: points(truth), style: .truth)]
                + predictions.map { LinePlot.Series(name: $0.name, points: points($0.points), style: style($0.name)) })
        return try write(
            "radial-spectra", title: "Radial power spectra",
            caption: "Power under a Hann window, mean over rings of equal frequency. Dotted lines: periods; beyond the Nyquist frequency of the "
                + "low-resolution map (\(period(nyquist))) the input holds nothing.",
            shown: ["truth"] + predictions.map(\.name)
        ) { try plot.write(to: $0, overwrite: true) }
    }

    /// A prediction, the standard deviation of its samples in Gauss, and the prediction with the pixels of fine uncertainty painted over.
    /// - Parameters:
    ///   - isFine: for each pixel whether its uncertainty below 2″ is significant (`FINE`).
    ///   - number: of the map, in the files' names.
    package func uncertainty(
        model: String, prediction: Image, deviation: Image, isFine: [Bool], map: String, number: Int = 1
    ) throws -> Figure {
        let fine = arcsecPerPixel == nil ? "> \(period(circle))" : "< \(period(circle))"
        let panels = [
            MagnetogramFigure.Panel(prediction, title: "prediction", arcsecPerPixel: arcsecPerPixel),
            MagnetogramFigure.Panel(
                deviation, title: "standard deviation", arcsecPerPixel: arcsecPerPixel, scale: ColourScale(deviations: [deviation], label: "STD (G)")),
            MagnetogramFigure.Panel(
                prediction, title: "uncertain at \(fine)", arcsecPerPixel: arcsecPerPixel, mask: MagnetogramFigure.Mask(isFine)),
        ]
        let figure = MagnetogramFigure(panels, title: "\(model), \(map)", columns: 3, unit: "B (G)", panelSize: 440)
        return try write(
            "uncertainty-\(number)-\((models.firstIndex(of: model) ?? 0) + 1)", title: "Uncertainty of \(model): \(map)",
            caption:
                "\(map), \(model): the prediction, the standard deviation of the samples in each pixel, and the prediction with the pixels painted "
                + "over whose uncertainty at scales \(fine) is significant (|high-passed STD| above 3 times its median absolute deviation).",
            shown: panels.map(\.title)
        ) { try figure.write(to: $0, overwrite: true) }
    }

    /// Columns for so many panels, and their longest side.
    private static func grid(_ panels: Int) -> (columns: Int, size: Double) {
        panels <= 4 ? (panels, 360) : panels <= 6 ? (3, 400) : (4, 360)
    }
}

extension MagnetogramFigure.Coordinates {
    /// Those of an amplitude with zero frequency in column W/2 and row H/2, in cycles per pixel: pixel edges lie half a step from its frequency.
    package static func frequencies(of amplitude: Image) -> Self {
        func range(_ count: Int) -> ClosedRange<Double> {
            let first = -(Double(count / 2) + 0.5) / Double(count)
            return first...first + 1
        }
        return Self(x: range(amplitude.width), y: range(amplitude.height), xLabel: "cycles/pixel", yLabel: "cycles/pixel")
    }
}

extension Image {
    /// The square of a quarter of the shorter side, 32 pixels at least, in which the product of positive and negative flux is largest, that is where both
    /// polarities meet, as along a neutral line; without two polarities the one with the largest unsigned flux. Squares begin at every eighth of a side.
    package func mostMixedSquare() -> MagnetogramFigure.Region {
        let side = min(width, height, max(32, min(width, height) / 4 / 4 * 4))
        let step = max(1, side / 8)
        var best = (x: 0, y: 0), most = (product: -1.0, sum: -1.0)
        // Sums of both polarities over columns, for one strip of rows after the other.
        for y in stride(from: 0, through: height - side, by: step) {
            var positive = [Double](repeating: 0, count: width + 1), negative = positive
            for row in y..<y + side {
                for x in 0..<width {
                    let value = Double(self[x, row])
                    if value > 0 { positive[x + 1] += value } else if value < 0 { negative[x + 1] -= value }
                }
            }
            for x in 0..<width {
                positive[x + 1] += positive[x]
                negative[x + 1] += negative[x]
            }
            for x in stride(from: 0, through: width - side, by: step) {
                let (plus, minus) = (positive[x + side] - positive[x], negative[x + side] - negative[x])
                let candidate = (product: plus * minus, sum: plus + minus)
                if candidate.product > most.product || (candidate.product == most.product && candidate.sum > most.sum) {
                    (best, most) = ((x, y), candidate)
                }
            }
        }
        return MagnetogramFigure.Region(x: best.x, y: best.y, width: side, height: side, of: self)
    }

    fileprivate func finiteValues() -> [Float] { pixels.filter(\.isFinite) }
}
