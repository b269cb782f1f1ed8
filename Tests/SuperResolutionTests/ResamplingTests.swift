import Foundation
import Groundwork
import SolarImage
import SuperResolution
import TensorCore
import Testing

@Suite struct ResamplingTests {
    struct Fixture: Decodable {
        let image, bicubic4, bicubic2, keys4, holes, holesMean4: [[Float?]]
    }

    let fixture: Fixture

    init() throws { fixture = try MetricFixture.load("resampling.json") }

    @Test func blockMeanLeavesOutMissingPixels() {
        let means = MetricFixture.image(fixture.holes).blockMean(by: 4)
        let expected = MetricFixture.image(fixture.holesMean4)
        #expect(means.width == 3 && means.height == 2)
        #expect(means.pixels.map(\.isNaN) == expected.pixels.map(\.isNaN))
        #expect(means[0, 0].isNaN)
        #expect(means.greatestDifference(from: expected) < 1e-4)
        // Of tensors it is the same, bit for bit.
        let image = MetricFixture.image(fixture.holes)
        let batch = blockMean(Tensor(shape: [2, image.height, image.width, 1], values: image.pixels.map { 2 * $0 } + image.pixels), scale: 4)
        #expect(batch.shape == [2, 2, 3, 1])
        for (index, factor) in [Float(2), 1].enumerated() {
            let values = batch.sliced(axis: 0, range: index..<index + 1).values
            #expect(zip(values, means.pixels).allSatisfy { $1.isNaN ? $0.isNaN : $0 == factor * $1 })
        }
    }

    @Test func blockMeanDropsIncompleteBlocks() {
        let image = Image(width: 6, height: 5, pixels: (0..<30).map(Float.init))
        #expect(image.blockMean(by: 4) == Image(width: 1, height: 1, repeating: 10.5))
    }

    @Test func replicationIsUndoneByTheBlockMean() {
        let image = MetricFixture.noise(width: 37, height: 21)
        let large = image.replicated(by: 4)
        #expect(large.width == 148 && large.height == 84)
        #expect(large[147, 83] == image[36, 20] && large[4, 3] == image[1, 0] && large[3, 4] == image[0, 1])
        #expect(large.blockMean(by: 4) == image)
    }

    @Test func bicubicEqualsPyTorch() {
        let image = MetricFixture.image(fixture.image)
        let scale: Float = 1500
        #expect(image.bicubic(by: 4).greatestDifference(from: MetricFixture.image(fixture.bicubic4)) < 1e-6 * scale)
        #expect(image.bicubic(by: 2).greatestDifference(from: MetricFixture.image(fixture.bicubic2)) < 1e-6 * scale)
    }

    @Test func keysKernelEqualsPyTorchInside() {
        let keys = MetricFixture.image(fixture.image).bicubic(by: 4, a: -0.5)
        let inside = keys.transformed { x, y, value in (8..<keys.width - 8).contains(x) && (8..<keys.height - 8).contains(y) ? value : .nan }
        #expect(inside.greatestDifference(from: MetricFixture.image(fixture.keys4)) < 1e-3)
        #expect(inside.pixels.contains { !$0.isNaN })
    }

    @Test func bicubicKeepsAConstantAndRestoresTheMask() {
        var image = Image(width: 5, height: 3, repeating: 1234.5)
        #expect(image.bicubic(by: 4).greatestDifference(from: Image(width: 20, height: 12, repeating: 1234.5)) < 1e-3)
        image[4, 1] = .nan
        let large = image.bicubic(by: 4)
        for y in 0..<12 {
            for x in 0..<20 { #expect(large[x, y].isNaN == (x >= 16 && (4..<8).contains(y))) }
        }
    }

    @Test func bicubicOfOnePixelIsConstant() {
        #expect(Image(width: 1, height: 1, repeating: -7).bicubic(by: 4) == Image(width: 4, height: 4, repeating: -7))
    }

    @Test func trimmingKeepsThePartFromTheOrigin() throws {
        let image = Image(width: 70, height: 33, pixels: (0..<70 * 33).map(Float.init))
        let trimmed = try image.trimmed(toMultiplesOf: 32)
        #expect(trimmed.width == 64 && trimmed.height == 32)
        #expect(trimmed[0, 0] == image[0, 0] && trimmed[63, 31] == image[63, 31] && trimmed[0, 1] == image[0, 1])
        #expect(throws: Failure.self) { try Image(width: 31, height: 64, repeating: 0).trimmed(toMultiplesOf: 32) }
    }

    @Test func resultsDoNotDependOnTheThreadCount() {
        let image = MetricFixture.noise(width: 90, height: 70)
        let before = Parallel.threadCount
        defer { Parallel.threadCount = before }
        Parallel.threadCount = 1
        let alone = image.bicubic(by: 4)
        Parallel.threadCount = 3
        #expect(image.bicubic(by: 4) == alone)
    }
}
