import Foundation
import Groundwork
import VectorKernels

/// Vector quantisation (van den Oord et al. 2017): each vector becomes its nearest code.
///
/// - Parameters:
///   - z: `[…, channels]`
///   - codebook: `[codes, channels]`
///   - commitment: weight of the term that pulls `z` to its code (0.25 in VQ-VAE and here); the term that pulls codes has weight 1.
/// - Returns: the codes, whose gradient passes straight through to `z`; their indices; and mean((code − z)²) as the two terms of the loss.
public func quantize(_ z: Tensor, codebook: Tensor, commitment: Float = 0.25) -> (quantized: Tensor, indices: [Int], loss: Tensor) {
    precondition(
        codebook.shape.count == 2 && z.extent(-1) == codebook.shape[1], "quantize: input \(z.shape) and codebook \(codebook.shape) do not fit")
    let indices = nearestCodes(z, codebook)
    let codes = embedding(weight: codebook, indices: indices).reshaped(to: z.shape)
    let loss = meanSquaredError(codes.detached, z) * commitment + meanSquaredError(codes, z.detached)
    let quantized = codes.detached.recorded(from: [z]) { gradient, _ in [gradient] }
    return (quantized, indices, loss)
}

/// For each vector the index of the nearest code, the first of equals: argmin |code|² − 2·z·code.
private func nearestCodes(_ z: Tensor, _ codebook: Tensor) -> [Int] {
    let (codes, channels) = (codebook.shape[0], codebook.shape[1])
    let rows = z.count / channels
    let norms = (0..<codes).map { Float(vector_dot(channels, codebook.pointer + $0 * channels, codebook.pointer + $0 * channels)) }
    return [Int](unsafeUninitializedCapacity: rows) { buffer, initialized in
        nonisolated(unsafe) let target = buffer
        Parallel.forEachBlock(of: rows, size: max(1, elementwiseBlock / codes)) { block in
            let scores = Storage(count: block.count * codes)
            multiply(
                Matrix(pointer: z.pointer + block.lowerBound * channels, stride: channels),
                Matrix(pointer: codebook.pointer, stride: channels, isTransposed: true), into: Matrix(pointer: scores.pointer, stride: codes),
                m: block.count,
                n: codes, k: channels, alpha: -2)
            for row in 0..<block.count {
                var (best, least) = (0, Float.infinity)
                for code in 0..<codes {
                    let distance = scores.pointer[row * codes + code] + norms[code]
                    if distance < least { (best, least) = (code, distance) }
                }
                target[block.lowerBound + row] = best
            }
            withExtendedLifetime(scores) {}
        }
        initialized = rows
    }
}
