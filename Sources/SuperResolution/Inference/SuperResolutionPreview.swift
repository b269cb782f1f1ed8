import Foundation
import SolarImage

extension SuperResolutionProduct.Result {
    /// Draws input and result, north up; of several samples the mean, the standard deviations on one scale, and the sample with the pixels of `FINE` painted
    /// over, as the paper shows its uncertainty (Ramunno et al. 2025).
    /// - Parameter url: its ending tells the format: PNG, PDF or SVG. A file that exists is replaced.
    /// - Throws: `Failure` (`.cannotWrite`).
    public func writePreview(to url: URL) throws {
        var panels = [MagnetogramFigure.Panel(low, title: "input"), MagnetogramFigure.Panel(sample, title: "super-resolved")]
        if let ensemble {
            let scale = ColourScale(deviations: [ensemble.deviation], label: "STD (G)")
            func panel(_ image: Image, _ title: String, _ scale: ColourScale? = nil) -> MagnetogramFigure.Panel {
                var map = sample
                map.image = image
                var panel = MagnetogramFigure.Panel(map, title: title)
                panel.scale = scale
                return panel
            }
            let period = sample.arcsecPerPixel.map { "finer than \(Ticks.label(($0 / ensemble.cutoff * 100).rounded() / 100))″" } ?? "fine"
            var painted = panels[1]
            (painted.title, painted.mask) = (
                "uncertain structure \(period)", MagnetogramFigure.Mask(panel(ensemble.fineMask, "").image.pixels.map { $0 == 1 })
            )
            panels += [
                panel(ensemble.mean, "mean"), panel(ensemble.deviation, "standard deviation", scale),
                panel(ensemble.fineDeviation, "of structure \(period)", scale), painted,
            ]
        }
        try MagnetogramFigure(panels, title: low.source.lastPathComponent, columns: ensemble == nil ? nil : 3, unit: "B (G)").write(
            to: url, overwrite: true)
    }
}
