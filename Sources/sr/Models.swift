import ArgumentParser
import Foundation
import Groundwork
import SuperResolution

/// `sr models`
struct Models: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List models with their cards.",
        discussion: """
            Without MODEL those that come with the program. With --half a model is written again with 16-bit weights: half the size, about three decimal \
            digits a weight. With --report it gets a card: the figures that `sr evaluate` found of this very file, and what --limits says.
            """)

    @Argument(help: ArgumentHelp("Models to tell of: files, or bundled models' names.", valueName: "model"))
    var models: [String] = []

    @Option(help: ArgumentHelp("Model to write with 16-bit weights.", valueName: "file"))
    var half: String?

    @Option(help: ArgumentHelp("Where to write it.", valueName: "file"))
    var output: String?

    @Option(help: ArgumentHelp("The report.json of an evaluation of this model.", valueName: "file"))
    var report: String?

    @Option(help: ArgumentHelp("What the model must not be trusted with, for its card.", valueName: "text"))
    var limits: String?

    @OptionGroup(title: "Common options")
    var common: CommonOptions

    func validate() throws {
        if half != nil && !models.isEmpty { throw ValidationError("--half writes one model and lists none") }
        if (half == nil) != (output == nil) { throw ValidationError("--half and --output belong together") }
        if report != nil && half == nil { throw ValidationError("--report belongs to --half") }
        if limits != nil && report == nil { throw ValidationError("--limits belongs to --report") }
    }

    func run() throws {
        _ = common.start()
        if let half, let output {
            let target = fileURL(output)
            try common.checkOutput(target)
            let source = modelURL(half)
            let card = try report.map { try ModelCard(report: fileURL($0), digest: sha256(of: source), limits: limits) }
            try Model(reading: source).writeHalfPrecision(to: target, card: card, at: source.path)
            return
        }
        let files = models.isEmpty ? BundledModels.files() : models.map { (name: $0, url: modelURL($0)) }
        guard !files.isEmpty else { throw Failure(.missingInput, "no model is bundled with this program") }
        for (name, url) in files {
            let model = try Model(reading: url)
            let training = model.training
            try StandardStream.output(
                """
                \(name)
                  system      \(model.kind.rawValue), \(model.scale) times
                  input       \(model.input)
                  parameters  \(model.parameterCount)
                  training    \(training.steps) steps of \(training.batchSize) crops, \(training.images) magnetograms, seed \(training.seed)
                  data        \(model.data)
                  file        \(url.path)
                  SHA-256     \(try sha256(of: url))

                """)
            if let card = model.card { try StandardStream.output("  measured on \("\(card)".replacing("\n", with: "\n              "))\n") }
        }
    }
}
