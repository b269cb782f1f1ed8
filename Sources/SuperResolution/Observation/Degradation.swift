import SolarImage
import TensorCore

/// Low resolution from high: the mean over every block of `scale` × `scale` pixels.
///
/// - Parameter field: `[batch, height, width, 1]`, without NaN; height and width multiples of `scale`
/// - Returns: `[batch, height / scale, width / scale, 1]`
package func blockMean(_ field: Tensor, scale: Int) -> Tensor {
    let (batch, height, width) = (field.shape[0], field.shape[1] / scale, field.shape[2] / scale)
    return field.reshaped(to: [batch, height, scale, width, scale]).mean(axes: [2, 4]).reshaped(to: [batch, height, width, 1])
}

extension Image {
    /// The values as `[1, height, width, 1]`, NaN as 0.
    package var tensor: Tensor { Tensor(shape: [1, height, width, 1], values: pixels.map { $0.isNaN ? 0 : $0 }) }
}
