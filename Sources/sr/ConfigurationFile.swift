import ArgumentParser
import Foundation
import Groundwork
import SuperResolution
import Yams

/// Options from a YAML file, `--config FILE`: keys are the names of options.
///
/// Its entries are put behind the command line's own, but for those that stand there. For `train` and `finetune` the file is part of the training
/// configuration too, which has keys beyond the options and of its own kind (``trainingEntries(at:)``).
enum ConfigurationFile {
    static func expand(_ arguments: [String]) throws -> [String] {
        guard let command = arguments.first, let path = path(in: arguments) else { return arguments }
        let names = optionNames(of: command).filter { $0 != "config" }
        let isTraining = command == "train" || command == "finetune"
        var inserted: [String] = []
        for (key, value) in try mapping(at: path).sorted(by: { $0.key < $1.key }) {
            if isTraining, isTrainingEntry(key, value) { continue }
            guard names.contains(key) else { throw Failure.unknownKey(key, known: names + (isTraining ? TrainingConfiguration.keys : []), at: path) }
            guard !arguments.contains(where: { $0 == "--\(key)" || $0.hasPrefix("--\(key)=") }) else { continue }
            switch value {
            case let isSet as Bool: if isSet { inserted.append("--\(key)") }
            case let list as [Any]: for item in list { inserted += ["--\(key)", "\(item)"] }
            default: inserted += ["--\(key)", "\(value)"]
            }
        }
        // Behind the inputs, for some options take all values up to the next option; whatever follows a -- is an input.
        let end = arguments.firstIndex(of: "--") ?? arguments.endIndex
        return arguments[..<end] + inserted + arguments[end...]
    }

    /// Whether an entry belongs to the training configuration. The name of an autoencoder's file is an option, the autoencoder's extents are not.
    private static func isTrainingEntry(_ key: String, _ value: Any) -> Bool {
        TrainingConfiguration.keys.contains(key) && !(key == "autoencoder" && value is String)
    }

    /// The entries of a YAML file that belong to the training configuration.
    /// - Throws: as ``mapping(at:)``
    static func trainingEntries(at path: String) throws -> [String: Any] { try mapping(at: path).filter(isTrainingEntry) }

    /// The top-level entries of a YAML file.
    /// - Throws: `Failure`: `.missingInput`, or `.configuration` if it is not a YAML mapping.
    static func mapping(at path: String) throws -> [String: Any] {
        let url = fileURL(path)
        guard FileManager.default.fileExists(atPath: url.path) else { throw Failure(.missingInput, "there is no such file", at: path) }
        do {
            let text = try String(contentsOf: url, encoding: .utf8)
            guard let loaded = try Yams.load(yaml: text) else { return [:] }
            guard let mapping = loaded as? [String: Any] else {
                throw Failure(
                    .configuration, "the configuration is not a mapping", at: path, expected: "lines of `option: value`", found: "\(type(of: loaded))"
                )
            }
            return mapping
        } catch let failure as Failure {
            throw failure
        } catch {
            throw Failure(.configuration, "the configuration is not YAML", at: path, found: "\(error)")
        }
    }

    /// Entries as a file that `--config` reads.
    static func text(_ command: String, _ entries: [String: Any]) throws -> String {
        do {
            return "# sr \(programVersion) \(command)\n" + (try Yams.dump(object: entries, sortKeys: true))
        } catch {
            throw Failure(.other, "the configuration cannot be written", found: "\(error)")
        }
    }

    private static func path(in arguments: [String]) -> String? {
        if let index = arguments.firstIndex(of: "--config"), index + 1 < arguments.count { return arguments[index + 1] }
        return arguments.first { $0.hasPrefix("--config=") }.map { String($0.dropFirst("--config=".count)) }
    }

    /// The long options of a subcommand, from its own help.
    private static func optionNames(of command: String) -> [String] {
        guard let type = SR.configuration.subcommands.first(where: { $0._commandName == command }) else { return [] }
        let help = SR.helpMessage(for: type, includeHidden: true)
        return Set(help.matches(of: /--([a-z][a-z0-9-]*)/).map { String($0.1) }).subtracting(["help", "version"]).sorted()
    }
}
