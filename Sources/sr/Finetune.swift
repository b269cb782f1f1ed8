import ArgumentParser
import Foundation
import Groundwork
import SuperResolution

extension Adaptation.Unfrozen: ExpressibleByArgument {}

/// `sr finetune`
struct Finetune: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Fine-tune a model on MDI/HMI pairs.",
        discussion: """
            PAIRS is a folder that `sr prepare --pairs` or `--simulate mdi` wrote; LR is what stands beside HR, divided by the factor between the \
            instruments. With --simulate it is a folder of HMI magnetograms as `sr train` takes them. Of a diffusion model the projections of \
            self-attention are adapted by low-rank matrices and the layers at the lowest resolution are unfrozen; of Enhance and Progressive all weights \
            are trained. Writes model.safetensors, ready for use, and of diffusion models adapter.safetensors, which holds the changes alone. Several \
            processes train one model as with `sr train`.
            """)

    @Argument(help: ArgumentHelp("Folder of pairs to learn from.", valueName: "pairs"))
    var data: String

    @Option(help: ArgumentHelp("Model to fine-tune: a file, or a bundled model's name.", valueName: "model"))
    var from: String?

    @Option(help: "Rank of the matrices that adapt the attention of a diffusion model; 0 for none (default: 4).")
    var loraRank: Int?

    @Option(help: "Their product is multiplied by alpha / rank (default: the rank).")
    var loraAlpha: Float?

    @Option(help: "Own weights of a diffusion model to train beside them: bottleneck, none or all (default: bottleneck).")
    var unfreeze: Adaptation.Unfrozen?

    @OptionGroup var training: TrainingOptions

    @OptionGroup(title: "Common options")
    var common: CommonOptions

    func run() throws {
        let logger = common.start()
        let configuration = try training.configuration(
            common,
            fixed: [
                ("--from", from != nil), ("--lora-rank", loraRank != nil), ("--lora-alpha", loraAlpha != nil), ("--unfreeze", unfreeze != nil),
            ], logger, defaults: { _ in try defaults() })
        guard !training.resume || configuration.isFinetuning else {
            throw Failure(.usage, "the run to resume is no fine-tuning", at: training.folder.url.path, remedy: "use `sr train --resume`")
        }
        try training.run(configuration, data: data, start: from, verb: "finetune", common, logger)
    }

    private func defaults() throws -> TrainingConfiguration {
        guard let from else { throw Failure(.usage, "no model is named", expected: "--from MODEL") }
        let model = try Model(reading: modelURL(from))
        let adaptsAttention = model.kind.isDiffusion
        for (name, isGiven) in [("--lora-rank", loraRank != nil), ("--lora-alpha", loraAlpha != nil), ("--unfreeze", unfreeze != nil)]
        where isGiven && !adaptsAttention {
            throw Failure(
                .usage, "\(name) belongs to diffusion models; all weights of \(model.kind.rawValue) are trained", at: from, remedy: "leave it out")
        }
        let rank = loraRank ?? 4
        return try TrainingConfiguration(
            finetuning: model, adaptation: Adaptation(rank: rank, alpha: loraAlpha ?? Float(max(1, rank)), unfreeze: unfreeze ?? .bottleneck))
    }
}
