import Foundation
import SolarImage
import SuperResolution
import Testing

@Suite struct EvaluationFiguresTests {
    // MARK: - What is enlarged

    /// A region's place in pixels.
    private func place(_ image: Image) -> (x: Double, y: Double, width: Double, height: Double) {
        let (square, columns, rows) = (image.mostMixedSquare(), Double(image.width), Double(image.height))
        return (square.x * columns, square.y * rows, square.width * columns, square.height * rows)
    }

    @Test func theMostMixedSquareHoldsTheInversionLine() {
        // The strongest field is of one polarity.
        let image = Image(width: 160, height: 96, repeating: .nan).transformed { x, y, _ in
            if (8..<56).contains(x), (8..<88).contains(y) { return 2000 }
            if (100..<112).contains(x), (60..<72).contains(y) { return 400 }
            if (112..<124).contains(x), (60..<72).contains(y) { return -400 }
            return x < 80 ? .nan : 0
        }
        let square = place(image)
        #expect(abs(square.width - 32) < 1e-9 && abs(square.height - 32) < 1e-9)
        #expect(square.x <= 100 && square.x + square.width >= 124 - 1e-9 && square.y <= 60 && square.y + square.height >= 72 - 1e-9)
    }

    @Test func withoutTwoPolaritiesItHoldsTheMostFlux() {
        for sign in [Float(1), -1] {
            let image = Image(width: 200, height: 260, repeating: 0).transformed { x, y, _ in
                sign * ((150..<170).contains(x) && (30..<50).contains(y) ? 500 : 2)
            }
            let square = place(image)
            // A quarter of the shorter side, in steps of four.
            #expect(abs(square.width - 48) < 1e-9 && abs(square.height - 48) < 1e-9)
            #expect(square.x <= 150 && square.x + square.width >= 170 && square.y <= 30 && square.y + square.height >= 50)
        }
    }

    @Test func mapsSmallerThanTheSquareAreShownByTheirSide() {
        let square = place(Image(width: 20, height: 12, repeating: .nan))
        #expect(square.x == 0 && square.y == 0 && abs(square.width - 12) < 1e-9 && abs(square.height - 12) < 1e-9)
    }

    // MARK: - Frequencies

    /// A wave's peaks stand where the coordinates say that its frequency is.
    @Test(arguments: [(32, 48), (33, 48), (32, 45), (31, 27)]) func frequenciesAreThoseOfTheAmplitude(width: Int, height: Int) throws {
        let (across, up) = (5 / Double(width), 3 / Double(height))
        let wave = Image(width: width, height: height, repeating: 0).transformed { x, y, _ in
            Float(100 * cos(2 * Double.pi * (across * Double(x) + up * Double(y))))
        }
        let amplitude = PowerSpectrum(of: wave).amplitude
        let coordinates = MagnetogramFigure.Coordinates.frequencies(of: amplitude)
        #expect(abs(coordinates.x.upperBound - coordinates.x.lowerBound - 1) < 1e-12)
        #expect(abs(coordinates.y.upperBound - coordinates.y.lowerBound - 1) < 1e-12)
        let highest = try #require(amplitude.pixels.max())
        let peaks = amplitude.pixels.indices.filter { amplitude.pixels[$0] > 0.99 * highest }
        try #require(peaks.count == 2)
        for (peak, sign) in zip(peaks, [-1.0, 1]) {
            let x = coordinates.x.lowerBound + (Double(peak % width) + 0.5) / Double(width)
            let y = coordinates.y.lowerBound + (Double(peak / width) + 0.5) / Double(height)
            #expect(abs(x - sign * across) < 1e-12 && abs(y - sign * up) < 1e-12, "\(x), \(y)")
        }
    }

    // MARK: - Without data

    @Test func whatHasNoDataHasNoFigure() throws {
        try withTemporaryFolder { folder in
            let figures = EvaluationFigures(folder: folder, models: ["a"])
            let drawn = [
                try figures.boxPlots(unsignedFluxErrors: [("a", [.nan])], regionSizeErrors: [("a", [])]),
                try figures.fieldHistograms(truth: [(0, 1)], predictions: [("a", [])]),
                try figures.radialSpectra(truth: [(0.1, 1)], predictions: [("a", [])]),
                try figures.errorsByField([("a", [(10, .nan, .nan)])]), try figures.errorsByMu([]),
                try figures.calibration([("a", [], 1)]), try figures.rankHistograms([("a", [0, 0])]),
                try figures.learningCurves([("a", folder.appending(path: "absent.jsonl"))]),
            ]
            #expect(drawn == Array(repeating: nil, count: drawn.count))
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
        }
    }

    /// Maps without field, without spread, without a value or without a scale are drawn all the same.
    @Test func emptyMapsAreDrawn() throws {
        try withTemporaryFolder { folder in
            let figures = EvaluationFigures(folder: folder, models: ["a"], arcsecPerPixel: nil)
            let (zero, nothing) = (Image(width: 40, height: 36, repeating: 0), Image(width: 40, height: 36, repeating: .nan))
            let drawn = [
                try figures.sideBySide(lowResolution: zero.blockMean(by: 4), truth: nothing, predictions: [("a", zero)], map: "map"),
                try figures.fourierAmplitudes(truth: zero, predictions: [("a", nothing)], map: "map"),
                try figures.uncertainty(
                    model: "a", prediction: zero, deviation: nothing, isFine: Array(repeating: false, count: 40 * 36), map: "map", number: 7),
            ]
            #expect(drawn.map(\.name) == ["side-by-side-1", "fourier-amplitude", "uncertainty-7-1"])
            for figure in drawn {
                for ending in ["png", "pdf"] {
                    #expect(try Data(contentsOf: folder.appending(path: "\(figure.name).\(ending)")).count > 1000)
                }
                #expect(figure.url == folder.appending(path: "\(figure.name).png") && !figure.alternativeText.isEmpty)
            }
        }
    }

    @Test func circlesAreNamedByTheirPeriod() throws {
        try withTemporaryFolder { folder in
            let figures = EvaluationFigures(folder: folder, models: ["a"], arcsecPerPixel: 0.75)
            let spectra = try #require(try figures.radialSpectra(truth: [(0.1, 5), (0.2, 1)], predictions: [("a", [(0.1, 4), (0.2, 0)])]))
            // An eighth of a cycle a pixel.
            #expect(spectra.caption.contains("6″") && spectra.alternativeText.contains("truth, a"))
        }
    }
}
