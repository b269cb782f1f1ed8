import Foundation
import Groundwork
import TensorCore
import Yams

/// What a run was begun with, kept in its checkpoints: with any of it changed, it would not go on as it would have without a stop.
struct RunOrigin {
    /// Nil where it is not files, and where it is not told.
    var data: TrainingFiles?
    /// As YAML.
    var configuration: String?
    /// ``programDigest()``
    var program: String?
    /// The name of the ``ConvolutionAlgorithm``.
    var convolution: String?

    private static let dataKey = "sr.data", configurationKey = "sr.configuration", programKey = "sr.program", convolutionKey = "sr.convolution"

    /// That of the running program, but for its data.
    init(_ configuration: TrainingConfiguration) throws {
        self.configuration = try configuration.yaml()
        (program, convolution) = (try programDigest(), ConvolutionAlgorithm.current.rawValue)
    }

    /// As a checkpoint tells it; nothing of what checkpoints of earlier versions do not tell.
    init(metadata: [String: String]) {
        data = metadata[Self.dataKey].flatMap { try? JSONDecoder().decode(TrainingFiles.self, from: Data($0.utf8)) }
        (configuration, program, convolution) = (
            metadata[Self.configurationKey], metadata[Self.programKey], metadata[Self.convolutionKey]
        )
    }

    func metadata() throws -> [String: String] {
        var metadata: [String: String] = [:]
        metadata[Self.dataKey] = try data.map { try jsonText($0) }
        (metadata[Self.configurationKey], metadata[Self.programKey], metadata[Self.convolutionKey]) = (configuration, program, convolution)
        return metadata
    }

    /// Settings that a run may go on with otherwise than it began: how long, by how many, and how often what is done that leaves the weights alone.
    private static let free: Set<String> = [
        "steps", "epochs", "max-hours", "schedule-start", "validate-every", "validation", "select", "save-every", "keep-last", "patience", "ranks",
    ]
    /// Those that change where it goes, in ways that users have reason to.
    private static let told: Set<String> = [
        "learning-rate", "warmup", "schedule", "clip-norm", "skip-norm", "max-skipped", "max-skipped-total", "weight-decay", "ema-decay",
        "regression-training", "loss.discriminator-training",
    ]

    /// Makes sure that a run can go on with what there is now, on data that are known to be the same.
    /// - Parameters:
    ///   - location: of the checkpoint that this stands in.
    ///   - acceptsChanges: whether another program or convolution is told rather than refused.
    /// - Returns: what the user should know of it.
    /// - Throws: `Failure` (`.configuration`) for another configuration, program or convolution.
    func remarks(goingOnWith now: RunOrigin, at location: String, acceptsChanges: Bool) throws -> [String] {
        var remarks: [String] = []
        if let before = configuration, let after = now.configuration {
            let changes = try Self.differences(before, after).filter { change in !Self.free.contains { change.isOf($0) } }
            let (usual, others) = (
                changes.filter { change in Self.told.contains { change.isOf($0) } },
                changes.filter { change in !Self.told.contains { change.isOf($0) } }
            )
            guard others.isEmpty else {
                throw Failure(
                    .configuration, "the configuration is not that which the run began with", at: location,
                    expected: others.map { "\($0.key): \($0.before)" }.joined(separator: ", "),
                    found: others.map { "\($0.key): \($0.after)" }.joined(separator: ", "),
                    remedy: "leave these as they were, or train another run from this one's model with --from")
            }
            remarks += usual.map { "\($0.key) is \($0.after) from here on, no longer \($0.before)" }
        }
        for (name, before, after, remedy) in [
            ("program", program, now.program, "use the program that it began with"),
            ("convolution", convolution, now.convolution, convolution.map { "add --convolution \($0)" } ?? ""),
        ] {
            guard let before, let after, before != after else { continue }
            guard acceptsChanges else {
                throw Failure(
                    .configuration, "the \(name) is not that which the run began with, so that it would not go on bit for bit", at: location,
                    expected: before, found: after, remedy: "\(remedy); or go on all the same with --accept-changes")
            }
            remarks.append("the \(name) is not that which the run began with: it does not go on bit for bit")
        }
        if data == nil || configuration == nil || program == nil {
            remarks.append("\(location): the checkpoint does not tell all of data, configuration and program of the run; they are taken to be these")
        }
        return remarks
    }

    private struct Change {
        let key, before, after: String
        func isOf(_ name: String) -> Bool { key == name || key.hasPrefix(name + ".") }
    }

    /// The keys, level by level with dots between, whose values differ.
    private static func differences(_ before: String, _ after: String) throws -> [Change] {
        func leaves(_ value: Any, _ key: String) -> [(String, String)] {
            if let mapping = value as? [String: Any] { return mapping.flatMap { leaves($1, key.isEmpty ? $0 : "\(key).\($0)") } }
            return [(key, "\(value)")]
        }
        func entries(_ yaml: String) throws -> [String: String] {
            Dictionary(leaves(try Yams.load(yaml: yaml) ?? [String: Any](), "")) { $1 }
        }
        let (old, new) = (try entries(before), try entries(after))
        return Set(old.keys).union(new.keys).sorted().compactMap { key in
            let (was, now) = (old[key] ?? "none", new[key] ?? "none")
            return was == now ? nil : Change(key: key, before: was, after: now)
        }
    }
}
