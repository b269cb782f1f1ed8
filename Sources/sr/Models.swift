import ArgumentParser
import Foundation
import Groundwork
import SuperResolution

/// `sr models`
struct Models: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "List the bundled models with their cards.")

    @OptionGroup(title: "Common options")
    var common: CommonOptions

    func run() throws {
        let files = BundledModels.files()
        guard !files.isEmpty else { throw Failure(.missingInput, "no model is bundled with this program") }
        for (name, url) in files {
            let model = try Model(reading: url)
            print(
                """
                \(name)
                  system      \(model.kind.rawValue), \(model.scale) times
                  parameters  \(model.parameterCount)
                  training    \(model.training.steps) steps of \(model.training.batchSize) crops, \(model.training.images) magnetograms, seed \(model.training.seed)
                  file        \(url.path)
                  SHA-256     \(try sha256(of: url))
                """)
        }
    }
}
