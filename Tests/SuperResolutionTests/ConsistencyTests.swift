import Foundation
import Groundwork
import SolarImage
import SuperResolution
import Testing

@Suite struct ConsistencyTests {
    /// A field up to 3000 G, what a model might make of it, and the input both should agree with.
    private func example(width: Int, height: Int) -> (prediction: Image, low: Image) {
        let noise = MetricFixture.noise(width: width, height: height)
        let truth = MetricFixture.spots(width: width, height: height).transformed { x, y, value in value + 40 * noise[x, y] }
        let spots = MetricFixture.spots(width: width, height: height)
        return (spots.transformed { x, y, value in 0.9 * value + 20 * noise[y % width, x % height] + 15 }, truth.blockMean(by: 4))
    }

    @Test(arguments: [(4, 4), (8, 4), (12, 20), (64, 96), (256, 128)])
    func blockMeansBecomeThoseOfTheInput(width: Int, height: Int) {
        let (prediction, low) = example(width: width, height: height)
        #expect(prediction.blockMean(by: 4).greatestDifference(from: low) > 1)
        let corrected = prediction.consistent(with: low)
        #expect(corrected.blockMean(by: 4).greatestDifference(from: low) < 3e-4)
        // Doing it again changes no more than rounding.
        #expect(corrected.consistent(with: low).greatestDifference(from: corrected) < 1e-3)
    }

    @Test func strongestFieldsAgreeToo() {
        let low = MetricFixture.noise(width: 50, height: 40).transformed { _, _, value in max(-3000, min(3000, 2000 * value)) }
        let corrected = MetricFixture.noise(width: 200, height: 160, seed: 5).transformed { _, _, value in 300 * value }.consistent(with: low)
        #expect(corrected.blockMean(by: 4).greatestDifference(from: low) < 1e-3)
    }

    @Test func consistentFieldStaysAsItIs() {
        let (prediction, _) = example(width: 64, height: 64)
        #expect(prediction.consistent(with: prediction.blockMean(by: 4)) == prediction)
    }

    /// What a model makes of blurred and noisy input as if it were exact comes nearer to the truth, in block means too, as it would not by exactness.
    @Test func blurAndNoiseAreNotHeldTo() throws {
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../Fixtures/SolarImage/pair-1-hmi.fits")
        let truth = try Magnetogram(reading: file).image
        let noise = MetricFixture.noise(width: 64, height: 64)
        let observation = LinearObservation(psf: PointSpreadFunction(width: 6.6), noise: 11.6, arcsecPerPixel: 1)
        let low = truth.blurred(by: observation.psf, arcsecPerPixel: 1).blockMean(by: 4).transformed { x, y, value in value + 11.6 * noise[x, y]
        }
        let prediction = low.bicubic(by: 4)
        func error(_ image: Image, _ truth: Image) -> Double {
            (zip(image.pixels, truth.pixels).reduce(0) { $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1) } / Double(truth.pixels.count)).squareRoot()
        }
        let (exact, observed) = (prediction.consistent(with: low), prediction.consistent(with: low, by: observation))
        for (name, other) in [("as it is", prediction), ("exact", exact)] {
            #expect(error(observed, truth) < 0.9 * error(other, truth), "\(name)")
            #expect(error(observed.blockMean(by: 4), truth.blockMean(by: 4)) < 0.9 * error(other.blockMean(by: 4), truth.blockMean(by: 4)), "\(name)")
        }
    }

    @Test func whatIsKnownOfInstruments() {
        func known(_ instrument: Instrument, interval: Int? = nil) -> LinearObservation {
            var header = FITSHeader()
            if let interval { header.set("INTERVAL", .integer(interval)) }
            return LinearObservation(Observation(instrument.conditions(header)), arcsecPerPixel: 0.5)
        }
        let mdi = known(.mdi)
        #expect(mdi.psf == PointSpreadFunction(width: 3.32))
        #expect(known(.mdi, interval: 300) == mdi && known(.mdi, interval: 30).noise > 1.5 * mdi.noise)
        // Their scale is the gain of the level, which a header without any word of it may leave open.
        #expect(abs(mdi.noise - 16.2 / 1.4) < 1e-9 && abs(known(.mdi, interval: 30).noise - 26.4 / 1.4) < 1e-9)
        #expect(known(.hmi) == .exact && known(.unknown) == .exact)
        // Half way through the transfer function of a Gaussian of 3.32″.
        let half = 2 * log(2) / (.pi * 3.32)
        #expect(abs(mdi.transfer(atSquare: 0.25 * half * half) - 0.5) < 1e-9)
        // What a model was trained on it knows, whatever the instrument makes of the Sun.
        #expect(Consistency.auto.observation(mdi, isKnownToModel: true) == nil && Consistency.exact.observation(mdi, isKnownToModel: true) == .exact)
        #expect(Consistency.auto.observation(mdi) == mdi && Consistency.exact.observation(mdi) == .exact && Consistency.off.observation(mdi) == nil)
    }

    @Test func otherFactors() {
        let (prediction, _) = example(width: 60, height: 36)
        for factor in [1, 2, 3, 6] {
            let low = MetricFixture.spots(width: 60, height: 36).blockMean(by: factor)
            #expect(prediction.consistent(with: low, factor: factor).blockMean(by: factor).greatestDifference(from: low) < 1e-3)
        }
    }

    @Test func missingPixelsStayMissingAndDoNotSpread() {
        let (whole, wholeLow) = example(width: 96, height: 96)
        let isOff = { (x: Int, y: Int) in (x - 48) * (x - 48) + (y - 48) * (y - 48) > 41 * 41 }
        let prediction = whole.transformed { x, y, value in isOff(x, y) ? .nan : value }
        var low = wholeLow.transformed { x, y, value in prediction.blockMean(by: 4)[x, y].isNaN ? .nan : value }
        low[12, 12] = .nan  // A hole in the input alone corrects nothing there.
        let corrected = prediction.consistent(with: low)
        #expect(corrected.pixels.map(\.isNaN) == prediction.pixels.map(\.isNaN))
        #expect(corrected.blockMean(by: 4).greatestDifference(from: low) < 1e-3)
        let nothing = Image(width: 8, height: 8, repeating: .nan)
        #expect(nothing.consistent(with: Image(width: 2, height: 2, repeating: 5)).pixels.allSatisfy { $0.isNaN })
    }

    @Test func noLatticeIsLeft() throws {
        // The correction of a smooth deviation, by replication and as it is done: only the first has power at the blocks' frequency and its harmonics.
        let prediction = MetricFixture.spots(width: 128, height: 128)
        let deviation = prediction.transformed { x, y, _ in
            30 * sin(2 * .pi * (Float(x) / 29 + Float(y) / 41)) + 10 * cos(2 * .pi * Float(y - x) / 17)
        }
        let low = Image(width: 32, height: 32, pixels: zip(prediction.blockMean(by: 4).pixels, deviation.blockMean(by: 4).pixels).map { $0 + $1 })
        let smooth = prediction.consistent(with: low)
        let replicated = deviation.blockMean(by: 4).replicated(by: 4)
        let change = smooth.transformed { x, y, value in value - prediction[x, y] }
        let expected = latticePower(replicated)
        #expect(expected > 0)
        #expect(latticePower(change) < 0.02 * expected)
        // The change is the deviation, not merely of its block means.
        let inside = change.transformed { x, y, value in (16..<112).contains(x) && (16..<112).contains(y) ? value : .nan }
        #expect(inside.greatestDifference(from: deviation) < 0.1 * deviation.greatestDifference(from: replicated))
    }

    /// The power along rows within 0.07 cycles per pixel of 0.25 and 0.5 cycles per pixel, under a Hann window.
    private func latticePower(_ image: Image) -> Double {
        let count = image.width
        var power = 0.0
        for y in 0..<image.height {
            for index in 1...count / 2 {
                let frequency = Double(index) / Double(count)
                guard abs(frequency - 0.25) < 0.07 || abs(frequency - 0.5) < 0.07 else { continue }
                var (real, imaginary) = (0.0, 0.0)
                for x in 0..<count {
                    let value = Double(image[x, y]) * (0.5 - 0.5 * cos(2 * .pi * Double(x) / Double(count)))
                    real += value * cos(2 * .pi * frequency * Double(x))
                    imaginary += value * sin(2 * .pi * frequency * Double(x))
                }
                power += real * real + imaginary * imaginary
            }
        }
        return power
    }
}
