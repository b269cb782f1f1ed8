import ArgumentParser
import Groundwork

/// `sr finetune`: named, so that who looks for it learns where it stands.
struct Finetune: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Fine-tune a model on MDI/HMI pairs (not built yet).")

    @Argument(parsing: .allUnrecognized, help: .hidden)
    var arguments: [String] = []

    func run() throws {
        throw Failure(.usage, "fine-tuning is not built yet", remedy: "train on HMI magnetograms with `sr train`")
    }
}
