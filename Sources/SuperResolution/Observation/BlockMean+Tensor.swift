import SolarImage
import TensorCore

/// The ``BlockMean`` of blocks of `scale` × `scale` pixels of each field.
///
/// - Parameter field: `[batch, height, width, 1]`, not part of a recorded computation; NaN where there are no data
/// - Returns: `[batch, height / scale, width / scale, 1]`, NaN where a block holds no data
package func blockMean(_ field: Tensor, scale: Int) -> Tensor {
    let (batch, height, width) = (field.shape[0], field.shape[1], field.shape[2])
    let result = Tensor(uninitialized: [batch, height / scale, width / scale, 1])
    let (size, coarse) = (height * width, (height / scale) * (width / scale))
    for index in 0..<batch {
        BlockMean.compute(field.pointer + index * size, width: width, height: height, factor: scale, into: result.pointer + index * coarse)
    }
    return result
}

extension Image {
    /// The values as `[1, height, width, 1]`, NaN as 0.
    package var tensor: Tensor { Tensor(shape: [1, height, width, 1], values: pixels.map { $0.isNaN ? 0 : $0 }) }

    /// The only image of `[1, height, width, 1]`.
    package init(_ tensor: Tensor) { self.init(width: tensor.shape[2], height: tensor.shape[1], pixels: tensor.values) }
}
