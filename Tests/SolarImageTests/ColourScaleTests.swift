import Foundation
import SolarImage
import Testing

@Suite struct ColourScaleTests {
    private func colours(_ kind: ColourScale.Kind, _ values: [Float]) -> [UInt32] {
        ColourScale(kind, label: "G").colours(Image(width: values.count, height: 1, pixels: values))
    }

    private static let places = (0...200).map { Double($0) / 200 }
    /// Values that stand at these places of a colour bar.
    private let scales: [(kind: ColourScale.Kind, values: [Float])] = [
        (.field(limit: 100), places.map { Float(200 * $0 - 100) }), (.sequential(upper: 50), places.map { Float(50 * $0) }),
        (.logarithmic(lower: 0.01, upper: 1000), places.map { Float(0.01 * pow(1e5, $0)) }),
    ]

    /// CIE 1976 L* of an sRGB colour, 0 to 100.
    private func lightness(_ colour: UInt32) -> Double {
        func linear(_ shift: UInt32) -> Double {
            let value = Double(colour >> shift & 255) / 255
            return value <= 0.04045 ? value / 12.92 : pow((value + 0.055) / 1.055, 2.4)
        }
        let luminance: Double = 0.2126 * linear(16) + 0.7152 * linear(8) + 0.0722 * linear(0)
        return luminance > 216.0 / 24389 ? 116 * cbrt(luminance) - 16 : luminance * 24389 / 27
    }

    @Test func paintsZeroMidGrey() {
        let greys = colours(.field(limit: 1500), [-1e30, -2000, -1500, 0, -0.0, 750, 1500, 2000, 1e30])
        #expect(greys == [0x000000, 0x000000, 0x000000, 0x808080, 0x808080, 0xBFBFBF, 0xFFFFFF, 0xFFFFFF, 0xFFFFFF])
    }

    @Test func paintsWhatLiesBeyondTheEndsAsTheEnds() {
        let (dark, middle, bright): (UInt32, UInt32, UInt32) = (0x000004, 0xB73779, 0xFCFDBF)
        let most = Float.greatestFiniteMagnitude, least = Float.leastNonzeroMagnitude
        #expect(colours(.sequential(upper: 100), [-most, -5, 0, 50, 100, most]) == [dark, dark, dark, middle, bright, bright])
        let logarithmic = colours(.logarithmic(lower: 1, upper: 10_000), [-most, -1, 0, least, 1, 100, 10_000, most])
        #expect(logarithmic == [dark, dark, dark, dark, dark, middle, bright, bright])
    }

    @Test func growsLighterEvenly() {
        for (kind, values) in scales {
            let steps = colours(kind, values).map { lightness($0) }
            #expect(zip(steps, steps.dropFirst()).allSatisfy { $0 < $1 }, "\(kind)")
            #expect(steps[0] < 1 && steps[200] > 97)
            if case .field = kind { continue }
            // L* of 17 even places is not quite the lightness by which the colour map was made even.
            #expect(zip(steps, Self.places).allSatisfy { abs($0 - $1 * steps[200]) < 6 }, "\(kind)")
        }
    }

    @Test func missingValuesLookLikeNothingElse() {
        func channels(_ colour: UInt32) -> [Int] { [Int(colour >> 16 & 255), Int(colour >> 8 & 255), Int(colour & 255)] }
        func difference(_ colour: UInt32) -> Int { zip(channels(colour), channels(ColourScale.noData)).map { abs($0 - $1) }.max() ?? 0 }
        for (kind, values) in scales {
            #expect(colours(kind, [.nan, .infinity, -.infinity]) == [ColourScale.noData, ColourScale.noData, ColourScale.noData])
            #expect(colours(kind, values).allSatisfy { difference($0) > 10 }, "\(kind)")
        }
    }

    @Test func tellsWhereValuesStand() {
        let field = ColourScale(.field(limit: 50), label: "G"), sequential = ColourScale(.sequential(upper: 8), label: "G")
        let logarithmic = ColourScale(.logarithmic(lower: 1e-3, upper: 1e3), label: "G")
        #expect(field.range == -50...50 && sequential.range == 0...8 && logarithmic.range == 1e-3...1e3)
        #expect([-60, -50, 0, 25, 50, 60].map { field.position(of: $0) } == [0, 0, 0.5, 0.75, 1, 1])
        #expect([-1, 0, 2, 8, 9].map { sequential.position(of: $0) } == [0, 0, 0.25, 1, 1])
        #expect(near(logarithmic.position(of: 1), 0.5) && near(logarithmic.position(of: 10), 2 / 3.0))
        #expect([-1, 0, 1e-4, 1e4].map { logarithmic.position(of: $0) } == [0, 0, 0, 1])
    }

    @Test func showsNearlyAllDeviations() {
        func upper(_ images: [[Float]]) -> Double {
            let images = images.map { Image(width: $0.count, height: 1, pixels: $0) }
            return ColourScale(deviations: images, label: "STD (G)").range.upperBound
        }
        let rare = (0...1000).map { $0 < 996 ? Float($0) / 10 : 1e6 }
        #expect(upper([rare]) == 100, "the round number after 99.5")
        #expect(upper([rare, rare.map { $0 * 3 }]) == 300, "the largest of the images")
        #expect(upper([[.nan, 7, .infinity]]) == 7)
        #expect(upper([[.nan]]) == 1 && upper([[0, 0]]) == 1 && upper([]) == 1)
    }

    @Test func isTheFiguresUnlessAPanelHasItsOwn() throws {
        let figure = MagnetogramFigure([.init(Fixture.pattern(4, 4), title: "x")], limit: 800, unit: "B (G)")
        #expect(figure.fieldScale == ColourScale(.field(limit: 800), label: "B (G)"))
        let own = MagnetogramFigure.Panel(Fixture.pattern(4, 4), title: "x", scale: ColourScale(.sequential(upper: 9), label: "STD (G)"))
        let data = try [figure, MagnetogramFigure([own], limit: 800, unit: "B (G)")].map { figure in try png { try figure.write(to: $0) } }
        #expect(data[0] != data[1])
    }
}
