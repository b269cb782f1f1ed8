import Groundwork
import TensorCore

/// A checkpoint of a first stage: what it is was told from the names and shapes of its tensors, and these were checked against all that the network
/// has.
///
/// It may be a `VQModel` or `AutoencoderKL` of diffusers, with today's names or those of the attention before version 0.17, or of CompVis, alone or
/// within a whole latent diffusion model, whose other tensors do not matter.
package struct FirstStageImport {
    package let configuration: FirstStage.Configuration
    private let prefix: String
    /// What to put for which part of our names, in this order, to get the file's.
    private let replacements: [(own: String, file: String)]

    /// Reads names and shapes alone.
    /// - Parameter normGroups: groups of the group norms, which no shape tells. All published networks have 32.
    /// - Throws: `Failure` (`.badData`) if the file holds no first stage, one that cannot be built here, or one with missing, unexpected or
    ///   mis-shaped tensors, which are listed together.
    package init(_ file: SafetensorsFile, normGroups: Int = 32) throws {
        try self.init(shapes: file.shapes, at: file.url.path, normGroups: normGroups)
    }

    /// - Parameters:
    ///   - shapes: of all tensors of the file by name
    ///   - location: of the file
    package init(shapes: [String: [Int]], at location: String, normGroups: Int = 32) throws {
        let prefix = ["first_stage_model.", "vae."].first { prefix in shapes.keys.contains { $0.hasPrefix(prefix + "encoder.") } } ?? ""
        let names = shapes.keys.filter { $0.hasPrefix(prefix) }.map { $0.dropFirst(prefix.count) }
        let replacements = Self.replacements(names)
        let file = TensorExtents(shapes: shapes) { prefix + Self.fileName($0, replacements) }
        configuration = try file.configuration(normGroups: normGroups, at: location)
        (self.prefix, self.replacements) = (prefix, replacements)
        try configuration.check { isSound, expected, found in
            if !isSound {
                throw Failure(
                    .badData, "the first stage cannot be built", at: location, expected: expected, found: "\(found)", remedy: Self.remedy)
            }
        }
        let store = ParameterStore.unfilled()
        _ = FirstStage(configuration, in: store.root)
        try store.check(shapes, at: location, prefix: prefix, unused: Self.isUnused) { Self.fileName($0, replacements) }
    }

    /// Sets the parameters of a network of this ``configuration``.
    /// - Parameters:
    ///   - file: the one this was made from
    ///   - store: where a `FirstStage` alone was declared
    /// - Throws: `Failure` (`.badData`) if the file's tensors are not those of the network; nothing is then changed.
    package func load(_ file: SafetensorsFile, into store: ParameterStore) throws {
        try store.load(file, prefix: prefix, unused: Self.isUnused) { Self.fileName($0, replacements) }
    }

    fileprivate static let remedy =
        "give the safetensors of a VQModel or AutoencoderKL of diffusers or CompVis; Scripts/convert-checkpoint makes them of a .ckpt, .pt or .bin"

    /// Tensors of CompVis' training: losses, discriminator and averages.
    private static func isUnused(_ name: String) -> Bool { name.hasPrefix("loss.") || name.hasPrefix("model_ema.") }

    private static func fileName(_ name: String, _ replacements: [(own: String, file: String)]) -> String {
        replacements.reduce(name) { $0.replacing($1.own, with: $1.file) }
    }

    private static func replacements(_ names: [Substring]) -> [(own: String, file: String)] {
        if let deepest = (0..<16).last(where: { level in names.contains { $0.hasPrefix("encoder.down.\(level).") } }) {
            // CompVis counts the decoder's levels from the finest, too.
            return (0...deepest).map { ("up_blocks.\($0).", "up.\(deepest - $0).") } + [
                ("down_blocks.", "down."), ("mid_block.resnets.0.", "mid.block_1."), ("mid_block.resnets.1.", "mid.block_2."),
                ("mid_block.attentions.0.", "mid.attn_1."), ("resnets.", "block."), ("attentions.", "attn."), ("downsamplers.0.", "downsample."),
                ("upsamplers.0.", "upsample."), ("conv_shortcut", "nin_shortcut"), ("conv_norm_out", "norm_out"), ("group_norm", "norm"),
                ("to_q", "q"), ("to_k", "k"), ("to_v", "v"), ("to_out.0", "proj_out"),
            ]
        }
        let isOlder = names.contains { $0.contains(".attentions.0.query.") || $0.contains(".attentions.0.proj_attn.") }
        return isOlder ? [("to_q", "query"), ("to_k", "key"), ("to_v", "value"), ("to_out.0", "proj_attn")] : []
    }
}

extension TensorExtents {
    /// The channels that a block of the encoder gives; nil if there is no such block.
    private func width(level: Int, block: Int) -> Int? {
        let place = "encoder.down_blocks.\(level).resnets.\(block)"
        return agreed(("\(place).conv1.weight", 0), ("\(place).conv1.bias", 0), ("\(place).norm2.weight", 0))
    }

    /// - Throws: `Failure` (`.badData`) if the names or shapes are not those of a first stage.
    fileprivate func configuration(normGroups: Int, at location: String) throws -> FirstStage.Configuration {
        let widths = (0..<16).prefix { width(level: $0, block: 0) != nil }.compactMap { width(level: $0, block: 0) }
        guard !widths.isEmpty,
            let imageChannels = agreed(("encoder.conv_in.weight", 1), ("decoder.conv_out.weight", 0), ("decoder.conv_out.bias", 0)),
            let width = agreed(
                ("encoder.conv_in.weight", 0), ("encoder.conv_in.bias", 0), ("encoder.down_blocks.0.resnets.0.norm1.weight", 0)),
            let latents = agreed(("decoder.conv_in.weight", 1), ("post_quant_conv.weight", 0), ("post_quant_conv.bias", 0)),
            let moments = agreed(("encoder.conv_out.weight", 0), ("encoder.conv_out.bias", 0), ("quant_conv.weight", 0))
        else {
            let names = shapes.keys.sorted()
            throw Failure(
                .badData, "the file holds no first stage of latent diffusion", at: location,
                expected: "tensors such as encoder.conv_in.weight, encoder.down_blocks.0.resnets.0.conv1.weight and decoder.conv_out.weight",
                found: names.isEmpty ? "none" : names.prefix(5).joined(separator: ", ") + (names.count > 5 ? " and \(names.count - 5) more" : ""),
                remedy: FirstStageImport.remedy)
        }
        guard width > 0, widths.allSatisfy({ $0 % width == 0 }) else {
            throw Failure(
                .badData, "the first stage cannot be built", at: location, expected: "levels whose channels are multiples of the first \(width)",
                found: "\(widths)", remedy: FirstStageImport.remedy)
        }
        let isVariational = moments % 2 == 0 && moments / 2 == latents
        // Without a codebook it is at least told that one is missing.
        let codes = isVariational ? 0 : max(1, extent("quantize.embedding.weight", 0) ?? 1)
        let attention = "encoder.down_blocks.\(widths.count - 1).attentions.0"
        return FirstStage.Configuration(
            imageChannels: imageChannels, width: width, multipliers: widths.map { $0 / width },
            blocksPerLevel: (0..<16).prefix { self.width(level: 0, block: $0) != nil }.count, latentChannels: latents, codebookSize: codes,
            isVariational: isVariational, decodesQuantized: !isVariational,
            hasAttentionAtDeepest: agreed(("\(attention).group_norm.weight", 0), ("\(attention).to_q.weight", 0)) != nil, normGroups: normGroups)
    }
}
