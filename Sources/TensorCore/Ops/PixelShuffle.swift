import VectorKernels

/// Moves blocks of `factor` × `factor` pixels into channels (Shi et al. 2016, inverted), in PyTorch's order: channel `c·factor² + row·factor + column`.
///
/// - Parameter x: `[batch, height, width, channels]`, height and width multiples of `factor`
/// - Returns: `[batch, height / factor, width / factor, channels·factor²]`
public func pixelUnshuffle(_ x: Tensor, factor: Int) -> Tensor {
    unshuffled(x, factor).recorded(from: [x]) { gradient, _ in [shuffled(gradient, factor)] }
}

/// Moves channels into blocks of `factor` × `factor` pixels (Shi et al. 2016), the inverse of ``pixelUnshuffle(_:factor:)``.
///
/// - Parameter x: `[batch, height, width, channels]`, channels a multiple of `factor`²
/// - Returns: `[batch, height·factor, width·factor, channels / factor²]`
public func pixelShuffle(_ x: Tensor, factor: Int) -> Tensor {
    shuffled(x, factor).recorded(from: [x]) { gradient, _ in [unshuffled(gradient, factor)] }
}

private func unshuffled(_ x: Tensor, _ factor: Int) -> Tensor {
    let (batch, height, width, channels) = imageShape(x, "pixelUnshuffle")
    precondition(height % factor == 0 && width % factor == 0, "pixelUnshuffle: shape \(x.shape) is not a multiple of \(factor)")
    let result = Tensor(uninitialized: [batch, height / factor, width / factor, channels * factor * factor])
    let run = width * channels * factor
    forEachRowBlock(of: batch * height / factor, run: run) { row, count in
        image_pixel_unshuffle(x.pointer, width, channels, factor, row, count, result.pointer + row * run)
    }
    return result
}

private func shuffled(_ x: Tensor, _ factor: Int) -> Tensor {
    let (batch, height, width, channels) = imageShape(x, "pixelShuffle")
    precondition(channels % (factor * factor) == 0, "pixelShuffle: shape \(x.shape) does not hold blocks of \(factor) × \(factor)")
    let result = Tensor(uninitialized: [batch, height * factor, width * factor, channels / (factor * factor)])
    let run = width * channels
    forEachRowBlock(of: batch * height, run: run) { row, count in
        image_pixel_shuffle(x.pointer, width, channels, factor, row, count, result.pointer + row * run)
    }
    return result
}
