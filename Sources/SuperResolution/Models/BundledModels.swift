import Foundation
import Groundwork
import SolarImage

/// The models that come with the program.
public enum BundledModels {
    /// Name of the super-resolution model for HMI and MDI input.
    private static let name = "ldm-residual-small"

    /// Every bundled model's file, by name.
    public static func files() -> [(name: String, url: URL)] {
        let folder = Bundle.module.bundleURL.appendingPathComponent("Resources")
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return names.filter { $0.hasSuffix(".safetensors") }.sorted()
            .map { (String($0.dropLast(".safetensors".count)), folder.appendingPathComponent($0)) }
    }

    /// The file of the super-resolution model.
    /// - Throws: `Failure` (`.missingInput`) if the program was built without it.
    public static func superResolution() throws -> URL {
        guard let file = files().first(where: { $0.name == name }) else {
            throw Failure(.missingInput, "no model \(name) is bundled with this program", remedy: "give one of your own")
        }
        return file.url
    }

    /// The autoencoder of the super-resolution model.
    static func autoencoder() throws -> Model { try Model(reading: superResolution()) }
}
