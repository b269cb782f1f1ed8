import Groundwork
import TensorCore

/// The convolutions of AlexNet (Krizhevsky 2014, as torchvision has it): the features after each of its five ReLUs.
///
/// The weights are constants: no gradient is ever taken with respect to them.
package struct AlexNetFeatures: Sendable {
    private struct Layer {
        let weight, bias: Tensor
        let stride, padding: Int
        /// Whether 3 × 3 maxima, 2 pixels apart, are taken first.
        let pools: Bool
    }

    /// Channels of the five features.
    package static let channels = [64, 192, 384, 256, 256]
    /// The smallest height and width of an image for which all features have a pixel.
    package static let minimumSide = 31
    /// What images are shifted by and then divided by, red, green and blue: ImageNet's mean and deviation for values in [−1, 1].
    private static let shift: [Float] = [-0.030, -0.088, -0.188]
    private static let scale: [Float] = [0.458, 0.448, 0.450]

    private let layers: [Layer]
    private let inputScale, inputShift: Tensor

    /// - Parameter file: torchvision's `features.{0,3,6,8,10}.{weight,bias}`.
    /// - Throws: `Failure` (`.badData`) if one of them is missing or of another shape.
    package init(_ file: SafetensorsFile) throws {
        var inputs = 3
        var layers: [Layer] = []
        for (index, outputs) in zip([0, 3, 6, 8, 10], Self.channels) {
            let kernel = index == 0 ? 11 : index == 3 ? 5 : 3
            let weight = try file.tensor(named: "features.\(index).weight", shape: [outputs, inputs, kernel, kernel])
            layers.append(
                Layer(
                    weight: weight.permuted([2, 3, 1, 0]), bias: try file.tensor(named: "features.\(index).bias", shape: [outputs]),
                    stride: index == 0 ? 4 : 1, padding: index == 0 ? 2 : kernel / 2, pools: index == 3 || index == 6))
            inputs = outputs
        }
        self.layers = layers
        inputScale = Tensor(shape: [3], values: Self.scale.map { 1 / $0 })
        inputShift = Tensor(shape: [3], values: zip(Self.shift, Self.scale).map { -$0 / $1 })
    }

    /// What the first stage takes.
    /// - Parameter image: `[batch, height, width, 3]` or, grey, `[batch, height, width, 1]`, in [−1, 1]; both sides at least ``minimumSide``
    /// - Returns: `[batch, height, width, 3]`
    package func input(_ image: Tensor) -> Tensor {
        precondition(
            image.shape.count == 4 && [1, 3].contains(image.shape[3]) && min(image.shape[1], image.shape[2]) >= Self.minimumSide,
            "AlexNetFeatures: shape \(image.shape) is not [batch, height, width, 1 or 3] with sides of at least \(Self.minimumSide)")
        return image * inputScale + inputShift
    }

    /// The features of a stage, 0 … 4, from those of the stage before, or from ``input(_:)``.
    package func stage(_ index: Int, _ x: Tensor) -> Tensor {
        let layer = layers[index]
        return convolution(
            layer.pools ? maxPool2d(x, size: 3) : x, weight: layer.weight, bias: layer.bias, stride: layer.stride, padding: Padding(layer.padding)
        ).relu()
    }

    /// The features of all stages.
    /// - Parameter image: as ``input(_:)`` takes it
    /// - Returns: five, `[batch, height, width, channels]`, each from the one before
    package func stages(_ image: Tensor) -> [Tensor] {
        layers.indices.reduce(into: []) { stages, index in stages.append(stage(index, stages.last ?? input(image))) }
    }

    /// The mean over all pixels of the last features, as a description of the whole image.
    /// - Parameter image: as ``input(_:)`` takes it
    /// - Returns: `[batch, 256]`
    package func pooled(_ image: Tensor) -> Tensor { Self.pooled(stages(image)) }

    /// The same of the features of all stages.
    package static func pooled(_ stages: [Tensor]) -> Tensor { stages[stages.count - 1].mean(axes: [1, 2]) }
}

extension SafetensorsFile {
    /// - Throws: `Failure` (`.badData`) if there is no tensor of that name and shape, or if its values are not all finite.
    func tensor(named name: String, shape expected: [Int]) throws -> Tensor {
        let tensor = try weights(named: name)
        guard tensor.shape == expected else {
            throw Failure(
                .badData, "the weights are of another network", at: "\(url.path), tensor \(name)", expected: "shape \(expected)",
                found: "\(tensor.shape)")
        }
        return tensor
    }
}
