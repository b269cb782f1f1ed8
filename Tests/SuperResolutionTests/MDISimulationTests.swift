import Foundation
import Groundwork
import SolarImage
import SuperResolution
import TensorCore
import Testing

@Suite struct MDISimulationTests {
    /// scipy's blur, block mean and factor on the pattern of `Scripts/make-registration-fixtures.py`.
    private struct Expected: Decodable {
        struct Case: Decodable {
            var name: String, blurWidth: Double, arcsecPerPixel: Double, values: [Double?]
        }
        var cases: [Case]
    }

    private static func url(_ name: String) -> URL {
        URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().appending(path: "Fixtures/SolarImage/\(name)")
    }

    private func pattern() -> Image {
        Image(
            width: 50, height: 43,
            pixels: (0..<50 * 43).map { index in
                let (x, y) = (index % 50, index / 50)
                return Float((x * 37 + y * 101 + x * y * 7) % 2001 - 1000)
            })
    }

    private let random = Random(seed: 1, name: "MDI noise")

    private func quiet(_ change: (inout MDISimulation) -> Void = { _ in }) -> MDISimulation {
        var simulation = MDISimulation()
        simulation.noise = 0
        change(&simulation)
        return simulation
    }

    @Test func agreesWithScipy() throws {
        let expected = try JSONDecoder().decode(Expected.self, from: Data(contentsOf: Self.url("mdi-simulation.json")))
        #expect(expected.cases.count == 4)
        for item in expected.cases {
            var image = pattern()
            if item.name == "holed" {
                for y in 0..<43 {
                    for x in 0..<50 where hypot(Double(x - 20), Double(y - 15)) > 24 || ((20..<23).contains(y) && (10..<30).contains(x)) {
                        image[x, y] = .nan
                    }
                }
            }
            let result = quiet { $0.blurWidth = item.blurWidth }.lowResolution(of: image, arcsecPerPixel: item.arcsecPerPixel, random: random)
            #expect(result.width == 12 && result.height == 10)
            for (ours, theirs) in zip(result.pixels, item.values) {
                if let theirs { #expect(abs(Double(ours) - theirs) < 1e-3) } else { #expect(ours.isNaN) }
            }
            #expect(item.values.contains(nil) == (item.name == "holed"))
        }
    }

    @Test func keepsTheFlux() {
        let image = Image(width: 64, height: 48, pixels: Array(MetricFixture.spots(width: 64, height: 48).pixels))
        let result = quiet().lowResolution(of: image, arcsecPerPixel: 0.5, random: random)
        func mean(_ image: Image) -> Double { image.pixels.reduce(0) { $0 + Double($1) } / Double(image.pixels.count) }
        #expect(abs(mean(result) - 1.4 * mean(image)) < 1e-4 * abs(mean(image)))
        let plain = quiet {
            $0.blurWidth = 0
            $0.factor = 1
        }.lowResolution(of: image, arcsecPerPixel: 0.5, random: random)
        #expect(plain == image.blockMean(by: 4), "nothing but the block mean")
    }

    /// A point becomes the Gaussian convolved with a pixel: variance σ² + s²/12 along each axis, s being the side of MDI's pixel.
    @Test func blursByTheWidth() {
        for (width, pixel) in [(3.32, 0.5), (4.0, 0.504)] {
            // The second moment over sources at all sixteen places within a block.
            var (sum, second) = (0.0, 0.0)
            for place in 0..<16 {
                var image = Image(width: 128, height: 128, repeating: 0)
                let (x, y) = (64 + place % 4, 64 + place / 4)
                image[x, y] = 1e6
                let result = quiet { $0.blurWidth = width }.lowResolution(of: image, arcsecPerPixel: pixel, random: random)
                for row in 0..<32 {
                    for column in 0..<32 {
                        let distance = (Double(column) * 4 + 1.5 - Double(x)) * pixel
                        sum += Double(result[column, row])
                        second += Double(result[column, row]) * distance * distance
                    }
                }
            }
            let deviation = width / (2 * (2 * log(2.0)).squareRoot())
            // The sources lie on a lattice of 4 × 4, so the box is one of four points: variance (4² − 1)/12 pixels².
            let expected = deviation * deviation + 15.0 / 12 * pixel * pixel
            #expect(abs(second / sum / expected - 1) < 1e-4, "\(second / sum) for \(expected)")
        }
    }

    @Test func addsNoiseOfTheLevelAsked() {
        let image = Image(width: 400, height: 400, repeating: 10)
        let result = MDISimulation().lowResolution(of: image, arcsecPerPixel: 0.5, random: random)
        let values = result.pixels.map { Double($0) }
        let mean = values.reduce(0, +) / 10000
        let deviation = (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 9999).squareRoot()
        // Standard errors: 0.16 G of the mean, 0.11 G of the deviation.
        #expect(abs(mean - 14) < 0.6 && abs(deviation - 16.2) < 0.45)
        let neighbours = (0..<9999).reduce(0.0) { $0 + (values[$1] - mean) * (values[$1 + 1] - mean) } / 9999 / deviation / deviation
        #expect(abs(neighbours) < 0.04, "white")
    }

    @Test func repeatsWithTheSeed() {
        var image = MetricFixture.noise(width: 96, height: 64)
        let first = MDISimulation().lowResolution(of: image, arcsecPerPixel: 0.5, random: random)
        #expect(MDISimulation().lowResolution(of: image, arcsecPerPixel: 0.5, random: random) == first)
        #expect(MDISimulation().lowResolution(of: image, arcsecPerPixel: 0.5, random: Random(seed: 2, name: "MDI noise")) != first)
        // The noise of a pixel does not depend on whether others hold data.
        let clean = quiet().lowResolution(of: image, arcsecPerPixel: 0.5, random: random)
        for y in 0..<64 { for x in 0..<24 { image[x, y] = .nan } }
        let (holed, holedClean) = (
            MDISimulation().lowResolution(of: image, arcsecPerPixel: 0.5, random: random),
            quiet().lowResolution(of: image, arcsecPerPixel: 0.5, random: random)
        )
        for y in 0..<16 {
            for x in 0..<24 {
                #expect(holed[x, y].isNaN == (x < 6))
                if x >= 6 { #expect(abs((holed[x, y] - holedClean[x, y]) - (first[x, y] - clean[x, y])) < 1e-4) }
            }
        }
    }

    @Test func keepsNaNAndUniformFields() {
        var disk = Image(width: 80, height: 80, repeating: .nan)
        for y in 0..<80 { for x in 0..<80 where hypot(Double(x) - 39.5, Double(y) - 39.5) < 33 { disk[x, y] = 200 } }
        let result = quiet().lowResolution(of: disk, arcsecPerPixel: 0.5, random: random)
        let blocks = disk.blockMean(by: 4)
        #expect(zip(result.pixels, blocks.pixels).allSatisfy { $0.isNaN == $1.isNaN && ($0.isNaN || abs($0 - 280) < 1e-2) })
        let nothing = MDISimulation().lowResolution(of: Image(width: 8, height: 8, repeating: .nan), arcsecPerPixel: 0.5, random: random)
        #expect(nothing.pixels.allSatisfy { $0.isNaN })
    }

    @Test func refusesOptionsOutOfRange() throws {
        try MDISimulation().validate()
        for (change, words): ((inout MDISimulation) -> Void, String) in [
            ({ $0.blurWidth = -1 }, "blur"), ({ $0.factor = 0 }, "factor"), ({ $0.noise = .nan }, "noise"), ({ $0.scale = 0 }, "scale"),
        ] {
            var simulation = MDISimulation()
            change(&simulation)
            let failure = #expect(throws: Failure.self) { try simulation.validate() }
            #expect(failure?.category == .usage && failure?.problem.contains(words) == true)
        }
    }

    /// HMI's field of a real region, made what MDI would see, agrees with what MDI saw: in scale to 3 %, in correlation better than the block mean.
    @Test func comesCloseToRealMDI() throws {
        for number in 1...3 {
            let hmi = try Magnetogram(reading: Self.url("pair-\(number)-hmi.fits")).image
            let mdi = try Magnetogram(reading: Self.url("pair-\(number)-mdi.fits")).image
            let registration = try #require(Registration(of: mdi, with: hmi))
            let seen = mdi.resampled(by: try #require(registration.fit).similarity).blockMean(by: 4)
            let simulated = quiet().lowResolution(of: hmi, arcsecPerPixel: 0.5, random: random)
            let comparison = FieldComparison(of: seen, with: simulated)
            let plain = FieldComparison(of: seen, with: hmi.blockMean(by: 4))
            #expect(abs(comparison.slopeThroughOrigin - 1) < 0.03)
            #expect(comparison.correlation > 0.985 && comparison.correlation > plain.correlation + 0.01)
        }
    }
}
