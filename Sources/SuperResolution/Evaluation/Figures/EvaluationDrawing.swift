import Foundation
import Groundwork
import SolarImage

/// From what an evaluation found to its figures.
struct EvaluationDrawing {
    let report: EvaluationReport
    let scores: [Score]
    let curves: EvaluationCurves
    let illustrations: [EvaluationIllustration]
    /// Logs of training by model.
    let logs: [(name: String, url: URL)]

    private var models: [String] { report.models.map(\.name) }

    /// Draws all figures for which there are data, each as PNG and as PDF.
    /// - Throws: `Failure` (`.cannotWrite`).
    func write(to folder: URL) throws -> [EvaluationFigures.Figure] {
        try createFolder(folder)
        let maps = try illustrations.enumerated().flatMap { number, illustration in
            let figures = EvaluationFigures(
                folder: folder, models: models, nyquist: report.options.nyquist, circle: report.options.circle,
                arcsecPerPixel: illustration.arcsecPerPixel)
            return try self.figures(of: illustration.upright, number + 1, with: figures)
        }
        let figures = EvaluationFigures(folder: folder, models: models, nyquist: report.options.nyquist, circle: report.options.circle)
        return maps
            + [
                try figures.radialSpectra(truth: spectrum(curves.truth), predictions: curves.models.map { ($0.name, spectrum($0)) }),
                try figures.boxPlots(
                    unsignedFluxErrors: values("unsigned_flux_error_signed"), regionSizeErrors: values("ar_size_error_signed")),
                try figures.calibration(
                    report.models.map { model in
                        (model.name, coverage(tally("coverage", model.name)), model.metrics["spread_skill"]?.mean)
                    }),
                try figures.rankHistograms(models.map { name in (name, tally("ranks", name)?.sums ?? []) }),
                try figures.errorsByField(models.map { ($0, errors(tally("field_strength", $0)).map { ($0.x, $0.bias, $0.rmse) }) }),
                try figures.errorsByMu(models.map { ($0, errors(tally("mu", $0)).map { ($0.x, $0.bias, $0.rmse) }) }),
                try figures.fieldHistograms(truth: density(curves.truth), predictions: curves.models.map { ($0.name, density($0)) }),
                try figures.learningCurves(logs),
            ].compactMap(\.self)
    }

    private func figures(
        of illustration: EvaluationIllustration, _ number: Int, with figures: EvaluationFigures
    ) throws -> [EvaluationFigures.Figure] {
        let map = [illustration.region, illustration.file].compactMap(\.self).joined(separator: ", ")
        let predictions = illustration.predictions.map { (name: $0.name, image: $0.pictures.first) }
        let truth = illustration.truth
        var drawn = [
            try figures.sideBySide(
                lowResolution: illustration.lowResolution, truth: truth, predictions: predictions, map: map, number: number)
        ]
        for (name, pictures) in illustration.predictions {
            guard let deviation = pictures.deviation, let fine = pictures.fine else { continue }
            drawn.append(
                try figures.uncertainty(
                    model: name, prediction: pictures.first, deviation: deviation, isFine: fine.pixels.map { $0 == 1 }, map: map, number: number))
        }
        if number == 1 {
            let masked = predictions.map { (name: $0.name, image: $0.image.masked(like: truth)) }
            drawn.append(try figures.fourierAmplitudes(truth: truth, predictions: masked, map: map))
        }
        return drawn
    }

    private func tally(_ curve: String, _ model: String) -> Tally? { curves.models.first { $0.name == model }?.tallies[curve] }

    private func spectrum(_ model: EvaluationCurves.Model) -> [(frequency: Double, power: Double)] {
        points(model.tallies["spectrum"]) { ($0.middle($1), $0.mean($1)) }
    }

    /// Per Gauss; the outermost classes take what lies beyond them and are left out.
    private func density(_ model: EvaluationCurves.Model) -> [(field: Double, density: Double)] {
        guard let tally = model.tallies["histogram"] else { return [] }
        let all = tally.counts.reduce(0, +)
        return points(tally) { ($0.middle($1), $0.counts[$1] / all / ($0.edges[$1 + 1] - $0.edges[$1])) }.filter {
            $0.0 > tally.edges[1] && $0.0 < tally.edges[tally.edges.count - 2]
        }
    }

    private func coverage(_ tally: Tally?) -> [(nominal: Double, empirical: Double)] {
        points(tally) { tally, index in (((tally.edges[index] + 0.005) * 100).rounded() / 100, tally.mean(index)) }
    }

    private func errors(_ tally: Tally?) -> [(x: Double, bias: Double, rmse: Double)] {
        points(tally) { ($0.middle($1), $0.mean($1), $0.rootMeanSquare($1)) }
    }

    private func points<Point>(_ tally: Tally?, _ point: (Tally, Int) -> Point) -> [Point] {
        guard let tally else { return [] }
        return tally.counts.indices.filter { tally.counts[$0] > 0 }.map { point(tally, $0) }
    }

    /// A model's values of every map.
    private func values(_ key: String) -> [(name: String, values: [Double])] {
        models.map { name in
            (name, Score.means(of: key, in: scores.filter { $0.model == name }).sorted { $0.key < $1.key }.map(\.value))
        }
    }
}

extension Image {
    /// The image with NaN where another of its size has it.
    fileprivate func masked(like other: Image) -> Image {
        Image(width: width, height: height, pixels: zip(pixels, other.pixels).map { $1.isNaN ? .nan : $0 })
    }
}
