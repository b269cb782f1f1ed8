import TensorCore

/// The paper's network "Progressive" (Ramunno et al. 2025): twice four convolutions with group normalisation, each time followed by bilinear
/// enlargement by 2, to which LR's bicubic enlargement is added. There are no activations: but for the norms it is linear. Names in a state
/// dictionary are those of the published code.
///
/// Its norms take their statistics from the whole image, so that what a pixel becomes depends on all others.
package struct Progressive: RegressionNetwork {
    package struct Configuration: Sendable, Codable, Equatable {
        /// Base width, 8 in the paper; the widest convolution has 32 times as many channels.
        package var width: Int
        /// Whether the bilinear enlargements put the corner pixels' centres on each other, as the published code does: what is added bicubically,
        /// with centres at half-integers, then lies beside it, by up to 3/8 of an LR pixel at the corners. Else the two agree.
        package var alignsCorners: Bool
        /// Of the bicubic enlargements; `antialiased` in the published code.
        package var bicubicKernel: BicubicKernel

        private enum CodingKeys: String, CodingKey {
            case width
            case alignsCorners = "aligns_corners"
            case bicubicKernel = "bicubic_kernel"
        }

        package init(width: Int, alignsCorners: Bool, bicubicKernel: BicubicKernel) {
            (self.width, self.alignsCorners, self.bicubicKernel) = (width, alignsCorners, bicubicKernel)
        }
    }

    /// conv3×3, norm.
    private struct Layer {
        let conv: Convolution
        let norm: GroupNorm
    }

    private let layers: [Layer]
    private let output: Convolution
    private let configuration: Configuration

    package init(_ configuration: Configuration, in scope: Scope) {
        let widths = [1] + [1, 8, 16, 32, 16, 8, 8, 4].map { $0 * configuration.width }
        layers = zip(widths, widths.dropFirst()).enumerated().map { index, channels in
            Layer(
                conv: Convolution(channels.0, channels.1, kernel: 3, hasBias: false, in: scope / "conv\(index + 1)"),
                norm: GroupNorm(channels.1, groups: 1, in: scope / "norm\(index + 1)"))
        }
        output = Convolution(4 * configuration.width, 1, kernel: 3, hasBias: false, in: scope / "outc")
        self.configuration = configuration
    }

    package func callAsFunction(_ low: Tensor, isTraining: Bool) -> Tensor {
        var x = low
        for (half, scale) in [(layers.prefix(4), 2), (layers.suffix(4), 4)] {
            for layer in half { x = layer.norm(layer.conv(x)) }
            x =
                upsampleBilinear(x, scale: 2, alignsCorners: configuration.alignsCorners)
                + resizeBicubic(low, height: scale * low.shape[1], width: scale * low.shape[2], kernel: configuration.bicubicKernel)
        }
        return output(x)
    }
}
