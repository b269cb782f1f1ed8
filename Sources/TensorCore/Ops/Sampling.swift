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
    let (rows, columns) = (extent(height), extent(width))
    let result = Tensor(uninitialized: [batch, rows, columns, channels])
    let choice = Storage(count: (result.count + 3) / 4)
    let choices = UnsafeMutableRawPointer(choice.pointer).assumingMemoryBound(to: UInt8.self)
    forEachRowBlock(of: batch * rows, run: columns * channels) { row, count in
        let start = row * columns * channels
        image_max_pool(x.pointer, height, width, channels, window, stride, row, count, result.pointer + start, choices + start)
    }
    return result.recorded(from: [x]) { gradient, _ in
        let target = Tensor(uninitialized: [batch, height, width, channels])
        forEachRowBlock(of: batch * height, run: width * channels) { row, count in
            image_max_pool_gradient(
                gradient.pointer, choices, height, width, channels, window, stride, row, count, target.pointer + row * width * channels)
        }
        withExtendedLifetime(choice) {}
        return [target]
    }
}

/// Every pixel repeated `scale` times along both axes.
///
/// - Parameter x: `[batch, height, width, channels]`
/// - Returns: `[batch, height·scale, width·scale, channels]`
public func upsampleNearest(_ x: Tensor, scale: Int) -> Tensor {
    let (batch, height, width, channels) = imageShape(x, "upsampleNearest")
    precondition(scale >= 1, "upsampleNearest: scale \(scale)")
    let result = Tensor(uninitialized: [batch, height * scale, width * scale, channels])
    let run = width * channels
    forEachRowBlock(of: batch * height, run: run * scale * scale) { row, count in
        image_upsample_nearest(x.pointer, width, channels, scale, row, count, result.pointer + row * run * scale * scale)
    }
    return result.recorded(from: [x]) { gradient, _ in
        let target = Tensor(uninitialized: [batch, height, width, channels])
        forEachRowBlock(of: batch * height, run: run * scale * scale) { row, count in
            image_upsample_nearest_gradient(gradient.pointer, width, channels, scale, row, count, target.pointer + row * run)
        }
        return [target]
    }
}

/// Bilinear interpolation by `scale`.
///
/// - Parameters:
///   - x: `[batch, height, width, channels]`
///   - alignsCorners: put the corner pixels' centres on each other, which shifts and stretches the image a little (PyTorch's `align_corners=True`);
///     else centres lie at half-integers and edge pixels are repeated, so that what a pixel becomes does not depend on the size of the image.
/// - Returns: `[batch, height·scale, width·scale, channels]`
public func upsampleBilinear(_ x: Tensor, scale: Int, alignsCorners: Bool = true) -> Tensor {
    let (batch, height, width, channels) = imageShape(x, "upsampleBilinear")
    precondition(scale >= 1, "upsampleBilinear: scale \(scale)")
    let geometry: Int32 = alignsCorners ? 1 : 0
    let result = Tensor(uninitialized: [batch, height * scale, width * scale, channels])
    let run = width * channels
    forEachRowBlock(of: batch * height * scale, run: run * scale) { row, count in
        image_upsample_bilinear(x.pointer, height, width, channels, scale, geometry, row, count, result.pointer + row * run * scale)
    }
    return result.recorded(from: [x]) { gradient, _ in
        let target = Tensor(uninitialized: [batch, height, width, channels])
        forEachRowBlock(of: batch * height, run: run * scale * scale) { row, count in
            image_upsample_bilinear_gradient(gradient.pointer, height, width, channels, scale, geometry, row, count, target.pointer + row * run)
        }
        return [target]
    }
}

/// Blocks of rows of images, of `run` values each: `body(first row, rows)`.
func forEachRowBlock(of rows: Int, run: Int, _ body: (Int, Int) -> Void) {
    Parallel.forEachBlock(of: rows, size: max(1, elementwiseBlock / max(1, run))) { body($0.lowerBound, $0.count) }
}

func imageShape(_ x: Tensor, _ operation: String) -> (batch: Int, height: Int, width: Int, channels: Int) {
    precondition(x.shape.count == 4, "\(operation): shape \(x.shape) is not [batch, height, width, channels]")
    return (x.shape[0], x.shape[1], x.shape[2], x.shape[3])
}
