import Foundation
import Groundwork

/// The magnetograms of a run in their order, by which a run that is resumed knows them again: crops are drawn by their places in it.
struct TrainingFiles: Codable {
    struct File: Codable {
        /// Without the folder.
        var name: String
        /// The first 16 digits of the digests in ``MagnetogramCollection/Entry/digest``.
        var digest: String
    }

    var training: [File]
    /// Nil without validation.
    var validation: [File]?

    init(training: MagnetogramCollection, validation: MagnetogramCollection?) {
        func files(_ collection: MagnetogramCollection) -> [File] {
            collection.entries.map { File(name: $0.url.lastPathComponent, digest: String($0.digest.prefix(16) + $0.digest.dropFirst(64).prefix(16))) }
        }
        (self.training, self.validation) = (files(training), validation.map(files))
    }

    /// Refuses other data than these. Whether there is validation may change.
    /// - Parameters:
    ///   - found: what there is now.
    ///   - location: of the checkpoint that these stand in.
    /// - Throws: `Failure` (`.badData`) that tells which magnetograms came, went or changed.
    func check(_ found: TrainingFiles, at location: String) throws {
        for (part, own, other) in [("training", training, found.training), ("validation", validation ?? [], found.validation ?? [])] {
            guard part == "training" || (validation != nil && found.validation != nil), own.map(\.digest) != other.map(\.digest) else { continue }
            throw Failure(
                .badData, "the data are not those that the run began with", at: location, expected: "the \(own.count) magnetograms of its \(part)",
                found: Self.difference(own, other),
                remedy: "resume with the data it began with, or train on these in another run, from this one's model with --from")
        }
    }

    private static func difference(_ own: [File], _ other: [File]) -> String {
        let (before, now) = (Set(own.map(\.digest)), Set(other.map(\.digest)))
        let (gone, new) = (own.filter { !now.contains($0.digest) }.map(\.name), other.filter { !before.contains($0.digest) }.map(\.name))
        let changed = Set(gone).intersection(new)
        let parts = [
            ("changed", gone.filter(changed.contains)), ("gone", gone.filter { !changed.contains($0) }),
            ("new", new.filter { !changed.contains($0) }),
        ].filter { !$0.1.isEmpty }
        guard !parts.isEmpty else { return own.count == other.count ? "these in another order" : "\(other.count), some of them twice" }
        return parts.map { word, names in
            "\(names.count) \(word): \(names.prefix(5).joined(separator: ", "))\(names.count > 5 ? " and others" : "")"
        }.joined(separator: "; ")
    }
}
