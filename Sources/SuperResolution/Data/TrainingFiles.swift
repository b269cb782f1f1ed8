import Foundation
import Groundwork
import SolarImage

/// The magnetograms of a run in their order, by which a run that is resumed knows them again: crops are drawn by their places in it.
///
/// All are known by their headers, which are read when a run begins, and those that were drawn from by their pixels too. Headers with `DATASUM`, as this
/// program and JSOC's write them, tell of pixels that changed; of other files' it is noticed when they are read next.
struct TrainingFiles: Codable {
    struct File: Codable {
        /// Without the folder.
        var name: String
        /// The first 16 digits of ``MagnetogramCollection/Entry/digest``; nil in checkpoints of earlier versions.
        var header: String?
        /// ``MagnetogramStore/Fields/digest()``; nil if its pixels were not read yet.
        var pixels: String?

        private enum CodingKeys: String, CodingKey {
            case name, header
            case pixels = "digest"
        }
    }

    var training: [File]
    /// Nil without validation.
    var validation: [File]?

    init(training: MagnetogramCollection, validation: MagnetogramCollection?) {
        func files(_ collection: MagnetogramCollection) -> [File] {
            collection.entries.map {
                File(name: $0.url.lastPathComponent, header: String($0.digest.prefix(16)), pixels: collection.store.digest(of: $0))
            }
        }
        (self.training, self.validation) = (files(training), validation.map(files))
    }

    /// As they are known by their headers alone.
    var withoutPixels: TrainingFiles {
        func known(_ file: File) -> File { File(name: file.name, header: file.header, pixels: nil) }
        var result = self
        (result.training, result.validation) = (training.map(known), validation.map { $0.map(known) })
        return result
    }

    /// Has pixels refused from now on unless they are these.
    /// - Throws: `Failure` (`.badData`) if a file was read already and had others.
    func expectPixels(training: MagnetogramCollection, validation: MagnetogramCollection?) throws {
        for (files, collection) in [(self.training, training), (self.validation ?? [], validation)] {
            guard let collection else { continue }
            for (file, entry) in zip(files, collection.entries) {
                if let pixels = file.pixels { try collection.store.expect(pixels, of: entry) }
            }
        }
    }

    /// Refuses other data than these, now and when files are read from now on. Names may change, and so may whether there is validation. Files of other
    /// headers are read: with the same pixels they are the same, however they are packed.
    /// - Parameters:
    ///   - training, validation: what there is now.
    ///   - location: of the checkpoint that these stand in.
    /// - Throws: `Failure` (`.badData`) that tells which magnetograms came, went or changed; what reading a file throws.
    func check(training: MagnetogramCollection, validation: MagnetogramCollection?, at location: String) throws {
        try Self.check(self.training, training, "training", at: location)
        if let own = self.validation, let validation { try Self.check(own, validation, "validation", at: location) }
        try expectPixels(training: training, validation: validation)
    }

    /// A magnetogram by what tells it from all others.
    private struct Named {
        let name: String
        let key: String
    }

    private static func check(_ own: [File], _ found: MagnetogramCollection, _ part: String, at location: String) throws {
        let headers = found.entries.map { String($0.digest.prefix(16)) }
        guard own.map(\.header) != headers else { return }
        let (before, now) = (Set(own.compactMap(\.header)), Set(headers))
        func isThere(_ file: File) -> Bool { file.header.map(now.contains) ?? false }
        // Those that are not known by their headers may be by their pixels.
        let isDue = own.contains { !isThere($0) && $0.pixels != nil }
        let keys = Parallel.map(headers.count) { index in
            Result {
                try isDue && !before.contains(headers[index]) ? found.store.fields(of: found.entries[index]).digest() : headers[index]
            }
        }
        try compare(
            own.map { Named(name: $0.name, key: isThere($0) ? $0.header ?? "" : $0.pixels ?? $0.header ?? "") },
            try zip(found.entries, keys).map { Named(name: $0.url.lastPathComponent, key: try $1.get()) }, part, at: location)
    }

    private static func compare(_ own: [Named], _ found: [Named], _ part: String, at location: String) throws {
        guard own.map(\.key) == found.map(\.key) else {
            throw Failure(
                .badData, "the data are not those that the run began with", at: location, expected: "the \(own.count) magnetograms of its \(part)",
                found: difference(own, found),
                remedy: "resume with the data it began with, or train on these in another run, from this one's model with --from")
        }
    }

    private static func difference(_ own: [Named], _ other: [Named]) -> String {
        let (before, now) = (Set(own.map(\.key)), Set(other.map(\.key)))
        let (gone, new) = (own.filter { !now.contains($0.key) }.map(\.name), other.filter { !before.contains($0.key) }.map(\.name))
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
