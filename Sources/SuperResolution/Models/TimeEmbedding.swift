import Foundation
import TensorCore

/// The sinusoidal embedding of timesteps, [sin(t·f), cos(t·f)] with f_i = 10000^(−i / (channels / 2)) (Vaswani et al. 2017, section 3.5).
///
/// - Parameters:
///   - timesteps: one a sample
///   - channels: even
/// - Returns: `[timesteps.count, channels]`
package func timeEmbedding(_ timesteps: [Int], channels: Int) -> Tensor {
    let half = channels / 2
    let frequencies = (0..<half).map { pow(10000, -Double($0) / Double(half)) }
    return Tensor(
        shape: [timesteps.count, channels],
        values: timesteps.flatMap { t in
            frequencies.map { Float(sin(Double(t) * $0)) } + frequencies.map { Float(cos(Double(t) * $0)) }
        })
}
