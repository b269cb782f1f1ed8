import TensorCore

/// One step of a first stage's encoder or decoder, `[batch, height, width, inputs]` → `[batch, height', width', outputs]`. They follow each other in
/// one list, so that nothing but a step's own input is alive while it works.
enum FirstStageStep {
    case block(ResidualBlock)
    case attention(FirstStageAttention)
    /// A stride of 2 after one row and column of zeros at the bottom and right.
    case halving(Convolution)
    /// Every pixel repeated, then a convolution.
    case doubling(Convolution)

    static func halving(_ channels: Int, in scope: Scope) -> FirstStageStep {
        .halving(
            Convolution(channels, channels, kernel: 3, stride: 2, padding: Padding(top: 0, bottom: 1, left: 0, right: 1), in: scope / "conv"))
    }

    static func doubling(_ channels: Int, in scope: Scope) -> FirstStageStep {
        .doubling(Convolution(channels, channels, kernel: 3, in: scope / "conv"))
    }

    /// Blocks of one size, each followed by attention if the level has it.
    static func level(_ inputs: Int, _ outputs: Int, blocks: Int, hasAttention: Bool, groups: Int, in scope: Scope) -> [FirstStageStep] {
        (0..<blocks).flatMap { index -> [FirstStageStep] in
            let block = ResidualBlock(index == 0 ? inputs : outputs, outputs, groups: groups, in: scope / "resnets" / "\(index)")
            guard hasAttention else { return [.block(block)] }
            return [.block(block), .attention(FirstStageAttention(outputs, groups: groups, in: scope / "attentions" / "\(index)"))]
        }
    }

    /// Two blocks with attention between them.
    static func middle(_ channels: Int, groups: Int, in scope: Scope) -> [FirstStageStep] {
        [
            .block(ResidualBlock(channels, channels, groups: groups, in: scope / "resnets" / "0")),
            .attention(FirstStageAttention(channels, groups: groups, in: scope / "attentions" / "0")),
            .block(ResidualBlock(channels, channels, groups: groups, in: scope / "resnets" / "1")),
        ]
    }

    func callAsFunction(_ x: Tensor) -> Tensor {
        switch self {
        case .block(let block): block(x)
        case .attention(let attention): attention(x)
        case .halving(let convolution): convolution(x)
        case .doubling(let convolution): convolution(upsampleNearest(x, scale: 2))
        }
    }
}

/// Self-attention of one head over all pixels: x + projection(attention(norm(x))).
struct FirstStageAttention {
    private let norm: GroupNorm
    /// Queries, keys and values.
    private let inputs: [Linear]
    private let projection: Linear

    /// - Parameter groups: of the norm (ε = 1e-6).
    init(_ channels: Int, groups: Int, in scope: Scope) {
        norm = GroupNorm(channels, groups: groups, epsilon: 1e-6, in: scope / "group_norm")
        inputs = ["to_q", "to_k", "to_v"].map { Linear(channels, channels, in: scope / $0) }
        projection = Linear(channels, channels, in: scope / "to_out" / "0")
    }

    /// `[batch, height, width, channels]` → the same
    func callAsFunction(_ x: Tensor) -> Tensor {
        let tokens = [x.shape[0], x.shape[1] * x.shape[2], x.shape[3]]
        // One product with the three weights joined.
        let weight = concatenate(inputs.map(\.weight.tensor), axis: 0)
        let bias = concatenate(inputs.map(\.bias.tensor), axis: 0)
        return x
            + projection(attention(queriesKeysValues: linear(norm(x).reshaped(to: tokens), weight: weight, bias: bias), heads: 1))
            .reshaped(to: x.shape)
    }
}
