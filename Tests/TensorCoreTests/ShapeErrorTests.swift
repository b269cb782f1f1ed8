import Foundation
import TensorCore
import Testing

#if compiler(>=6.2)
    /// Shapes that do not fit end the program with a message that names the operation and the shapes, in optimised builds too.
    @Suite struct ShapeErrorTests {
        /// - Parameter words: what the message must hold.
        private func expect(_ result: ExitTest.Result?, _ words: String..., sourceLocation: SourceLocation = #_sourceLocation) {
            let message = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
            for word in words { #expect(message.contains(word), "\(message)", sourceLocation: sourceLocation) }
        }

        @Test func elementwise() async {
            expect(
                await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) { _ = Tensor(zeros: [2, 3]) + Tensor(zeros: [4]) },
                "+: ", "[2, 3]", "[4]")
            expect(
                await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
                    _ = Tensor(zeros: [2, 3]) / Tensor(zeros: [3, 2])
                }, "/: ", "[2, 3]", "[3, 2]")
            expect(
                await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) { _ = Tensor(shape: [2, 3], values: [1]) },
                "Tensor: ", "1 values", "[2, 3]")
            expect(
                await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) { _ = Tensor(zeros: [2, 3]).item },
                "item: ", "[2, 3]")
            expect(
                await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
                    _ = meanSquaredError(Tensor(zeros: [2]), Tensor(zeros: [3]))
                }, "meanSquaredError: ", "[2]", "[3]")
        }

        @Test func shaping() async {
            expect(
                await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) { _ = Tensor(zeros: [2, 3]).reshaped(to: [4]) },
                "reshaped: ", "[2, 3]", "[4]")
            expect(
                await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
                    _ = Tensor(zeros: [2, 3]).sliced(axis: 1, range: 1..<5)
                }, "sliced: ", "1..<5", "[2, 3]")
            expect(
                await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
                    _ = concatenate([Tensor(zeros: [2, 3]), Tensor(zeros: [3, 3])], axis: 1)
                }, "concatenate: ", "[2, 3]", "[3, 3]")
            expect(
                await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) { _ = Tensor(zeros: [2, 3]).sum(axes: [2]) },
                "sum: ", "[2]", "[2, 3]")
            expect(
                await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) { _ = Tensor(zeros: [2, 3]).extent(5) },
                "extent: ", "5", "[2, 3]")
        }

        @Test func products() async {
            expect(
                await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
                    _ = matmul(Tensor(zeros: [2, 3]), Tensor(zeros: [4, 2]))
                }, "matmul: ", "[2, 3]", "[4, 2]")
            expect(
                await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
                    _ = linear(Tensor(zeros: [2, 3]), weight: Tensor(zeros: [4, 5]))
                }, "linear: ", "[2, 3]", "[4, 5]")
            expect(
                await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
                    _ = convolution(Tensor(zeros: [1, 6, 8, 4]), weight: Tensor(zeros: [3, 3, 5, 2]))
                }, "convolution: ", "[1, 6, 8, 4]", "[3, 3, 5, 2]")
            expect(
                await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
                    _ = convolution(Tensor(zeros: [1, 2, 8, 4]), weight: Tensor(zeros: [3, 3, 4, 2]))
                }, "convolution: ", "[1, 2, 8, 4]", "smaller than the kernel")
            expect(
                await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
                    _ = attention(queriesKeysValues: Tensor(zeros: [1, 5, 10]), heads: 3)
                }, "attention: ", "[1, 5, 10]", "3 heads")
        }

        @Test func normalisations() async {
            expect(
                await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
                    _ = groupNorm(Tensor(zeros: [1, 6, 4]), groups: 3, weight: Tensor(zeros: [4]), bias: Tensor(zeros: [4]))
                }, "groupNorm: ", "[1, 6, 4]", "3 groups")
            expect(
                await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
                    _ = layerNorm(Tensor(zeros: [1, 6, 4]), weight: Tensor(zeros: [3]), bias: Tensor(zeros: [4]))
                }, "layerNorm: ", "[1, 6, 4]", "[3]")
            expect(
                await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
                    _ = rmsNorm(Tensor(zeros: [1, 6, 4]), weight: Tensor(zeros: [3]))
                }, "rmsNorm: ", "[1, 6, 4]", "[3]")
            expect(
                await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
                    _ = batchNorm(Tensor(zeros: [1, 6, 4]), weight: Tensor(zeros: [3]), bias: Tensor(zeros: [4]))
                }, "batchNorm: ", "[1, 6, 4]", "[3]")
        }

        @Test func images() async {
            expect(
                await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) { _ = maxPool2d(Tensor(zeros: [6, 8, 4])) },
                "maxPool2d: ", "[6, 8, 4]")
            expect(
                await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
                    _ = pixelUnshuffle(Tensor(zeros: [1, 5, 8, 4]), factor: 2)
                }, "pixelUnshuffle: ", "[1, 5, 8, 4]", "2")
            expect(
                await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
                    _ = pixelShuffle(Tensor(zeros: [1, 5, 8, 3]), factor: 2)
                }, "pixelShuffle: ", "[1, 5, 8, 3]")
            expect(
                await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
                    _ = upsampleBilinear(Tensor(zeros: [5, 8, 3]), scale: 2)
                }, "upsampleBilinear: ", "[5, 8, 3]")
            expect(
                await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
                    _ = resizeBicubic(Tensor(zeros: [1, 5, 8, 3]), height: 0, width: 4, kernel: .plain)
                }, "resizeBicubic: ", "[1, 5, 8, 3]", "0 × 4")
            expect(
                await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
                    _ = featureDistance(Tensor(zeros: [1, 5, 8, 3]), Tensor(zeros: [1, 5, 8, 2]), weight: Tensor(zeros: [3]))
                }, "featureDistance: ", "[1, 5, 8, 3]", "[1, 5, 8, 2]")
        }

        @Test func tables() async {
            expect(
                await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
                    _ = embedding(weight: Tensor(zeros: [4, 2]), indices: [1, 4])
                }, "embedding: ", "0 ..< 4")
            expect(
                await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
                    _ = quantize(Tensor(zeros: [2, 3]), codebook: Tensor(zeros: [4, 2]))
                }, "quantize: ", "[2, 3]", "[4, 2]")
        }

        /// Results that are no single value, and writing formats that are for reading alone.
        @Test func others() async {
            expect(
                await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
                    let a = Parameter(Tensor(zeros: [2]))
                    _ = valueWithGradient(at: [a]) { a.tensor * 2 }
                }, "valueWithGradient: ", "[2]")
            expect(
                await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
                    try writeSafetensors([("a", Tensor(1)), ("a", Tensor(2))], to: URL(fileURLWithPath: "/dev/null"))
                }, "writeSafetensors: ", "same name")
        }
    }
#endif
