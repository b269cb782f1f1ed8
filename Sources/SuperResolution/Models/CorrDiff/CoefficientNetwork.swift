import TensorCore

/// A convolutional network at the size of low resolution: residual blocks of one width, with norms per pixel, so that tiles agree exactly.
package struct CoefficientNetwork {
    private let input, output: Convolution
    private let blocks: [ResidualBlock]
    private let norm: RMSNorm

    /// The output is 0 before training.
    package init(_ inputs: Int, _ outputs: Int, width: Int, blocks: Int, in scope: Scope) {
        input = Convolution(inputs, width, kernel: 3, in: scope / "conv_in")
        self.blocks = (0..<blocks).map { ResidualBlock(width, width, in: scope / "resnets" / "\($0)") }
        norm = RMSNorm(width, in: scope / "norm_out")
        output = Convolution(width, outputs, kernel: 3, startsAtZero: true, in: scope / "conv_out")
    }

    /// How many pixels away an input can be felt.
    package static func reach(blocks: Int) -> Int { 2 + 2 * blocks }

    /// `[batch, height, width, inputs]` → `[batch, height, width, outputs]`
    package func callAsFunction(_ x: Tensor) -> Tensor { output(norm(blocks.reduce(input(x)) { $1($0) }, activation: .silu)) }
}
