import TensorCore

/// A network that predicts noise or velocity from a noisy field, its condition and the timestep.
package protocol DenoisingNetwork {
    /// Height and width of its inputs must be multiples of this.
    var divisor: Int { get }

    /// - Parameters:
    ///   - noisy: `[batch, height, width, channels]`
    ///   - condition: `[batch, height, width, condition channels]`
    ///   - timesteps: one a sample, 0 ..< T
    /// - Returns: `[batch, height, width, channels]`
    func callAsFunction(_ noisy: Tensor, condition: Tensor, timesteps: [Int]) -> Tensor
}

/// The U-Net of the presets `small` and `tiny`: residual blocks with scale-shift time embedding and per-pixel norms, attention at the lowest level alone.
package struct UNet: DenoisingNetwork {
    package struct Configuration: Sendable, Codable, Equatable {
        /// Channels at full size.
        package var width: Int
        /// Channels of each level as multiples of the width, from full size down; each level halves the size.
        package var multipliers: [Int]
        /// Attention heads.
        package var heads: Int

        package init(width: Int, multipliers: [Int], heads: Int) { (self.width, self.multipliers, self.heads) = (width, multipliers, heads) }
    }

    private struct Level {
        let block: ResidualBlock
        /// Halves the size on the way down, doubles it on the way up; none at the lowest level and at full size respectively.
        let resampling: Convolution?
    }

    private let width: Int
    private let input, output: Convolution
    private let time1, time2: Linear
    private let down, up: [Level]
    private let middle: (ResidualBlock, AttentionBlock, ResidualBlock)
    private let outputNorm: RMSNorm
    package let divisor: Int

    /// - Parameters:
    ///   - channels: of the field.
    ///   - conditionChannels: of its condition; as many again if nil.
    package init(_ configuration: Configuration, channels: Int, conditionChannels: Int? = nil, in scope: Scope) {
        width = configuration.width
        let time = 4 * width
        let widths = configuration.multipliers.map { $0 * configuration.width }
        let lowest = widths.count - 1
        divisor = 1 << lowest
        input = Convolution(channels + (conditionChannels ?? channels), width, kernel: 3, in: scope / "conv_in")
        time1 = Linear(time, time, in: scope / "time_embedding" / "linear_1")
        time2 = Linear(time, time, in: scope / "time_embedding" / "linear_2")
        var current = width
        down = widths.enumerated().map { level, width in
            let place = scope / "down_blocks" / "\(level)"
            defer { current = width }
            return Level(
                block: ResidualBlock(current, width, timeChannels: time, in: place / "resnets" / "0"),
                resampling: level == lowest ? nil : Convolution(width, width, kernel: 3, stride: 2, in: place / "downsamplers" / "0" / "conv"))
        }
        let mid = scope / "mid_block"
        middle = (
            ResidualBlock(current, current, timeChannels: time, in: mid / "resnets" / "0"),
            AttentionBlock(current, heads: configuration.heads, in: mid / "attentions" / "0"),
            ResidualBlock(current, current, timeChannels: time, in: mid / "resnets" / "1")
        )
        up = widths.reversed().enumerated().map { index, width in
            let place = scope / "up_blocks" / "\(index)"
            defer { current = width }
            return Level(
                block: ResidualBlock(current + width, width, timeChannels: time, in: place / "resnets" / "0"),
                resampling: index == lowest ? nil : Convolution(width, width, kernel: 3, in: place / "upsamplers" / "0" / "conv"))
        }
        outputNorm = RMSNorm(current, in: scope / "norm_out")
        output = Convolution(current, channels, kernel: 3, startsAtZero: true, in: scope / "conv_out")
    }

    package func callAsFunction(_ noisy: Tensor, condition: Tensor, timesteps: [Int]) -> Tensor {
        let time = time2(time1(timeEmbedding(timesteps, channels: 4 * width)).silu()).silu()
        var x = input(concatenate([noisy, condition], axis: -1))
        var skips: [Tensor] = []
        for level in down {
            x = level.block(x, time: time)
            skips.append(x)
            if let resampling = level.resampling { x = resampling(x) }
        }
        x = middle.2(middle.1(middle.0(x, time: time)), time: time)
        for (level, skip) in zip(up, skips.reversed()) {
            x = level.block(concatenate([x, skip], axis: -1), time: time)
            if let resampling = level.resampling { x = resampling(upsampleNearest(x, scale: 2)) }
        }
        return output(outputNorm(x, activation: .silu))
    }
}
