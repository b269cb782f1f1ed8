import Groundwork
import VectorKernels

/// The largest of each `size` × `size` window, windows `stride` apart; last rows and columns that fill no window are left out.
///
/// - Parameters:
///   - x: `[batch, height, width, channels]`
///   - size: 1 … 15
/// - Returns: `[batch, (height − size) / stride + 1, likewise, channels]`. The gradient goes to the first largest in reading order.
public func maxPool2d(_ x: Tensor, size window: Int = 2, stride: Int = 2) -> Tensor {
    let (batch, height, width, channels) = imageShape(x, "maxPool2d")
    precondition((1...15).contains(window) && stride > 0, "maxPool2d: windows of \(window), \(stride) apart")
    func extent(_ length: Int) -> Int { length < window ? 0 : (length - window) / stride + 1 }
    let result = Tensor(uninitialized: [batch, extent(height), extent(width), channels])
    let size = result.count / max(1, batch)
    let choice = Storage(count: (result.count + 3) / 4)
    func choices(_ image: Int) -> UnsafeMutablePointer<UInt8> {
        UnsafeMutableRawPointer(choice.pointer).assumingMemoryBound(to: UInt8.self) + image * size
    }
    Parallel.forEach(batch) { image in
        image_max_pool(
            x.pointer + image * height * width * channels, height, width, channels, window, stride, result.pointer + image * size, choices(image))
    }
    return result.recorded(from: [x]) { gradient, _ in
        let target = Tensor(zeros: [batch, height, width, channels])
        Parallel.forEach(batch) { image in
            image_max_pool_gradient(
                gradient.pointer + image * size, choices(image), height, width, channels, window, stride,
                target.pointer + image * height * width * channels)
        }
        return [target]
    }
}

/// Every pixel repeated `scale` times along both axes.
///
/// - Parameter x: `[batch, height, width, channels]`
/// - Returns: `[batch, height·scale, width·scale, channels]`
public func upsampleNearest(_ x: Tensor, scale: Int) -> Tensor {
    upsample(x, scale: scale, "upsampleNearest", image_upsample_nearest, gradient: image_upsample_nearest_gradient)
}

/// Bilinear interpolation by `scale`.
///
/// - Parameters:
///   - x: `[batch, height, width, channels]`
///   - alignsCorners: put the corner pixels' centres on each other, which shifts and stretches the image a little (PyTorch's `align_corners=True`);
///     else centres lie at half-integers and edge pixels are repeated, so that what a pixel becomes does not depend on the size of the image.
/// - Returns: `[batch, height·scale, width·scale, channels]`
public func upsampleBilinear(_ x: Tensor, scale: Int, alignsCorners: Bool = true) -> Tensor {
    let geometry: Int32 = alignsCorners ? 1 : 0
    return upsample(x, scale: scale, "upsampleBilinear") {
        image_upsample_bilinear($0, $1, $2, $3, $4, geometry, $5)
    } gradient: {
        image_upsample_bilinear_gradient($0, $1, $2, $3, $4, geometry, $5)
    }
}

private typealias Resampler = (UnsafePointer<Float>?, Int, Int, Int, Int, UnsafeMutablePointer<Float>?) -> Void

private func upsample(_ x: Tensor, scale: Int, _ operation: String, _ kernel: Resampler, gradient rule: @escaping Resampler) -> Tensor {
    let (batch, height, width, channels) = imageShape(x, operation)
    precondition(scale >= 1, "\(operation): scale \(scale)")
    let size = height * width * channels
    let result = Tensor(uninitialized: [batch, height * scale, width * scale, channels])
    Parallel.forEach(batch) { image in
        kernel(x.pointer + image * size, height, width, channels, scale, result.pointer + image * size * scale * scale)
    }
    return result.recorded(from: [x]) { gradient, _ in
        let target = Tensor(zeros: [batch, height, width, channels])
        Parallel.forEach(batch) { image in
            rule(gradient.pointer + image * size * scale * scale, height, width, channels, scale, target.pointer + image * size)
        }
        return [target]
    }
}

func imageShape(_ x: Tensor, _ operation: String) -> (batch: Int, height: Int, width: Int, channels: Int) {
    precondition(x.shape.count == 4, "\(operation): shape \(x.shape) is not [batch, height, width, channels]")
    return (x.shape[0], x.shape[1], x.shape[2], x.shape[3])
}
