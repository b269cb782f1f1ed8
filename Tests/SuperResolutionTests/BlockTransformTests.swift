import SuperResolution
import TensorCore
import Testing

struct BlockTransformTests {
    private let transform = BlockTransform()

    @Test func nothingIsLost() {
        var random = Random(seed: 1)
        let field = random.normal([2, 12, 8, 1])
        let coefficients = transform(field)
        #expect(coefficients.shape == [2, 3, 2, 16])
        #expect((transform.inverse(coefficients) - field).values.allSatisfy { abs($0) < 2e-6 })
        // Orthonormal: of one length.
        #expect(abs(coefficients.squared().sum().item / field.squared().sum().item - 1) < 1e-5)
    }

    @Test func theFirstCoefficientIsTheMean() {
        var random = Random(seed: 2)
        let field = random.normal([1, 8, 8, 1])
        let first = transform(field).sliced(axis: -1, range: 0..<1)
        #expect((first - blockMean(field, scale: 4) * 4).values.allSatisfy { abs($0) < 2e-6 })
        let rest = transform.inverse(concatenate([Tensor(zeros: [1, 2, 2, 1]), random.normal([1, 2, 2, 15])], axis: -1))
        #expect(blockMean(rest, scale: 4).values.allSatisfy { abs($0) < 1e-6 })
    }

    /// scipy.fft.dctn(x, norm="ortho") of x[y, x] = (3y + x²) mod 7 on 4 × 4 pixels.
    @Test func coefficientsAreThoseOfSciPy() {
        let block: [Float] = (0..<16).map { index in
            let (y, x) = (index / 4, index % 4)
            return Float((3 * y + x * x) % 7)
        }
        let values = transform(Tensor(shape: [1, 4, 4, 1], values: block)).values
        let expected: [Float] = [
            11.000000, -1.003136, -2.342528, -0.724874, 0.500000, 0.000000, 0.000000, -3.233578, -3.500000, 1.497905, -1.735674, -1.750000, 1.750000,
            1.339392, 0.000000, 4.224874,
        ]
        for (value, expected) in zip(values, expected) { #expect(abs(value - expected) < 1e-5) }
    }

    @Test func coarseCoefficientsAloneSmooth() {
        let ramp = Tensor(shape: [1, 4, 4, 1], values: (0..<16).map { index -> Float in Float(index % 4) })
        let rest = transform.inverse(transform(ramp).sliced(axis: -1, range: 0..<2)) - ramp
        #expect(rest.values.allSatisfy { abs($0) < Float(0.2) })
        #expect(transform.inverse(transform(ramp).sliced(axis: -1, range: 0..<1)).values.allSatisfy { abs($0 - 1.5) < Float(1e-6) })
    }
}
