import Foundation
import Groundwork
import SolarImage

/// The models that come with the program.
public enum BundledModels {
    /// The super-resolution model for block means of HMI, and for whatever has none of its own.
    private static let name = "corrdiff-hmi-small"

    /// The one whose autoencoder others are trained in.
    private static let latentName = "ldm-residual-small"

    /// The models made for other instruments, by ``Instrument/name``.
    private static let names = ["mdi": "corrdiff-mdi-small"]

    /// Every bundled model's file, by name.
    public static func files() -> [(name: String, url: URL)] {
        let folder = Bundle.module.bundleURL.appendingPathComponent("Resources")
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return names.filter { $0.hasSuffix(".safetensors") }.sorted()
            .map { (String($0.dropLast(".safetensors".count)), folder.appendingPathComponent($0)) }
    }

    /// The file of the super-resolution model for an instrument's images.
    /// - Throws: `Failure` (`.missingInput`) if the program was built without it.
    public static func superResolution(for instrument: Instrument) throws -> URL { try file(names[instrument.name] ?? name) }

    /// The autoencoder of the latent models.
    static func autoencoder() throws -> Model { try Model(reading: file(latentName)) }

    private static func file(_ name: String) throws -> URL {
        guard let file = files().first(where: { $0.name == name }) else {
            throw Failure(.missingInput, "no model \(name) is bundled with this program", remedy: "give one of your own")
        }
        return file.url
    }
}
