import TensorCore
import Testing

@Suite struct QuantizationTests {
    /// Codes, indices and loss, and the gradients of Σ quantized · cotangent + loss, against PyTorch.
    @Test(arguments: [("image", Float(0.25)), ("matrix", 1), ("one-channel", 0.25), ("many-pixels", 0.25)])
    func agreesWithPyTorch(name: String, commitment: Float) throws {
        let fixture = try Fixture("quantize")
        let z = Parameter(try fixture["\(name).input.z"])
        let codebook = Parameter(try fixture["\(name).input.codebook"])
        let cotangent = try fixture["\(name).cotangent"]
        var result = quantize(z.value, codebook: codebook.value, commitment: commitment)
        expectClose(result.quantized, try fixture["\(name).output"], "output", tolerance: 1e-6)
        expectClose(result.loss, try fixture["\(name).loss"], "loss")
        #expect(result.indices == (try fixture.integers("\(name).indices")))

        let gradients = valueWithGradient(at: [z, codebook]) {
            result = quantize(z.tensor, codebook: codebook.tensor, commitment: commitment)
            return (result.quantized * cotangent).sum() + result.loss
        }.gradients
        expectClose(gradients[z], try fixture["\(name).gradient.z"], "gradient of z")
        expectClose(gradients[codebook], try fixture["\(name).gradient.codebook"], "gradient of codebook")
    }

    @Test func everyCaseIsChecked() throws {
        #expect(try Fixture("quantize").cases == ["image", "matrix", "one-channel", "many-pixels"])
    }

    @Test func quantizedVectorsAreCodes() {
        var numbers = TestNumbers(seed: 4)
        let codebook = numbers.normal([6, 3])
        // More vectors than one block takes.
        let z = numbers.normal([1, 90, 80, 3])
        let result = quantize(z, codebook: codebook)
        expectSame(result.quantized, embedding(weight: codebook, indices: result.indices).reshaped(to: z.shape), "quantized")
        let (vectors, codes) = (z.values, codebook.values)
        for row in stride(from: 0, to: 7200, by: 37) {
            let distances = (0..<6).map { code in
                (0..<3).reduce(Float(0)) { $0 + (vectors[row * 3 + $1] - codes[code * 3 + $1]) * (vectors[row * 3 + $1] - codes[code * 3 + $1]) }
            }
            #expect(distances[result.indices[row]] <= (distances.min() ?? 0) + 1e-5, "vector \(row)")
        }
    }

    @Test func quantizingACodeLeavesIt() {
        var numbers = TestNumbers(seed: 5)
        let codebook = numbers.normal([9, 4])
        let result = quantize(codebook, codebook: codebook)
        #expect(result.indices == Array(0..<9))
        #expect(result.loss.item == 0)
    }
}
