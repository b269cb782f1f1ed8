import ArgumentParser
import Foundation
import Groundwork
import SuperResolution

/// `sr models`
struct Models: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List the bundled models with their cards.",
        discussion: "With --half a model is written again with 16-bit weights: half the size, about three decimal digits a weight.")

    @Option(help: ArgumentHelp("Model to write with 16-bit weights.", valueName: "file"))
    var half: String?

    @Option(help: ArgumentHelp("Where to write it.", valueName: "file"))
    var output: String?

    @OptionGroup(title: "Common options")
    var common: CommonOptions

    func validate() throws {
        if (half == nil) != (output == nil) { throw ValidationError("--half and --output belong together") }
    }

    func run() throws {
        _ = common.start()
        if let half, let output {
            let target = fileURL(output)
            try common.checkOutput(target)
            try Model(reading: fileURL(half)).writeHalfPrecision(to: target)
            return
        }
        let files = BundledModels.files()
        guard !files.isEmpty else { throw Failure(.missingInput, "no model is bundled with this program") }
        for (name, url) in files {
            let model = try Model(reading: url)
            let training = model.training
            print(
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
        }
    }
}
