import SolarImage
import TensorCore

/// Low resolution from high: the mean over every block of `scale` × `scale` pixels, repeated over the block.
///
/// - Parameter field: `[batch, height, width, 1]` in Gauss, without NaN; height and width multiples of `scale`
/// - Returns: `[batch, height, width, 1]`: LR↑, what the diffusion models see
package func replicatedBlockMean(_ field: Tensor, scale: Int) -> Tensor {
    let (batch, height, width) = (field.shape[0], field.shape[1], field.shape[2])
    let means = field.reshaped(to: [batch, height / scale, scale, width / scale, scale]).mean(axes: [2, 4])
    return upsampleNearest(means.reshaped(to: [batch, height / scale, width / scale, 1]), scale: scale)
}

extension Image {
    /// The values as `[1, height, width, 1]`, NaN as 0.
    package var tensor: Tensor { Tensor(shape: [1, height, width, 1], values: pixels.map { $0.isNaN ? 0 : $0 }) }
}
