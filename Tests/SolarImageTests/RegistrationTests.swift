import Foundation
import SolarImage
import Testing

/// What scikit-image and numpy computed, and the spots that both render: `Scripts/make-registration-fixtures.py`.
struct RegistrationFixture: Decodable, Sendable {
    struct Comparison: Decodable, Sendable {
        var correlation: Double, slopeThroughOrigin: Double, slope: Double, intercept: Double
    }
    struct Case: Decodable, Sendable {
        var shift: [Double], scale: Double, rotation: Double, noise: Float, skimage: [Double], comparison: Comparison
    }
    struct Pair: Decodable, Sendable {
        var full: Comparison, binned: Comparison, skimage: [Double]
    }
    var width: Int, height: Int, spots: [[Double]], cases: [Case], pairs: [Pair]

    static let loaded: Result<RegistrationFixture, any Error> = Result {
        try JSONDecoder().decode(RegistrationFixture.self, from: Data(contentsOf: Fixture.url("registration.json")))
    }

    /// The spots, moved. A pixel shows what lies where the inverse of `similarity` sends it.
    func image(_ similarity: Similarity? = nil, noise: Float = 0, seed: UInt64 = 7) -> Image {
        let centre = SIMD2(Double(width - 1), Double(height - 1)) / 2
        let moved = similarity ?? Similarity(centre: centre)
        let inverse = Similarity(centre: centre, scale: 1 / moved.scale, rotation: -moved.rotation)
        var state = seed
        func uniform() -> Double {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Double(state >> 40) / Double(1 << 24)
        }
        return Image(
            width: width, height: height,
            pixels: (0..<width * height).map { index in
                let place = inverse(SIMD2(Double(index % width), Double(index / width)) - moved.shift)
                let field = spots.reduce(0.0) { sum, spot in
                    let (x, y) = (place.x - spot[0], place.y - spot[1])
                    return sum + spot[3] * exp(-(x * x + y * y) / (2 * spot[2] * spot[2]))
                }
                guard noise > 0 else { return Float(field) }
                return Float(Double(Float(field)) + Double(noise) * ((0..<12).reduce(0.0) { sum, _ in sum + uniform() } - 6))
            })
    }

    func similarity(of item: Case) -> Similarity {
        Similarity(
            centre: SIMD2(Double(width - 1), Double(height - 1)) / 2, shift: SIMD2(item.shift[0], item.shift[1]), scale: item.scale,
            rotation: item.rotation)
    }
}

@Suite struct RegistrationTests {
    private func agree(_ ours: FieldComparison, _ theirs: RegistrationFixture.Comparison, _ tolerance: Double) -> Bool {
        near(ours.correlation, theirs.correlation, tolerance) && near(ours.slopeThroughOrigin, theirs.slopeThroughOrigin, tolerance)
            && near(ours.slope, theirs.slope, tolerance) && abs(ours.intercept - theirs.intercept) < 1e3 * tolerance
    }

    /// scikit-image evaluates on a lattice of 1/100 pixel, so its peak is up to 1/200 off.
    @Test func correlatesAsScikitImage() throws {
        let fixture = try RegistrationFixture.loaded.get()
        let still = fixture.image()
        for item in fixture.cases {
            let moving = fixture.image(fixture.similarity(of: item), noise: item.noise)
            let peak = try #require(CrossCorrelation(of: moving, with: still)).peak()
            #expect(abs(peak.displacement.x - item.skimage[0]) < 0.0052 && abs(peak.displacement.y - item.skimage[1]) < 0.0052, "\(item)")
            #expect(agree(FieldComparison(of: moving, with: still), item.comparison, 1e-6), "\(item)")
        }
    }

    /// The window's bias is gone: what is left is the error of interpolation and the noise.
    @Test func measuresShiftScaleAndRotation() throws {
        let fixture = try RegistrationFixture.loaded.get()
        let still = fixture.image()
        for item in fixture.cases {
            let truth = fixture.similarity(of: item)
            let measured = try #require(Registration(of: fixture.image(truth, noise: item.noise), with: still))
            let fit = try #require(measured.fit)
            // Without noise, interpolation limits it; with noise, four of the errors that the fit states do.
            let limits = item.noise > 0 ? (4 * fit.shiftError, 4 * fit.scaleError, 4 * fit.rotationError) : (0.003, 2e-5, 0.0015)
            let rest = fit.similarity.shift - truth.shift
            #expect(abs(rest.x) < limits.0 && abs(rest.y) < limits.0, "\(item)")
            #expect(abs(fit.similarity.scale - truth.scale) < limits.1, "\(item)")
            #expect(abs(fit.similarity.rotation - truth.rotation) < limits.2, "\(item)")
            #expect(fit.shiftError < 0.015 && fit.scaleError < 2e-4 && fit.rotationError < 0.012)
            if item.scale == 1, item.rotation == 0 {
                let rest = measured.shift - truth.shift
                #expect(abs(rest.x) < (item.noise > 0 ? 0.05 : 0.003) && abs(rest.y) < (item.noise > 0 ? 0.05 : 0.003), "\(item)")
            }
            #expect(fit.parts >= 30)
        }
    }

    /// The errors that the fit states are those that it makes, over sixteen draws of the noise.
    @Test func knowsItsErrors() throws {
        let fixture = try RegistrationFixture.loaded.get()
        let still = fixture.image()
        let truth = Similarity(centre: SIMD2(Double(fixture.width - 1), Double(fixture.height - 1)) / 2, shift: SIMD2(0.37, -1.21), scale: 1.003)
        var (ratios, shifts) = ([Double](), [Double]())
        for seed in 1...16 {
            let fit = try #require(Registration(of: fixture.image(truth, noise: 150, seed: UInt64(seed)), with: still)?.fit)
            ratios.append((fit.similarity.scale - 1.003) / fit.scaleError)
            let error = fit.similarity.shift - truth.shift
            shifts += [error.x / fit.shiftError, error.y / fit.shiftError]
        }
        func rms(_ values: [Double]) -> Double { (values.reduce(0) { $0 + $1 * $1 } / Double(values.count)).squareRoot() }
        #expect((0.5...1.6).contains(rms(ratios)) && (0.5...1.6).contains(rms(shifts)))
    }

    @Test func measuresWithinADisk() throws {
        let fixture = try RegistrationFixture.loaded.get()
        var (still, moving) = (fixture.image(), fixture.image(Similarity(centre: SIMD2(95.5, 79.5), shift: SIMD2(2.3, 0.6))))
        for y in 0..<still.height {
            for x in 0..<still.width where hypot(Double(x) - 95.5, Double(y) - 79.5) > 85 { (still[x, y], moving[x, y]) = (.nan, .nan) }
        }
        let measured = try #require(Registration(of: moving, with: still))
        #expect(abs(measured.shift.x - 2.3) < 0.01 && abs(measured.shift.y - 0.6) < 0.01)
        let back = try #require(Registration(of: still, with: moving))
        #expect(abs(back.shift.x + 2.3) < 0.01 && abs(back.shift.y + 0.6) < 0.01)
    }

    @Test func hasNothingToSayOfUniformImages() throws {
        let fixture = try RegistrationFixture.loaded.get()
        let flat = Image(width: fixture.width, height: fixture.height, repeating: 3)
        let empty = Image(width: fixture.width, height: fixture.height, repeating: .nan)
        #expect(Registration(of: flat, with: fixture.image()) == nil && Registration(of: fixture.image(), with: empty) == nil)
        let small = fixture.image().cropped(x: 40, y: 40, width: 24, height: 20)
        let measured = try #require(Registration(of: small, with: small))
        #expect(measured.fit == nil && abs(measured.shift.x) < 1e-6 && abs(measured.shift.y) < 1e-6 && near(measured.correlation, 1, 1e-9))
        for side in [1, 2, 3] {
            let tiny = fixture.image().cropped(x: 90, y: 80, width: side, height: side)
            #expect(Registration(of: tiny, with: tiny)?.fit == nil)
        }
        let comparison = FieldComparison(of: empty, with: flat)
        #expect(comparison.count == 0 && comparison.correlation.isNaN && comparison.slopeThroughOrigin.isNaN)
    }

    @Test func comparesWhereTheMaskAllows() {
        let reference = Image(width: 4, height: 2, pixels: [1, 2, 3, 4, .nan, 9, 100, 0])
        let moving = Image(width: 4, height: 2, pixels: [3, 5, 7, 9, 8, .nan, 0, 100])
        let comparison = FieldComparison(of: moving, with: reference, where: [true, true, true, true, true, true, false, false])
        #expect(comparison.count == 4 && near(comparison.correlation, 1) && near(comparison.slope, 2) && near(comparison.intercept, 1))
        #expect(near(comparison.slopeThroughOrigin, 70.0 / 30))
    }

    @Test func resamplesExactlyWhereThePolynomialsAreExact() {
        // Cubic convolution reproduces a quadratic; a shift by whole pixels copies, next to NaN and the border too.
        let field = Image(
            width: 12, height: 10,
            pixels: (0..<120).map { index in
                let (x, y) = (index % 12, index / 12)
                return Float(x * x + 3 * y - x * y)
            })
        let centre = SIMD2(5.5, 4.5)
        let moved = field.resampled(by: Similarity(centre: centre, shift: SIMD2(0.25, -0.5)))
        for y in 3..<8 {
            for x in 2..<9 {
                let (a, b) = (Double(x) + 0.25, Double(y) - 0.5)
                #expect(abs(Double(moved[x, y]) - (a * a + 3 * b - a * b)) < 1e-4)
            }
        }
        #expect(moved[0, 5].isNaN && moved[5, 0].isNaN, "its 4 × 4 pixels exceed the image")
        var holed = field
        holed[4, 4] = .nan
        let copied = holed.resampled(by: Similarity(centre: centre, shift: SIMD2(1, 2)))
        for y in 0..<8 { for x in 0..<11 { #expect(copied[x, y] == holed[x + 1, y + 2] || (copied[x, y].isNaN && (x, y) == (3, 2))) } }
        #expect(copied[11, 0].isNaN && copied[0, 9].isNaN)
        let turned = field.resampled(by: Similarity(centre: SIMD2(5, 5), rotation: 90))
        #expect(abs(turned[7, 5] - field[5, 7]) < 1e-3, "what the reference has to the right of the centre lies above it in an image turned left")
    }

    /// Three pairs of one region; the moving image is MDI's.
    @Test func measuresRealPairs() throws {
        for (number, expected) in zip(1..., try RegistrationFixture.loaded.get().pairs) {
            let hmi = try Magnetogram(reading: Fixture.url("pair-\(number)-hmi.fits")).image
            let mdi = try Magnetogram(reading: Fixture.url("pair-\(number)-mdi.fits")).image
            let full = FieldComparison(of: mdi, with: hmi)
            let binned = FieldComparison(of: mdi.blockMean(by: 4), with: hmi.blockMean(by: 4))
            #expect(agree(full, expected.full, 1e-9) && full.count == 256 * 256)
            #expect(agree(binned, expected.binned, 1e-6) && binned.count == 64 * 64)
            #expect((1.21...1.26).contains(full.slopeThroughOrigin) && (1.27...1.32).contains(binned.slopeThroughOrigin))
            let peak = try #require(CrossCorrelation(of: mdi, with: hmi)).peak()
            #expect(abs(peak.displacement.x - expected.skimage[0]) < 0.0052 && abs(peak.displacement.y - expected.skimage[1]) < 0.0052)
            let measured = try #require(Registration(of: mdi, with: hmi))
            let fit = try #require(measured.fit)
            let brought = mdi.resampled(by: fit.similarity)
            let after = FieldComparison(of: brought, with: hmi)
            #expect(after.correlation > full.correlation)
        }
    }
}
