import TensorCore

/// The paper's network "Enhance" (Ramunno et al. 2025): convolutions with batch normalisation at the size of LR, then bilinear enlargement by 4.
/// Names in a state dictionary are those of the published code.
package struct Enhance: RegressionNetwork {
    package struct Configuration: Sendable, Codable, Equatable {
        /// Base width, 8 in the paper; the widest convolution has 32 times as many channels.
        package var width: Int
        /// Whether the enlargement puts the corner pixels' centres on each other, as the published code does: what a pixel becomes then depends on
        /// where in the image it lies. Else tiles agree with the whole.
        package var alignsCorners: Bool

        private enum CodingKeys: String, CodingKey {
            case width
            case alignsCorners = "aligns_corners"
        }

        package init(width: Int, alignsCorners: Bool) { (self.width, self.alignsCorners) = (width, alignsCorners) }
    }

    /// conv3×3, norm, ReLU, conv3×3, norm.
    private struct Block {
        let conv1, conv2: Convolution
        let norm1, norm2: BatchNorm

        init(_ inputs: Int, _ outputs: Int, in scope: Scope) {
            let place = scope / "double_conv"
            conv1 = Convolution(inputs, outputs, kernel: 3, hasBias: false, in: place / "0")
            norm1 = BatchNorm(outputs, in: place / "1")
            conv2 = Convolution(outputs, outputs, kernel: 3, hasBias: false, in: place / "3")
            norm2 = BatchNorm(outputs, in: place / "4")
        }

        func callAsFunction(_ x: Tensor, isTraining: Bool) -> Tensor {
            norm2(conv2(norm1(conv1(x), isTraining: isTraining).relu()), isTraining: isTraining)
        }
    }

    private let input, innermost, smoothing, output: Convolution
    private let blocks: [Block]
    private let norm: BatchNorm
    private let alignsCorners: Bool

    package init(_ configuration: Configuration, in scope: Scope) {
        let width = configuration.width
        let widths = [1, 8, 16, 32, 16, 8, 1].map { $0 * width }
        input = Convolution(1, width, kernel: 3, hasBias: false, in: scope / "conv1")
        blocks = zip(widths, widths.dropFirst()).enumerated().map { Block($1.0, $1.1, in: scope / "resblock\($0 + 1)") }
        innermost = Convolution(width, width, kernel: 3, hasBias: false, in: scope / "conv2")
        norm = BatchNorm(width, in: scope / "bnorm")
        smoothing = Convolution(width, width, kernel: 3, hasBias: false, in: scope / "conv3")
        output = Convolution(width, 1, kernel: 1, in: scope / "outpc")
        alignsCorners = configuration.alignsCorners
    }

    package func callAsFunction(_ low: Tensor, isTraining: Bool) -> Tensor {
        let first = input(low).relu()
        let deep = blocks.reduce(first) { $1($0, isTraining: isTraining) }
        let sum = norm(innermost(deep), isTraining: isTraining) + first
        return output(smoothing(upsampleBilinear(sum, scale: 4, alignsCorners: alignsCorners)).relu())
    }
}
