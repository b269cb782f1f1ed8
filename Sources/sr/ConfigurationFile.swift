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
        let options = options(of: command).filter { $0.key != "config" }
        let isTraining = command == "train" || command == "finetune"
        var inserted: [String] = []
        for (key, value) in try entries(at: path) {
            if isTraining, isTrainingEntry(key, isText: value.scalar != nil) { continue }
            guard let takesValue = options[key] else {
                throw Failure.unknownKey(key, known: options.keys.sorted() + (isTraining ? TrainingConfiguration.keys : []), at: path)
            }
            guard !arguments.contains(where: { $0 == "--\(key)" || $0.hasPrefix("--\(key)=") }) else { continue }
            if takesValue {
                // With an equals sign, so that a value which begins with a dash is none the less one.
                inserted += try texts(value, of: key, at: path).map { "--\(key)=\($0)" }
            } else if try flag(value, of: key, at: path) {
                inserted.append("--\(key)")
            }
        }
        // Behind the inputs, for some options take all values up to the next option; whatever follows a -- is an input.
        let end = arguments.firstIndex(of: "--") ?? arguments.endIndex
        return arguments[..<end] + inserted + arguments[end...]
    }

    /// The values of an option as they stand in the file, not as YAML understands them: dates, version numbers and words such as `on` are text.
    private static func texts(_ value: Node, of key: String, at path: String) throws -> [String] {
        try (value.sequence.map { Array($0) } ?? [value]).map { item in
            guard let scalar = item.scalar, !isNull(scalar) else {
                throw Failure(.configuration, "\(key) is not text", at: path, expected: "a value, or a list of values", found: kind(item))
            }
            return scalar.string
        }
    }

    private static func flag(_ value: Node, of key: String, at path: String) throws -> Bool {
        guard let scalar = value.scalar, scalar.style == .plain, let isSet = Bool.construct(from: scalar) else {
            throw Failure(.configuration, "\(key) is neither on nor off", at: path, expected: "true or false, without quotes", found: kind(value))
        }
        return isSet
    }

    private static func isNull(_ scalar: Node.Scalar) -> Bool {
        scalar.style == .plain && ["", "~", "null", "Null", "NULL"].contains(scalar.string)
    }

    private static func kind(_ value: Node) -> String {
        switch value {
        case .scalar(let scalar): isNull(scalar) ? "nothing" : scalar.style == .plain ? scalar.string : "\"\(scalar.string)\""
        case .mapping: "a mapping"
        case .sequence: "a list"
        case .alias: "an alias"
        }
    }

    /// Whether an entry belongs to the training configuration. The name of an autoencoder's file is an option, the autoencoder's extents are not.
    private static func isTrainingEntry(_ key: String, isText: Bool) -> Bool {
        TrainingConfiguration.keys.contains(key) && !(key == "autoencoder" && isText)
    }

    /// The entries of a YAML file that belong to the training configuration.
    /// - Throws: as ``mapping(at:)``
    static func trainingEntries(at path: String) throws -> [String: Any] {
        try mapping(at: path).filter { isTrainingEntry($0, isText: $1 is String) }
    }

    /// The top-level entries of a YAML file, as YAML understands them.
    /// - Throws: `Failure`: `.missingInput`, or `.configuration` if it is not a YAML mapping.
    static func mapping(at path: String) throws -> [String: Any] {
        try read(path, { try Yams.load(yaml: $0) }) { $0 as? [String: Any] } ?? [:]
    }

    /// The same as they stand in the file, by name.
    private static func entries(at path: String) throws -> [(key: String, value: Node)] {
        let mapping = try read(path, { try Yams.compose(yaml: $0) }) { $0.mapping }
        return try (mapping.map { Array($0) } ?? []).map { key, value in
            guard let name = key.scalar?.string else {
                throw Failure(.configuration, "a key is not text", at: path, expected: "lines of `option: value`", found: kind(key))
            }
            return (name, value)
        }.sorted { $0.0 < $1.0 }
    }

    /// What `parse` makes of a file as a mapping; nil of an empty one.
    private static func read<Parsed, Mapping>(
        _ path: String, _ parse: (String) throws -> Parsed?, as mapping: (Parsed) -> Mapping?
    ) throws -> Mapping? {
        let url = fileURL(path)
        guard FileManager.default.fileExists(atPath: url.path) else { throw Failure(.missingInput, "there is no such file", at: path) }
        do {
            guard let parsed = try parse(try String(contentsOf: url, encoding: .utf8)) else { return nil }
            guard let result = mapping(parsed) else {
                throw Failure(
                    .configuration, "the configuration is not a mapping", at: path, expected: "lines of `option: value`",
                    found: (parsed as? Node).map(kind) ?? "\(type(of: parsed))")
            }
            return result
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

    /// The long options of a subcommand, from its own help, and whether each takes a value.
    private static func options(of command: String) -> [String: Bool] {
        guard let type = SR.configuration.subcommands.first(where: { $0._commandName == command }) else { return [:] }
        let help = SR.helpMessage(for: type, includeHidden: true)
        return help.matches(of: /--([a-z][a-z0-9-]*)( <)?/).reduce(into: [:]) { options, match in
            let name = String(match.1)
            if name != "help", name != "version" { options[name] = options[name] == true || match.2 != nil }
        }
    }
}
