import Groundwork
import VectorKernels

/// The distance of deep features (Zhang et al. 2018, equation 1): at each pixel both feature vectors are divided by their length + epsilon; the mean
/// over the pixels of Σ_c weight_c · (difference_c)².
///
/// - Parameters:
///   - a, b: `[batch, height, width, channels]`
///   - weight: `[channels]`, constants
/// - Returns: `[batch]`. Vectors of length 0 get no gradient.
public func featureDistance(_ a: Tensor, _ b: Tensor, weight: Tensor, epsilon: Float = 1e-10) -> Tensor {
    let (batch, height, width, channels) = imageShape(a, "featureDistance")
    precondition(
        a.shape == b.shape && weight.shape == [channels] && a.count > 0,
        "featureDistance: features \(a.shape) and \(b.shape) and weight \(weight.shape) do not fit")
    let pixels = height * width
    let size = max(1, elementwiseBlock / channels)
    let blocks = (pixels + size - 1) / size
    /// Image, offset of the first value, and pixels of a block.
    func block(_ index: Int) -> (image: Int, start: Int, count: Int) {
        let (image, start) = (index / blocks, index % blocks * size)
        return (image, (image * pixels + start) * channels, min(size, pixels - start))
    }
    let sums = Parallel.map(batch * blocks) { index in
        let (_, start, count) = block(index)
        return vector_feature_distance(count, channels, a.pointer + start, b.pointer + start, weight.pointer, epsilon)
    }
    let values = (0..<batch).map { image in Float(sums[image * blocks..<(image + 1) * blocks].reduce(0, +) / Double(pixels)) }
    return Tensor(shape: [batch], values: values).recorded(from: [a, b]) { gradient, wanted in
        func gradientOf(_ own: Tensor, against other: Tensor) -> Tensor {
            let target = Tensor(uninitialized: own.shape)
            Parallel.forEach(batch * blocks) { index in
                let (image, start, count) = block(index)
                vector_feature_distance_gradient(
                    count, channels, own.pointer + start, other.pointer + start, weight.pointer, epsilon,
                    gradient.pointer[image] / Float(pixels), target.pointer + start)
            }
            return target
        }
        return [wanted[0] ? gradientOf(a, against: b) : nil, wanted[1] ? gradientOf(b, against: a) : nil]
    }
}
