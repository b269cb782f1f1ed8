import TensorCore

/// The discriminator of a VQGAN (Isola et al. 2017, PatchGAN; Esser et al. 2021): 4×4 convolutions that judge overlapping patches of an image, the
/// higher the more real. Names in a state dictionary are those of CompVis's code.
package struct PatchDiscriminator {
    package struct Configuration: Sendable, Codable, Equatable {
        /// Channels of the first convolution, 64 in VQGAN; they double with each further one up to eight times as many.
        package var width: Int
        /// Convolutions that halve the size, 3 in VQGAN; two more follow that keep it.
        package var layers: Int

        package init(width: Int, layers: Int) { (self.width, self.layers) = (width, layers) }

        /// The least height and width of an image.
        package var smallestImage: Int { 3 << layers }
    }

    /// conv4×4, norm (none in the first), leaky ReLU.
    private struct Stage {
        let conv: Convolution
        let norm: BatchNorm?
    }

    private let stages: [Stage]
    private let output: Convolution

    /// Initial weights are normal with deviation 0.02, those of the norms about 1.
    package init(_ configuration: Configuration, in scope: Scope) {
        let (place, last) = (scope / "main", configuration.layers)
        let widths = [1] + (0...last).map { configuration.width * min(1 << $0, 8) }
        stages = (0...last).map { index in
            // In PyTorch's sequence: convolution, activation, and from then on convolution, norm, activation.
            let position = max(0, 3 * index - 1)
            return Stage(
                conv: Convolution(
                    widths[index], widths[index + 1], kernel: 4, stride: index < last ? 2 : 1, padding: Padding(1), hasBias: index == 0,
                    weights: .normal(deviation: 0.02), in: place / "\(position)"),
                norm: index == 0
                    ? nil : BatchNorm(widths[index + 1], weights: .normal(mean: 1, deviation: 0.02), in: place / "\(position + 1)"))
        }
        output = Convolution(
            widths[last + 1], 1, kernel: 4, padding: Padding(1), weights: .normal(deviation: 0.02), in: place / "\(3 * last + 2)")
    }

    /// - Parameters:
    ///   - image: normalised, `[batch, height, width, 1]`, height and width at least ``Configuration/smallestImage``
    ///   - isTraining: normalise by the statistics of this batch, and have the running ones follow.
    /// - Returns: a judgement a patch, `[batch, height / 2^layers − 2, likewise, 1]`
    package func callAsFunction(_ image: Tensor, isTraining: Bool) -> Tensor {
        output(
            stages.reduce(image) { x, stage in
                let hidden = stage.conv(x)
                return (stage.norm?(hidden, isTraining: isTraining) ?? hidden).leakyRelu(slope: 0.2)
            })
    }

    /// The discriminator's hinge loss (Lim & Ye 2017), ½ (mean max(0, 1 − real) + mean max(0, 1 + fake)), shape `[]`.
    package static func hingeLoss(real: Tensor, fake: Tensor) -> Tensor { ((-real + 1).relu().mean() + (fake + 1).relu().mean()) * 0.5 }

    /// The loss of what makes the images, −mean fake, shape `[]`.
    package static func generatorLoss(fake: Tensor) -> Tensor { -fake.mean() }
}
