import ArgumentParser
import Foundation
import Groundwork
import SuperResolution

extension ModelKind: ExpressibleByArgument {}
extension TrainingConfiguration.Preset: ExpressibleByArgument {}

/// `sr train`
struct Train: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Train a model on HMI magnetograms.",
        discussion: """
            DATA is a folder that `sr prepare` wrote, or any folder of FITS crops or maps; of such a folder about a tenth, whole regions, is kept for \
            validation. LR is the mean of every 4 × 4 pixels, what --simulate makes of them, or, of pairs, what stands beside HR. Pixels off the disk count for nothing.

            Latent systems (ldm-residual, ldm) diffuse in the latents of an autoencoder (vqgan), which is trained before them. Ctrl-C saves, \
            as do SIGTERM, SIGHUP, SIGUSR1 and SIGXCPU; --resume goes on, with the same data.

            Started as `mpirun -n N sr train …` or `srun --mpi=pmix sr train …`, N processes train one model, on one computer or several that share \
            DATA and RUN. Each computes its share of every batch's micro-batches; the weights are the same for any N.
            """)

    @Argument(help: ArgumentHelp("Folder of FITS files to learn from.", valueName: "data"))
    var data: String

    @Option(help: ArgumentHelp("What to train: \(ModelKind.allCases.map(\.rawValue).joined(separator: ", ")).", valueName: "model"))
    var model: ModelKind?

    @Option(help: "paper, small or tiny (default: small).")
    var preset: TrainingConfiguration.Preset?

    @Option(
        help: ArgumentHelp(
            "Autoencoder to diffuse in the latents of (default: the bundled one): a model of this program, by file or bundled name, or safetensors of diffusers or CompVis.",
            valueName: "file"))
    var autoencoder: String?

    @Option(
        help: ArgumentHelp(
            "Start from a model of this program, by file or bundled name, or from weights under PyTorch's names in a safetensors file.",
            valueName: "file"))
    var from: String?

    @OptionGroup var training: TrainingOptions

    @OptionGroup(title: "Common options")
    var common: CommonOptions

    func run() throws {
        let logger = common.start()
        let configuration = try training.configuration(
            common, fixed: [("--autoencoder", autoencoder != nil), ("--from", from != nil)], logger, defaults: defaults)
        for (name, changes) in [("--model", model.map { $0 != configuration.model }), ("--preset", preset.map { $0 != configuration.preset })]
        where changes == true {
            throw Failure(.usage, "\(name) cannot change when a run is resumed", at: training.folder.url.path)
        }
        try training.run(configuration, data: data, autoencoder: autoencoder, start: from, verb: "train", common, logger)
    }

    private func defaults(_ file: [String: Any]) throws -> TrainingConfiguration {
        guard let kind = try model ?? (file["model"].map { try named($0, "model") }) else {
            throw Failure(.usage, "no model is named", expected: "--model \(ModelKind.allCases.map(\.rawValue).joined(separator: "|"))")
        }
        return TrainingConfiguration(model: kind, preset: try preset ?? (file["preset"].map { try named($0, "preset") }) ?? .small)
    }

    private func named<Value: RawRepresentable & CaseIterable>(_ value: Any, _ key: String) throws -> Value where Value.RawValue == String {
        guard let result = Value(rawValue: "\(value)") else {
            throw Failure(
                .configuration, "\(key) is not valid", at: common.config, expected: Value.allCases.map(\.rawValue).joined(separator: ", "),
                found: "\(value)")
        }
        return result
    }
}
