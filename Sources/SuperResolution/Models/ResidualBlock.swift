import TensorCore

/// A residual block: norm, SiLU, 3×3 convolution, twice, plus a 1×1 shortcut where the channels change.
///
/// With a time embedding the second norm is scaled and shifted by it (Dhariwal & Nichol 2021, "adaptive group normalisation").
/// The norms are per-pixel root mean squares, so that nothing here looks further than its convolutions, or of groups of channels over the image.
package struct ResidualBlock {
    private enum Norm {
        case pixels(RMSNorm)
        case groups(GroupNorm)

        init(_ channels: Int, groups: Int?, in scope: Scope) {
            self = groups.map { .groups(GroupNorm(channels, groups: $0, epsilon: 1e-6, in: scope)) } ?? .pixels(RMSNorm(channels, in: scope))
        }

        func callAsFunction(_ x: Tensor, activation: Activation = .none) -> Tensor {
            switch self {
            case .pixels(let norm): norm(x, activation: activation)
            case .groups(let norm): norm(x, activation: activation)
            }
        }
    }

    private let norm1, norm2: Norm
    private let conv1, conv2: Convolution
    private let shortcut: Convolution?
    private let timeProjection: Linear?

    /// - Parameters:
    ///   - timeChannels: width of the time embedding, if there is one.
    ///   - groups: of group normalisation (ε = 1e-6), which divide inputs and outputs; nil for root mean squares.
    package init(_ inputs: Int, _ outputs: Int, timeChannels: Int? = nil, groups: Int? = nil, in scope: Scope) {
        norm1 = Norm(inputs, groups: groups, in: scope / "norm1")
        conv1 = Convolution(inputs, outputs, kernel: 3, in: scope / "conv1")
        timeProjection = timeChannels.map { Linear($0, 2 * outputs, in: scope / "time_emb_proj") }
        norm2 = Norm(outputs, groups: groups, in: scope / "norm2")
        conv2 = Convolution(outputs, outputs, kernel: 3, in: scope / "conv2")
        shortcut = inputs == outputs ? nil : Convolution(inputs, outputs, kernel: 1, in: scope / "conv_shortcut")
    }

    /// - Parameters:
    ///   - x: `[batch, height, width, inputs]`
    ///   - time: `[batch, time channels]`, after its SiLU
    /// - Returns: `[batch, height, width, outputs]`
    package func callAsFunction(_ x: Tensor, time: Tensor? = nil) -> Tensor {
        guard let time, let timeProjection else {
            return conv2(norm2(conv1(norm1(x, activation: .silu)), activation: .silu), residual: shortcut?(x) ?? x)
        }
        let hidden = norm2(conv1(norm1(x, activation: .silu)))
        let channels = hidden.extent(-1)
        let modulation = timeProjection(time).reshaped(to: [-1, 1, 1, 2 * channels])
        let scale = modulation.sliced(axis: -1, range: 0..<channels)
        let shift = modulation.sliced(axis: -1, range: channels..<2 * channels)
        return conv2((hidden * (scale + 1) + shift).silu(), residual: shortcut?(x) ?? x)
    }
}

/// Self-attention over all pixels: x + projection(attention(norm(x))).
package struct AttentionBlock {
    private let norm: RMSNorm
    private let queriesKeysValues, projection: Linear
    private let heads: Int

    package init(_ channels: Int, heads: Int, in scope: Scope) {
        norm = RMSNorm(channels, in: scope / "norm")
        queriesKeysValues = Linear(channels, 3 * channels, in: scope / "to_qkv")
        projection = Linear(channels, channels, in: scope / "to_out")
        self.heads = heads
    }

    /// `[batch, height, width, channels]` → the same
    package func callAsFunction(_ x: Tensor) -> Tensor {
        let tokens = norm(x).reshaped(to: [x.shape[0], x.shape[1] * x.shape[2], x.shape[3]])
        let attended = attention(queriesKeysValues: queriesKeysValues(tokens), heads: heads)
        return x + projection(attended).reshaped(to: x.shape)
    }
}
